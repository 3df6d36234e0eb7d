package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

const (
	// chunkRecords bounds what is folded under the lock, and what one call loads from the mirror.
	chunkRecords = state.MaxChunk
	// longBacklog is the lag in records from which on outputs wait for the checkpoint.
	longBacklog = 10_000
	// queuedRecords bounds what a task has fetched and not folded, queuedBytes what all of them have; beyond it the
	// partition is paused.
	queuedRecords = 50_000
	queuedBytes   = 256 << 20
	// commitRecords and commitBytes bound the states and the outputs that one commit writes, over all tasks, so that it
	// ends well before the transaction's timeout even on a slow machine.
	commitRecords = 100_000
	commitBytes   = 64 << 20
	// unmirroredCommits bounds what the mirror may be behind before folding waits for it.
	unmirroredCommits = 64
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

// batch is what one poll brought for a partition.
type batch struct {
	incarnation int64 // of the task, read before the poll
	records     []*kgo.Record
	end         int64 // the partition's high watermark
}

func (b *batch) size() (n int) {
	for _, r := range b.records {
		n += len(r.Key) + len(r.Value)
	}
	return n
}

// task owns one input partition while it is assigned. A goroutine of its own takes it over and folds; the runtime's
// committer takes cuts in between. Everything below mu is guarded by it.
type task struct {
	r         *Runtime
	input     topicInfo
	changelog topicInfo
	partition int32
	identity  identity
	member    string // the group member's id that the partition was assigned to
	proc      Processor
	cancel    context.CancelFunc
	adjusted  chan struct{} // closed when the group has positions for the partition
	adjustOne sync.Once

	// committed is the changelog position after the newest commit record that is confirmed. The transaction's lock
	// guards it.
	committed int64

	mu          sync.Mutex
	wake        chan struct{}
	phase       phase
	incarnation int64
	table       *table
	mirror      *mirrorWriter
	claim       *claim
	failure     error
	queue       []batch
	queued      int    // records in the queue
	queuedSize  int    // bytes that they take
	end         int64  // the partition's high watermark as last fetched
	throttled   bool   // the partition is paused until the queue is worked off
	waiting     string // what for, in words
	troubled    string // why the store is out of reach

	// The folding goroutine's own.
	slots   []slot
	missing []string
	log     topicInfo // the changelog with its leaders as last known
	behind  bool      // a long backlog is being worked off
	horizon int64     // timers of uncached entities that are due up to here are in the table's queue
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase, t.table, t.mirror, t.claim, t.failure = restoring, nil, nil, nil, nil
	if t.r.tasks[topicPartition{t.input.name, t.partition}] == t {
		t.r.group.PauseFetchPartitions(t.only()) // what is fetched meanwhile would be dropped; the start seeks and resumes
	}
	t.queue, t.queued, t.queuedSize, t.horizon = nil, 0, 0, 0
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

// offer takes in a batch from the poll loop. It says whether there is room for more.
func (t *task) offer(b batch) (room bool) {
	t.mu.Lock()
	if b.incarnation == t.incarnation && t.phase == running {
		t.queue = append(t.queue, b)
		t.queued += len(b.records)
		t.queuedSize += b.size()
		t.end = b.end
	}
	room = !t.sated()
	t.mu.Unlock()
	signal(t.wake)
	return room
}

// sated says whether the task has enough to do. The caller holds the lock.
func (t *task) sated() bool {
	return t.queued >= queuedRecords || t.queuedSize >= t.r.share().queued
}

// process folds batches until the task fails or the context ends.
func (t *task) process(ctx context.Context) error {
	for {
		b, err := t.next(ctx)
		if err != nil {
			return err
		}
		for at := 0; at < len(b.records); at += chunkRecords {
			chunk := b.records[at:min(at+chunkRecords, len(b.records))]
			if err := t.fold(ctx, chunk); err != nil {
				return err
			}
			t.urge(b.end - chunk[len(chunk)-1].Offset)
		}
	}
}

// next waits for a batch.
func (t *task) next(ctx context.Context) (batch, error) {
	for {
		t.mu.Lock()
		if t.failure != nil {
			defer t.mu.Unlock()
			return batch{}, t.failure
		}
		if len(t.queue) > 0 {
			defer t.mu.Unlock()
			b := t.queue[0]
			t.queue[0] = batch{}
			t.queue = t.queue[1:]
			t.queued -= len(b.records)
			t.queuedSize -= b.size()
			return b, nil
		}
		if t.throttled { // under the lock, so that no later pause is undone, or undoes this
			t.throttled = false
			t.r.group.ResumeFetchPartitions(t.only())
		}
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return batch{}, ctx.Err()
		case <-t.wake:
		}
	}
}

// urge asks for a commit when there are outputs to publish and no long backlog to work off first, and for a checkpoint
// once a long backlog has been worked off.
func (t *task) urge(lag int64) {
	if lag >= longBacklog {
		t.behind = true
		return
	}
	if t.behind && lag <= 1 {
		t.behind = false
		signal(t.r.hurryFull)
		return
	}
	t.mu.Lock()
	emission, _ := t.table.wants()
	t.mu.Unlock()
	if emission {
		signal(t.r.hurry)
	}
}

// changelogRecord is a record for the task's changelog partition.
func (t *task) changelogRecord(key, value []byte) *kgo.Record {
	return &kgo.Record{Topic: t.changelog.name, Partition: t.partition, Key: key, Value: value}
}

// commitRecord is what ends a commit at a checkpoint.
func (t *task) commitRecord(c checkpoint) commitRecord {
	return commitRecord{identity: t.identity, Offset: c.next, EventTime: c.eventTime, Definition: t.r.o.Definition}
}
