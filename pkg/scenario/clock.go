package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// clock reads and writes the moments of a file: those of its start's zone, and those relative to its start.
type clock struct{ start time.Time }

var (
	daysAfter  = regexp.MustCompile(`^\+(\d{1,5})d$`)
	timeAfter  = regexp.MustCompile(`^\+((?:\d{1,7}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?)$`)
	calendar   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timeOfDay  = regexp.MustCompile(`^\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?$`)
	withOffset = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T`)
)

var errMoment = errors.New("is no moment: write +3d 10:00 (day 3 after the start's day, at 10:00), +3d, +36h, +90m, 2026-03-29 10:00 or " +
	"2026-10-25T02:30:00+01:00")

// read reads a moment from the first tokens, and says how many it took.
func (c clock) read(tokens []token) (at time.Time, used int, err error) {
	if len(tokens) == 0 {
		return at, 0, errors.New("a moment is missing, such as +3d 10:00")
	}
	first := tokens[0].raw
	switch {
	case daysAfter.MatchString(first):
		days, _ := strconv.Atoi(daysAfter.FindStringSubmatch(first)[1])
		day := time.Date(c.start.Year(), c.start.Month(), c.start.Day()+days, 0, 0, 0, 0, time.UTC)
		if len(tokens) > 1 && timeOfDay.MatchString(tokens[1].raw) {
			at, err = c.on(day, tokens[1].raw)
			return at, 2, err
		}
		at, err = c.wall(day, c.start)
		return at, 1, err
	case timeAfter.MatchString(first) && len(first) > 1:
		d, err := time.ParseDuration(timeAfter.FindStringSubmatch(first)[1])
		return c.start.Add(d), 1, err
	case calendar.MatchString(first) && len(tokens) > 1:
		day, err := time.Parse(time.DateOnly, first)
		if err != nil {
			return at, 0, fmt.Errorf("%s is no day of the calendar", first)
		}
		at, err = c.on(day, tokens[1].raw)
		return at, 2, err
	case withOffset.MatchString(first):
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
			if at, err := time.Parse(layout, first); err == nil {
				return at.In(c.start.Location()), 1, nil
			}
		}
	}
	return at, 0, fmt.Errorf("%q %w", first, errMoment)
}

// on returns a time of a day of the zone.
func (c clock) on(day time.Time, text string) (time.Time, error) {
	for _, layout := range []string{"15:04", "15:04:05"} { // a fraction of a second may follow
		if t, err := time.Parse(layout, text); err == nil {
			return c.wall(day, t)
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time of a day, such as 10:00", text)
}

// wall returns the moment at which the clocks of the zone show a day and a time, the first of two.
func (c clock) wall(day, clock time.Time) (time.Time, error) {
	zone := c.start.Location()
	at := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone)
	const layout = "2006-01-02 15:04:05.000"
	want := fmt.Sprintf("%s %s", day.Format(time.DateOnly), clock.Format("15:04:05.000"))
	if at.Format(layout) != want {
		return at, fmt.Errorf("there is no %s on %s in %s, where the clocks are put forward: write a time before or after",
			clock.Format("15:04"), day.Format(time.DateOnly), zone)
	}
	for _, turned := range []time.Duration{time.Hour, 30 * time.Minute, 2 * time.Hour} {
		if first := at.Add(-turned); first.Format(layout) == want {
			return first, nil
		}
	}
	return at, nil
}

// write is how a moment is written.
func (c clock) write(ms int64) string {
	at := time.UnixMilli(ms).In(c.start.Location())
	days := dayNumber(at) - dayNumber(c.start)
	if same, err := c.wall(at, at); err == nil && same.Equal(at) && days >= 0 && days < 100_000 {
		layout := "15:04"
		switch {
		case at.Nanosecond() != 0:
			layout = "15:04:05.000"
		case at.Second() != 0:
			layout = "15:04:05"
		}
		return fmt.Sprintf("+%dd %s", days, at.Format(layout))
	}
	return at.Format("2006-01-02T15:04:05.999Z07:00")
}

// dayNumber counts the days of the calendar.
func dayNumber(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86_400
}

// interval is what lies between two repetitions: days of the calendar, or a length of time.
type interval struct {
	days   int
	length time.Duration
}

var (
	daysLong = regexp.MustCompile(`^(\d{1,4})d$`)
	timeLong = regexp.MustCompile(`^(?:\d{1,5}h)?(?:\d{1,7}m)?(?:\d{1,7}s)?$`)
)

func readInterval(text string) (interval, error) {
	if m := daysLong.FindStringSubmatch(text); m != nil {
		days, err := strconv.Atoi(m[1])
		return interval{days: days}, err
	}
	if text != "" && timeLong.MatchString(text) {
		length, err := time.ParseDuration(text)
		return interval{length: length}, err
	}
	return interval{}, fmt.Errorf("%q is no length of time such as 2d, 36h or 10m", text)
}

// repeated returns the moment n intervals after another.
func (c clock) repeated(at time.Time, n int, every interval) (time.Time, error) {
	if n == 0 || every.days == 0 {
		return at.Add(time.Duration(n) * every.length), nil
	}
	return c.wall(time.Date(at.Year(), at.Month(), at.Day()+n*every.days, 0, 0, 0, 0, time.UTC), at)
}
