package e2e

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
	"github.com/pqlstream/pqlstream/test/oracle"
)

const patience = 3 * time.Minute // with conditions, on a busy machine

// world is what surrounds the processes of a test: the servers, what was put onto the source topics, and what has to
// come of it.
type world struct {
	t      *testing.T
	c      *config.Config // of every process
	client *kgo.Client
	admin  *kadm.Client
	rng    *rand.Rand // of the goroutine that produces

	partitions int32                // of every source
	encoders   []func(input) []byte // by source
	mu         sync.Mutex           // guards what follows
	judge      *oracle.Oracle       // reading directly, up to date with what was acknowledged
	letters    map[oracle.Position]letter
	events     map[oracle.Position]*usage.Event // what ingest has to carry over
	people     *oracle.Users                    // after the fact; nil: events that name only a user are refused
	newest     int64                            // event time of what was acknowledged, ms
	produced   int
	failed     error
}

// wholeLives says whether accounts are judged by the checklist of a whole life.
func (w *world) wholeLives() bool { return filepath.Base(w.c.Checklist) == filepath.Base(lifeFile) }

// letter is what a dead letter has to say.
type letter struct{ reason, value string }

// newWorld creates the source topics of the settings.
func newWorld(t *testing.T, c *config.Config, seed uint64, partitions int32) *world {
	w := &world{
		t: t, c: c, rng: rand.New(rand.NewPCG(seed, 11)), partitions: partitions, judge: oracle.New(),
		letters: map[oracle.Position]letter{}, events: map[oracle.Position]*usage.Event{},
	}
	if w.wholeLives() {
		w.judge = oracle.OfLife()
	}
	var err error
	w.client, err = kgo.NewClient(kgo.SeedBrokers(c.Kafka.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(20*time.Millisecond), kgo.MaxBufferedRecords(20_000))
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	w.admin = kadm.NewClient(w.client)
	for i := range c.Input.Sources {
		s := &c.Input.Sources[i]
		created, err := w.admin.CreateTopic(t.Context(), partitions, 1, nil, s.Topic)
		require.NoError(t, err)
		require.NoError(t, created.Err)
		w.encoders = append(w.encoders, encoder(t, s))
	}
	for _, s := range c.Input.Sources {
		w.eventually("a source that every broker knows", func() bool { return w.end(s.Topic) == 0 })
	}
	return w
}

// encoder returns how a source's records are written; where its account id is elsewhere, in the shape of mapped.
func encoder(t *testing.T, s *config.Source) func(input) []byte {
	enc, err := codec.NewEventEncoder(codec.Format(s.Encoding()), schemas.UsageEvent.LocalID)
	require.NoError(t, err)
	return func(in input) []byte {
		switch {
		case in.event == nil:
			return in.raw
		case s.Fields.EventID == mappedFields.EventID:
			return mapped(enc.AppendUsage(nil, in.event))
		}
		return enc.AppendUsage(nil, in.event)
	}
}

// mappedFields are the paths of what mapped writes.
var mappedFields = config.Fields{
	EventID: "messageId", AccountID: "context.groupId", UserID: "userId", Event: "type.name", OccurredAt: "timestamp",
	Quantity: "amount.value", Source: "context.from", Properties: "traits",
}

// mapped turns a canonical event in JSON into one as another system might have it.
func mapped(canonical []byte) []byte {
	var e map[string]json.RawMessage
	if err := json.Unmarshal(canonical, &e); err != nil {
		panic(err)
	}
	b, err := json.Marshal(map[string]any{
		"messageId": e["event_id"], "userId": e["user_id"], "timestamp": e["occurred_at"], "traits": e["properties"],
		"context": map[string]any{"groupId": e["account_id"], "from": e["source"]},
		"type":    map[string]any{"name": e["event"]}, "amount": map[string]any{"value": e["quantity"]},
	})
	if err != nil {
		panic(err)
	}
	return b
}

// put puts a record onto a source: directly read, the one, in its account's partition, otherwise any of any key. What
// has to come of it is noted when it is acknowledged.
func (w *world) put(in input) { w.putBy(w.rng, in) }

// putBy is put by another goroutine than the one that produces.
func (w *world) putBy(rng *rand.Rand, in input) {
	source, r := 0, &kgo.Record{}
	if w.c.Direct() {
		r.Partition = in.partition(rng, w.partitions)
	} else {
		source, r.Partition = rng.IntN(len(w.encoders)), rng.Int32N(w.partitions)
	}
	if in.stray && (!w.c.Direct() || w.partitions == 1) {
		in.reason = "" // it lies well
	}
	r.Topic, r.Value = w.c.Input.Sources[source].Topic, w.encoders[source](in)
	if in.event != nil && w.c.Direct() {
		r.Key = []byte(in.event.AccountID)
	}
	w.client.Produce(context.Background(), r, func(r *kgo.Record, err error) { w.acknowledged(in, r, err) })
}

func (w *world) acknowledged(in input, r *kgo.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := oracle.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	switch {
	case err != nil:
		w.failed = err
		return
	case in.reason != "":
		w.letters[at] = letter{in.reason, string(r.Value)}
	case w.c.Direct():
		w.judge.Fold(oracle.Record{Event: in.event, Partition: r.Partition, Offset: r.Offset, Source: at})
	default:
		w.events[at] = in.event
		w.newest = max(w.newest, in.event.OccurredAt)
	}
	w.produced++
}

// flush waits until everything put is acknowledged, and returns how much that is.
func (w *world) flush() int {
	require.NoError(w.t, w.client.Flush(w.t.Context()))
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NoError(w.t, w.failed)
	return w.produced
}

// eventually waits for a condition, which may end the test.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !is() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			require.Fail(w.t, "it did not come to pass: "+what)
		}
	}
}

// first is the stage that reads the sources.
func (w *world) first() config.Stage {
	if w.c.Direct() {
		return config.Activation
	}
	return config.Ingest
}

// committed returns how many records the group of the first stage is past, -1 when nobody tells.
func (w *world) committed() int {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	offsets, err := w.admin.FetchOffsets(ctx, w.c.Group(w.first()))
	if err != nil || offsets.Error() != nil {
		return -1
	}
	n := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return int(n)
}

// caughtUp says whether every stage has committed all that there is.
func (w *world) caughtUp() bool {
	var sources []string
	for _, s := range w.c.Input.Sources {
		sources = append(sources, s.Topic)
	}
	if !w.passed(w.first(), sources...) {
		return false
	}
	names := w.c.TopicNames()
	if w.c.ResolvesUsers() && !w.passed(config.Resolve, names.Unresolved) {
		return false
	}
	if w.c.Direct() {
		return true
	}
	// Accounts send one another what concerns their aliases.
	if !w.passedAll(config.Activation, names.Usage) {
		return false
	}
	return !w.c.Metrics.Enabled || w.passed(config.Measure, names.Facts) && w.passedAll(config.Rollup, names.Rollup)
}

// passedAll is passed of a stage that writes into its own topic: what was there at first has to be all that there is.
func (w *world) passedAll(s config.Stage, topic string) bool {
	before := w.end(topic)
	return w.passed(s, topic) && w.end(topic) == before
}

// end is how far a topic's partitions go altogether, -1 when nobody tells.
func (w *world) end(topic string) (n int64) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		return -1
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// passed says whether a stage has committed everything of topics.
func (w *world) passed(s config.Stage, topics ...string) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err != nil || ends.Error() != nil {
		return false
	}
	offsets, err := w.admin.FetchOffsets(ctx, w.c.Group(s))
	if err != nil || offsets.Error() != nil {
		return false
	}
	all := true
	ends.Each(func(end kadm.ListedOffset) {
		at, known := offsets.Lookup(end.Topic, end.Partition)
		all = all && (end.Offset == 0 || known && at.At >= end.Offset)
	})
	return all
}

// members returns how many members a stage's group has, -1 when nobody tells. Each group protocol has a request of its
// own.
func (w *world) members(s config.Stage) int {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	group := w.c.Group(s)
	if groups, err := w.admin.DescribeConsumerGroups(ctx, group); err == nil && groups[group].Err == nil {
		return len(groups[group].Members)
	}
	if groups, err := w.admin.DescribeGroups(ctx, group); err == nil && groups[group].Err == nil {
		return len(groups[group].Members)
	}
	return -1
}

// readCommitted returns what is committed in a topic, aborted records left out. It waits for transactions that pend.
func (w *world) readCommitted(topic string) (out []*kgo.Record) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.c.Kafka.Brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(w.t, err)
	defer client.Close()
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	require.NoError(w.t, err)
	require.NoError(w.t, ends.Error())
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(w.t, fetches.Err(), "reading %s, left: %v", topic, left)
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
		})
	}
	return out
}
