package rollup

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// RelativeError is how far a quantile, minimum or maximum that a sketch tells may be from the exact one, as a share of it.
const RelativeError = 0.01

// NoTime is the bin of durations that are zero or less: what has no logarithm.
const NoTime = math.MinInt32

// Durations are told apart from a millisecond on up to 30 years. What is longer goes to the last bin.
const longestDuration = 30 * 365 * dayMillis

// durations puts a number of seconds into one of DDSketch's bins, each as wide as RelativeError allows.
var durations = newMapping()

var firstBin, lastBin = BinOf(1), BinOf(longestDuration)

func newMapping() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(RelativeError)
	if err != nil {
		panic("rollup: " + err.Error()) // of a constant
	}
	return m
}

// BinOf returns the bin of a duration in ms.
func BinOf(ms int64) int32 {
	if ms <= 0 {
		return NoTime
	}
	return int32(durations.Index(float64(min(ms, longestDuration)) / 1000))
}

// secondsOf is what the durations in a bin are taken for.
func secondsOf(bin int32) float64 {
	if bin == NoTime {
		return 0
	}
	return durations.Value(int(bin))
}

// sketch is how many durations lie in which bin: what DDSketch holds, with whole counts that can be taken back. While
// something is taken back before it has come, a count is negative.
type sketch struct {
	bins []bin // in order, none with a count of 0
	sum  int64 // ms
}

type bin struct {
	index int32
	n     int64
}

func (s *sketch) add(index int32, n int64) {
	if index != NoTime {
		index = max(firstBin, min(index, lastBin))
	}
	at, found := slices.BinarySearchFunc(s.bins, index, func(b bin, index int32) int { return cmp.Compare(b.index, index) })
	switch {
	case !found && n != 0:
		s.bins = slices.Insert(s.bins, at, bin{index, n})
	case found && s.bins[at].n == -n:
		s.bins = slices.Delete(s.bins, at, at+1)
	case found:
		s.bins[at].n += n
	}
}

// count is how many durations there are.
func (s *sketch) count() (n int64) {
	for _, b := range s.bins {
		n += b.n
	}
	return n
}

// quantiles returns the durations below which the given shares of all lie, in seconds. The shares are in order; there is a
// duration.
func (s *sketch) quantiles(shares []float64, into []float64) {
	total := int64(0)
	for _, b := range s.bins {
		total += max(b.n, 0)
	}
	next, below := 0, int64(0)
	for _, b := range s.bins {
		below += max(b.n, 0)
		for next < len(shares) && float64(below) > shares[next]*float64(total-1) {
			into[next] = secondsOf(b.index)
			next++
		}
	}
}

// describe fills in what a row says of durations.
func (s *sketch) describe(r *Row) {
	n := s.count()
	r.Count = some(n)
	if n <= 0 {
		return
	}
	var at [6]float64
	s.quantiles([]float64{0, 0.5, 0.75, 0.9, 0.99, 1}, at[:])
	r.Mean = some(float64(s.sum) / 1000 / float64(n))
	r.Min, r.P50, r.P75, r.P90, r.P99, r.Max = some(at[0]), some(at[1]), some(at[2]), some(at[3]), some(at[4]), some(at[5])
	r.Sketch = s.appendProto(nil)
}

// Fields of DDSketch's messages (ddsketch.proto of github.com/DataDog/sketches-go), with their wire types.
const (
	sketchMapping   = 1<<3 | wireBytes
	sketchPositive  = 2<<3 | wireBytes
	sketchZeroCount = 4<<3 | wireFixed
	mappingGamma    = 1<<3 | wireFixed
	storeBins       = 1<<3 | wireBytes
	storeContiguous = 2<<3 | wireBytes
	storeOffset     = 3<<3 | wireVarint
	entryKey        = 1<<3 | wireVarint
	entryValue      = 2<<3 | wireFixed

	wireVarint, wireFixed, wireBytes = 0, 1, 2
)

// appendProto appends the sketch as a DDSketch in Protocol Buffers, with the seconds' bins: always the same bytes for the
// same durations, unlike the library's.
func (s *sketch) appendProto(b []byte) []byte {
	gamma := (1 + RelativeError) / (1 - RelativeError)
	b = append(b, sketchMapping, 9)
	b = appendFixed(b, mappingGamma, gamma)
	bins, zero := s.bins, int64(0)
	if len(bins) > 0 && bins[0].index == NoTime {
		bins, zero = bins[1:], bins[0].n
	}
	if store := appendStore(nil, bins); len(store) > 0 {
		b = append(appendUint(append(b, sketchPositive), uint64(len(store))), store...)
	}
	if zero > 0 {
		b = appendFixed(b, sketchZeroCount, float64(zero))
	}
	return b
}

// appendStore appends bins in the shorter of the two ways that there are: one by one, or all from the first to the last.
func appendStore(b []byte, bins []bin) []byte {
	const entry = 14 // bytes of most bins written one by one
	if n := len(bins); n > 0 && int(bins[n-1].index-bins[0].index+1)*8 < n*entry {
		return appendContiguous(b, bins)
	}
	for _, bin := range bins {
		if bin.n > 0 {
			key := appendInt([]byte{entryKey}, int64(bin.index))
			b = append(b, storeBins, byte(len(key)+9))
			b = appendFixed(append(b, key...), entryValue, float64(bin.n))
		}
	}
	return b
}

func appendContiguous(b []byte, bins []bin) []byte {
	index, last := bins[0].index, bins[len(bins)-1].index
	b = appendUint(append(b, storeContiguous), uint64(last-index+1)*8)
	for _, bin := range bins {
		for ; index < bin.index; index++ {
			b = binary.LittleEndian.AppendUint64(b, 0)
		}
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(max(bin.n, 0))))
		index++
	}
	return appendInt(append(b, storeOffset), int64(bins[0].index))
}

func appendFixed(b []byte, tag byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, tag), math.Float64bits(f))
}
