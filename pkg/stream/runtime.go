package stream

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// topicPartition names an input partition.
type topicPartition struct {
	topic     string
	partition int32
}

func (a topicPartition) compare(b topicPartition) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// Runtime runs one stage in one process: a member of the stage's group with a task for each partition that it is
// assigned.
type Runtime struct {
	o        Options
	instance *string
	plain    *kgo.Client // requests that belong to no group member or transaction
	group    *kgo.Client
	endGroup context.CancelFunc // makes the group's client give up whatever it waits for
	producer producer
	inputs   map[string]topicInfo
	logs     map[string]topicInfo // changelogs, by input topic
	cluster  string

	// txn is held through a commit, and while tasks come and go: a commit lists only partitions that are owned.
	txn   sync.Mutex
	tasks map[topicPartition]*task
	count atomic.Int64 // of the tasks

	assignment atomic.Pointer[assignment]
	fetcher    *fetcher

	hurry   chan struct{} // outputs, claims or urgent checkpoints wait for a commit
	failed  context.CancelCauseFunc
	running sync.WaitGroup // the tasks' goroutines
	stopped atomic.Bool
	joined  atomic.Bool // the group has assigned partitions, be it none
	stats   Stats

	clockWrong atomic.Bool // our clock and the broker's differ
}

// assignment is the tasks as others than the group's loop and the committer see them. It is never changed, only replaced.
type assignment map[topicPartition]*task

// New checks the options and the topics, and builds the clients. Nothing is consumed before Run.
func New(ctx context.Context, o Options) (*Runtime, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	r := &Runtime{o: o, tasks: map[topicPartition]*task{}, hurry: make(chan struct{}, 1)}
	r.assignment.Store(&assignment{})
	if o.InstanceID != "" {
		r.instance = &o.InstanceID
	}
	var err error
	if r.plain, err = o.Client(); err != nil {
		return nil, fmt.Errorf("building a Kafka client: %w", err)
	}
	if err := r.describe(ctx); err != nil {
		r.plain.Close()
		return nil, err
	}
	r.producer = producer{txnID: TransactionalIDPrefix(o.Group, o.Stage) + strings.ToLower(rand.Text()), build: r.buildProducer}
	return r, nil
}

// TransactionalIDPrefix is what the transactional ids of a stage begin with, which Kafka's access lists have to let it use. The rest
// is another one in each process.
func TransactionalIDPrefix(group, stage string) string { return group + "-" + stage + "-" }

// describe learns the topics' ids and refuses an input and a changelog that do not fit each other.
func (r *Runtime) describe(ctx context.Context) error {
	var names []string
	for _, in := range r.o.Inputs {
		names = append(names, in.Topic, in.Changelog)
	}
	cluster, topics, err := describeTopics(ctx, r.plain, names...)
	if err != nil {
		return err
	}
	r.cluster, r.inputs, r.logs = cluster, map[string]topicInfo{}, map[string]topicInfo{}
	for _, in := range r.o.Inputs {
		input, log := topics[in.Topic], topics[in.Changelog]
		if len(input.leaders) != len(log.leaders) {
			return &Refusal{
				What:   fmt.Sprintf("topic %s has %d partitions and its changelog %s has %d", in.Topic, len(input.leaders), in.Changelog, len(log.leaders)),
				Remedy: "the partition count of a keyed topic is part of the state's identity: it can't be changed; start anew under another prefix",
			}
		}
		r.inputs[in.Topic], r.logs[in.Topic] = input, log
	}
	return nil
}

func (r *Runtime) buildProducer() (*kgo.Client, error) {
	return r.o.Client(
		kgo.TransactionalID(r.producer.txnID),
		kgo.TransactionTimeout(r.o.TransactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.MaxBufferedRecords(1<<24), // a checkpoint must fit
		kgo.ProducerLinger(5*time.Millisecond),
	)
}

func (r *Runtime) buildGroup() (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(r.o.Group),
		kgo.ConsumeTopics(slices.Collect(maps.Keys(r.inputs))...),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(r.assigned),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.lost),
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.endGroup = cancel
	opts = append(opts, kgo.WithContext(ctx))
	client, err := r.o.Client(append(opts, r.o.GroupOptions...)...)
	if err != nil {
		return nil, err
	}
	client.PauseFetchTopics(slices.Collect(maps.Keys(r.inputs))...) // for good: the fetcher reads, the client is a member
	return client, nil
}

// Run processes until the context ends, then makes a last checkpoint and leaves the group. It returns nil after such
// a stop, and otherwise the error that ended it. What was not committed is folded again by the next owner.
func (r *Runtime) Run(ctx context.Context) error {
	defer r.plain.Close()
	work, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	defer fail(nil)
	r.failed = fail
	var err error
	r.txn.Lock() // a new client joins at once: its callbacks wait until it is known
	if r.group, err = r.buildGroup(); err == nil {
		r.fetcher = newFetcher(r.group, r.o.FetchMaxWait, r.o.Logger.With("stage", r.o.Stage), r.fail)
	}
	r.txn.Unlock()
	if err != nil {
		return fmt.Errorf("building the group's client: %w", err)
	}
	var loops sync.WaitGroup
	fetches, endFetches := context.WithCancel(work)
	defer endFetches()
	loops.Go(func() { r.fetcher.run(fetches) })
	loops.Go(func() { r.watchGroup(work) })
	if r.o.ConsumerProtocol {
		loops.Go(func() { r.hasten(work) })
	}
	commits, endCommits := context.WithCancel(work)
	defer endCommits()
	loops.Go(func() { r.connect(commits) })
	loops.Go(func() { r.commitLoop(commits) })
	loops.Go(func() { r.watchTopics(work) })
	select {
	case <-ctx.Done():
	case <-work.Done():
	}
	r.stopped.Store(true)
	endFetches()
	// A commit that a broker doesn't answer holds what the last one needs.
	late := time.AfterFunc(r.o.ShutdownTimeout/2, endCommits)
	r.stop(work)
	late.Stop()
	fail(nil)
	loops.Wait()
	if err := context.Cause(work); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// fail ends the runtime with an error.
func (r *Runtime) fail(err error) { r.failed(err) }

// stop makes the last checkpoint, lets the mirrors catch up and leaves the group, as far as time allows.
func (r *Runtime) stop(work context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), r.o.ShutdownTimeout)
	defer cancel()
	if work.Err() == nil {
		// A store that is down must not use up the time for leaving: nobody would have the partitions until the
		// group notices by itself.
		last, cancel := context.WithTimeout(ctx, r.o.ShutdownTimeout*3/4)
		for r.commit(last, true) && last.Err() == nil {
		}
		r.awaitMirrors(last)
		cancel()
	}
	r.leave(ctx)
	// Leaving waits for a join under way, which takes as long as the slowest member.
	r.endGroup()
	r.dropAll()
	r.group.Close()
	r.running.Wait()
	r.txn.Lock()
	defer r.txn.Unlock()
	if r.producer.kgo != nil {
		r.producer.kgo.Close()
	}
}

// awaitMirrors waits until the mirrors hold what is committed: the next owner then need not read the changelog.
func (r *Runtime) awaitMirrors(ctx context.Context) {
	for _, t := range r.owned() {
		for ctx.Err() == nil && t.mirrorBacklog() > 0 {
			pause(ctx, retryPause/10)
		}
	}
}

// watchGroup logs what goes wrong with the membership: the group's client tells it like records.
func (r *Runtime) watchGroup(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := r.group.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) {
			if ctx.Err() == nil {
				r.o.Logger.Warn("the group's client has trouble", "stage", r.o.Stage, "error", err)
			}
		})
	}
}

// fetch lets a task's partition be fetched from an offset.
func (r *Runtime) fetch(t *task, offset int64) error {
	r.txn.Lock() // no partition is revoked meanwhile
	defer r.txn.Unlock()
	if r.tasks[t.tp()] != t {
		return context.Canceled
	}
	r.fetcher.add(t, offset)
	return nil
}

// publish tells others of a change of tasks. The caller holds the transaction's lock.
func (r *Runtime) publish() {
	a := assignment(maps.Clone(r.tasks))
	r.assignment.Store(&a)
	r.count.Store(int64(len(a)))
}

// limits are what one task may keep in memory, and what it may have for a commit.
type limits struct {
	states, bytes, queued, unmirrored int
	dirty, outputs                    bounds
}

// share is one task's part of the process's limits. Dirty states are in the cache anyway: of them a task may have as many
// as go into one commit.
func (r *Runtime) share() limits {
	n := max(int(r.count.Load()), 1)
	return limits{
		states: max(r.o.CacheStates/n, 2*chunkRecords), bytes: r.o.CacheBytes / n, queued: queuedBytes / n, unmirrored: unmirroredBytes / n,
		dirty: bounds{commitRecords, commitBytes}, outputs: bounds{max(commitRecords/n, chunkRecords), commitBytes / n},
	}
}

// Waiting says, by stage or task, what keeps the runtime from being ready; empty: it is.
func (r *Runtime) Waiting() map[string]string {
	what := map[string]string{}
	if !r.joined.Load() {
		what[r.o.Stage] = "waits for its group to assign partitions"
		return what
	}
	for tp, t := range *r.assignment.Load() {
		t.mu.Lock()
		if waits := t.waits(); waits != "" {
			what[fmt.Sprintf("%s/%s/%d", r.o.Stage, tp.topic, tp.partition)] = waits
		}
		t.mu.Unlock()
	}
	return what
}

// Stage is the stage's name.
func (r *Runtime) Stage() string { return r.o.Stage }

// Stats returns the runtime's counters.
func (r *Runtime) Stats() *Stats { return &r.stats }
