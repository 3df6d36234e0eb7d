package rollup

import (
	"fmt"
	"sort"
	"time"
	_ "time/tzdata" // zones must mean the same on every machine that folds
)

// Unit is how long a window is by the clocks of its zone.
type Unit string

// The units of windows.
const (
	Hour  Unit = "hour"
	Day   Unit = "day"
	Week  Unit = "week"
	Month Unit = "month"
)

// Windows are the tumbling windows of one unit in one time zone. They follow one another without a gap: a window ends where
// the next one starts.
//
// An hour is what the zone's clocks call one: where they change, it is as short as they make it, and an hour that they go
// through twice is two windows. A day, week or month starts at the first moment that its date, or a later one, shows. So a day has 23
// or 25 hours where clocks change, a midnight that comes twice starts its day once, and a date that was skipped has no window.
type Windows struct {
	zone    string
	unit    Unit
	first   time.Weekday // of a week
	periods []period     // in order, from the beginning of time
}

// period is a time during which a zone's clocks are as far ahead of UTC. It lasts until the next one.
type period struct{ from, ahead int64 } // ms

// NewWindows returns the windows of a unit in an IANA time zone such as Europe/Berlin. The first day matters to weeks only.
func NewWindows(zone string, unit Unit, first time.Weekday) (*Windows, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return nil, fmt.Errorf("%q is no time zone such as Europe/Berlin", zone)
	}
	switch unit {
	case Hour, Day, Week, Month:
	default:
		return nil, fmt.Errorf("%q is no unit of windows; those are %s, %s, %s and %s", unit, Hour, Day, Week, Month)
	}
	if first < time.Sunday || first > time.Saturday {
		return nil, fmt.Errorf("%d is no day of the week", first)
	}
	return &Windows{zone: zone, unit: unit, first: first, periods: periodsOf(loc)}, nil
}

// lastChange is when the last change of clocks may be: the year 2100, ms since the Unix epoch.
const lastChange = 47_482 * dayMillis

// periodsOf asks a zone once for all changes of its clocks: asking it each time takes many times as long.
func periodsOf(loc *time.Location) []period {
	var all []period
	for from := int64(-2 * furthest); ; {
		t := time.UnixMilli(from).In(loc)
		_, seconds := t.Zone()
		if ahead := int64(seconds) * 1000; len(all) == 0 || all[len(all)-1].ahead != ahead { // others change only its name
			all = append(all, period{from, ahead})
		}
		_, until := t.ZoneBounds()
		if until.IsZero() || until.UnixMilli() > lastChange {
			return all
		}
		if until.After(t) {
			from = until.UnixMilli()
		} else {
			from += dayMillis // in Go 1.26 the bounds of a leap year's last day don't hold it
		}
	}
}

// Zone is the name of the time zone.
func (w *Windows) Zone() string { return w.zone }

// Unit is how long the windows are.
func (w *Windows) Unit() Unit { return w.unit }

const (
	hourMillis = int64(time.Hour / time.Millisecond)
	dayMillis  = 24 * hourMillis

	furthest = 1 << 47 // ms from the Unix epoch, some 4,400 years: beyond it there are no windows of their own
)

// At returns the window that holds a time: from start on, before end. All in ms since the Unix epoch.
func (w *Windows) At(ms int64) (start, end int64) {
	ms = max(-furthest, min(ms, furthest))
	if w.unit == Hour {
		return w.hour(ms)
	}
	first, next := w.dates(w.date(ms))
	return w.starts(first), w.starts(next)
}

// Next returns the window after the one that holds a time.
func (w *Windows) Next(ms int64) (start, end int64) {
	_, next := w.At(ms)
	return w.At(next)
}

// dates returns the first date of the window that a date belongs to, and of the next window. Dates are days since 1 January 1970.
func (w *Windows) dates(date int64) (first, next int64) {
	switch w.unit {
	case Week:
		weekday := mod(date+int64(time.Thursday), 7)
		first = date - mod(weekday-int64(w.first), 7)
		return first, first + 7
	case Month:
		year, month, _ := time.Unix(date*86_400, 0).UTC().Date()
		return dateOf(year, month), dateOf(year, month+1)
	}
	return date, date + 1
}

func dateOf(year int, month time.Month) int64 {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Unix() / 86_400
}

// date returns the latest date that the zone's clocks have shown up to a time.
func (w *Windows) date(ms int64) int64 {
	date := floor(ms+w.periods[w.period(ms)].ahead, dayMillis) / dayMillis
	for w.starts(date+1) <= ms { // clocks went back over midnight
		date++
	}
	return date
}

// starts returns the first moment at which the zone's clocks show a date or a later one.
func (w *Windows) starts(date int64) int64 {
	midnight := date * dayMillis
	for i := w.period(midnight - 16*hourMillis); ; i++ { // no zone is further ahead of UTC
		if start := max(w.periods[i].from, midnight-w.periods[i].ahead); start < w.until(i) {
			return start
		}
	}
}

// hour returns the hour of the zone's clocks that holds a time.
func (w *Windows) hour(ms int64) (start, end int64) {
	i := w.period(ms)
	p := w.periods[i]
	start = floor(ms+p.ahead, hourMillis) - p.ahead
	return max(start, p.from), min(start+hourMillis, w.until(i))
}

// period returns which period holds a time.
func (w *Windows) period(ms int64) int {
	return sort.Search(len(w.periods), func(i int) bool { return w.periods[i].from > ms }) - 1
}

// until returns when a period ends.
func (w *Windows) until(i int) int64 {
	if i+1 < len(w.periods) {
		return w.periods[i+1].from
	}
	return 2 * furthest
}

// floor rounds down to a multiple.
func floor(n, multiple int64) int64 { return n - mod(n, multiple) }

// mod is the remainder that is never negative.
func mod(n, by int64) int64 { return (n%by + by) % by }
