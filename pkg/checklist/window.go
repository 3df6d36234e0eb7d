package checklist

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
)

const (
	maxWithin = 366 // days, hours or minutes of the widest window

	dayMillis = 86_400_000

	// Buckets beyond count as these, so that distances between them fit an int32.
	minBucket, maxBucket = math.MinInt32 / 2, math.MaxInt32 / 2
)

// window is a number of consecutive buckets of time, which slides bucket by bucket: the days of a calendar, or the hours
// or minutes of UTC.
type window struct {
	width    int // buckets
	unit     int64
	calendar *calendar // of days; nil for hours and minutes
	memory   int       // how many buckets behind the window are remembered, so that events that late find their neighbours
	words    string
	shape    string // what the buckets are
}

func newWindow(w Window, c *calendar) *window {
	out := &window{width: w.N, unit: w.Unit.Milliseconds()}
	name := ""
	switch w.Unit {
	case day:
		out.calendar, out.memory, name, out.shape = c, 30, "day", "day of "+c.name
	case time.Hour:
		out.memory, name, out.shape = 48, "hour", "hour"
	default:
		out.memory, name, out.shape = 120, "minute", "minute"
	}
	if w.N != 1 {
		name += "s"
	}
	out.words = strconv.Itoa(w.N) + " " + name
	return out
}

// bucket returns the bucket of a time in ms since the Unix epoch, counted from the one that holds it.
func (w *window) bucket(ms int64) int32 {
	if w.calendar != nil {
		return w.calendar.day(ms)
	}
	return bucketOf(ms, w.unit)
}

// starts is when a bucket begins, ms since the Unix epoch.
func (w *window) starts(bucket int) int64 {
	if w.calendar != nil {
		return w.calendar.starts(bucket)
	}
	return int64(bucket) * w.unit
}

// ends is the first moment of the bucket after a window, ms since the Unix epoch: Never where buckets end.
func (w *window) ends(first int32) int64 {
	if beyond := int(first) + w.width; beyond <= maxBucket {
		return w.starts(beyond)
	}
	return Never
}

func bucketOf(ms, unit int64) int32 {
	n := ms / unit
	if ms%unit < 0 {
		n--
	}
	return int32(min(max(n, minBucket), maxBucket))
}

// uvarint reads a varint, which must be as short as it can be; otherwise its size is 0.
func uvarint(w Work) (n uint64, size int) {
	if n, size = binary.Uvarint(w); size <= 0 || size > 1 && w[size-1] == 0 {
		return 0, 0
	}
	return n, size
}

// dayCount is what happened on one UTC day. Working sets hold them in ascending order as varints: the day as the distance
// from the one before, the first's from the Unix epoch, and, where they are counted, the number of events.
type dayCount struct {
	day int32 // since the Unix epoch
	n   uint32
}

// dayRoom is for how many days there is room without an allocation: those of a week's window with what is remembered.
const dayRoom = 48

// appendDays appends a working set's days; without counts each has one event. It is not ok when they are malformed.
func appendDays(days []dayCount, w Work, counted bool) (_ []dayCount, ok bool) {
	day := int64(0)
	for first := true; len(w) > 0; first = false {
		distance, size := int64(w[0]>>1)^-int64(w[0]&1), 1 // most take a byte
		if w[0] >= 0x80 {
			u, n := uvarint(w)
			distance, size = int64(u>>1)^-int64(u&1), n
		}
		if size <= 0 || !first && distance <= 0 {
			return days, false
		}
		day += distance
		n := uint64(1)
		if w = w[size:]; counted {
			if n, size = uvarint(w); size <= 0 || n == 0 || n > math.MaxUint32 {
				return days, false
			}
			w = w[size:]
		}
		if day < minBucket || day > maxBucket {
			return days, false
		}
		days = append(days, dayCount{int32(day), uint32(n)})
	}
	return days, true
}

func encodeDays(w Work, days []dayCount, counted bool) Work {
	day := int32(0)
	for _, d := range days {
		w = binary.AppendVarint(w, int64(d.day)-int64(day))
		if day = d.day; counted {
			w = binary.AppendUvarint(w, uint64(d.n))
		}
	}
	return w
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

// holds says whether a window that reaches to or beyond the watermark holds enough, and from which watermark on none does.
func (w *window) holds(days []dayCount, watermark int64, enough func(events uint64, active int) bool) (holds bool, end int64) {
	now, last, n := int(w.bucket(watermark)), 0, uint64(0)
	newest := int32(0)
	for first := range days {
		for last < len(days) && int(days[last].day) < int(days[first].day)+w.width {
			n += uint64(days[last].n)
			last++
		}
		// The last window to hold this bucket and what follows begins with it.
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

// buckets is how many are kept at most.
func (w *window) buckets() int { return w.width + w.memory }

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

// latest returns the events and the days with any in the window that ends with the newest day.
func latest(days []dayCount, width int) (events uint64, active int) {
	for i := len(days) - 1; i >= 0 && int(days[i].day) > int(days[len(days)-1].day)-width; i-- {
		events += uint64(days[i].n)
		active++
	}
	return events, active
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
