package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state/memstate"
)

// Events are whole days apart, less the disorder: whether a key is silent for long enough is never a matter of hours.
const (
	day            = 24 * time.Hour
	sourceDisorder = 4 * time.Hour
	silentAfter    = 14*day + 5*time.Hour
	idleFetch      = 2 * time.Hour // how long a fetch waits where nothing comes, and so how often the clock passes time
	usageParts     = 3
)

// relay is a first stage: it forwards events by key and tells the time.
type relay struct {
	stageProc
}

func (s *relay) Fold(i int, t *Turn) error {
	t.Emit(Output{Topic: "usage", Partition: int32(t.Record.Key[1]) % usageParts, Key: bytes.Clone(t.Record.Key), Value: []byte(s.slots[i])})
	return nil
}

func (s *relay) Tell(watermark int64, _ bool) (marks []Output) {
	value, _ := json.Marshal(Mark{Topic: "source", Partition: s.partition, Watermark: watermark, AsOf: 1, Sources: []Source{{"source", 2}}})
	for p := range int32(usageParts) {
		marks = append(marks, Output{Topic: "usage", Partition: p, Value: value})
	}
	return marks
}

// silence says when a key has had no event for so long.
type silence struct{ stageProc }

func (s *silence) Fold(i int, t *Turn) error {
	at, err := strconv.ParseInt(s.slots[i], 10, 64)
	c := t.State.(*count)
	c.due = max(c.due, at+silentAfter.Milliseconds())
	t.Changed()
	return err
}

func (s *silence) Fire(t *Turn, due int64) error {
	t.State.(*count).due = 0
	t.Changed()
	t.Emit(Output{Topic: "out", Value: strconv.AppendInt(nil, due, 10)})
	return nil
}

// bubble is two stages on brokers and a clock of their own: years pass in seconds.
type bubble struct {
	t       *testing.T
	net     kfake.VirtualNetwork
	addrs   []string
	client  *kgo.Client
	store   *memstate.Store
	random  *rand.Rand
	last    map[string]time.Time // each key's newest event
	silent  []int64              // when keys have been silent for so long, ms
	resumed []time.Time          // when the second stage was back
}

func newBubble(t *testing.T) *bubble {
	b := &bubble{t: t, store: memstate.New(), random: rand.New(rand.NewPCG(1, 1)), last: map[string]time.Time{}}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(19092), kfake.ListenFn(b.net.Listen),
		kfake.SeedTopics(2, "source", "source-log"), kfake.SeedTopics(usageParts, "usage", "usage-log"), kfake.SeedTopics(1, "out"),
		kfake.GroupMaxSessionTimeout(10*day),
		// Otherwise the offsets of a group that is away for long expire, which is refused.
		kfake.BrokerConfigs(map[string]string{"offsets.retention.minutes": "100000000"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	b.addrs = cluster.ListenAddrs()
	b.client, err = b.build(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(b.client.Close)
	return b
}

// build makes a client that rarely does anything by itself.
func (b *bubble) build(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addrs...), kgo.Dialer(b.net.DialContext), kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.MetadataMaxAge(time.Hour), kgo.ConnIdleTimeout(15 * time.Minute), kgo.DisableClientMetrics()}, opts...)...)
}

// start runs a stage until the function that it returns is called.
func (b *bubble) start(o Options) (stop func()) {
	o.Client, o.Logger = b.build, slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.DeadLetter = func(*kgo.Record, *Reject) (Output, error) {
		return Output{}, fmt.Errorf("nothing is wrong with any record")
	}
	o.GroupOptions = []kgo.Opt{kgo.Balancers(kgo.StickyBalancer()), kgo.HeartbeatInterval(day), kgo.SessionTimeout(5 * day)}
	o.FetchMaxWait, o.CheckpointInterval, o.Disorder = idleFetch, idleFetch, sourceDisorder
	ctx, cancel := context.WithCancel(context.Background())
	r, err := New(ctx, o)
	require.NoError(b.t, err)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(b.t, <-done)
	})
	b.t.Cleanup(stop)
	return stop
}

func (b *bubble) startRelay() (stop func()) {
	return b.start(Options{Stage: "relay", Group: "relay", Inputs: []Input{{"source", "source-log"}}, NewProcessor: func(_ string, partition int32) Processor {
		return &relay{stageProc{stage: "source", partition: partition}}
	}})
}

func (b *bubble) startSilence() (stop func()) {
	stop = b.start(Options{Stage: "silence", Group: "silence", Inputs: []Input{{"usage", "usage-log"}}, Told: true, Store: b.store, NewProcessor: func(string, int32) Processor {
		return &silence{}
	}})
	b.resumed = append(b.resumed, time.Now())
	return stop
}

// event publishes an event of a key, of about now.
func (b *bubble) event(partition int32, key string) {
	at := time.Now().Add(-time.Duration(b.random.Int64N(int64(sourceDisorder))))
	if last, known := b.last[key]; known && at.Sub(last) > silentAfter {
		b.silent = append(b.silent, last.Add(silentAfter).UnixMilli())
	}
	if at.After(b.last[key]) {
		b.last[key] = at
	}
	r := &kgo.Record{Topic: "source", Partition: partition, Key: []byte(key), Value: fmt.Append(nil, at.UnixMilli())}
	require.NoError(b.t, b.client.ProduceSync(b.t.Context(), r).FirstErr())
}

// out are the silences that were published, and when.
func (b *bubble) out() (due []int64, published []time.Time) {
	_, topics, err := describeTopics(b.t.Context(), b.client, "out")
	require.NoError(b.t, err)
	told := topics["out"]
	l := &logReader{client: b.client, topic: &told}
	for {
		records, err := l.fetch(b.t.Context())
		require.NoError(b.t, err)
		for _, r := range records {
			ms, err := strconv.ParseInt(string(r.Value), 10, 64)
			require.NoError(b.t, err)
			due, published = append(due, ms), append(published, r.Timestamp)
		}
		if l.position >= l.stable {
			return due, published
		}
	}
}

// Years pass: seasons of events, with days between them in which nothing comes, and one source partition from which nothing
// comes for weeks; then a year in which nothing runs. What is due is published on time, by the clock, and once. The second
// stage is away for some days of each season.
func TestYearsOfVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		for range seasons {
			stopRelay, stopSilence := b.startRelay(), b.startSilence()
			time.Sleep(day) // an event that comes at once is read before the second stage is told of the year
			b.season(season)
			stopSilence()
			b.season(5 * day)
			stopSilence = b.startSilence()
			b.season(season / 2)
			stopSilence()
			stopRelay()
			time.Sleep(365 * day)
		}
		stopRelay, stopSilence := b.startRelay(), b.startSilence()
		time.Sleep(day)
		stopSilence()
		stopRelay()
		for _, last := range b.last {
			b.silent = append(b.silent, last.Add(silentAfter).UnixMilli())
		}
		b.requireOnTime()
	})
}

// season publishes events of some keys every few days.
func (b *bubble) season(d time.Duration) {
	for end, round := time.Now().Add(d), 0; time.Now().Before(end); round++ {
		for key := range 12 {
			if b.random.IntN(4) == 0 {
				b.event(0, fmt.Sprint("k", key))
			}
		}
		if round == 0 {
			b.event(1, "rare")
		}
		time.Sleep(time.Duration(1+b.random.IntN(9)) * day)
	}
}

// requireOnTime checks that all silences were published once: once they were over and no late event could end them any more,
// and no later than the second fetch after that, unless nobody was there to do so.
func (b *bubble) requireOnTime() {
	b.t.Helper()
	due, published := b.out()
	for i, at := range published {
		from := time.UnixMilli(due[i]).Add(sourceDisorder)
		require.False(b.t, at.Before(from), "from %v on, published %v", from, at)
		for _, back := range b.resumed {
			if back.After(from) && !back.After(at) {
				from = back
			}
		}
		require.WithinDuration(b.t, from, at, 2*idleFetch+10*time.Minute)
	}
	slices.Sort(due)
	slices.Sort(b.silent)
	require.Equal(b.t, b.silent, due)
	require.Greater(b.t, len(due), 10)
}
