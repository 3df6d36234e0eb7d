package stream

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/memstate"
)

// patienceOfTests is how long a test waits for what must come.
const patienceOfTests = 60 * time.Second

// These tests wait more than they work: many at a time use the processors well.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// protocols are the ways in which a group hands out partitions.
var protocols = []struct {
	name string
	opts []kgo.Opt
}{
	{"consumer", []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}},
	{"cooperative", []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}},
	{"eager", []kgo.Opt{kgo.Balancers(kgo.StickyBalancer())}},
}

// eachProtocol runs a test with each of them.
func eachProtocol(t *testing.T, test func(*testing.T, []kgo.Opt)) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(t, p.opts)
		})
	}
}

// world is an in-process cluster with the topics of one counting stage, and a store.
type world struct {
	t          *testing.T
	cluster    *kfake.Cluster
	addrs      []string
	client     *kgo.Client
	adm        *kadm.Client
	store      *memstate.Store
	partitions int32
	protocol   []kgo.Opt
}

func newWorld(t *testing.T, partitions int32, opts ...kfake.Opt) *world {
	opts = append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.SeedTopics(partitions, "in", "out", "log", "dead"),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "100"}),
	}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	w := &world{t: t, cluster: cluster, addrs: cluster.ListenAddrs(), store: memstate.New(countLists...), partitions: partitions, protocol: protocols[0].opts}
	w.connect()
	return w
}

// connect gives the test a new client: one that knows topics that were deleted and created again.
func (w *world) connect() {
	var err error
	w.client, err = w.build(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
	w.t.Cleanup(w.client.Close)
	w.adm = kadm.NewClient(w.client)
}

func (w *world) build(opts ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{kgo.SeedBrokers(w.addrs...), kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.HeartbeatInterval(100 * time.Millisecond),
		// A member that crashes while it rejoins is not noticed before.
		kgo.SessionTimeout(3 * time.Second), kgo.RebalanceTimeout(3 * time.Second)}
	return kgo.NewClient(append(base, opts...)...)
}

func (w *world) options() Options {
	return Options{
		Stage: "count", Group: "counters", Inputs: []Input{{"in", "log"}},
		NewProcessor: func(string, int32) Processor { return &counter{every: 3} },
		DeadLetter: func(r *kgo.Record, reject *Reject) (Output, error) {
			return Output{Topic: "dead", Partition: r.Partition, Key: bytes.Clone(r.Key), Value: []byte(reject.Code)}, nil
		},
		Store: w.store, GroupOptions: w.protocol, History: true, // of January 1970
		FetchMaxWait: 100 * time.Millisecond, CheckpointInterval: 100 * time.Millisecond, TransactionTimeout: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// process is a running Runtime.
type process struct {
	*Runtime
	w       *world
	wire    *wire
	clients *clients
	cancel  context.CancelFunc
	done    chan error
}

// clients are those that a process has built.
type clients struct {
	sync.Mutex
	made []*kgo.Client
}

func (c *clients) add(client *kgo.Client) {
	c.Lock()
	defer c.Unlock()
	c.made = append(c.made, client)
}

func (w *world) start(o Options) *process {
	w.t.Helper()
	p, err := w.tryStart(o)
	require.NoError(w.t, err)
	return p
}

func (w *world) tryStart(o Options) (*process, error) {
	way := newWire()
	made := new(clients)
	o.Client = func(opts ...kgo.Opt) (*kgo.Client, error) {
		c, err := w.build(append(opts, kgo.Dialer(way.dial))...)
		if err == nil {
			made.add(c)
		}
		return c, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := New(ctx, o)
	if err != nil {
		cancel()
		return nil, err
	}
	p := &process{Runtime: r, w: w, wire: way, clients: made, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := r.Run(ctx)
		if err != nil {
			w.t.Log("the process ended:", err)
		}
		p.done <- err
	}()
	w.t.Cleanup(func() { way.release(); _ = p.stop() })
	return p, nil
}

// stop ends a process and returns how it ended.
func (p *process) stop() error {
	p.cancel()
	return p.ended()
}

// ended waits until a process has ended, and returns how.
func (p *process) ended() error {
	p.w.t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(2 * patienceOfTests):
		require.FailNow(p.w.t, "the process does not end")
		return nil
	}
}

// takenOver has one more process take everything over: one that was stopped in the middle of a takeover leaves a mirror
// that is behind, for the next to bring forward.
func (w *world) takenOver() {
	w.t.Helper()
	p := w.start(w.options())
	p.awaitOwned(int(w.partitions))
	require.NoError(w.t, p.stop())
}

// crash ends a process as SIGKILL does: nothing that it holds is committed, its open transaction stays open. The group
// learns of it at once.
func (p *process) crash() {
	p.member()
	p.wire.kill()
	p.kick()
	p.fail(errCut)
}

// kick removes a process from its group behind its back, as the end of its session does.
func (p *process) kick() {
	p.w.t.Helper()
	ctx := context.Background()
	id := p.member()
	if len(p.w.protocol) == 2 { // the server's balancer
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch = p.o.Group, id, -1
		_, err := req.RequestWith(ctx, p.w.client)
		require.NoError(p.w.t, err)
		return
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = id
	req.Group, req.Members = p.o.Group, append(req.Members, m)
	_, err := req.RequestWith(ctx, p.w.client)
	require.NoError(p.w.t, err)
}

// member waits until a process is in its group. It returns as what.
func (p *process) member() (id string) {
	p.w.t.Helper()
	p.w.await("the process to be a member", func() bool {
		p.clients.Lock()
		defer p.clients.Unlock()
		for _, c := range p.clients.made {
			if m, err := memberOf(c); err == nil && m.generation > 0 { // with 0 it is joining
				id = m.id
			}
		}
		return id != ""
	})
	return id
}

// awaitOwned waits until a process has taken over so many partitions, whole.
func (p *process) awaitOwned(n int) {
	p.w.t.Helper()
	p.w.await(fmt.Sprintf("the process to own %d partitions", n), func() bool { return p.ownsNow() == n })
}

// ownsNow counts the partitions that a process has taken over.
func (p *process) ownsNow() (n int) {
	for _, t := range *p.assignment.Load() {
		t.mu.Lock()
		if t.phase == running {
			n++
		}
		t.mu.Unlock()
	}
	return n
}

// await waits for a condition.
func (w *world) await(what string, condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, patienceOfTests, 2*time.Millisecond, "waiting for %s", what)
}

// send appends records "key=value" to a partition of the input.
func (w *world) send(partition int32, records ...string) {
	w.t.Helper()
	var rs []*kgo.Record
	for _, s := range records {
		key, value, _ := strings.Cut(s, "=")
		rs = append(rs, &kgo.Record{Topic: "in", Partition: partition, Key: []byte(key), Value: []byte(value)})
	}
	require.NoError(w.t, w.client.ProduceSync(context.Background(), rs...).FirstErr())
}

// awaitCommitted waits until the group has committed the whole input.
func (w *world) awaitCommitted() {
	w.t.Helper()
	state := ""
	deadline := time.Now().Add(patienceOfTests)
	for !w.allCommitted(&state) {
		require.True(w.t, time.Now().Before(deadline), "not all committed: %s", state)
		pause(context.Background(), 5*time.Millisecond)
	}
}

func (w *world) allCommitted(state *string) bool {
	*state = ""
	ends, err := w.adm.ListEndOffsets(context.Background(), "in")
	require.NoError(w.t, err)
	committed, err := w.adm.FetchOffsets(context.Background(), "counters")
	if err != nil {
		*state = err.Error()
		return false
	}
	done := true
	ends.Each(func(o kadm.ListedOffset) {
		c, ok := committed.Lookup("in", o.Partition)
		done = done && (ok && c.At >= o.Offset || o.Offset == 0)
		*state += fmt.Sprintf("%d: %d of %d; ", o.Partition, c.At, o.Offset)
	})
	return done
}

// committed returns the offset and metadata that the group has committed for a partition.
func (w *world) committed(partition int32) (int64, string) {
	w.t.Helper()
	all, err := w.adm.FetchOffsets(context.Background(), "counters")
	require.NoError(w.t, err)
	c, ok := all.Lookup("in", partition)
	if !ok {
		return -1, ""
	}
	return c.At, c.Metadata
}

// partitionOf names the mirror of a partition.
func (w *world) partitionOf(number int32) state.Partition {
	cluster, topics, err := describeTopics(context.Background(), w.client, "in", "log")
	require.NoError(w.t, err)
	id := identity{cluster, "in", topics["in"].idString(), topics["log"].idString(), int32(len(topics["in"].leaders)), "counters"}
	return state.Partition{Stage: "count", Topic: "in", Number: number, Identity: id.digest()}
}

// requireRefusal checks that an error is a refusal and that it says what happened and what to do.
func requireRefusal(t *testing.T, err error, parts ...string) {
	t.Helper()
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.NotEmpty(t, refusal.Remedy)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}

// transactionsV1 makes the cluster one whose transactions must be told what they will write to.
func (w *world) transactionsV1() {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	update := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	update.Feature, update.MaxVersionLevel, update.UpgradeType, update.AllowDowngrade = "transaction.version", 1, 2, true
	req.FeatureUpdates = append(req.FeatureUpdates, update)
	resp, err := req.RequestWith(context.Background(), w.client)
	require.NoError(w.t, err)
	require.NoError(w.t, kerr.ErrorForCode(resp.ErrorCode))
	v2, err := transactionsV2(context.Background(), w.client)
	require.NoError(w.t, err)
	require.False(w.t, v2)
}
