package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A topic is read in partitions that end with an aborted transaction, with one that is still open, with a record, and with nothing.
func TestATopicIsReadUpToWhatIsCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	_, err := w.adm.CreateTopic(t.Context(), 4, 1, nil, "rows")
	require.NoError(t, err)
	client := func(id string) *kgo.Client {
		opts := []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner())}
		if id != "" {
			opts = append(opts, kgo.TransactionalID(id))
		}
		c, err := kgo.NewClient(opts...)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	put := func(c *kgo.Client, partition int32, value string) {
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: "rows", Partition: partition, Value: []byte(value)}).FirstErr())
	}
	decided, open, plain := client("decided"), client("open"), client("")
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		require.NoError(t, decided.BeginTransaction())
		put(decided, 0, fmt.Sprint("decided ", i))
		require.NoError(t, decided.EndTransaction(t.Context(), end))
	}
	put(plain, 1, "before")
	require.NoError(t, open.BeginTransaction())
	put(open, 1, "open")
	put(plain, 1, "behind")
	put(plain, 2, "last")

	read := func(each func(*kgo.Record) error) error { return ReadTopic(t.Context(), plain, "rows", each) }
	var got []string
	require.NoError(t, read(func(r *kgo.Record) error {
		got = append(got, fmt.Sprint(r.Partition, " ", string(r.Value)))
		return nil
	}))
	require.Equal(t, []string{"0 decided 0", "1 before", "2 last"}, got)

	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryCommit))
	got = nil
	require.NoError(t, read(func(r *kgo.Record) error { got = append(got, string(r.Value)); return nil }))
	require.Equal(t, []string{"decided 0", "before", "open", "behind", "last"}, got)

	wrong := errors.New("wrong")
	err = read(func(r *kgo.Record) error {
		if string(r.Value) == "open" {
			return wrong
		}
		return nil
	})
	require.ErrorIs(t, err, wrong)
	require.EqualError(t, err, "reading rows-1, the record at offset 1: wrong")
	require.ErrorIs(t, ReadTopic(t.Context(), plain, "nowhere", nil), kerr.UnknownTopicOrPartition)
}
