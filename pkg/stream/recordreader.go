package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordReader parses record sets into memory that it uses again: what it returns is valid until the next call. It does
// what the library does with a fetch (kgo.ProcessFetchPartition), which makes a new record of each.
type recordReader struct {
	topic        string
	partition    int32
	decompressor kgo.Decompressor
	buffers      buffers
	slab         []kgo.Record
	records      []*kgo.Record
	pinned       bool // some of them alias the answer
}

func newRecordReader(topic string, partition int32) *recordReader {
	r := &recordReader{topic: topic, partition: partition}
	r.decompressor = kgo.DefaultDecompressor(&r.buffers)
	return r
}

// What can be wrong with a batch.
var (
	errChecksum  = errors.New("a batch's checksum is not that of its bytes")
	errMagic     = errors.New("a batch is of an unknown format")
	errCount     = errors.New("a batch does not hold as many records as it says")
	errOffset    = errors.New("a record's offset is not after that of the one before, or beyond its batch")
	errRecord    = errors.New("a record's lengths do not fit together")
	errCutRecord = errors.New("a record ends too early")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// read returns the next committed records of a set, n or some more if it holds so many, and the offset that is reached
// by them. Between the records and up to that offset there may be others: aborted ones and markers.
func (r *recordReader) read(s *recordSet, n int) (records []*kgo.Record, next int64, err error) {
	r.buffers.reset()
	if r.pinned { // what was not compressed lies in the answer itself
		for _, rec := range r.records {
			rec.Key, rec.Value = nil, nil
			clear(rec.Headers)
		}
		r.pinned = false
	}
	r.records = r.records[:0]
	batches, next := s.span(n)
	for len(batches) > 0 {
		head, _ := parseHead(batches)
		if err := r.batch(s, &head, batches[:head.size]); err != nil {
			return nil, 0, fmt.Errorf("reading what was fetched from %s-%d, the batch at offset %d: %w", r.topic, r.partition, head.first, err)
		}
		batches = batches[head.size:]
	}
	s.offset = max(s.offset, next)
	return r.records, next, nil
}

// batch parses one batch.
func (r *recordReader) batch(s *recordSet, h *batchHead, b []byte) error {
	switch {
	case h.isMessage:
		return r.messages(s, h, b)
	case b[atMagic] != batchMagic:
		return errMagic
	case crc32.Checksum(b[atAttributes:], castagnoli) != binary.BigEndian.Uint32(b[atCRC:]):
		return errChecksum
	case h.next <= s.offset:
		return nil
	case h.records < 0:
		return errCount
	case h.attributes&markerBit == 0 && h.attributes&inTxnBit != 0 && s.isAborted(h.producer, h.first):
		return nil
	}
	body := b[headSize:]
	if codec := kgo.CompressionCodecType(h.attributes & compressionBits); codec != kgo.CodecNone {
		var err error
		if body, err = r.decompressor.Decompress(body, codec); err != nil {
			return fmt.Errorf("decompressing: %w", err)
		}
		r.buffers.took(len(body))
	} else {
		r.pinned = true
	}
	if h.attributes&markerBit != 0 {
		return r.marker(s, h, body)
	}
	return r.all(s, h, body)
}

// all parses the records of a batch.
func (r *recordReader) all(s *recordSet, h *batchHead, body []byte) error {
	if h.records > len(body) { // each takes a byte at least
		return errCount
	}
	r.grow(h.records)
	least := h.first
	for range h.records {
		rec := r.next()
		var err error
		if body, err = parseRecord(body, h, rec); err != nil {
			return err
		}
		if rec.Offset < least || rec.Offset >= h.next {
			return errOffset
		}
		if least = rec.Offset + 1; rec.Offset < s.offset {
			r.records = r.records[:len(r.records)-1]
		}
	}
	if len(body) > 0 {
		return errCount
	}
	return nil
}

// marker looks what a transaction's marker says.
func (r *recordReader) marker(s *recordSet, h *batchHead, body []byte) error {
	var rec kgo.Record
	if _, err := parseRecord(body, h, &rec); err != nil {
		return err
	}
	if len(rec.Key) >= 4 && binary.BigEndian.Uint16(rec.Key[2:]) == 0 { // the second number of a marker's key: 0 is abort
		s.ended(h.producer)
	}
	return nil
}

// messages leaves what was written before Kafka 0.11 to the library.
func (r *recordReader) messages(s *recordSet, h *batchHead, b []byte) error {
	p := kmsg.FetchResponseTopicPartition{Partition: r.partition, RecordBatches: b}
	parsed, reached := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: s.offset, Topic: r.topic, Partition: r.partition}, &p, kgo.DefaultDecompressor(), nil)
	r.records = append(r.records, parsed.Records...)
	if parsed.Err == nil && reached < h.next {
		return errCount // the library says no more, and would ask for it again
	}
	return parsed.Err
}

// grow makes room for n records more.
func (r *recordReader) grow(n int) {
	if len(r.records)+n <= len(r.slab) {
		return
	}
	slab := make([]kgo.Record, max(len(r.records)+n, 2*chunkRecords))
	for i := range slab {
		slab[i].Topic, slab[i].Partition = r.topic, r.partition
	}
	// Those that are in use stay where they are until the next call.
	r.slab = slab
}

// next returns the memory of the record to come.
func (r *recordReader) next() *kgo.Record {
	rec := &r.slab[len(r.records)]
	r.records = append(r.records, rec)
	return rec
}

// parseRecord parses the first record, which then aliases the bytes, and returns those after it.
func parseRecord(b []byte, h *batchHead, rec *kgo.Record) (rest []byte, err error) {
	p := recordParser{b: b}
	size := p.varint()
	if p.wrong || size < 0 || size > int64(len(p.b)) {
		return nil, errCutRecord
	}
	rest, p.b = p.b[size:], p.b[:size]
	if len(p.b) == 0 {
		return nil, errRecord
	}
	p.b = p.b[1:] // attributes, of which there are none yet
	at := h.firstAt + p.varint()
	if h.attributes&ofBrokerBit != 0 {
		at = h.maxAt
	}
	rec.Timestamp = time.UnixMilli(at)
	rec.Offset = h.first + p.varint()
	rec.Key, rec.Value = p.bytes(), p.bytes()
	rec.Headers = p.headers(rec.Headers[:0])
	if p.wrong || len(p.b) > 0 {
		return nil, errRecord
	}
	return rest, nil
}

// recordParser reads the fields of a record; once something is wrong, nothing.
type recordParser struct {
	b     []byte
	wrong bool
}

func (p *recordParser) varint() int64 {
	if len(p.b) > 0 && p.b[0] < 0x80 {
		c := p.b[0]
		p.b = p.b[1:]
		return int64(c>>1) ^ -int64(c&1)
	}
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.wrong, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

// bytes reads a length and so many bytes; nil where it is -1.
func (p *recordParser) bytes() []byte {
	n := p.varint()
	if n < 0 {
		p.wrong = p.wrong || n != -1
		return nil
	}
	if n > int64(len(p.b)) {
		p.wrong, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *recordParser) headers(into []kgo.RecordHeader) []kgo.RecordHeader {
	n := p.varint()
	if n < 0 || n > int64(len(p.b)) {
		p.wrong = true
		return into
	}
	for range n {
		key := p.bytes()
		into = append(into, kgo.RecordHeader{Key: unsafe.String(unsafe.SliceData(key), len(key)), Value: p.bytes()})
	}
	return into
}

// buffers is the memory that batches are decompressed into. It is the library's idea of a pool, but gives it out from
// the start again when told to, not when every record has been given back.
type buffers struct {
	list  []buffer
	taken int
}

// buffer is what one batch is decompressed into.
type buffer struct {
	b    []byte
	need int // bytes that its last batch took
}

// maxBuffer is the largest buffer that is kept.
const maxBuffer = 4 << 20

func (m *buffers) reset() {
	for i := range m.list[:m.taken] {
		b := &m.list[i]
		if b.need > cap(b.b) && b.need <= maxBuffer {
			b.b = make([]byte, 0, b.need+b.need/8)
		}
	}
	m.taken = 0
}

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (m *buffers) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if m.taken == len(m.list) {
		m.list = append(m.list, buffer{})
	}
	m.taken++
	return m.list[m.taken-1].b[:0]
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (m *buffers) PutDecompressBytes([]byte) {}

// took notes what the batch takes that was decompressed last.
func (m *buffers) took(n int) { m.list[m.taken-1].need = n }
