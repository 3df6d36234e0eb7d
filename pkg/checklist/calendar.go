package checklist

import (
	"sort"
	"time"
	_ "time/tzdata" // zones must mean the same on every machine that folds
)

// calendar is the days of a time zone.
type calendar struct {
	name string
	loc  *time.Location // nil: UTC
}

var utc = &calendar{name: "UTC"}

func (c *compiler) compileZone() {
	c.calendar = utc
	if c.def.Zone == "" || c.def.Zone == "UTC" {
		return
	}
	loc, err := time.LoadLocation(c.def.Zone)
	if err != nil || c.def.Zone == "Local" {
		c.add("zone", "%q is no time zone such as Europe/Berlin", c.def.Zone)
		return
	}
	c.calendar = &calendar{name: c.def.Zone, loc: loc}
}

// day returns the day of a time in ms since the Unix epoch, counted from 1 January 1970.
func (c *calendar) day(ms int64) int32 {
	if c.loc == nil || ms < minZoned || ms > maxZoned {
		return bucketOf(ms, dayMillis)
	}
	_, offset := time.UnixMilli(ms).In(c.loc).Zone()
	return bucketOf(ms+int64(offset)*1000, dayMillis)
}

// Beyond some thousand years a zone says nothing.
const minZoned, maxZoned = -1 << 47, 1 << 47

// starts is the first moment of a day, ms since the Unix epoch. Where clocks go forward at midnight that is not 0:00.
func (c *calendar) starts(day int) int64 {
	ms := int64(day) * dayMillis
	if c.loc == nil || ms < minZoned || ms > maxZoned {
		return ms
	}
	earliest := ms - int64(36*time.Hour/time.Millisecond) // no zone is further from UTC
	return earliest + int64(sort.Search(3*dayMillis, func(i int) bool { return c.day(earliest+int64(i)) >= int32(day) }))
}

// after returns the moment a number of calendar days after a time, at the same time of the day, ms since the Unix epoch.
// Where that day has no such time it is about an hour off; a day that was skipped altogether is over as it begins.
func (c *calendar) after(ms int64, days int) int64 {
	if c.loc == nil || ms < minZoned || ms > maxZoned {
		return ms + int64(days)*dayMillis
	}
	due, then := int(c.day(ms))+days, time.UnixMilli(ms).In(c.loc).AddDate(0, 0, days).UnixMilli()
	if int(c.day(then)) != due {
		return c.starts(due)
	}
	return then
}
