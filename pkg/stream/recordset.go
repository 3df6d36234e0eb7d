package stream

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordSet is what one fetch brought for a partition: whole record batches, compressed as they came.
type recordSet struct {
	batches []byte
	aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
	records int   // in the batches, aborted and control records included
	offset  int64 // records below it are not wanted
	next    int64 // offset after the last batch
	epoch   int32 // leader epoch of the last batch
	end     int64 // the partition's high watermark
}

// Offsets in the head of a record batch (https://kafka.apache.org/documentation/#recordbatch). Messages of the formats
// before have the first two at the same places.
const (
	batchLength      = 8 // of what follows it
	batchEpoch       = 12
	batchMagic       = 16
	batchLastDelta   = 23
	batchRecords     = 57
	batchHead        = 61
	batchFormat      = 2 // the magic of record batches
	batchAfterLength = 12
)

// newRecordSet finds out what an answer holds. A batch that is cut off at the end is left out: it comes again.
func newRecordSet(from int64, p *kmsg.FetchResponseTopicPartition) recordSet {
	s := recordSet{aborted: p.AbortedTransactions, offset: from, next: from, epoch: -1, end: p.HighWatermark}
	b := p.RecordBatches
	for {
		size, records, next, epoch := headOf(b)
		if size == 0 {
			break
		}
		s.records += records
		s.next, s.epoch = max(s.next, next), epoch
		b = b[size:]
	}
	s.batches = p.RecordBatches[:len(p.RecordBatches)-len(b)]
	return s
}

// headOf reads the head of a batch: the bytes and records that it takes, the offset after it, the leader's epoch. The
// size is 0 when the batch is not whole.
func headOf(b []byte) (size, records int, next int64, epoch int32) {
	if len(b) <= batchMagic {
		return 0, 0, 0, 0
	}
	size = batchAfterLength + int(int32(binary.BigEndian.Uint32(b[batchLength:])))
	if size <= batchMagic || size > len(b) {
		return 0, 0, 0, 0
	}
	first := int64(binary.BigEndian.Uint64(b))
	if b[batchMagic] < batchFormat { // a message, or several in one, whose offset is the last one's
		return size, 1, first + 1, -1
	}
	if size < batchHead {
		return 0, 0, 0, 0
	}
	next = first + int64(binary.BigEndian.Uint32(b[batchLastDelta:])) + 1
	return size, int(binary.BigEndian.Uint32(b[batchRecords:])), next, int32(binary.BigEndian.Uint32(b[batchEpoch:]))
}

// span takes the first batches off, as many as hold n records; the offset after them.
func (s *recordSet) span(n int) (batches []byte, next int64) {
	at := 0
	for n > 0 {
		size, records, after, _ := headOf(s.batches[at:])
		if size == 0 {
			break
		}
		at, next = at+size, after
		n -= records
	}
	batches, s.batches = s.batches[:at], s.batches[at:]
	return batches, next
}

// recordReader parses record sets into memory that it uses again: what it returns is valid until the next call.
type recordReader struct {
	topic        string
	partition    int32
	decompressor kgo.Decompressor
	memory       recordMemory
}

func newRecordReader(topic string, partition int32) *recordReader {
	r := &recordReader{topic: topic, partition: partition}
	r.decompressor = kgo.DefaultDecompressor(&r.memory)
	return r
}

// read returns the next committed records and markers of a set, n or some more if it holds so many, and the offset that
// is reached by them. Between the records and up to that offset there may be others, which were aborted.
func (r *recordReader) read(s *recordSet, n int) (records []*kgo.Record, next int64, err error) {
	r.memory.reset()
	batches, next := s.span(n)
	p := kmsg.FetchResponseTopicPartition{Partition: r.partition, RecordBatches: batches, AbortedTransactions: s.aborted}
	parsed, reached := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true,
		Offset:             s.offset,
		IsolationLevel:     kgo.ReadCommitted(),
		Topic:              r.topic,
		Partition:          r.partition,
		Pools:              []kgo.Pool{&r.memory},
	}, &p, r.decompressor, r.memory.measure)
	if parsed.Err == nil && reached < next {
		parsed.Err = fmt.Errorf("a batch can't be parsed from offset %d on", reached) // the library says no more, and would ask for it again
	}
	if parsed.Err != nil {
		return nil, 0, fmt.Errorf("reading what was fetched from %s-%d at offset %d: %w", r.topic, r.partition, s.offset, parsed.Err)
	}
	s.offset = max(s.offset, next)
	s.ended(parsed.Records)
	return parsed.Records, next, nil
}

// ended leaves out the aborted transactions whose markers are among the records: what their producers wrote later is
// not part of them.
func (s *recordSet) ended(records []*kgo.Record) {
	if len(s.aborted) == 0 {
		return
	}
	for _, r := range records {
		if !r.Attrs.IsControl() || len(r.Key) < 4 || binary.BigEndian.Uint16(r.Key[2:]) != 0 { // 0: abort
			continue
		}
		oldest := -1
		for i, a := range s.aborted {
			if a.ProducerID == r.ProducerID && a.FirstOffset <= r.Offset && (oldest < 0 || a.FirstOffset < s.aborted[oldest].FirstOffset) {
				oldest = i
			}
		}
		if oldest >= 0 {
			s.aborted = slices.Delete(s.aborted, oldest, oldest+1)
		}
	}
}

// recordMemory is where records are parsed to. It is the library's idea of a pool, but gives out its memory from the
// start again when told to, not when every record has been given back.
type recordMemory struct {
	records  []kgo.Record
	given    int // of records
	buffers  []buffer
	taken    int // of buffers
	measured int
}

// buffer is what one batch is decompressed into.
type buffer struct {
	b    []byte
	need int // bytes that its last batch took
}

// maxBuffer is the largest buffer that is kept.
const maxBuffer = 4 << 20

func (m *recordMemory) reset() {
	for i := range m.buffers[:m.taken] {
		b := &m.buffers[i]
		if b.need > cap(b.b) && b.need <= maxBuffer {
			b.b = make([]byte, 0, b.need+b.need/8)
		}
	}
	m.given, m.taken, m.measured = 0, 0, 0
}

// GetRecords implements kgo.PoolRecords.
func (m *recordMemory) GetRecords(n int) []kgo.Record {
	if n > len(m.records)-m.given {
		m.records, m.given = make([]kgo.Record, max(n, 2*chunkRecords)), 0
	}
	m.given += n
	return m.records[m.given-n : m.given : m.given]
}

// PutRecords implements kgo.PoolRecords.
func (m *recordMemory) PutRecords([]kgo.Record) {}

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (m *recordMemory) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if m.taken == len(m.buffers) {
		m.buffers = append(m.buffers, buffer{})
	}
	m.taken++
	return m.buffers[m.taken-1].b[:0]
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (m *recordMemory) PutDecompressBytes([]byte) {}

// measure notes what the batches took that were decompressed, one after the other.
func (m *recordMemory) measure(batch kgo.FetchBatchMetrics) {
	if batch.CompressionType != 0 && m.measured < m.taken {
		m.buffers[m.measured].need = batch.UncompressedBytes
		m.measured++
	}
}
