package servers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaCommitsATransaction(t *testing.T) {
	tryTransactions(t, StartKafka(t))
}

// tryTransactions checks that what was committed is read and what was aborted is not.
func tryTransactions(t *testing.T, k *Kafka) {
	createTopic(t, k, "things")
	commit(t, k, "things", "committed", kgo.TryCommit)
	commit(t, k, "things", "aborted", kgo.TryAbort)
	commit(t, k, "things", "committed later", kgo.TryCommit)
	require.Equal(t, []string{"committed", "committed later"}, read(t, k, "things", 2))
}

func TestKafkaKeepsItsDataOverKillAndRestart(t *testing.T) {
	k := StartKafka(t)
	createTopic(t, k, "things")
	commit(t, k, "things", "before", kgo.TryCommit)
	first, at := k.PID(), k.Bootstrap()

	// Readable, so its marker is written: one that is under way when the broker is killed may never be (KAFKA-20734).
	require.Equal(t, []string{"before"}, read(t, k, "things", 1))
	require.NoError(t, k.Kill())
	require.Error(t, owns(first, k.port))
	require.NoError(t, k.Restart())
	require.NotEqual(t, first, k.PID())
	require.Equal(t, at, k.Bootstrap())
	require.Equal(t, []string{"before"}, read(t, k, "things", 1), "after a kill")

	require.NoError(t, k.Restart())
	commit(t, k, "things", "after", kgo.TryCommit)
	require.Equal(t, []string{"before", "after"}, read(t, k, "things", 2), "after a stop")
}

func TestKafkaPausedAnswersOnceContinued(t *testing.T) {
	k := StartKafka(t)
	require.NoError(t, k.Pause())
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, k.answers(short))
	require.NoError(t, k.Continue())
	require.NoError(t, k.answers(t.Context()))
	require.NoError(t, k.Pause())
	require.NoError(t, k.Stop(), "a paused broker is woken to stop")
}

func TestKafkaSettingAndClusterID(t *testing.T) {
	k := StartKafka(t, KafkaSetting("message.max.bytes", "54321"))
	adm := kadm.NewClient(client(t, k))
	meta, err := adm.BrokerMetadata(t.Context())
	require.NoError(t, err)
	require.Equal(t, k.ClusterID(), meta.Cluster)
	configs, err := adm.DescribeBrokerConfigs(t.Context(), 1)
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	require.Equal(t, "54321", got["message.max.bytes"])
}

func TestKafkaThatCannotStartShowsItsLog(t *testing.T) {
	java, jars, err := findKafka(Kafka4)
	if err != nil {
		lacking(t, "Kafka: "+err.Error())
	}
	k, err := newKafka(t, java, jars, kafkaOptions{settings: map[string]string{"num.io.threads": "4"}})
	require.NoError(t, err)
	k.args[len(k.args)-1] += ".missing"
	require.ErrorContains(t, k.Restart(), "server.properties.missing")
}

func TestJavaMajor(t *testing.T) {
	for out, want := range map[string]int{
		`openjdk version "17.0.15" 2025-04-15`: 17,
		`openjdk version "21" 2023-09-19`:      21,
		`java version "1.8.0_381"`:             1,
	} {
		got, err := javaMajor(out)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := javaMajor("no java here")
	require.Error(t, err)
}

func client(t *testing.T, k *Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Bootstrap()))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, k *Kafka, topic string) {
	t.Helper()
	_, err := kadm.NewClient(client(t, k)).CreateTopic(t.Context(), 1, 1, nil, topic)
	require.NoError(t, err)
}

// commit produces one value in one transaction.
func commit(t *testing.T, k *Kafka, topic, value string, end kgo.TransactionEndTry) {
	t.Helper()
	c := client(t, k, kgo.TransactionalID(t.Name()))
	require.NoError(t, c.BeginTransaction())
	r := &kgo.Record{Topic: topic, Value: []byte(value)}
	require.NoError(t, c.ProduceSync(t.Context(), r).FirstErr())
	require.NoError(t, c.EndTransaction(t.Context(), end))
}

// read reads a topic, committed records only, until it has n of them or no time.
func read(t *testing.T, k *Kafka, topic string, n int) []string {
	t.Helper()
	c := client(t, k, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := c.PollFetches(ctx)
		require.NoError(t, fetches.Err(), fmt.Sprintf("after %q", values))
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}
