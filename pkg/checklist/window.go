package checklist

import (
	"encoding/binary"
	"math"
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

// before is the last bucket before the window that ends with a moment's; of no moment it is before all.
func (w *window) before(m *Moment) int64 {
	if m == nil {
		return math.MinInt64
	}
	return int64(w.bucket(m.Watermark)) - int64(w.width)
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

// buckets is how many are kept at most.
func (w *window) buckets() int { return w.width + w.memory }
