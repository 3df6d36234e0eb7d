package simulate_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const topic = "usage"

// broker starts a Kafka with a topic and returns a client that produces to it and reads it from the start.
func broker(t testing.TB, partitions int32, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	s, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Brokers()...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(20*time.Millisecond))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = kadm.NewClient(c).CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
	return c
}

// poll reads n records.
func poll(t *testing.T, c *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := c.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func load(t testing.TB, f codec.Format) simulate.Load {
	t.Helper()
	enc, err := codec.NewEventEncoder(f, 1)
	require.NoError(t, err)
	return simulate.Load{Topic: topic, Append: enc.AppendUsage}
}

func TestRunKeysByAccountAndKeepsTheOrder(t *testing.T) {
	c := broker(t, 4)
	o := load(t, codec.JSON)
	o.ArrivalTime = true
	n, err := simulate.Run(t.Context(), c, simulate.Random(1, 3000, 40), o)
	require.NoError(t, err)
	require.Equal(t, 3000, n)

	want := map[string][]*usage.Event{}
	for e := range simulate.Random(1, 3000, 40) {
		want[e.AccountID] = append(want[e.AccountID], e)
	}
	hash := kgo.StickyKeyPartitioner(nil).ForTopic(topic) // Kafka's murmur2
	for _, r := range poll(t, c, 3000) {
		queue := want[string(r.Key)]
		require.NotEmpty(t, queue)
		e := queue[0]
		want[string(r.Key)] = queue[1:]
		require.Equal(t, string(o.Append(nil, e)), string(r.Value))
		require.Equal(t, e.ReceivedAt, r.Timestamp.UnixMilli())
		require.Equal(t, int32(hash.Partition(&kgo.Record{Key: r.Key}, 4)), r.Partition)
	}
}

func TestRunStopsAfterTheEventsAskedFor(t *testing.T) {
	c := broker(t, 1)
	o := load(t, codec.JSON)
	o.Events = 10
	before := time.Now().Add(-time.Minute)
	n, err := simulate.Run(t.Context(), c, simulate.Random(1, 1000, 5), o)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	for _, r := range poll(t, c, 10) {
		require.True(t, r.Timestamp.After(before), "stamped when sent")
	}
}

func TestLiveEventsHappenWhenTheyAreSent(t *testing.T) {
	c := broker(t, 1)
	o := load(t, codec.JSON)
	o.Live = true
	before := time.Now().UnixMilli()
	_, err := simulate.Run(t.Context(), c, simulate.Random(1, 10, 5), o)
	require.NoError(t, err)
	after := time.Now().UnixMilli()
	for _, r := range poll(t, c, 10) {
		var e struct {
			OccurredAt int64 `json:"occurred_at"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		require.GreaterOrEqual(t, e.OccurredAt, before)
		require.LessOrEqual(t, e.OccurredAt, after)
	}
}

const many = 300_000 // more than a producer that is told to stop can still send

// numbered yields n events whose times count from 0.
func numbered(n int64) iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		for at := range n {
			if !yield(&usage.Event{AccountID: "a", OccurredAt: at}) {
				return
			}
		}
	}
}

func TestRunEndsWithTheFirstFailure(t *testing.T) {
	c := broker(t, 1, kgo.ProducerBatchMaxBytes(1024))
	o := load(t, codec.JSON)
	o.Append = func(b []byte, e *usage.Event) []byte {
		if e.OccurredAt == 100 {
			return append(b, make([]byte, 4096)...)
		}
		return append(b, 'x')
	}
	n, err := simulate.Run(t.Context(), c, numbered(many), o)
	require.Less(t, n, many-1)
	require.ErrorContains(t, err, "producing to usage after")
	require.ErrorContains(t, err, "MESSAGE_TOO_LARGE")
}

func TestRunEndsWithItsContext(t *testing.T) {
	c := broker(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	o := load(t, codec.JSON)
	o.Append = func(b []byte, e *usage.Event) []byte {
		if e.OccurredAt == 500 {
			cancel()
		}
		return append(b, 'x')
	}
	n, err := simulate.Run(ctx, c, numbered(many), o)
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, n, 501)
}

// BenchmarkRun includes the in-process broker, which takes more than half of it.
func BenchmarkRun(b *testing.B) {
	c := broker(b, 8)
	o := load(b, codec.Avro)
	n := 0
	for b.Loop() {
		sent, err := simulate.Run(b.Context(), c, simulate.Random(1, 100_000, 1000), o)
		require.NoError(b, err)
		n += sent
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}
