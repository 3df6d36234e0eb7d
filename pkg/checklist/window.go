package checklist

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	maxWithin = 366 // days of the widest window

	// rememberedDays is how far back behind a window days are remembered, so that events can come so much out of
	// order and still find their neighbours.
	rememberedDays = 30

	dayMillis = 86_400_000

	// Days beyond count as these, so that distances between days fit an int32.
	minDay, maxDay = math.MinInt32 / 2, math.MaxInt32 / 2
)

// dayOf returns the UTC day of a time in ms since the Unix epoch.
func dayOf(ms int64) int32 {
	d := ms / dayMillis
	if ms%dayMillis < 0 {
		d--
	}
	return int32(min(max(d, minDay), maxDay))
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
		if day < minDay || day > maxDay {
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

// forgetDays drops the days that are too old to share a window with an event up to rememberedDays late. It says
// whether the day that was just counted is still there.
func forgetDays(days []dayCount, counted int32, width int) (kept []dayCount, remembered bool) {
	oldest := int(days[len(days)-1].day) - (width - 1) - rememberedDays
	n := 0
	for int(days[n].day) < oldest {
		n++
	}
	return slices.Delete(days, 0, n), int(counted) >= oldest
}
