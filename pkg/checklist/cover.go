package checklist

import (
	"bytes"
	"encoding/binary"
	"slices"
)

const (
	// Times beyond count as these, so that spans can be added to them and distances between them fit an int64.
	minTime, maxTime = -1 << 61, 1 << 61

	maxTimes = 32 // of one list in a working set
	timeRoom = maxTimes + 4
)

// lateness is how late an event may come so that nothing is forgotten of what it may meet within a span: a day, and no more
// than leaves a cover of stretches as long as the span maxTimes bounds.
func lateness(span int64) int64 { return min(dayMillis, (maxTimes/2-1)*span) }

// happened is when an event did, ms since the Unix epoch.
func happened(in *Input) int64 { return min(max(in.Event.OccurredAt, minTime), maxTime) }

// cover is a set of times, ms since the Unix epoch: ascending, where a stretch of them begins and where it is over, then the
// same of the next stretch, which does not touch it. What it is does not depend on the order in which it became so.
type cover []int64

// below is how many bounds lie below a time.
func (c cover) below(t int64) int {
	n := 0
	for n < len(c) && c[n] < t {
		n++
	}
	return n
}

func (c cover) holds(t int64) bool { return c.below(t+1)%2 == 1 }

// add adds the times from one up to, not including, another.
func (c cover) add(from, to int64) cover {
	var bounds [2]int64
	with := bounds[:0]
	i, j := c.below(from), c.below(to+1)
	if i%2 == 0 {
		with = append(with, from)
	}
	if j%2 == 0 {
		with = append(with, to)
	}
	return slices.Replace(c, i, j, with...)
}

// union adds the times of another.
func (c cover) union(other cover) cover {
	for ; len(other) > 1; other = other[2:] {
		c = c.add(other[0], other[1])
	}
	return c
}

// since leaves out the times before one, and the oldest stretches that are too many: those of a span that has been shorter.
func (c cover) since(t int64) cover {
	i := c.below(t + 1)
	if i%2 == 1 {
		i--
		c[i] = t
	}
	return c[max(i, len(c)-maxTimes):]
}

// Working sets hold times that ascend as unsigned varints: the distance from the one before, above 0, the first's from a
// time that is known.

func appendTimes(w Work, from int64, times []int64) Work {
	for _, t := range times {
		w = binary.AppendUvarint(w, uint64(t-from))
		from = t
	}
	return w
}

// readTimes appends the times that come next in a working set, at most a number and none above the last that is possible.
func readTimes(times []int64, w Work, n int, from, last int64) (_ []int64, rest Work, ok bool) {
	for ; n > 0 && len(w) > 0; n-- {
		distance, size := uint64(w[0]), 1 // most of them take more
		if w[0] >= 0x80 {
			distance, size = uvarint(w)
		}
		if size == 0 || distance == 0 || distance > uint64(last-from) {
			return nil, nil, false
		}
		from += int64(distance)
		times, w = append(times, from), w[size:]
	}
	return times, w, true
}

// readTime reads a time by itself, a zigzag varint.
func readTime(w Work) (t int64, rest Work, ok bool) {
	u, size := uvarint(w)
	t = int64(u>>1) ^ -int64(u&1)
	if size == 0 || t < minTime || t > maxTime {
		return 0, nil, false
	}
	return t, w[size:], true
}

// readCover appends the bounds of a cover, see readTimes.
func readCover(c cover, w Work, n int, from, last int64) (_ cover, rest Work, ok bool) {
	times, rest, ok := readTimes(c, w, n, from, last)
	return times, rest, ok && len(times)%2 == 0
}

// readNumber reads how many times there are in a list.
func readNumber(w Work) (n int, rest Work, ok bool) {
	if len(w) == 0 || w[0] > maxTimes {
		return 0, nil, false
	}
	return int(w[0]), w[1:], true
}

// keep makes a working set what it is now and says whether that is a change.
func keep(w *Work, now Work) (changed bool) {
	if bytes.Equal(*w, now) {
		return false
	}
	*w = append((*w)[:0], now...)
	return true
}

// Bytes of working sets' times.
const (
	timeBound = 9 // a time by itself
	nearBound = 4 // a distance from the time before, where no stretch of the list is longer than some days
)

// events is how a moment's events read in a sentence.
func (d *MomentDef) events() string {
	if d == nil {
		return ""
	}
	return d.Event.String()
}
