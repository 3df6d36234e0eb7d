package embedded_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

func start(t *testing.T, o embedded.Options) *embedded.Servers {
	t.Helper()
	s, err := embedded.Start(o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, s *embedded.Servers, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Brokers()...), kgo.MetadataMinAge(20*time.Millisecond))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, c *kgo.Client, topic string, partitions int32) {
	t.Helper()
	_, err := kadm.NewClient(c).CreateTopic(testContext(t), partitions, 1, nil, topic)
	require.NoError(t, err)
}

// transact produces values in one transaction.
func transact(t *testing.T, c *kgo.Client, topic string, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	ctx := testContext(t)
	require.NoError(t, c.BeginTransaction())
	for _, v := range values {
		r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(v)}
		require.NoError(t, c.ProduceSync(ctx, r).FirstErr())
	}
	require.NoError(t, c.EndTransaction(ctx, end))
}

// read polls until n records have come and returns their values.
func read(t *testing.T, c *kgo.Client, n int) []string {
	t.Helper()
	ctx := testContext(t)
	var values []string
	for len(values) < n {
		fetches := c.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestReadCommittedReadersSeeOnlyCommittedTransactions(t *testing.T) {
	s := start(t, embedded.Options{})
	producer := client(t, s, kgo.TransactionalID("t"))
	createTopic(t, producer, "topic", 1)
	transact(t, producer, "topic", kgo.TryAbort, "aborted")
	transact(t, producer, "topic", kgo.TryCommit, "one", "two")

	from := kgo.NewOffset().AtStart()
	committed := client(t, s, kgo.ConsumeTopics("topic"), kgo.ConsumeResetOffset(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.Equal(t, []string{"one", "two"}, read(t, committed, 2))
	uncommitted := client(t, s, kgo.ConsumeTopics("topic"), kgo.ConsumeResetOffset(from))
	require.Equal(t, []string{"aborted", "one", "two"}, read(t, uncommitted, 3))
}

func TestBothGroupProtocolsShareATopic(t *testing.T) {
	s := start(t, embedded.Options{})
	producer := client(t, s)
	createTopic(t, producer, "topic", 2)
	require.NoError(t, producer.ProduceSync(testContext(t), &kgo.Record{Topic: "topic", Value: []byte("v")}).FirstErr())

	for kind, protocol := range map[string]kgo.GroupOpt{
		"consumer": kgo.ServerSideBalancer(),
		"classic":  kgo.SessionTimeout(time.Second),
	} {
		t.Run(kind, func(t *testing.T) {
			member := client(t, s, kgo.ConsumerGroup(kind), kgo.ConsumeTopics("topic"), kgo.Balancers(kgo.StickyBalancer()), protocol,
				kgo.HeartbeatInterval(100*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			require.Equal(t, []string{"v"}, read(t, member, 1))
			groups, err := kmsg.NewPtrListGroupsRequest().RequestWith(testContext(t), producer)
			require.NoError(t, err)
			i := slices.IndexFunc(groups.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return g.Group == kind })
			require.GreaterOrEqual(t, i, 0)
			require.Equal(t, kind, groups.Groups[i].GroupType)
		})
	}
}

func TestAFolderKeepsTopicsRecordsAndOffsets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "at", "start")
	first := start(t, embedded.Options{Dir: dir})
	c := client(t, first)
	createTopic(t, c, "topic", 3)
	require.NoError(t, c.ProduceSync(testContext(t), &kgo.Record{Topic: "topic", Value: []byte("kept")}).FirstErr())
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "topic", Partition: 1, At: 7, LeaderEpoch: -1, Metadata: "note"})
	require.NoError(t, kadm.NewClient(c).CommitAllOffsets(testContext(t), "group", offsets))
	before, err := kadm.NewClient(c).ListTopics(testContext(t), "topic")
	require.NoError(t, err)
	c.Close()
	first.Close()

	second := start(t, embedded.Options{Dir: dir})
	c = client(t, second, kgo.ConsumeTopics("topic"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	after, err := kadm.NewClient(c).ListTopics(testContext(t), "topic")
	require.NoError(t, err)
	require.Len(t, after["topic"].Partitions, 3)
	require.Equal(t, before["topic"].ID, after["topic"].ID)
	require.Equal(t, []string{"kept"}, read(t, c, 1))
	fetched, err := kadm.NewClient(c).FetchOffsets(testContext(t), "group")
	require.NoError(t, err)
	offset, ok := fetched.Lookup("topic", 1)
	require.True(t, ok)
	require.Equal(t, int64(7), offset.At)
	require.Equal(t, "note", offset.Metadata)
}

func TestWithoutAFolderEveryStartIsEmpty(t *testing.T) {
	first := start(t, embedded.Options{})
	createTopic(t, client(t, first), "topic", 1)
	topics, err := kadm.NewClient(client(t, start(t, embedded.Options{}))).ListTopics(testContext(t))
	require.NoError(t, err)
	require.Empty(t, topics.Names())
}

func TestTransactionsAreOfTheSecondVersion(t *testing.T) {
	c := client(t, start(t, embedded.Options{}))
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	versions, err := req.RequestWith(testContext(t), c)
	require.NoError(t, err)
	i := slices.IndexFunc(versions.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool { return f.Name == "transaction.version" })
	require.GreaterOrEqual(t, i, 0)
	require.GreaterOrEqual(t, versions.FinalizedFeatures[i].MaxVersionLevel, int16(2))
}

func TestRedisRunsScripts(t *testing.T) {
	s := start(t, embedded.Options{})
	c := redis.NewClient(&redis.Options{Addr: s.RedisAddr()})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	got, err := c.Eval(testContext(t), `redis.call('HSET', KEYS[1], 'f', ARGV[1]) return redis.call('HGET', KEYS[1], 'f')`, []string{"h"}, "v").Text()
	require.NoError(t, err)
	require.Equal(t, "v", got)
}

func TestServersListenOnLoopbackOnly(t *testing.T) {
	s := start(t, embedded.Options{})
	for _, addr := range append(s.Brokers(), s.RedisAddr()) {
		host, _, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		require.True(t, net.ParseIP(host).IsLoopback(), addr)
	}
}
