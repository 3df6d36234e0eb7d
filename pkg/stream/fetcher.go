package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// fetchPartitionBytes and fetchBytes bound what one Fetch request brings for a partition and in all.
	fetchPartitionBytes = 1 << 20
	fetchBytes          = 8 << 20
	// busyWait is how long a broker may hold a request back while another of its partitions waits to be asked for.
	busyWait = 20 * time.Millisecond
	// smallAnswer is the size up to which what came for a partition is copied, so that it does not keep the whole answer
	// in memory until its task has come to it.
	smallAnswer = fetchPartitionBytes / 4
	// refreshTimeout bounds how long looking the leaders up may take.
	refreshTimeout = 10 * time.Second
	// loggedFailures is how many requests fail in a row for one line in the log.
	loggedFailures = 100
)

// fetcher reads the inputs of a process: of each broker by one Fetch request at a time, for all partitions led by it
// whose tasks have room. It passes record batches on as they are, compressed: a task parses them into memory that it
// uses again, where a consumer makes a record of each that lives until the garbage collector finds it.
type fetcher struct {
	client  *kgo.Client
	maxWait time.Duration
	log     *slog.Logger
	fail    func(error)

	mu      sync.Mutex
	cursors map[topicPartition]*cursor
	topics  map[string]topicInfo    // as last looked up
	brokers map[int32]chan struct{} // wakes each broker's loop; nil after the end
	start   func(broker int32, wake chan struct{})
	stale   chan struct{} // some leader is not known, or not the leader any more
}

// cursor is how far one partition has been fetched for a task. A rewound task has a new one, so that what was asked for
// through the old reaches nobody.
type cursor struct {
	task    *task
	topic   topicInfo
	tp      topicPartition
	offset  int64     // of the next record to ask for
	epoch   int32     // the leader's that wrote the record before; -1: not known
	leader  int32     // broker; -1: not known
	term    int32     // its leader epoch
	resting time.Time // not asked for before: the last answer was an error
	broken  bool      // the task has been told
}

func newFetcher(client *kgo.Client, maxWait time.Duration, log *slog.Logger, fail func(error)) *fetcher {
	return &fetcher{
		client: client, maxWait: maxWait, log: log, fail: fail,
		cursors: map[topicPartition]*cursor{}, topics: map[string]topicInfo{}, brokers: map[int32]chan struct{}{}, stale: make(chan struct{}, 1),
	}
}

// run fetches until the context ends.
func (f *fetcher) run(ctx context.Context) {
	var loops sync.WaitGroup
	f.mu.Lock()
	f.start = func(broker int32, wake chan struct{}) { loops.Go(func() { f.loop(ctx, broker, wake) }) }
	for broker, wake := range f.brokers {
		f.start(broker, wake)
	}
	f.mu.Unlock()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-f.stale:
			f.refresh(ctx)
			pause(ctx, retryPause)
		}
	}
	f.mu.Lock()
	f.brokers = nil // no loop begins any more
	f.mu.Unlock()
	loops.Wait()
}

// add begins to fetch a task's partition.
func (f *fetcher) add(t *task, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &cursor{task: t, topic: t.input, tp: t.tp(), offset: offset, epoch: -1}
	c.follow(t.input)
	if now, ok := f.topics[t.input.name]; ok && now.id == t.input.id {
		c.follow(now)
	}
	f.cursors[c.tp] = c
	f.wake(c)
}

// follow takes over who leads the partition.
func (c *cursor) follow(t topicInfo) {
	c.leader, c.term = t.leaders[c.tp.partition], t.epochs[c.tp.partition]
}

// remove ends the fetching of a task's partition. When it returns, nothing more is offered to the task.
func (f *fetcher) remove(t *task) {
	tp := t.tp()
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.cursors[tp]; c != nil && c.task == t {
		delete(f.cursors, tp)
	}
}

// resume says that a task has room again.
func (f *fetcher) resume(t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.cursors[t.tp()]; c != nil && c.task == t {
		f.wake(c)
	}
}

// wake makes the loop of a cursor's broker look again. The caller holds the lock.
func (f *fetcher) wake(c *cursor) {
	switch wake, ok := f.brokers[c.leader]; {
	case f.brokers == nil:
	case c.leader < 0:
		signal(f.stale)
	case ok:
		signal(wake)
	default:
		wake = make(chan struct{}, 1)
		f.brokers[c.leader] = wake
		if f.start != nil {
			f.start(c.leader, wake)
		}
	}
}

// loop asks one broker, again and again.
func (f *fetcher) loop(ctx context.Context, broker int32, wake chan struct{}) {
	fails := 0
	for turn := 0; ctx.Err() == nil; turn++ {
		asked, busy, resting := f.wanted(broker, turn)
		if len(asked) == 0 {
			var again <-chan time.Time
			if busy || resting {
				again = time.After(retryPause)
			}
			select {
			case <-ctx.Done():
			case <-wake:
			case <-again:
			}
			continue
		}
		wait := f.maxWait
		if busy || resting {
			wait = min(wait, busyWait)
		}
		err := f.ask(ctx, broker, asked, wait)
		if err == nil || ctx.Err() != nil {
			fails = 0
			continue
		}
		if fails%loggedFailures == 0 {
			f.log.Warn("fetching fails", "broker", broker, "error", err)
		}
		fails++
		signal(f.stale)
		pause(ctx, retryPause)
	}
}

// question is what a request asks for: the cursor may be elsewhere when the answer comes.
type question struct {
	cursor      *cursor
	from        int64
	epoch, term int32
	asked       time.Time // before the request was sent
}

// wanted returns what to ask a broker for, each time beginning with the next: what does not go into an answer is not
// always the same. busy: some tasks have no room now; resting: some partitions are not asked for because of an error.
func (f *fetcher) wanted(broker int32, turn int) (asked []question, busy, resting bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, c := range f.cursors {
		switch {
		case c.leader != broker || c.broken:
		case now.Before(c.resting):
			resting = true
		case c.task.full():
			busy = true
		default:
			asked = append(asked, question{c, c.offset, c.epoch, c.term, now})
		}
	}
	slices.SortFunc(asked, func(a, b question) int { return a.cursor.tp.compare(b.cursor.tp) })
	if n := len(asked); n > 0 {
		asked = append(asked[turn%n:n:n], asked[:turn%n]...)
	}
	return asked, busy, resting
}

// ask makes one request and hands out what it brings.
func (f *fetcher) ask(ctx context.Context, broker int32, asked []question, wait time.Duration) error {
	raw, err := f.client.Broker(int(broker)).Request(ctx, fetchRequest(asked, wait))
	if err != nil {
		return err
	}
	resp := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	byPartition := make(map[topicPartition]question, len(asked))
	names := make(map[[16]byte]string, 1)
	for _, q := range asked {
		byPartition[q.cursor.tp] = q
		names[q.cursor.topic.id] = q.cursor.tp.topic
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		name := t.Topic
		if name == "" { // since version 13
			name = names[t.TopicID]
		}
		for j := range t.Partitions {
			if q, ok := byPartition[topicPartition{name, t.Partitions[j].Partition}]; ok {
				f.take(q, &t.Partitions[j])
			}
		}
	}
	return nil
}

func fetchRequest(asked []question, wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(wait.Milliseconds()), 1, fetchBytes
	for _, q := range asked {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Topic != q.cursor.tp.topic {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = q.cursor.tp.topic, q.cursor.topic.id
			req.Topics = append(req.Topics, t)
			last++
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = q.cursor.tp.partition, q.from, fetchPartitionBytes
		p.LastFetchedEpoch, p.CurrentLeaderEpoch = q.epoch, q.term
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, p)
	}
	return req
}

// take hands what came for one partition to its task, unless that has been rewound meanwhile.
func (f *fetcher) take(q question, p *kmsg.FetchResponseTopicPartition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := q.cursor
	if f.cursors[c.tp] != c || c.offset != q.from {
		return
	}
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		f.failed(c, err)
		return
	}
	if d := p.DivergingEpoch; d.Epoch >= 0 || d.EndOffset >= 0 {
		c.broken = true
		f.fail(&Refusal{
			What:   fmt.Sprintf("%s-%d has lost records: what was read up to offset %d is not what it holds now, which agrees up to %d", c.tp.topic, c.tp.partition, c.offset, d.EndOffset),
			Remedy: "the input was truncated below what has been folded; restore it, or start anew under another prefix and group",
		})
		return
	}
	set := newRecordSet(c.offset, p)
	if set.records == 0 && set.next == c.offset {
		if len(p.RecordBatches) > 0 {
			f.failed(c, errors.New("the answer holds no whole batch"))
		} else if p.HighWatermark == c.offset && p.LastStableOffset == c.offset {
			c.task.idleAt(caughtUp{c.offset, q.asked.UnixMilli()})
		}
		return
	}
	if len(set.batches) <= smallAnswer {
		set.batches = bytes.Clone(set.batches)
	}
	c.offset, c.epoch = set.next, set.epoch
	c.task.offer(set)
}

// failed handles a partition's error. The caller holds the lock.
func (f *fetcher) failed(c *cursor, err error) {
	if errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID) {
		c.broken = true
		c.task.fail(fmt.Errorf("%w: fetching: %w", errNotConfirmed, err)) // a takeover tells what is wrong with the log
		return
	}
	c.resting = time.Now().Add(retryPause)
	signal(f.stale)
	if !kerr.IsRetriable(err) {
		f.log.Warn("fetching fails", "topic", c.tp.topic, "partition", c.tp.partition, "error", err)
	}
}

// refresh looks the leaders up again.
func (f *fetcher) refresh(ctx context.Context) {
	f.mu.Lock()
	var names []string
	for tp, c := range f.cursors {
		if !c.broken && !slices.Contains(names, tp.topic) {
			names = append(names, tp.topic)
		}
	}
	f.mu.Unlock()
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	topics := map[string]topicInfo{}
	for _, name := range names { // one by one: the others don't depend on a topic that is gone
		_, found, err := describeTopics(ctx, f.client, name)
		switch {
		case err == nil:
			topics[name] = found[name]
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			topics[name] = topicInfo{}
		default:
			signal(f.stale)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, now := range topics {
		f.topics[name] = now
	}
	for _, c := range f.cursors {
		now, ok := topics[c.tp.topic]
		if !ok || c.broken {
			continue
		}
		if now.id != c.topic.id || int(c.tp.partition) >= len(now.leaders) {
			c.broken = true
			c.task.fail(fmt.Errorf("%w: topic %s is not the one that was read", errNotConfirmed, c.tp.topic))
			continue
		}
		c.follow(now)
		f.wake(c)
	}
}
