package checklist

import (
	"bytes"
	"encoding/binary"
)

// bitmap has room for any value's.
type bitmap [(maxAges + 7) / 8]byte

// note adds the buckets of a value, which have become so much older, except those as old as span. It says whether there is one.
func (s sighting) note(to *bitmap, older, span int) (some bool) {
	for age := s.next(0); age+older < span; age = s.next(age + 1) {
		to[(age+older)/8] |= 1 << ((age + older) % 8)
		some = true
	}
	return some
}

// merge notes the sightings of another set, and forgets buckets as far before the newest as span.
func (s *sightings) merge(other sightings, span int) {
	newest, values, _ := s.open()
	othersNewest, others, _ := other.open()
	last := max(newest, othersNewest)
	out := sightings(binary.AppendVarint(nil, int64(last)))
	one, rest, more := nextSighting(values)
	two, othersRest, othersMore := nextSighting(others)
	for more || othersMore {
		c := -1
		if !more {
			c = 1
		} else if othersMore {
			c = bytes.Compare(one.value, two.value)
		}
		var ages bitmap
		value, some := one.value, false
		if c >= 0 {
			value, some = two.value, two.note(&ages, last-othersNewest, span)
			two, othersRest, othersMore = nextSighting(othersRest)
		}
		if c <= 0 {
			some = one.note(&ages, last-newest, span) || some
			one, rest, more = nextSighting(rest)
		}
		if some {
			out = addSighting(out, value, ages[:], 0, -1, span)
		}
	}
	*s = out
}

// keepNewest drops values as dropOldest does, until there are no more than some number.
func (s *sightings) keepNewest(most int) {
	_, values, _ := s.open()
	var seen [maxAges]int // how many values were last seen so many buckets before the newest
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		seen[v.next(0)]++
	}
	oldest, left := 0, most // how many of the values last seen there stay
	for ; oldest < maxAges-1 && seen[oldest] < left; oldest++ {
		left -= seen[oldest]
	}
	kept := len(*s) - len(values)
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		switch age := v.next(0); {
		case age > oldest || age == oldest && left == 0:
			continue
		case age == oldest:
			left--
		}
		end := len(*s) - len(rest)
		kept += copy((*s)[kept:], (*s)[end-2-len(v.value)-len(v.ages):end])
	}
	*s = (*s)[:kept]
}

// remove takes a value away, and says whether it was there. The newest bucket is then that of the others.
func (s *sightings) remove(value string) (found bool) {
	newest, values, _ := s.open()
	since := maxAges // the newest bucket of the others
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		if string(v.value) == value {
			found = true
		} else {
			since = min(since, v.next(0))
		}
	}
	if !found {
		return false
	}
	var out sightings
	if since < maxAges {
		out = binary.AppendVarint(nil, int64(max(newest-since, minBucket)))
	}
	for v, rest, ok := nextSighting(values); ok; v, rest, ok = nextSighting(rest) {
		var ages bitmap
		if string(v.value) != value && v.note(&ages, -since, maxAges) {
			out = addSighting(out, v.value, ages[:], 0, -1, maxAges)
		}
	}
	*s = out
	return true
}
