package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// moment reads a time in RFC 3339, ms since the Unix epoch.
func moment(t testing.TB, text string) int64 {
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at.UnixMilli()
}

func calendarOf(t testing.TB, zone string) *calendar {
	c := &compiler{def: &Definition{Zone: zone}}
	c.compileZone()
	require.NoError(t, c.err())
	return c.calendar
}

// changes are times in whose neighbourhood days are not 24 hours, or not there at all.
var changes = []struct{ zone, at string }{
	{"", "2026-03-29T00:00:00Z"},
	{"Europe/Berlin", "2026-03-29T01:00:00Z"}, {"Europe/Berlin", "2026-10-25T01:00:00Z"},
	// Clocks went forward at midnight, and back to the day before.
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"}, {"America/Sao_Paulo", "2018-02-18T02:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"}, // 30 December was skipped
	{"Asia/Kathmandu", "2026-01-01T00:00:00Z"},
}

func TestDaysBeginWhereCalendarsSay(t *testing.T) {
	for _, c := range []struct{ zone, day, begins string }{
		{"", "2026-03-29", "2026-03-29T00:00:00Z"},
		{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"},
		{"Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"},
		{"Europe/Berlin", "2026-10-26", "2026-10-25T23:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"}, // at 1:00
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"}, // 17 February had 25 hours
		{"Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"}, // as the day after
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
	} {
		day := int(moment(t, c.day+"T00:00:00Z") / dayMillis)
		assert.Equal(t, moment(t, c.begins), calendarOf(t, c.zone).starts(day), "%s in %s", c.day, c.zone)
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, c := range changes {
		zone := calendarOf(t, c.zone)
		loc, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		for range 2000 / effort {
			at := time.UnixMilli(moment(t, c.at) + r.Int64N(1<<(20+r.IntN(24))) - 1<<(19+r.IntN(24)))
			y, m, d := at.In(loc).Date()
			require.Equal(t, int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86_400), zone.day(at.UnixMilli()), "%v", at)
		}
	}
}

func TestBucketsAndTheirBeginningsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, c := range changes {
		zone, at := calendarOf(t, c.zone), moment(t, c.at)
		for _, w := range []*window{newWindow(Window{1, day}, zone), newWindow(Window{1, time.Hour}, zone), newWindow(Window{1, time.Minute}, zone)} {
			for range 500 {
				ms := at + r.Int64N(6*dayMillis) - 3*dayMillis
				bucket := w.bucket(ms)
				begins := w.starts(int(bucket))
				require.True(t, begins <= ms && ms < w.starts(int(bucket)+1), "%s %d", c.zone, ms)
				require.Equal(t, bucket, w.bucket(begins))
				require.Less(t, w.bucket(begins-1), bucket)
				require.LessOrEqual(t, w.bucket(ms), w.bucket(ms+r.Int64N(dayMillis)), "time runs forward")
			}
		}
	}
}

func TestDaysAfterKeepTheTimeOfTheDay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, c := range changes {
		zone, at := calendarOf(t, c.zone), moment(t, c.at)
		loc, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		for range 500 {
			ms, days := at+r.Int64N(6*dayMillis)-3*dayMillis, 1+r.IntN(30)
			after := zone.after(ms, days)
			require.Greater(t, after, ms)
			y, m, d := time.UnixMilli(ms).In(loc).Date()
			due := int(time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC).UnixMilli() / dayMillis)
			if zone.day(after) != int32(due) { // the day was skipped
				require.Equal(t, zone.starts(due), zone.starts(due+1))
				require.Equal(t, zone.starts(due), after)
				continue
			}
			clock := func(ms int64) time.Duration {
				h, m, s := time.UnixMilli(ms).In(loc).Clock()
				return time.Duration(h*3600+m*60+s) * time.Second
			}
			if c := clock(ms); clock(after) != c { // the hour was skipped
				require.InDelta(t, float64(c), float64(clock(after)), float64(time.Hour))
			}
		}
	}
}

// told is an event as steps of all windowed kinds see it.
type told struct {
	at   int64
	user int
	n    float64
}

// naively are the definitions: what a window's events come to.
var naively = map[string]func(in []told, bucket func(int64) int32) float64{
	"count":    func(in []told, _ func(int64) int32) float64 { return float64(len(in)) },
	"distinct": func(in []told, _ func(int64) int32) float64 { return different(in, func(e told) int { return e.user }) },
	"days": func(in []told, bucket func(int64) int32) float64 {
		return different(in, func(e told) int { return int(bucket(e.at)) })
	},
	"sum": func(in []told, _ func(int64) int32) (sum float64) {
		for _, e := range in {
			sum += e.n
		}
		return sum
	},
}

func different(in []told, of func(told) int) float64 {
	seen := map[int]bool{}
	for _, e := range in {
		seen[of(e)] = true
	}
	return float64(len(seen))
}

// outOfOrder makes events in the order of their arrival, none later than a disorder.
func outOfOrder(r *rand.Rand, from, gap, disorder int64, users int) []told {
	type arrival struct {
		told
		arrives int64
	}
	arrivals := make([]arrival, r.IntN(40))
	for i := range arrivals {
		from += r.Int64N(1 + r.Int64N(gap))
		arrivals[i] = arrival{told{from, r.IntN(users), float64(1 + r.IntN(3))}, from + r.Int64N(disorder+1)}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.arrives - b.arrives) })
	var events []told
	for _, a := range arrivals {
		events = append(events, a.told)
	}
	return events
}

// windowed is a random step within a window.
type windowed struct {
	kind, text string
	within     *window
	target     float64
	disorder   int64
	live       bool
	around     int64
}

func randomWindow(t testing.TB, r *rand.Rand) (w windowed, step *Step) {
	where := changes[r.IntN(len(changes))]
	unit := []time.Duration{day, time.Hour, time.Minute}[r.IntN(3)]
	kinds := []string{"count", "distinct", "days", "sum"}
	if w.kind = kinds[r.IntN(4)]; w.kind == "days" {
		unit = day
	}
	size := Window{1 + r.IntN(1+r.IntN(90)), unit}
	w.within, w.around = newWindow(size, calendarOf(t, where.zone)), moment(t, where.at)
	w.target, w.live = float64(1+r.IntN(min(6, size.N))), r.IntN(2) == 0
	if w.kind == "sum" {
		w.target = 4*w.target + 0.5
	}
	of := map[string]string{"distinct": ", of: user_id", "sum": ", of: quantity"}[w.kind]
	w.text = fmt.Sprintf("{id: a, kind: %s, event: x, at_least: %v, within: %v, live: %v%s}", w.kind, w.target, size, w.live, of)
	step = stepIn(t, where.zone, w.text)
	buckets := w.within.memory
	if w.kind == "distinct" {
		buckets = min(buckets, max(w.within.width, int(time.Hour/unit)))
	}
	w.disorder = max(1, int64(buckets)*unit.Milliseconds()-time.Hour.Milliseconds()) // a day may be an hour short
	if unit != day {
		w.disorder = int64(buckets) * unit.Milliseconds()
	}
	return w, step
}

// TestWindowsAreWhatTheirDefinitionSays compares sticky and live steps with the definition over the events: some run of
// consecutive days, hours or minutes has enough; of a live one a run that reaches to the watermark or beyond.
func TestWindowsAreWhatTheirDefinitionSays(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	done := map[string]int{}
	for range 4000 / effort {
		c, step := randomWindow(t, r)
		events := outOfOrder(r, c.around-10*c.within.unit, 1+c.within.unit*int64(1+r.IntN(4*c.within.width)), c.disorder, 3+r.IntN(30))
		if len(events) == 0 {
			continue
		}
		w, completed := Work{}, false
		newest := int64(math.MinInt64)
		for _, e := range events {
			newest = max(newest, e.at)
			ev := &usage.Event{OccurredAt: e.at, UserID: fmt.Sprint("u", e.user), Quantity: e.n}
			if _, now := feed(step, &w, 0, ev, Moment{Watermark: newest - c.disorder}); now && !c.live {
				completed = true
				break
			}
		}
		if !c.live {
			_, holds := c.newestWindow(events, math.MinInt32)
			require.Equal(t, holds, completed, "%s: %+v", c.text, events)
			done[fmt.Sprint(c.kind, completed)]++
			continue
		}
		watermark := newest - c.disorder + r.Int64N(c.disorder+int64(c.within.width)*c.within.unit)
		first, holds := c.newestWindow(events, int(c.within.bucket(watermark)))
		got, next := judge(step, w, watermark)
		require.Equal(t, holds, got, "%s at %d: %+v", c.text, watermark, events)
		if holds {
			require.Equal(t, c.within.starts(first+c.within.width), next, "%s at %d: %+v", c.text, watermark, events)
		} else {
			require.Equal(t, int64(Never), next)
		}
		done[fmt.Sprint("live ", c.kind, got)]++
	}
	for _, kind := range []string{"count", "distinct", "days", "sum"} {
		for _, outcome := range []string{kind + "true", kind + "false", "live " + kind + "true", "live " + kind + "false"} {
			assert.Greater(t, done[outcome], 50/effort, "%s is hardly tested", outcome)
		}
	}
}

// newestWindow finds the newest window that has enough of those that reach to or beyond a bucket.
func (c *windowed) newestWindow(events []told, reaching int) (first int, holds bool) {
	for _, e := range events { // the newest begins where something happened
		from := int(c.within.bucket(e.at))
		if holds && from <= first || from+c.within.width <= reaching {
			continue
		}
		var in []told
		for _, e := range events {
			if b := int(c.within.bucket(e.at)); b >= from && b < from+c.within.width {
				in = append(in, e)
			}
		}
		if naively[c.kind](in, c.within.bucket) >= c.target {
			first, holds = from, true
		}
	}
	return first, holds
}
