package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

const (
	// chunkRecords bounds what is folded under the lock.
	chunkRecords = state.MaxChunk
	// longBacklog is the lag in records from which on outputs wait for the checkpoint.
	longBacklog = 10_000
	// queuedRecords bounds what a task has fetched and not folded, queuedBytes what all of them have; beyond it the
	// partition is paused.
	queuedRecords = 15_000
	queuedBytes   = 256 << 20
	// commitRecords and commitBytes bound what one commit writes, so that it ends well before the transaction's timeout
	// even on a slow machine; but one task's part may always be in it.
	commitRecords = 100_000
	commitBytes   = 32 << 20
	// backlogFactor is by how much the checkpoint interval is longer while a long backlog is worked off.
	backlogFactor = 5
	// unmirroredCommits, for each task, and unmirroredBytes, over all of them, bound what the mirrors may be behind before
	// folding waits for them: it is in memory beside the cache.
	unmirroredCommits = 64
	unmirroredBytes   = 32 << 20
)

// errNotConfirmed sends a task through a takeover: a commit that it was part of may or may not have happened.
var errNotConfirmed = errors.New("a commit was not confirmed")

// phase is how far a task has come.
type phase int

const (
	restoring phase = iota // knows nothing; takes part in no commit
	claiming               // its next commit is a commit record only, which makes it the owner
	running
)

// task owns one input partition while it is assigned. A goroutine of its own takes it over and folds; the runtime's
// committer takes cuts in between. Everything below mu is guarded by it.
type task struct {
	r         *Runtime
	input     topicInfo
	changelog topicInfo
	partition int32
	identity  identity
	member    string    // the group member's id that the partition was assigned to
	proc      Processor // of this ownership
	cancel    context.CancelFunc

	// committed is the changelog position after the newest commit record that is confirmed; leftOut is how many commits
	// had no room for the task's checkpoint, one after the other. The transaction's lock guards them.
	committed int64
	leftOut   int

	mu           sync.Mutex
	wake         chan struct{}
	phase        phase
	table        *table
	mirror       *mirrorWriter
	claim        *claim
	failure      error
	queue        []recordSet
	queued       int       // records in the queue
	queuedSize   int       // bytes that they take, compressed
	held         bool      // nothing is asked for until there is room
	idle         caughtUp  // when it held nothing more, as last heard
	end          int64     // the partition's high watermark as last fetched
	behind       bool      // there is a long backlog
	lagged       bool      // there was one, which is not quite worked off
	urgent       bool      // the task can't go on before a checkpoint, or has just caught up
	crowded      bool      // the task has no room for more
	checkpointAt time.Time // when the next is due, unless there is a long backlog
	readAt       time.Time // when the last records were folded, or the task began to run
	waiting      string    // what for, in words
	troubled     string    // why the store is out of reach

	// The folding goroutine's own.
	records   *recordReader
	slots     []slot
	missing   []string
	loads     loads
	touched   int       // so that it is not left out
	log       topicInfo // the changelog with its leaders as last known
	dueAtOnce int       // how many entities' timers fire between two looks at what room there is
	horizon   int64     // timers of uncached entities that are due up to here are in the table's queue
}

// claim is the commit that makes a task the owner.
type claim struct {
	checkpoint checkpoint
	result     chan claimResult
}

type claimResult struct {
	position int64 // of the commit record: the owner's token
	err      error
}

// run takes the partition over and folds it until the context ends. Whatever goes wrong in between leads to another
// takeover, except what no takeover can mend.
func (t *task) run(ctx context.Context) {
	for tries := 0; ctx.Err() == nil; tries++ {
		err := t.own(ctx)
		if t.owned() {
			tries = 0
		}
		var refusal *Refusal
		switch {
		case ctx.Err() != nil:
		case errors.As(err, &refusal), errors.Is(err, errProcessing):
			t.r.fail(fmt.Errorf("partition %s-%d: %w", t.input.name, t.partition, err))
			return
		case errors.Is(err, errNotConfirmed), errors.Is(err, state.ErrMismatch), errors.Is(err, state.ErrFenced):
			t.r.o.Logger.Warn("taking the partition over again", "stage", t.r.o.Stage, "topic", t.input.name, "partition", t.partition, "cause", err)
			t.r.stats.Takeovers.Add(1)
			backOff(ctx, tries)
		default:
			t.wait(err.Error())
			t.r.o.Logger.Warn("waiting to take the partition over", "stage", t.r.o.Stage, "topic", t.input.name, "partition", t.partition, "cause", err)
			pause(ctx, 5*retryPause)
		}
	}
}

// owned says whether the newest takeover came to its end.
func (t *task) owned() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.phase == running
}

// own is one ownership: from a takeover until it fails.
func (t *task) own(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.reset()
	if err := t.takeOver(ctx); err != nil {
		return err
	}
	var mirrors sync.WaitGroup
	if t.mirror != nil {
		mirrors.Go(func() {
			if err := t.mirror.run(ctx); err != nil && ctx.Err() == nil {
				t.fail(err)
			}
		})
	}
	err := t.process(ctx)
	cancel()
	mirrors.Wait()
	return err
}

// reset forgets everything: what was not confirmed may or may not be in the changelog. A commit that holds something of
// the task is waited for, so that the takeover sees what came of it.
func (t *task) reset() {
	t.r.txn.Lock()
	defer t.r.txn.Unlock()
	t.r.fetcher.remove(t) // so that nothing of what was asked for reaches the next ownership
	t.proc = t.r.o.NewProcessor(t.input.name, t.partition)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase, t.table, t.mirror, t.claim, t.failure = restoring, nil, nil, nil, nil
	t.queue, t.queued, t.queuedSize, t.horizon, t.idle = nil, 0, 0, 0, caughtUp{}
	t.behind, t.urgent, t.lagged, t.crowded = false, false, false, false
	t.waiting, t.troubled = "is being taken over", ""
}

// fail makes the task start over. While it is being taken over it does so already.
func (t *task) fail(err error) {
	t.mu.Lock()
	if t.failure == nil && t.phase == running {
		t.failure = err
	}
	t.mu.Unlock()
	signal(t.wake)
}

// wait notes what the task waits for, "" when it does not.
func (t *task) wait(what string) {
	t.mu.Lock()
	t.waiting = what
	t.mu.Unlock()
}

// trouble notes that the store is out of reach, nil that it is back.
func (t *task) trouble(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.troubled = ""
	if err != nil {
		t.troubled = "waits for the store: " + err.Error()
	}
}

// waits says what the task waits for, "" when it does not. The caller holds the lock.
func (t *task) waits() string { return cmp.Or(t.troubled, t.waiting) }

// offer takes in what was fetched.
func (t *task) offer(set recordSet) {
	t.mu.Lock()
	t.queue = append(t.queue, set)
	t.queued += set.records
	t.queuedSize += len(set.batches)
	t.end = set.end
	t.mu.Unlock()
	signal(t.wake)
}

// full says whether the task has enough to do: no more is fetched for it until it says that it has room again.
func (t *task) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = t.sated()
	return t.held
}

// sated is full for a caller that holds the lock.
func (t *task) sated() bool {
	return t.queued >= queuedRecords || t.queuedSize >= t.r.share().queued
}

// process folds what is fetched until the task fails or the context ends.
func (t *task) process(ctx context.Context) error {
	if err := t.fireDue(ctx); err != nil { // what the owner before had not come to
		return err
	}
	for {
		set, err := t.next(ctx)
		if err != nil {
			return err
		}
		for len(set.batches) > 0 {
			if err := t.foldSpan(ctx, &set); err != nil {
				return err
			}
		}
	}
}

// foldSpan folds the next few batches of a set.
func (t *task) foldSpan(ctx context.Context, set *recordSet) error {
	records, next, err := t.records.read(set, chunkRecords)
	if err != nil {
		return err
	}
	for len(records) > 0 {
		n := min(t.loads.inMemory(t.r.share().bytes), len(records))
		if err := t.fold(ctx, records[:n]); err != nil {
			return err
		}
		t.urge(set.stable - records[n-1].Offset - 1)
		records = records[n:]
	}
	t.mu.Lock()
	t.table.skip(next) // what lies behind the last record was aborted, or a marker
	t.mu.Unlock()
	t.urge(set.stable - next)
	return nil
}

// next waits for something to fold.
func (t *task) next(ctx context.Context) (recordSet, error) {
	for {
		t.mu.Lock()
		if t.failure != nil {
			defer t.mu.Unlock()
			return recordSet{}, t.failure
		}
		if len(t.queue) > 0 {
			set := t.queue[0]
			t.queue[0] = recordSet{}
			t.queue = t.queue[1:]
			t.queued -= set.records
			t.queuedSize -= len(set.batches)
			resume := t.held && !t.sated() // not whether it was sated before: what that means changes with the assignment
			t.held = t.held && !resume
			t.mu.Unlock()
			if resume {
				t.r.fetcher.resume(t)
			}
			return set, nil
		}
		idle := t.idle
		here := idle.at > 0 && t.table.now.next >= idle.offset
		t.idle = caughtUp{}
		t.mu.Unlock()
		if here {
			if err := t.passTime(ctx, idle.at); err != nil {
				return recordSet{}, err
			}
			continue // what woke the task meanwhile may have been taken for room
		}
		select {
		case <-ctx.Done():
			return recordSet{}, ctx.Err()
		case <-t.wake:
		}
	}
}

// urge takes in how many records lie behind the position. It asks for a commit when there are outputs to publish and no
// long backlog to work off first, and for a checkpoint once a long backlog has been worked off.
func (t *task) urge(lag int64) {
	t.mu.Lock()
	t.behind = lag >= longBacklog
	t.lagged = t.lagged || t.behind
	emission, _ := t.table.wants()
	hurry := emission && !t.behind
	if t.lagged && lag <= 0 {
		t.lagged, t.urgent, hurry = false, true, true
	}
	t.mu.Unlock()
	if hurry {
		signal(t.r.hurry)
	}
}

func (t *task) tp() topicPartition { return topicPartition{t.input.name, t.partition} }

// changelogRecord is a record for the task's changelog partition.
func (t *task) changelogRecord(key, value []byte) kgo.Record {
	return kgo.Record{Topic: t.changelog.name, Partition: t.partition, Key: key, Value: value}
}

// commitRecord is what ends a commit at a checkpoint.
func (t *task) commitRecord(c checkpoint) commitRecord {
	return commitRecord{identity: t.identity, Offset: c.next, EventTime: c.eventTime, Sources: c.sources, Definition: t.r.o.Definition}
}
