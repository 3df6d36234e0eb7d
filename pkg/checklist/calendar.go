package checklist

import (
	"sort"
	"time"
	_ "time/tzdata" // zones must mean the same on every machine that folds
)

// calendar is the days of a time zone.
type calendar struct {
	name    string
	loc     *time.Location // nil: UTC
	offsets []offset       // of the usual years, in order: asking loc takes several times as long
}

// offset is how far a zone's clocks are ahead of UTC from a time on.
type offset struct{ from, ahead int64 } // ms

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
	c.calendar = newCalendar(c.def.Zone, loc)
}

// The years that accounts live in, ms since the Unix epoch: 2010 to 2059.
const firstUsual, afterUsual = 14_610 * dayMillis, 32_872 * dayMillis

func newCalendar(name string, loc *time.Location) *calendar {
	c := &calendar{name: name, loc: loc}
	now := c.lookUp(firstUsual)
	c.offsets = append(c.offsets, offset{firstUsual, now})
	const week = 7 * dayMillis
	for at := int64(firstUsual); at < afterUsual; at += week { // no zone changes its clocks twice in a week
		if later := c.lookUp(at + week); later != now {
			change := sort.Search(week, func(i int) bool { return c.lookUp(at+int64(i)) != now })
			c.offsets, now = append(c.offsets, offset{at + int64(change), later}), later
		}
	}
	return c
}

// lookUp asks the zone how far its clocks are ahead of UTC, ms.
func (c *calendar) lookUp(ms int64) int64 {
	_, seconds := time.UnixMilli(ms).In(c.loc).Zone()
	return int64(seconds) * 1000
}

// ahead is what lookUp says, sooner.
func (c *calendar) ahead(ms int64) int64 {
	if ms < firstUsual || ms >= afterUsual {
		return c.lookUp(ms)
	}
	first, after := 0, len(c.offsets)
	for after-first > 1 {
		if middle := (first + after) / 2; c.offsets[middle].from <= ms {
			first = middle
		} else {
			after = middle
		}
	}
	return c.offsets[first].ahead
}

// day returns the day of a time in ms since the Unix epoch, counted from 1 January 1970.
func (c *calendar) day(ms int64) int32 {
	if c.loc == nil || ms < minZoned || ms > maxZoned {
		return bucketOf(ms, dayMillis)
	}
	return bucketOf(ms+c.ahead(ms), dayMillis)
}

// Beyond some thousand years a zone says nothing.
const minZoned, maxZoned = -1 << 47, 1 << 47

// starts is the first moment of a day, ms since the Unix epoch. Where clocks go forward at midnight that is not 0:00.
func (c *calendar) starts(day int) int64 {
	ms := int64(day) * dayMillis
	if c.loc == nil || ms < minZoned || ms > maxZoned {
		return ms
	}
	if usual := ms - c.ahead(ms); int(c.day(usual)) >= day && int(c.day(usual-1)) < day {
		return usual
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
