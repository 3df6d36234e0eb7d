package checklist

import (
	"encoding/binary"
	"math"
	"slices"
)

// dayCount is what happened in one bucket. Working sets hold them from the newest to the oldest as varints: the newest bucket,
// zigzag, then how far each is before the one in front of it, and, where events are counted, their number after each.
type dayCount struct {
	day int32 // the bucket
	n   uint32
}

// dayRoom is for how many buckets there is room without an allocation: those of the widest window with what is remembered,
// and a new one.
const dayRoom = maxWithin + 120 + 1

// dayReader reads a working set's buckets, from the newest on.
type dayReader struct {
	rest    Work
	counted bool // otherwise each has one event
	begun   bool
	broken  bool // no working set goes on like this
	day     int64
	n       uint64
}

func (r *dayReader) next() bool {
	if len(r.rest) == 0 || r.broken {
		return false
	}
	distance, size := uint64(r.rest[0]), 1 // most take a byte
	if distance >= 0x80 {
		distance, size = uvarint(r.rest)
	}
	day := r.day - int64(min(distance, math.MaxUint32))
	if !r.begun {
		day = int64(distance>>1) ^ -int64(distance&1)
	}
	r.broken = size == 0 || distance == 0 && r.begun || day < minBucket || day > maxBucket
	r.day, r.n, r.begun, r.rest = day, 1, true, r.rest[size:]
	if r.counted && !r.broken {
		if r.n, size = uvarint(r.rest); size == 0 || r.n == 0 || r.n > math.MaxUint32 {
			r.broken = true
		}
		r.rest = r.rest[size:]
	}
	return !r.broken
}

// appendDays appends a working set's buckets, the oldest first. It is not ok when they are malformed.
func appendDays(days []dayCount, w Work, counted bool) (_ []dayCount, ok bool) {
	r := dayReader{rest: w, counted: counted}
	for r.next() {
		days = append(days, dayCount{int32(r.day), uint32(r.n)})
	}
	slices.Reverse(days)
	return days, !r.broken
}

func encodeDays(w Work, days []dayCount, counted bool) Work {
	for i := len(days) - 1; i >= 0; i-- {
		if i == len(days)-1 {
			w = binary.AppendVarint(w, int64(days[i].day))
		} else {
			w = binary.AppendUvarint(w, uint64(days[i+1].day-days[i].day))
		}
		if counted {
			w = binary.AppendUvarint(w, uint64(days[i].n))
		}
	}
	return w
}

// addNewest counts one event at its bucket if none is newer, as is usual: at the front of the set, the rest of which stays
// as it is. It is not ok otherwise. A set without counts does not change when it has the bucket.
func addNewest(w *Work, day int32, counted bool) (changed, isNew, ok bool) {
	set := *w
	u, size := uvarint(set)
	newest := int64(u>>1) ^ -int64(u&1)
	switch {
	case size == 0 || int64(day) < newest || newest < minBucket:
		return false, false, false
	case int64(day) > newest:
		*w = prependDay(set, size, newest, day, counted)
		return true, true, true
	case !counted:
		return false, false, true
	}
	n, width := uvarint(set[size:])
	if width == 0 || n >= math.MaxUint32 {
		return false, false, false
	}
	var room [binary.MaxVarintLen64]byte
	more := binary.AppendUvarint(room[:0], n+1)
	if len(more) > width {
		set = slices.Insert(set, size, 0)
	}
	copy(set[size:], more)
	*w = set
	return true, false, true
}

// prependDay puts a newer bucket with one event in front of a set whose newest takes some bytes.
func prependDay(set Work, size int, newest int64, day int32, counted bool) Work {
	var room [3 * binary.MaxVarintLen64]byte
	front := binary.AppendVarint(room[:0], int64(day))
	if counted {
		front = append(front, 1)
	}
	front = binary.AppendUvarint(front, uint64(int64(day)-newest))
	end := len(set) - size + len(front)
	set = append(set, front...) // makes room
	copy(set[len(front):], set[size:len(set)-len(front)])
	copy(set, front)
	return set[:end]
}

func searchDay(days []dayCount, day int32) (int, bool) {
	return slices.BinarySearchFunc(days, day, func(d dayCount, day int32) int { return int(d.day) - int(day) })
}

func hasDay(days []dayCount, day int32) bool {
	_, found := searchDay(days, day)
	return found
}

// addToDay counts one event at its day.
func addToDay(days []dayCount, day int32) []dayCount {
	at, found := searchDay(days, day)
	if !found {
		return slices.Insert(days, at, dayCount{day, 1})
	}
	if days[at].n < math.MaxUint32 {
		days[at].n++
	}
	return days
}

// mergeDays puts the buckets of two sets into the first.
func mergeDays(set, other Work, counted bool) Work {
	days, _ := appendDays(nil, set, counted)
	others, _ := appendDays(nil, other, counted)
	days = append(days, others...)
	slices.SortFunc(days, func(a, b dayCount) int { return int(a.day) - int(b.day) })
	merged := days[:0]
	for _, d := range days {
		if last := len(merged) - 1; last >= 0 && merged[last].day == d.day {
			merged[last].n += min(d.n, math.MaxUint32-merged[last].n)
		} else {
			merged = append(merged, d)
		}
	}
	return encodeDays(set[:0], merged, counted)
}

// holds says whether a window that reaches to or beyond the watermark holds enough, and from which watermark on none does.
func (w *window) holds(set Work, counted bool, watermark int64, enough func(events uint64, active int) bool) (holds bool, end int64) {
	now, r := int64(w.bucket(watermark)), dayReader{rest: set, counted: counted}
	newest, events, active := int64(math.MinInt64), uint64(0), 0
	for r.next() && r.day+int64(w.width) > now {
		if newest = max(newest, r.day); r.day+int64(w.width) <= newest {
			return w.heldBefore(set, counted, int(now), enough)
		}
		events += r.n
		if active++; enough(events, active) {
			// The last window to hold this bucket and what follows begins with it.
			return true, w.ends(int32(r.day))
		}
	}
	return false, Never
}

// heldBefore is for windows that reach the watermark, but not the newest bucket.
func (w *window) heldBefore(set Work, counted bool, now int, enough func(events uint64, active int) bool) (holds bool, end int64) {
	var room [dayRoom]dayCount
	days, _ := appendDays(room[:0], set, counted)
	last, n, newest := 0, uint64(0), int32(0)
	for first := range days {
		for last < len(days) && int(days[last].day) < int(days[first].day)+w.width {
			n += uint64(days[last].n)
			last++
		}
		if int(days[first].day)+w.width > now && enough(n, last-first) {
			holds, newest = true, days[first].day
		}
		n -= uint64(days[first].n)
	}
	if !holds {
		return false, Never
	}
	return true, w.ends(newest)
}

// busiest returns the most events, and the most days with any, in width consecutive days that hold a given one.
func busiest(days []dayCount, holding int32, width int) (events uint64, active int) {
	from := int(holding) - width + 1
	first, _ := searchDay(days, int32(from))
	end, n := first, uint64(0)
	// A window that starts at a day with events is as good as any that starts before it.
	for ; first < len(days) && days[first].day <= holding; first++ {
		for end < len(days) && int(days[end].day) < int(days[first].day)+width {
			n += uint64(days[end].n)
			end++
		}
		events, active = max(events, n), max(active, end-first)
		n -= uint64(days[first].n)
	}
	return events, active
}

// latest returns the events and the buckets with any in the window that ends with the newest, or with a moment's if that is
// later; nil is none.
func (w *window) latest(set Work, counted bool, by *Moment) (events uint64, active int) {
	r := dayReader{rest: set, counted: counted}
	for oldest := w.before(by); r.next() && r.day > oldest; active++ {
		if active == 0 {
			oldest = max(oldest, r.day-int64(w.width))
		}
		events += r.n
	}
	return events, active
}

// forget cuts off the buckets that are too old to share a window with an event as late as the window remembers.
func (w *window) forget(set Work, counted bool) Work {
	r := dayReader{rest: set, counted: counted}
	for oldest := int64(math.MinInt64); ; {
		before := len(set) - len(r.rest)
		if !r.next() || r.day < oldest {
			return set[:before]
		}
		oldest = max(oldest, r.day-int64(w.width-1)-int64(w.memory))
	}
}

// forgetDays drops the buckets that are too old to share a window with an event as late as the window remembers. It says
// whether the bucket that was just counted is still there.
func (w *window) forgetDays(days []dayCount, counted int32) (kept []dayCount, remembered bool) {
	oldest := int(days[len(days)-1].day) - (w.width - 1) - w.memory
	n := 0
	for int(days[n].day) < oldest {
		n++
	}
	return slices.Delete(days, 0, n), int(counted) >= oldest
}
