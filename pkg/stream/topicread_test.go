package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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

// A topic is read on as it grows, by records and by partitions, until it is another one.
func TestATopicIsReadOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	_, err := w.adm.CreateTopic(t.Context(), 2, 1, nil, "rows")
	require.NoError(t, err)
	put := func(partition int32, value string) {
		require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "rows", Partition: partition, Value: []byte(value)}).FirstErr())
	}
	client, err := w.build()
	require.NoError(t, err)
	t.Cleanup(client.Close)
	reader := NewTopicReader(client, "rows")
	read := func() (got []string) {
		require.NoError(t, reader.ReadOn(t.Context(), func(r *kgo.Record) error { got = append(got, string(r.Value)); return nil }))
		return got
	}
	require.Empty(t, read())
	put(1, "one")
	put(0, "two")
	require.Equal(t, []string{"two", "one"}, read())
	require.Empty(t, read())
	_, err = w.adm.CreatePartitions(t.Context(), 1, "rows")
	require.NoError(t, err)
	w.connect()
	put(2, "three")
	put(1, "four")
	require.Equal(t, []string{"four", "three"}, read())

	_, err = w.adm.DeleteTopics(t.Context(), "rows")
	require.NoError(t, err)
	require.ErrorIs(t, reader.ReadOn(t.Context(), nil), kerr.UnknownTopicOrPartition)
	_, err = w.adm.CreateTopic(t.Context(), 3, 1, nil, "rows")
	require.NoError(t, err)
	w.connect()
	put(0, "five")
	var refusal *Refusal
	require.ErrorAs(t, reader.ReadOn(t.Context(), nil), &refusal)
}

// What can't be read for a while is read later, once.
func TestATopicIsReadOnAfterAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	for i := range 3 {
		require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: fmt.Append(nil, i)}).FirstErr())
	}
	reader := NewTopicReader(w.client, "in")
	var got []string
	each := func(r *kgo.Record) error { got = append(got, string(r.Value)); return nil }
	refuse := func(key kmsg.Key) (refused *int) {
		refused = new(int)
		w.cluster.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			*refused++
			return nil, errors.New("the connection is cut"), true
		})
		return refused
	}
	for _, key := range []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch, kmsg.Metadata} {
		refused := refuse(key)
		for reader.ReadOn(t.Context(), each) != nil {
			require.NoError(t, t.Context().Err())
		}
		require.Positive(t, *refused)
		require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: []byte(key.Name())}).FirstErr())
	}
	require.NoError(t, reader.ReadOn(t.Context(), each))
	require.Equal(t, []string{"0", "1", "2", "ListOffsets", "Fetch", "Metadata"}, got)
}
