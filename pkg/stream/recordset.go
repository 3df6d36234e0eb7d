package stream

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordSet is what one fetch brought for a partition: whole record batches, compressed as they came.
type recordSet struct {
	batches []byte
	aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction // that have not been seen to end
	records int                                                  // in the batches, aborted ones and markers included
	offset  int64                                                // records below it are not wanted
	next    int64                                                // offset after the last batch
	epoch   int32                                                // leader epoch of the last batch
	end     int64                                                // the partition's high watermark
	stable  int64                                                // the last stable offset: up to here there is something to read
}

// newRecordSet finds out what an answer holds. A batch that is cut off at the end is left out: it comes again.
func newRecordSet(from int64, p *kmsg.FetchResponseTopicPartition) recordSet {
	s := recordSet{aborted: p.AbortedTransactions, offset: from, next: from, epoch: -1, end: p.HighWatermark, stable: p.LastStableOffset}
	b := p.RecordBatches
	for {
		head, ok := parseHead(b)
		if !ok {
			break
		}
		s.records += max(head.records, 0)
		s.next, s.epoch = max(s.next, head.next), head.epoch
		b = b[head.size:]
	}
	s.batches = p.RecordBatches[:len(p.RecordBatches)-len(b)]
	return s
}

// spanBytes is how many bytes of batches are parsed at once, unless one is larger: what they take uncompressed stays with
// the task.
const spanBytes = 256 << 10

// span takes the first batches off, as many as hold n records, and returns the offset after them.
func (s *recordSet) span(n int) (batches []byte, next int64) {
	at := 0
	for n > 0 && at < spanBytes {
		head, ok := parseHead(s.batches[at:])
		if !ok {
			break
		}
		at, next = at+head.size, head.next
		n -= max(head.records, 0)
	}
	batches, s.batches = s.batches[:at], s.batches[at:]
	return batches, next
}

// isAborted says whether a producer's records at an offset are of a transaction that was aborted.
func (s *recordSet) isAborted(producer, offset int64) bool {
	return slices.ContainsFunc(s.aborted, func(a kmsg.FetchResponseTopicPartitionAbortedTransaction) bool {
		return a.ProducerID == producer && a.FirstOffset <= offset
	})
}

// ended notes the marker of an aborted transaction: what its producer wrote later is not part of it.
func (s *recordSet) ended(producer int64) {
	oldest := -1
	for i, a := range s.aborted {
		if a.ProducerID == producer && (oldest < 0 || a.FirstOffset < s.aborted[oldest].FirstOffset) {
			oldest = i
		}
	}
	if oldest >= 0 {
		s.aborted = slices.Delete(s.aborted, oldest, oldest+1)
	}
}

// batchHead is what is before the records of a batch. Of a message of the formats before, only the first four fields are
// there.
type batchHead struct {
	size    int   // of the batch, this head included, in bytes
	records int   // that it says to hold
	next    int64 // offset after it
	epoch   int32 // the leader's that wrote it; -1: not known

	first      int64 // offset
	attributes uint16
	firstAt    int64 // timestamp, ms
	maxAt      int64
	producer   int64
	isMessage  bool // of a format before batches
}

// The places of fields in a batch's head (https://kafka.apache.org/documentation/#recordbatch), and what the bits of its
// attributes mean. Messages of the formats before have the first two and the magic at the same places.
const (
	atLength     = 8
	atEpoch      = 12
	atMagic      = 16
	atCRC        = 17
	atAttributes = 21
	atLastDelta  = 23
	atFirstAt    = 27
	atMaxAt      = 35
	atProducer   = 43
	atRecords    = 57
	headSize     = 61

	beforeLength = 12 // bytes that the length doesn't count
	batchMagic   = 2

	compressionBits = 0b111
	ofBrokerBit     = 1 << 3
	inTxnBit        = 1 << 4
	markerBit       = 1 << 5
)

// parseHead reads the head of the first batch. It says whether the batch is whole.
func parseHead(b []byte) (h batchHead, ok bool) {
	if len(b) <= atMagic {
		return h, false
	}
	h.size = beforeLength + int(int32(binary.BigEndian.Uint32(b[atLength:])))
	if h.size <= atMagic || h.size > len(b) {
		return h, false
	}
	h.first = int64(binary.BigEndian.Uint64(b))
	if b[atMagic] < batchMagic { // several may be in one, whose offset is the last one's
		h.isMessage, h.records, h.next, h.epoch = true, 1, h.first+1, -1
		return h, true
	}
	if h.size < headSize {
		return h, false
	}
	h.next = h.first + int64(int32(binary.BigEndian.Uint32(b[atLastDelta:]))) + 1
	h.records = int(int32(binary.BigEndian.Uint32(b[atRecords:])))
	h.epoch = int32(binary.BigEndian.Uint32(b[atEpoch:]))
	h.attributes = binary.BigEndian.Uint16(b[atAttributes:])
	h.firstAt = int64(binary.BigEndian.Uint64(b[atFirstAt:]))
	h.maxAt = int64(binary.BigEndian.Uint64(b[atMaxAt:]))
	h.producer = int64(binary.BigEndian.Uint64(b[atProducer:]))
	return h, true
}
