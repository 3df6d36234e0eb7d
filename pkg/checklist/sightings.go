package checklist

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// sightings is a working set of values with the buckets of a window that each was seen in: the newest bucket of all as a
// zigzag varint, then the values in ascending order. Each has its length in a byte before it, and after it a bitmap with its
// length in a byte: bit i of byte j stands for 8j+i buckets before the newest. It ends with a byte that is not 0.
type sightings Work

// sighting is one value of them.
type sighting struct {
	value []byte
	ages  []byte // the bitmap
}

// maxAges is how many buckets a bitmap can tell apart at most.
const maxAges = maxWithin + 120

// open returns the newest bucket and the encoded values; there are none when it is not ok.
func (s sightings) open() (newest int, values []byte, ok bool) {
	u, size := uvarint(Work(s))
	n := int64(u>>1) ^ -int64(u&1)
	if size <= 0 || n < minBucket || n > maxBucket {
		return 0, nil, false
	}
	return int(n), s[size:], true
}

// nextSighting reads the first of the encoded values and returns what follows. It is not ok at the end, and where no
// working set goes on like this.
func nextSighting(values []byte) (s sighting, rest []byte, ok bool) {
	if len(values) == 0 {
		return s, nil, false
	}
	end := 1 + int(values[0])
	if end == 1 || end >= len(values) {
		return s, nil, false
	}
	s.value = values[1:end]
	from := end + 1
	if end = from + int(values[end]); end == from || end > len(values) || values[end-1] == 0 {
		return s, nil, false
	}
	s.ages = values[from:end]
	return s, values[end:], true
}

// valid says whether they are as see leaves them.
func (s sightings) valid() bool {
	_, values, ok := s.open()
	newest := byte(0)
	for last := []byte(nil); len(values) > 0 && ok; {
		var v sighting
		if v, values, ok = nextSighting(values); ok {
			ok = len(v.value) <= maxDigest && len(v.ages) <= (maxAges+7)/8 && bytes.Compare(last, v.value) < 0
			last, newest = v.value, newest|v.ages[0]&1
		}
	}
	return len(s) == 0 || ok && newest == 1
}

// next is the lowest age from one on at which the value was seen; beyond all of them when there is none.
func (s sighting) next(age int) int {
	for at := age / 8; at < len(s.ages); at++ {
		if left := s.ages[at] >> (age % 8); left != 0 {
			return age + bits.TrailingZeros8(left)
		}
		age = 8 * (at + 1)
	}
	return maxAges + maxWithin
}

// mark notes that a value was seen in a bucket that is so old where the set stands, if the value has room for it: then it is
// noted.
func mark(values []byte, value string, age int) (changed, noted bool) {
	for s, rest, ok := nextSighting(values); ok; s, rest, ok = nextSighting(rest) {
		c := compare(s.value, value)
		if c < 0 {
			continue
		}
		if c > 0 || age/8 >= len(s.ages) {
			break
		}
		before := s.ages[age/8]
		s.ages[age/8] |= 1 << (age % 8)
		return before != s.ages[age/8], true
	}
	return false, false
}

func compare(a []byte, b string) int {
	switch {
	case string(a) == b:
		return 0
	case string(a) < b:
		return -1
	}
	return 1
}

// see notes that a value was seen in a bucket, and forgets buckets as far before the newest as span. It returns the
// number of values kept.
func (s *sightings) see(value string, bucket, span int) (n int) {
	newest, values, ok := s.open()
	if !ok {
		newest = bucket
	}
	older, age := max(0, bucket-newest), max(0, newest-bucket)
	out := sightings(binary.AppendVarint(*s, int64(newest+older))) // behind what it is made of, which is still read
	placed := false
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		switch c := compare(v.value, value); {
		case c == 0:
			out, n, placed = addSighting(out, value, v.ages, older, age, span), n+1, true
			continue
		case c > 0 && !placed:
			out, n, placed = addSighting(out, value, nil, 0, age, span), n+1, true
		}
		if v.next(0)+older < span {
			out, n = addSighting(out, v.value, v.ages, older, -1, span), n+1
		}
	}
	if !placed {
		out, n = addSighting(out, value, nil, 0, age, span), n+1
	}
	kept := copy(out, out[len(*s):])
	*s = out[:kept]
	return n
}

// addSighting appends a value whose buckets have become so much older, without those that are too old, and with another
// age unless that is below 0.
func addSighting[V string | []byte](s sightings, value V, ages []byte, older, age, span int) sightings {
	if older >= span { // so are all of them
		ages, older = nil, 0
	}
	s = append(append(append(s, byte(len(value))), value...), 0)
	size := len(s) - 1
	for range older / 8 {
		s = append(s, 0)
	}
	carry := byte(0)
	for _, b := range ages {
		s = append(s, b<<(older%8)|carry)
		carry = byte(uint16(b) << (older % 8) >> 8)
	}
	s = append(s, carry)
	for age >= 8*(len(s)-size-1) {
		s = append(s, 0)
	}
	if age >= 0 {
		s[size+1+age/8] |= 1 << (age % 8)
	}
	if end := size + 1 + (span+7)/8; len(s) >= end { // cut off what is too old
		if s = s[:end]; span%8 != 0 {
			s[end-1] &= 1<<(span%8) - 1
		}
	}
	for s[len(s)-1] == 0 && len(s) > size+1 {
		s = s[:len(s)-1]
	}
	s[size] = byte(len(s) - size - 1)
	return s
}

// dropOldest takes away the value that was not seen for longest, of several the last. It says whether that was a given one.
func (s *sightings) dropOldest(given string) (dropped bool) {
	_, values, _ := s.open()
	from, to, oldest := 0, 0, -1
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		if age := v.next(0); age >= oldest {
			to, oldest = len(*s)-len(rest), age
			from, dropped = to-2-len(v.value)-len(v.ages), string(v.value) == given
		}
	}
	*s = append((*s)[:from], (*s)[to:]...)
	return dropped
}

// crowds counts the values of windows: into counted[k] how many more a window of some width has that begins k buckets
// before the newest than one that begins a bucket later.
func crowds(values []byte, width int, counted []int32) {
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		// A bucket lies in the windows that begin with it or up to width-1 before it.
		from := 0
		for age := v.next(0); age < len(counted); age = v.next(age + 1) {
			if from = max(from, age); from < len(counted) {
				counted[from]++
			}
			if from = age + width; from >= len(counted) {
				break
			}
			counted[from]--
		}
	}
}
