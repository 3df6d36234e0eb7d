package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a recordReader makes of an answer, span by span, is what the library makes of all of it at once: whatever the
// compression, with transactions aborted and committed by turns and batches of any size.
func TestRecordReaderAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(), kgo.GzipCompression()} {
		w := newWorld(t, 1)
		written := w.writeTransactions(codec, "in")
		got := w.fetch("in", 0)
		require.NotEmpty(t, got.AbortedTransactions)
		whole, reached := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			KeepControlRecords: true, IsolationLevel: kgo.ReadCommitted(), Topic: "in",
		}, got, kgo.DefaultDecompressor(), nil)
		require.NoError(t, whole.Err)
		var committed []string
		for _, r := range whole.Records {
			if !r.Attrs.IsControl() {
				committed = append(committed, string(r.Value))
			}
		}
		require.Equal(t, written, committed, "the library has an idea of its own")

		reader, set := newRecordReader("in", 0), newRecordSet(0, got)
		require.Equal(t, reached, set.next)
		at := 0
		for spans := 0; len(set.batches) > 0; spans++ {
			records, next, err := reader.read(&set, 20)
			require.NoError(t, err)
			for _, r := range records {
				want := whole.Records[at]
				require.Equal(t, [4]any{want.Offset, string(want.Key), string(want.Value), want.Attrs}, [4]any{r.Offset, string(r.Key), string(r.Value), r.Attrs})
				require.Less(t, r.Offset, next)
				at++
			}
			require.Less(t, spans, 1000)
		}
		require.Len(t, whole.Records, at)
	}
}

// writeTransactions writes some of which every third is aborted, and returns the values of the others.
func (w *world) writeTransactions(codec kgo.CompressionCodec, topic string) (committed []string) {
	ctx := context.Background()
	client, err := w.build(kgo.TransactionalID("writer"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
	require.NoError(w.t, err)
	defer client.Close()
	for i := range 12 {
		require.NoError(w.t, client.BeginTransaction())
		var values []string
		for j := range 1 + i*i/3 {
			values = append(values, fmt.Sprintf("%d=%s", j, strings.Repeat(fmt.Sprint(i), j)))
			client.Produce(ctx, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: []byte(values[j])}, nil)
		}
		require.NoError(w.t, client.Flush(ctx))
		require.NoError(w.t, client.EndTransaction(ctx, kgo.TransactionEndTry(i%3 != 1)))
		if i%3 != 1 {
			committed = append(committed, values...)
		}
	}
	return committed
}

// A batch that is spoilt, wherever it is, is an error: never skipped, never half read.
func TestRecordReaderRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "b=2", "a=3")
	spoil := map[string]func(b []byte){
		"a bit":             func(b []byte) { b[len(b)-1] ^= 1 },
		"more records":      func(b []byte) { binary.BigEndian.PutUint32(b[batchRecords:], 1000) },
		"an unknown format": func(b []byte) { b[batchMagic] = 7 },
	}
	for name, do := range spoil {
		got := w.fetch("in", 0)
		do(got.RecordBatches)
		set := newRecordSet(0, got)
		_, _, err := newRecordReader("in", 0).read(&set, 1000)
		require.ErrorContains(t, err, "in-0 at offset 0", name)
	}
}

// What an answer is cut off in the middle of comes again.
func TestRecordSetLeavesOutWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "b=2", "a=3")
	w.send(0, "a=4")
	got := w.fetch("in", 0)
	size, _, _, _ := headOf(got.RecordBatches)
	all := got.RecordBatches
	for n := range len(all) + 1 {
		got.RecordBatches = all[:n]
		set := newRecordSet(0, got)
		switch {
		case n < size:
			require.Equal(t, [2]int64{0, 0}, [2]int64{set.next, int64(set.records)})
		case n < len(all):
			require.Equal(t, [2]int64{3, 3}, [2]int64{set.next, int64(set.records)})
		default:
			require.Equal(t, [2]int64{4, 4}, [2]int64{set.next, int64(set.records)})
		}
	}
}

// The input's leader goes away for good while it is read; another broker leads then.
func TestFetchingFollowsTheInputsLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, kfake.NumBrokers(3))
	p := w.start(w.options())
	w.send(0, "a=1", "a=2", "b=3")
	w.send(1, "c=1")
	w.awaitCommitted()
	for partition := range int32(2) {
		before := w.cluster.LeaderFor("in", partition)
		require.NoError(t, w.cluster.MoveTopicPartition("in", partition, (before+1)%3))
	}
	w.send(0, "a=4", "b=5", "b=6")
	w.send(1, "c=2", "c=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// The leader was replaced by one that lacks what has been read, and other records have taken its place: folding on would
// mix two histories.
func TestInputThatWasRewrittenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.start(w.options())
	w.send(0, "a=1", "a=2", "b=3")
	w.awaitCommitted()
	w.cluster.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		f := req.(*kmsg.FetchRequest)
		if len(f.Topics) == 0 || f.Topics[0].TopicID != p.inputs["in"].id || f.Topics[0].Partitions[0].LastFetchedEpoch < 0 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		sp := kmsg.NewFetchResponseTopicPartition()
		sp.DivergingEpoch.Epoch, sp.DivergingEpoch.EndOffset = 0, 1
		st := kmsg.NewFetchResponseTopic()
		st.Topic, st.TopicID = f.Topics[0].Topic, f.Topics[0].TopicID
		st.Partitions = append(st.Partitions, sp)
		resp.Topics = append(resp.Topics, st)
		return resp, nil, true
	})
	requireRefusal(t, p.ended(), "in-0 has lost records")
}

// A partition whose task has no room is left out, and asked for again once there is.
func TestFetchingWaitsForRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	p := w.start(w.options())
	p.awaitOwned(2)
	a := *p.assignment.Load()
	busy := a[topicPartition{"in", 0}]
	busy.mu.Lock()
	busy.queued += queuedRecords
	busy.mu.Unlock()
	w.send(0, "a=1", "a=2", "a=3")
	w.send(1, "b=1", "b=2", "b=3")
	w.await("the other partition", func() bool { return w.committedOf(1) == 3 })
	asked, held, _ := p.fetcher.wanted(a[busy.tp()].input.leaders[0])
	require.True(t, held)
	for _, q := range asked {
		require.NotEqual(t, busy.tp(), q.cursor.tp)
	}
	busy.mu.Lock()
	busy.queued -= queuedRecords
	busy.mu.Unlock()
	p.fetcher.resume(busy)
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

func (w *world) committedOf(partition int32) int64 {
	offsets, err := w.adm.FetchOffsets(context.Background(), "counters")
	require.NoError(w.t, err)
	o, _ := offsets.Lookup("in", partition)
	return o.At
}

// Of many partitions that never get into one answer together, each has its turn.
func TestFetchingTakesTurns(t *testing.T) {
	t.Parallel()
	f := newFetcher(nil, time.Second, nil, nil)
	for i := range int32(5) {
		f.cursors[topicPartition{"in", i}] = &cursor{tp: topicPartition{"in", i}, task: &task{r: &Runtime{}}}
	}
	first := map[int32]bool{}
	for range 5 {
		asked, _, _ := f.wanted(0)
		require.Len(t, asked, 5)
		first[asked[0].cursor.tp.partition] = true
	}
	require.Len(t, first, 5)
}
