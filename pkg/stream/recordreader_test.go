package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(), "gzip": kgo.GzipCompression(),
}

// What a recordReader makes of an answer, span by span, is what the library makes of all of it at once: whatever the
// compression, with transactions aborted and committed by turns and batches of any size, from any offset on.
func TestRecordReaderAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	for name, codec := range codecs {
		w := newWorld(t, 1)
		written := w.writeTransactions(codec, "in")
		got := w.fetch("in", 0)
		require.NotEmpty(t, got.AbortedTransactions)
		whole, reached, err := byLibrary(got, 0)
		require.NoError(t, err)
		require.Equal(t, written, valuesOf(whole), "the library has an idea of its own")
		for _, from := range []int64{0, 1, reached / 3, reached / 2, reached - 2} {
			want, reached, err := byLibrary(got, from)
			require.NoError(t, err)
			reader, set := newRecordReader("in", 0), newRecordSet(from, got)
			set.aborted = slices.Clone(set.aborted) // it is used up
			require.Equal(t, reached, set.next)
			for n := 20; len(set.batches) > 0; n += 7 {
				records, next, err := reader.read(&set, n)
				require.NoError(t, err)
				require.LessOrEqual(t, len(records), len(want), name)
				requireSame(t, want[:len(records)], records)
				want = want[len(records):]
				require.True(t, len(records) == 0 || records[len(records)-1].Offset < next)
			}
			require.Empty(t, want, "%s from %d", name, from)
		}
	}
}

func byLibrary(p *kmsg.FetchResponseTopicPartition, from int64) (records []*kgo.Record, reached int64, err error) {
	parsed, reached := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, IsolationLevel: kgo.ReadCommitted(), Topic: "in",
	}, p, kgo.DefaultDecompressor(), nil)
	return parsed.Records, reached, parsed.Err
}

func requireSame(t *testing.T, want, got []*kgo.Record) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, r := range got {
		require.Equal(t, []any{want[i].Topic, want[i].Partition, want[i].Offset, want[i].Timestamp.UnixMilli(), want[i].Key, want[i].Value},
			[]any{r.Topic, r.Partition, r.Offset, time.Unix(0, r.Timestamp.UnixMilli()*1e6).UnixMilli(), r.Key, r.Value}) // as the library overflows
		require.Len(t, r.Headers, len(want[i].Headers))
		for j, h := range r.Headers {
			require.Equal(t, want[i].Headers[j], h)
		}
	}
}

func valuesOf(records []*kgo.Record) (values []string) {
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
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
			r := &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "%d=%s", j, strings.Repeat(fmt.Sprint(i), j))}
			switch j % 4 {
			case 1:
				r.Key = nil
			case 2:
				r.Headers = []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "", Value: nil}, {Key: "b", Value: []byte{}}}
			}
			values = append(values, string(r.Value))
			client.Produce(ctx, r, nil)
		}
		require.NoError(w.t, client.Flush(ctx))
		require.NoError(w.t, client.EndTransaction(ctx, kgo.TransactionEndTry(i%3 != 1)))
		if i%3 != 1 {
			committed = append(committed, values...)
		}
	}
	return committed
}

// Whatever bytes come with a good checksum: nothing panics, and what is taken for records is what the library takes for
// them.
func TestRecordReaderOnSpoiltBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.writeTransactions(kgo.NoCompression(), "in")
	good := w.fetch("in", 0)
	random := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 20_000 {
		bad := *good
		bad.RecordBatches = slices.Clone(good.RecordBatches)
		at := spoil(random, bad.RecordBatches)
		bad.RecordBatches = bad.RecordBatches[at:]
		bad.AbortedTransactions = nil
		set := newRecordSet(0, &bad)
		var got []*kgo.Record
		var err error
		reader := newRecordReader("in", 0)
		if got, _, err = reader.read(&set, 1); err != nil {
			refused++
			continue
		}
		accepted++
		size := len(bad.RecordBatches) - len(set.batches)
		bad.RecordBatches = bad.RecordBatches[:size]
		want, _, err := byLibrary(&bad, 0)
		require.NoError(t, err)
		requireSame(t, want, got)
	}
	require.Greater(t, accepted, 1000)
	require.Greater(t, refused, 1000)
}

// spoil changes some bytes of some batch, but not its length and its format, and returns where that batch is.
func spoil(random *rand.Rand, b []byte) (at int) {
	var starts []int
	for at < len(b) {
		head, _ := parseHead(b[at:])
		starts = append(starts, at)
		at += head.size
	}
	at = starts[random.IntN(len(starts))]
	head, _ := parseHead(b[at:])
	batch := b[at : at+head.size]
	for range 1 + random.IntN(2) {
		i := atAttributes + 1 + random.IntN(head.size-atAttributes-1)
		if i == atAttributes+1 {
			continue // compression would change the meaning of everything
		}
		batch[i] = byte(random.IntN(256))
	}
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
	return at
}

// A batch that is spoilt, wherever it is, is an error: never skipped, never half read.
func TestRecordReaderRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "b=2", "a=3")
	signed := func(b []byte) { binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli)) }
	for what, do := range map[string]func(b []byte){
		errChecksum.Error():  func(b []byte) { b[len(b)-1] ^= 1 },
		errMagic.Error():     func(b []byte) { b[atMagic] = 7 },
		errCount.Error():     func(b []byte) { binary.BigEndian.PutUint32(b[atRecords:], 2); signed(b) },
		errCutRecord.Error(): func(b []byte) { binary.BigEndian.PutUint32(b[atRecords:], 4); signed(b) },
		"decompressing":      func(b []byte) { b[atAttributes+1] = 2; signed(b) },
	} {
		got := w.fetch("in", 0)
		do(got.RecordBatches)
		set := newRecordSet(0, got)
		_, _, err := newRecordReader("in", 0).read(&set, 1000)
		require.ErrorContains(t, err, what)
		require.ErrorContains(t, err, "in-0, the batch at offset 0")
	}
}

// What an answer is cut off in the middle of comes again.
func TestRecordSetLeavesOutWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "b=2", "a=3")
	w.send(0, "a=4")
	got := w.fetch("in", 0)
	first, _ := parseHead(got.RecordBatches)
	all := got.RecordBatches
	for n := range len(all) + 1 {
		got.RecordBatches = all[:n]
		set := newRecordSet(0, got)
		switch {
		case n < first.size:
			require.Equal(t, [2]int64{0, 0}, [2]int64{set.next, int64(set.records)})
		case n < len(all):
			require.Equal(t, [2]int64{3, 3}, [2]int64{set.next, int64(set.records)})
		default:
			require.Equal(t, [2]int64{4, 4}, [2]int64{set.next, int64(set.records)})
		}
	}
}
