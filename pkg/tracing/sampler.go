package tracing

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Sampler decides which of the records are sampled that come without a trace: a share of them, by the trace's id alone, as
// OpenTelemetry's TraceIDRatioBased does. The zero Sampler samples none.
type Sampler struct{ below uint64 }

// NewSampler returns the sampler of a share between 0 and 1.
func NewSampler(share float64) Sampler {
	return Sampler{below: uint64(share * (1 << 63))}
}

// Origin gives the records of one partition their traces.
type Origin struct{ high, low uint64 }

// NewOrigin returns the origin of a topic's partition.
func NewOrigin(topic string, partition int32) Origin {
	place := fmt.Sprintf("%s/%d", topic, partition)
	return Origin{high: xxhash.Sum64String("high " + place), low: xxhash.Sum64String("low " + place)}
}

// Trace returns the id of the trace that begins with the record at an offset. It is the same each time that the record is read.
func (o Origin) Trace(offset int64) (id TraceID) {
	binary.BigEndian.PutUint64(id[:8], mix(o.high, uint64(offset)))
	binary.BigEndian.PutUint64(id[8:], o.lower(offset))
	return id
}

// lower is the half of the id that decides.
func (o Origin) lower(offset int64) uint64 { return max(mix(o.low, uint64(offset)), 1) } // all zeros are no id

// Samples says whether the trace is recorded that begins with the record at an offset.
func (s Sampler) Samples(o Origin, offset int64) bool { return o.lower(offset)>>1 < s.below }

// mix is the n-th number of the generator SplitMix64 that begins at a seed: as good as random, and as quick as reading memory.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
