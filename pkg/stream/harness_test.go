package stream

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/memstate"
)

// bench is an in-process cluster with the topics of one counting stage.
type world struct {
	t          *testing.T
	cluster    *kfake.Cluster
	addrs      []string
	client     *kgo.Client
	adm        *kadm.Client
	store      state.Store
	partitions int32
	protocol   []kgo.Opt
}

func newWorld(t *testing.T, partitions int32) *world {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "in", "out", "log", "dead"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	w := &world{t: t, cluster: cluster, addrs: cluster.ListenAddrs(), store: memstate.New(), partitions: partitions,
		protocol: []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}}
	w.client, err = w.build()
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	w.adm = kadm.NewClient(w.client)
	return w
}

func (w *world) build(opts ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{kgo.SeedBrokers(w.addrs...), kgo.MetadataMinAge(20 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.HeartbeatInterval(100 * time.Millisecond)}
	return kgo.NewClient(append(base, opts...)...)
}

func (w *world) options() Options {
	return Options{
		Stage: "count", Group: "counters", Inputs: []Input{{"in", "log"}},
		NewProcessor: func(string, int32) Processor { return &counter{every: 3} },
		DeadLetter: func(r *kgo.Record, reject *Reject) (Output, error) {
			return Output{Topic: "dead", Partition: r.Partition, Key: r.Key, Value: []byte(reject.Code)}, nil
		},
		Store: w.store, Client: w.build, GroupOptions: w.protocol,
		CheckpointInterval: 100 * time.Millisecond, TransactionTimeout: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// process is a running Runtime.
type process struct {
	*Runtime
	w      *world
	cancel context.CancelFunc
	done   chan error
}

func (w *world) start(o Options) *process {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := New(ctx, o)
	require.NoError(w.t, err)
	p := &process{Runtime: r, w: w, cancel: cancel, done: make(chan error, 1)}
	go func() { p.done <- r.Run(ctx) }()
	w.t.Cleanup(func() { p.cancel(); <-p.done; p.done <- nil })
	return p
}

// stop ends a process and returns how it ended.
func (p *process) stop() error {
	p.cancel()
	err := <-p.done
	p.done <- err
	return err
}

// send appends records "key=value" to the input, by turns to the partitions that their keys name with a prefix "0:".
func (w *world) send(partition int32, records ...string) {
	var rs []*kgo.Record
	for _, s := range records {
		key, value, _ := strings.Cut(s, "=")
		rs = append(rs, &kgo.Record{Topic: "in", Partition: partition, Key: []byte(key), Value: []byte(value)})
	}
	c, err := w.build(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
	defer c.Close()
	require.NoError(w.t, c.ProduceSync(context.Background(), rs...).FirstErr())
}

// read returns everything committed in a topic, as "key=value" sorted.
func (w *world) read(topic string) (out []string) {
	for _, r := range w.records(topic) {
		out = append(out, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	slices.Sort(out)
	return out
}

func (w *world) records(topic string) (out []*kgo.Record) {
	ctx := context.Background()
	_, topics, err := describeTopics(ctx, w.client, topic)
	require.NoError(w.t, err)
	for p := range w.partitions {
		l := &logReader{client: w.client, topic: topics[topic], partition: p, maxWait: time.Millisecond}
		for {
			records, err := l.fetch(ctx)
			require.NoError(w.t, err)
			out = append(out, records...)
			if l.position >= l.stable {
				break
			}
		}
	}
	return out
}

// awaitCommitted waits until the group has committed the whole input.
func (w *world) awaitCommitted() {
	w.t.Helper()
	var state string
	require.Eventually(w.t, func() bool {
		ends, err := w.adm.ListEndOffsets(context.Background(), "in")
		require.NoError(w.t, err)
		committed, err := w.adm.FetchOffsets(context.Background(), "counters")
		if err != nil {
			state = err.Error()
			return false
		}
		done := true
		state = ""
		ends.Each(func(o kadm.ListedOffset) {
			c, _ := committed.Lookup("in", o.Partition)
			done = done && c.At >= o.Offset
			state += fmt.Sprintf("%d: %d of %d; ", o.Partition, c.At, o.Offset)
		})
		return done
	}, 30*time.Second, 5*time.Millisecond, "not all committed: %s", &state)
}
