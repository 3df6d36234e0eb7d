package checklist

import (
	"math"
	"slices"
)

const (
	maxWithin = 366 // days of the widest window

	// rememberedDays is how far back behind a window days are remembered, so that events can come so much out of
	// order and still find their neighbours.
	rememberedDays = 30

	dayMillis = 86_400_000
)

// dayOf returns the UTC day of a time in ms since the Unix epoch.
func dayOf(ms int64) int32 {
	d := ms / dayMillis
	if ms%dayMillis < 0 {
		d--
	}
	return int32(min(max(d, math.MinInt32/2), math.MaxInt32/2))
}

func searchDay(days []Day, day int32) (int, bool) {
	return slices.BinarySearchFunc(days, day, func(d Day, day int32) int { return int(d.Day) - int(day) })
}

func hasDay(days []Day, day int32) bool {
	_, found := searchDay(days, day)
	return found
}

// addToDay counts one event at its day, and says whether the day is new.
func addToDay(days []Day, day int32) ([]Day, bool) {
	at, found := searchDay(days, day)
	if found {
		if days[at].N < math.MaxUint32 {
			days[at].N++
		}
		return days, false
	}
	return slices.Insert(days, at, Day{Day: day, N: 1}), true
}

// busiest returns the most events, and the most days with any, in width consecutive days that hold a given one.
func busiest(days []Day, holding int32, width int) (events uint64, active int) {
	from := int(holding) - width + 1
	first, _ := searchDay(days, int32(from))
	end, n := first, uint64(0)
	// A window that starts at a day with events is as good as any that starts before it.
	for ; first < len(days) && days[first].Day <= holding; first++ {
		for end < len(days) && int(days[end].Day) < int(days[first].Day)+width {
			n += uint64(days[end].N)
			end++
		}
		events, active = max(events, n), max(active, end-first)
		n -= uint64(days[first].N)
	}
	return events, active
}

// latest returns the events and the days with any in the window that ends with the newest day.
func latest(days []Day, width int) (events uint64, active int) {
	for i := len(days) - 1; i >= 0 && int(days[i].Day) > int(days[len(days)-1].Day)-width; i-- {
		events += uint64(days[i].N)
		active++
	}
	return events, active
}

// forgetDays drops the days that are too old to share a window with an event up to rememberedDays late. It says
// whether the day that was just counted is still there.
func forgetDays(days []Day, counted int32, width int) (kept []Day, remembered bool) {
	oldest := int(days[len(days)-1].Day) - (width - 1) - rememberedDays
	n := 0
	for int(days[n].Day) < oldest {
		n++
	}
	return slices.Delete(days, 0, n), int(counted) >= oldest
}
