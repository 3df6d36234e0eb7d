package rollup

import (
	"bytes"
	"errors"
)

var (
	errLayout = errors.New("unknown layout")
	errState  = errors.New("malformed state")
)

// seriesLayout is the first byte of an encoded series. What follows: revision, watermark, floor, first, last, base, buckets, and, when rows
// have not been emitted since the last change, what was shown: base, watermark, first, buckets, causes.
const seriesLayout = 1

// AppendBinary appends the encoded state.
func (s *Series) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, seriesLayout)
	for _, n := range [...]int64{s.revision, s.passed, s.floor, s.first, s.last, s.base} {
		b = appendInt(b, n)
	}
	b = appendBuckets(b, s.buckets)
	if s.shown == (shown{s.base, s.passed, s.first}) && len(s.old) == 0 && len(s.causes) == 0 {
		return b, nil
	}
	for _, n := range [...]int64{s.shown.base, s.shown.passed, s.shown.first} {
		b = appendInt(b, n)
	}
	b = appendBuckets(b, s.old)
	for _, c := range s.causes {
		b = appendCounts(append(appendInt(b, c.start), byte(c.why)), &c.counts)
	}
	return b, nil
}

// appendBuckets appends how many there are, then each: seconds since the one before, what it is restated by, counts.
func appendBuckets(b []byte, all []bucket) []byte {
	b = appendUint(b, uint64(len(all)))
	last := int64(0)
	for i := range all {
		bucket := &all[i]
		at := bucket.start / 1000
		b = append(appendInt(b, at-last), byte(bucket.restated))
		last = at
		b = appendCounts(b, &bucket.counts)
	}
	return b
}

// appendCounts appends which are not zero, and those.
func appendCounts(b []byte, c *counts) []byte {
	present := uint64(0)
	for j, n := range c {
		if n != 0 {
			present |= 1 << j
		}
	}
	b = appendUint(b, present)
	for _, n := range c {
		if n != 0 {
			b = appendInt(b, n)
		}
	}
	return b
}

func (r *reader) buckets() []bucket {
	all := make([]bucket, 0, min(r.count(), mostBuckets))
	last := int64(0)
	for range cap(all) {
		last += r.int()
		one := bucket{start: last * 1000, restated: causes(r.byte()), counts: r.counts()}
		if n := len(all); r.bad || n > 0 && all[n-1].start >= one.start {
			r.fail()
			return nil
		}
		all = append(all, one)
	}
	return all
}

func (r *reader) counts() (c counts) {
	present := r.below(1 << len(c))
	for j := range c {
		if present>>j&1 == 1 {
			c[j] = r.int()
		}
	}
	return c
}

func (s *Series) load(b []byte) error {
	r := reader{b: string(b)}
	if r.byte() != seriesLayout {
		return errLayout
	}
	for _, n := range [...]*int64{&s.revision, &s.passed, &s.floor, &s.first, &s.last, &s.base} {
		*n = r.int()
	}
	s.buckets = r.buckets()
	s.shown = shown{s.base, s.passed, s.first}
	if r.more() {
		s.shown = shown{r.int(), r.int(), r.int()}
		s.old = r.buckets()
		for r.more() {
			s.causes = append(s.causes, cause{r.int(), Why(r.below(int(afterWhys))), r.counts()})
		}
	}
	if again, _ := s.AppendBinary(nil); r.bad || !bytes.Equal(again, b) {
		return errState
	}
	return nil
}
