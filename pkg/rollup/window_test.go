package rollup

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var allUnits = []Unit{Hour, Day, Week, Month}

func newWindows(t testing.TB, zone string, unit Unit, first time.Weekday) *Windows {
	t.Helper()
	w, err := NewWindows(zone, unit, first)
	require.NoError(t, err)
	return w
}

func instant(t testing.TB, text string) int64 {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment.UnixMilli()
}

func localTime(t testing.TB, w *Windows, ms int64) time.Time {
	loc, err := time.LoadLocation(w.zone)
	require.NoError(t, err)
	return time.UnixMilli(ms).In(loc)
}

func TestWindowsOfDaysWhenClocksChange(t *testing.T) {
	for name, c := range map[string]struct {
		zone       string
		unit       Unit
		in         string
		start, end string
	}{
		"day of 23 hours":            {"Europe/Berlin", Day, "2025-03-30T12:00:00Z", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"},
		"day of 25 hours":            {"Europe/Berlin", Day, "2025-10-26T12:00:00Z", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z"},
		"hour before the gap":        {"Europe/Berlin", Hour, "2025-03-30T00:59:59Z", "2025-03-30T00:00:00Z", "2025-03-30T01:00:00Z"},
		"first of an hour twice":     {"Europe/Berlin", Hour, "2025-10-26T00:30:00Z", "2025-10-26T00:00:00Z", "2025-10-26T01:00:00Z"},
		"second of an hour twice":    {"Europe/Berlin", Hour, "2025-10-26T01:30:00Z", "2025-10-26T01:00:00Z", "2025-10-26T02:00:00Z"},
		"week of 167 hours":          {"Europe/Berlin", Week, "2025-03-30T12:00:00Z", "2025-03-23T23:00:00Z", "2025-03-30T22:00:00Z"},
		"month of 31 days less 1 h":  {"Europe/Berlin", Month, "2025-03-05T00:00:00Z", "2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z"},
		"leap day":                   {"UTC", Day, "2024-02-29T23:59:59Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
		"leap month":                 {"UTC", Month, "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		"no leap year":               {"UTC", Month, "2100-02-28T23:59:59Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
		"before 1970":                {"UTC", Week, "1969-12-31T23:59:59Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
		"hour at 45 minutes":         {"Asia/Kathmandu", Hour, "2025-06-01T10:00:00Z", "2025-06-01T09:15:00Z", "2025-06-01T10:15:00Z"},
		"half an hour lost":          {"Australia/Lord_Howe", Hour, "2025-10-04T15:40:00Z", "2025-10-04T15:30:00Z", "2025-10-04T16:00:00Z"},
		"half an hour more":          {"Australia/Lord_Howe", Hour, "2025-04-05T15:10:00Z", "2025-04-05T15:00:00Z", "2025-04-05T15:30:00Z"},
		"day that starts at one":     {"America/Santiago", Day, "2025-09-07T12:00:00Z", "2025-09-07T04:00:00Z", "2025-09-08T03:00:00Z"},
		"midnight that comes twice":  {"America/Havana", Day, "2025-11-02T12:00:00Z", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"},
		"date that shows, and again": {"America/St_Johns", Day, "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		"day before a skipped one":   {"Pacific/Apia", Day, "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		"day after a skipped one":    {"Pacific/Apia", Day, "2011-12-30T11:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		"day that came twice":        {"America/Juneau", Day, "1867-10-19T00:33:00Z", "1867-10-18T08:57:41Z", "1867-10-20T08:57:41Z"},
	} {
		t.Run(name, func(t *testing.T) {
			start, end := newWindows(t, c.zone, c.unit, time.Monday).At(instant(t, c.in))
			assert.Equal(t, c.start, time.UnixMilli(start).UTC().Format(time.RFC3339))
			assert.Equal(t, c.end, time.UnixMilli(end).UTC().Format(time.RFC3339))
		})
	}
}

func TestWeeksStartWhenTold(t *testing.T) {
	for first := time.Sunday; first <= time.Saturday; first++ {
		w := newWindows(t, "Asia/Tokyo", Week, first)
		start, end := w.At(instant(t, "2025-06-11T10:00:00Z"))
		assert.Equal(t, first, localTime(t, w, start).Weekday())
		assert.Equal(t, 7*dayMillis, end-start)
		next, _ := w.Next(start)
		assert.Equal(t, end, next)
	}
}

var walkedZones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul", "America/New_York",
	"America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Havana", "America/Caracas",
	"America/Nuuk", "America/Scoresbysund", "America/Argentina/Buenos_Aires", "America/Asuncion", "America/Goose_Bay", "America/Toronto",
	"Africa/Casablanca", "Africa/Cairo", "Africa/Monrovia", "Africa/El_Aaiun", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran",
	"Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Pyongyang", "Asia/Dili", "Asia/Manila", "Asia/Tokyo", "Asia/Kabul", "Asia/Colombo",
	"Australia/Lord_Howe", "Australia/Eucla", "Australia/Adelaide", "Australia/Sydney", "Atlantic/Azores", "Atlantic/Bermuda",
	"Antarctica/Troll", "Antarctica/Casey", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Chatham",
	"Pacific/Auckland", "Pacific/Marquesas", "Pacific/Norfolk", "Pacific/Tongatapu", "Pacific/Fakaofo", "Pacific/Honolulu",
}

// walker says naively, of moments in their order, which window they lie in.
type walker struct{ shown int } // days since 1970, the latest that the clocks have shown

func (n *walker) name(local time.Time, unit Unit, first time.Weekday) string {
	year, month, day := local.Date()
	n.shown = max(n.shown, int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/86_400))
	date := time.Unix(int64(n.shown)*86_400, 0).UTC()
	switch unit {
	case Hour:
		return local.Format("2006-01-02 15 -07:00:00")
	case Day:
		return date.Format("2006-01-02")
	case Week:
		for date.Weekday() != first {
			date = date.AddDate(0, 0, -1)
		}
		return date.Format("2006-01-02")
	}
	return date.Format("2006-01")
}

// requireNaive walks from one moment to another and compares, moment by moment.
func requireNaive(t *testing.T, w *Windows, from, to, step int64) {
	t.Helper()
	loc, err := time.LoadLocation(w.zone)
	require.NoError(t, err)
	n := walker{shown: -1 << 40}
	start, end := w.At(from)
	name := n.name(time.UnixMilli(from).In(loc), w.unit, w.first)
	for ms := from + step; ms < to; ms += step {
		s, e := w.At(ms)
		if s > ms || ms >= e {
			require.Fail(t, "a window that does not hold its time", "%s %d", w.zone, ms)
		}
		now := n.name(time.UnixMilli(ms).In(loc), w.unit, w.first)
		if now == name {
			if s != start || e != end {
				require.Equal(t, [2]int64{start, end}, [2]int64{s, e}, "%s %s: %s", w.zone, w.unit, time.UnixMilli(ms).In(loc))
			}
			continue
		}
		require.Equal(t, end, s, "%s %s: a gap before %s", w.zone, w.unit, time.UnixMilli(ms).In(loc))
		require.True(t, s > ms-step, "%s %s: %s starts one", w.zone, w.unit, time.UnixMilli(ms).In(loc))
		start, end, name = s, e, now
	}
}

// TestWindowsAreANaiveWalks goes through days around each change of each zone's clocks, quarter of an hour by quarter, and
// around midnight minute by minute.
func TestWindowsAreANaiveWalks(t *testing.T) {
	for _, zone := range walkedZones {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		changes := []int64{instant(t, "2024-02-29T00:00:00Z"), instant(t, "2040-12-31T12:00:00Z"), instant(t, "2068-03-25T00:00:00Z")}
		for moment := time.Date(1972, 1, 1, 0, 0, 0, 0, time.UTC).In(loc); moment.Year() < 2030; {
			_, until := moment.ZoneBounds()
			if until.IsZero() {
				break
			}
			changes, moment = append(changes, until.UnixMilli()), until
		}
		for i, unit := range allUnits {
			w := newWindows(t, zone, unit, time.Weekday(i))
			for j, change := range changes {
				if i < 2 || j%8 == 0 || j == len(changes)-1 { // weeks and months begin with days
					requireNaive(t, w, floor(change, dayMillis)-dayMillis, change+dayMillis, 15*60_000)
				}
			}
			last := changes[len(changes)-1]
			requireNaive(t, w, last-hourMillis, last+hourMillis, 60_000)
		}
	}
}

func TestWindowsAreANaiveWalksOverYears(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"} {
		for _, unit := range allUnits {
			requireNaive(t, newWindows(t, zone, unit, time.Sunday), instant(t, "2010-10-01T00:00:00Z"), instant(t, "2012-04-01T00:00:00Z"), 15*60_000)
		}
	}
}

func TestWindowsFollowOneAnother(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var w *Windows
	for i := range 50_000 {
		if i%100 == 0 {
			w = newWindows(t, walkedZones[r.IntN(len(walkedZones))], allUnits[r.IntN(4)], time.Weekday(r.IntN(7)))
		}
		ms := r.Int64N(200*365*dayMillis) - 100*365*dayMillis
		start, end := w.At(ms)
		require.True(t, start <= ms && ms < end)
		for _, inside := range []int64{start, end - 1, start + r.Int64N(end-start)} {
			s, e := w.At(inside)
			require.Equal(t, [2]int64{start, end}, [2]int64{s, e}, "%s %s", w.zone, w.unit)
		}
		_, before := w.At(start - 1)
		next, _ := w.Next(ms)
		require.Equal(t, start, before)
		require.Equal(t, end, next)
	}
}

func TestTheFurthestTimesHaveWindows(t *testing.T) {
	for _, unit := range allUnits {
		for _, zone := range []string{"UTC", "America/Juneau", "Europe/Berlin"} {
			w := newWindows(t, zone, unit, time.Monday)
			for _, ms := range []int64{-1 << 63, 1<<63 - 1, -furthest, furthest} {
				start, end := w.At(ms)
				assert.Less(t, start, end, fmt.Sprint(zone, unit, ms))
			}
		}
	}
}

func TestNoSuchWindows(t *testing.T) {
	_, err := NewWindows("Europe/Nowhere", Day, time.Monday)
	assert.EqualError(t, err, `"Europe/Nowhere" is no time zone such as Europe/Berlin`)
	_, err = NewWindows("Local", Day, time.Monday)
	assert.EqualError(t, err, `"Local" is no time zone such as Europe/Berlin`)
	_, err = NewWindows("", Day, time.Monday)
	assert.EqualError(t, err, `"" is no time zone such as Europe/Berlin`)
	_, err = NewWindows("UTC", "year", time.Monday)
	assert.EqualError(t, err, `"year" is no unit of windows; those are hour, day, week and month`)
	_, err = NewWindows("UTC", Week, 7)
	assert.EqualError(t, err, `7 is no day of the week`)
}

func BenchmarkWindowsAt(b *testing.B) {
	for _, unit := range allUnits {
		b.Run(string(unit), func(b *testing.B) {
			w, ms := newWindows(b, "Europe/Berlin", unit, time.Monday), int64(1_780_000_000_000)
			for b.Loop() {
				w.At(ms)
			}
		})
	}
}
