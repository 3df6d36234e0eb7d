package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// scoring is a step of three inputs: of 1 and 5 points in a group with a cap of 20, and of 30 without one.
const scoring = "{id: a, kind: score, points: [{event: x, points: 1, group: g}, {event: y, points: 5, group: g}, " +
	"{event: z, points: 30}], caps: [{group: g, at_most: 20}], at_least: "

// scoredAt is an event of an input on a day.
type scoredAt struct {
	role uint8
	day  int
}

func (s scoredAt) feed(step *Step, w *Work) (changed, done bool) {
	ev := usage.Event{OccurredAt: int64(s.day)*dayMillis + 1000}
	return step.Update(w, &Input{Role: s.role, Event: &ev, Moment: Moment{Watermark: math.MinInt64}})
}

func scoredAtDays(role uint8, days ...int) (events []scoredAt) {
	for _, d := range days {
		events = append(events, scoredAt{role, d})
	}
	return events
}

func scoreDone(step *Step, events []scoredAt) int {
	w := Work{}
	for i, e := range events {
		if _, done := e.feed(step, &w); done {
			return i
		}
	}
	return -1
}

func TestScores(t *testing.T) {
	const y, z = 1, 2
	for _, c := range []struct {
		step   string
		events []scoredAt
		done   int
	}{
		{"50}", []scoredAt{{z, 0}, {y, 900}, {y, 0}, {y, 900}, {y, 3}}, 4},
		{"50}", append(scoredAtDays(y, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), scoredAt{z, 0}), 10}, // 20 and 30
		{"51}", append(scoredAtDays(y, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), scoredAt{z, 0}), -1},
		{"50, half_life: 10d}", scoredAtDays(z, 0, 10), -1},
		{"45, half_life: 10d}", scoredAtDays(z, 0, 10), 1}, // 15 and 30
		{"45, half_life: 10d}", scoredAtDays(z, 0, 11), -1},
		{"45, half_life: 1d}", scoredAtDays(z, 1, 0), 1}, // late by a day
		{"45, half_life: 1d}", scoredAtDays(z, 4, 0, 2), -1},
		{"45, half_life: 1d}", scoredAtDays(z, 4, 0, 0), 2}, // on day 0, however it has decayed by day 4
		{"59, half_life: 1d}", scoredAtDays(z, 5, 0, 0), -1},
		{"50, half_life: 10d}", append(scoredAtDays(y, 0, 0, 0, 0, 0, 0, 0, 0), scoredAt{z, 10}), 8}, // 40 points, worth 20
		{"50, half_life: 10d}", append(scoredAtDays(y, 0, 0, 0, 0, 0, 0, 0), scoredAt{z, 10}), -1},
		{"30, half_life: 366d}", scoredAtDays(z, -719162), 0},
	} {
		assert.Equal(t, c.done, scoreDone(stepOf(t, scoring+c.step), c.events), "%s: %+v", c.step, c.events)
	}
}

// TestScoreDaysAreTheZones lets points of one local day add up, and those of one UTC day not.
func TestScoreDaysAreTheZones(t *testing.T) {
	const hour = 3_600_000
	step := stepIn(t, "Europe/Berlin", scoring+"60, half_life: 1d}")
	for _, c := range []struct {
		first, second int64
		done          bool
	}{{22 * hour, 23*hour - 1, true}, {22 * hour, 23 * hour, false}, {23 * hour, 46 * hour, true}} {
		w := Work{}
		step.Update(&w, &Input{Role: 2, Event: &usage.Event{OccurredAt: c.first}})
		_, done := step.Update(&w, &Input{Role: 2, Event: &usage.Event{OccurredAt: c.second}})
		assert.Equal(t, c.done, done, "%+v", c)
	}
}

// naiveScore is the definition: what all events until a day are worth on it, by group.
func naiveScore(events []scoredAt, day int, halfLife float64) float64 {
	g, z := 0.0, 0.0
	for _, e := range events {
		left := 0.0
		if e.day <= day {
			left = math.Exp2(-float64(day-e.day) / halfLife)
		}
		switch e.role {
		case 0:
			g += left
		case 1:
			g += 5 * left
		default:
			z += 30 * left
		}
	}
	return min(g, 20) + z
}

func TestScoresDontMindTheOrder(t *testing.T) {
	r, stepOf := rand.New(rand.NewPCG(1, 8)), compiling(t)
	for range 3000 {
		halfLife, target, wide := 1+r.IntN(9), 20+5*r.IntN(20), 1+r.IntN(30)
		var events, arrive []scoredAt
		for n, at := r.IntN(30), 0; len(events) < n; at = r.IntN(wide) {
			events = append(events, scoredAt{uint8(r.IntN(3)), at})
		}
		for day := -4; day <= wide+4; day++ { // each at most 4 days late
			for i, e := range events {
				if due := e.day + (i*7+wide)%5; due == day {
					arrive = append(arrive, e)
				}
			}
		}
		most := 0.0
		for day := range wide {
			most = max(most, naiveScore(events, day, float64(halfLife)))
		}
		step := stepOf(fmt.Sprintf("%s%d, half_life: %dd}", scoring, target, halfLife))
		require.Len(t, arrive, len(events))
		require.Equal(t, most >= float64(target)*(1-1e-9), scoreDone(step, arrive) >= 0, "%d, %d: %v", target, halfLife, arrive)

		w, newest := Work{}, math.MinInt
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] }) // however late
		for _, e := range events {
			e.feed(step, &w)
			newest = max(newest, e.day)
		}
		if len(events) > 0 {
			require.InEpsilon(t, naiveScore(events, newest, float64(halfLife)), step.Count(w, &Moment{}, false), 1e-12)
		}
	}
}

// TestLiveScoresLastUntilTheyDecay compares the judge with the definition, day by day.
func TestLiveScoresLastUntilTheyDecay(t *testing.T) {
	r, stepOf := rand.New(rand.NewPCG(2, 8)), compiling(t)
	for range 1000 {
		halfLife, target := 1+r.IntN(9), 20+5*r.IntN(12)
		step, w := stepOf(fmt.Sprintf("%s%d, half_life: %dd, live: true}", scoring, target, halfLife)), Work{}
		var events []scoredAt
		for range r.IntN(20) {
			e := scoredAt{uint8(r.IntN(3)), r.IntN(5)} // no day is older than those that are told apart
			events = append(events, e)
			e.feed(step, &w)
		}
		last := -1
		for day := range 200 {
			if naiveScore(events, day, float64(halfLife)) >= float64(target)*(1-1e-9) {
				last = day
			}
		}
		for day := range 60 {
			want, next := day <= last, int64(Never)
			if want {
				next = int64(last+1) * dayMillis
			}
			done, until := step.Judge(w, &Moment{Watermark: int64(day)*dayMillis + 5})
			require.Equal(t, []any{want, next}, []any{done, until}, "%d, %d: %v on %d", target, halfLife, events, day)
		}
	}
}

func TestPointsDecay(t *testing.T) {
	for _, halfLife := range []int{1, 2, 14, 366} {
		d := newDecay(halfLife)
		assert.Equal(t, 1.0, d.after(0))
		for days := range min(1000*halfLife, 3000) {
			require.InEpsilon(t, math.Exp2(-float64(days)/float64(halfLife)), d.after(days), 1e-12)
			require.Less(t, d.after(days+1), d.after(days))
		}
		assert.Zero(t, d.after(math.MaxInt32))
	}
}

func TestScoreSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		step     string
		events   []scoredAt
		progress float64
		need     string
	}{
		{"50}", nil, 0, "50 more points (0 of 50)"},
		{"50}", scoredAtDays(1, 0, 0, 0, 0, 0, 0, 0), 0.4, "30 more points (20 of 50)"},
		{"31}", scoredAtDays(2, 0), 30.0 / 31, "1 more point (30 of 31)"},
		{"100, half_life: 7d}", scoredAtDays(2, 0, 1, 2), 0.8178, "18.22 more points (81.78 of 100)"},
	} {
		step, w := stepOf(t, scoring+c.step), Work{}
		for _, e := range c.events {
			e.feed(step, &w)
		}
		progress, need := step.Missing(step.Count(w, &Moment{}, false))
		assert.InDelta(t, c.progress, progress, 1e-4, c.step)
		assert.Equal(t, c.need, need)
	}
}

const doubled1, doubled5, doubled30 = "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00\x00\x00\x00\x00\x00\x14\x40", "\x00\x00\x00\x00\x00\x00\x3e\x40"

func TestScoresKeepWhatTheirDocSays(t *testing.T) {
	for text, work := range map[string]string{
		"90}":                doubled30 + doubled5, // the group without a name comes first
		"90, half_life: 1d}": "\x14\x10" + doubled30 + "\x09" + doubled1 + doubled5,
	} {
		step, w := stepOf(t, scoring+text), Work{}
		for _, e := range []scoredAt{{2, 10}, {1, 9}} {
			e.feed(step, &w)
		}
		if strings.Contains(text, "half_life") {
			for range 64 { // each is worth a 64th on the day before the newest four
				scoredAt{0, 0}.feed(step, &w)
			}
		}
		assert.Equal(t, work, string(w), text)
	}
}

func TestMalformedScoresAreNotValid(t *testing.T) {
	const zero, nan, minus = "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\xf8\x7f", "\x00\x00\x00\x00\x00\x00\x00\x80"
	for text, sets := range map[string][]string{
		"90}": {"\x00", doubled1, doubled1 + doubled1 + doubled1, zero + zero, nan + doubled1, minus + doubled1},
		"90, half_life: 1d}": {"\x14", "\x14\x00", "\x14\x00\x00", "\x14\x20\x00", "\x14\x10" + doubled1, "\x14\x10" + zero + "\x00",
			"\x14\x10" + nan + "\x00", "\x14\x08" + doubled1 + "\x00", "\x94\x00\x10" + doubled1 + "\x00", "\x14\x10" + doubled1 + "\x00x",
			"\xfe\xff\xff\xff\x7f\x10" + doubled1 + "\x00"},
	} {
		for _, set := range sets {
			assert.False(t, stepOf(t, scoring+text).Valid(Work(set)), "%s: %q", text, set)
		}
		assert.True(t, stepOf(t, scoring+text).Valid(nil))
	}
}

// TestScoresReachTheirBounds lets points of every group come on each of the newest days and before.
func TestScoresReachTheirBounds(t *testing.T) {
	text, caps := "{id: a, kind: score, at_least: 1e9, points: [{event: free, points: 1}", ", caps: ["
	for g := range maxCapped {
		text += fmt.Sprintf(", {event: x, points: 1, group: g%d}", g)
		caps += fmt.Sprintf("{group: g%d, at_most: 1e8}, ", g)
	}
	text += "]" + caps + "]"
	for more, days := range map[string][]int{"": {0}, ", half_life: 14d": {maxBucket - 4, maxBucket - 3, maxBucket - 2, maxBucket - 1, maxBucket}} {
		step, w := stepOf(t, text+more+"}"), Work{}
		for _, day := range days {
			for role := range uint8(maxScored) {
				scoredAt{role, day}.feed(step, &w)
			}
		}
		assert.Equal(t, step.rule.traits().bound, workBound+len(w))
		assert.True(t, step.Valid(w))
	}
}

func TestTheOrderOfPointsMeansNothing(t *testing.T) {
	hash := func(points, caps string) string {
		c, err := compiled("version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, kind: score, points: [" + points +
			"], caps: [" + caps + "], at_least: 9}")
		require.NoError(t, err)
		return c.Hash()
	}
	a, b := "{event: [x, y], points: 1, group: g, where: 'quantity > 1.0'}", "{event: x, points: 5, group: h}"
	g, h := "{group: g, at_most: 20}", "{group: h, at_most: 30}"
	assert.Equal(t, hash(a+", "+b, g+", "+h), hash(b+", "+strings.Replace(a, "x, y", "y, x", 1), h+", "+g))
	assert.NotEqual(t, hash(a+", "+b, g+", "+h), hash(strings.Replace(a, "points: 1", "points: 5", 1)+", "+strings.Replace(b, "5", "1", 1), g+", "+h))
}

func TestWrongScores(t *testing.T) {
	var entries []string
	for range maxEntries + 1 {
		entries = append(entries, "{event: x, points: 1}")
	}
	for step, want := range map[string]string{
		"at_least: 1": "steps[0].points: are 0, not from 1 to 50",
		"points: [" + strings.Join(entries, ", ") + "], at_least: 1":                                                     "steps[0].points: are 51, not from 1 to 50",
		"points: [{points: 1}], at_least: 1":                                                                             "steps[0].points[0].event: is missing",
		"points: [{event: x, points: 1}, {event: y}], at_least: 1":                                                       "steps[0].points[1].points: 0 is not above 0 and at most 1e+09",
		"points: [{event: x, points: 1, where: '1.0'}], at_least: 1":                                                     "steps[0].points[0].where: is a double, not a condition",
		"points: [{event: x, points: 1, group: g}], at_least: 1":                                                         `steps[0].points[0].group: the group "g" has no cap`,
		"points: [{event: x, points: 1}], caps: [{group: g, at_most: 5}], at_least: 1":                                   `steps[0].caps[0].group: no points are in the group "g"`,
		"points: [{event: x, points: 1, group: g}], caps: [{group: g}], at_least: 1":                                     "steps[0].caps[0].at_most: 0 is not above 0 and at most 1e+09",
		"points: [{event: x, points: 1, group: g}], caps: [{group: g, at_most: 5}, {group: g, at_most: 5}], at_least: 1": `steps[0].caps[1].group: "g" is taken already`,
		"points: [{event: x, points: 1, group: g}], caps: [{group: g, at_most: 5}], at_least: 6":                         "steps[0].at_least: 6 is more than all caps allow together, 5",
		"points: [{event: x, points: 1}], half_life: 24h, at_least: 1":                                                   "steps[0].half_life: 24h is not from 1 to 366 days",
		"points: [{event: x, points: 1}], half_life: 367d, at_least: 1":                                                  "steps[0].half_life: 367d is not from 1 to 366 days",
		"points: [{event: x, points: 1}], live: true, at_least: 1":                                                       "steps[0].live: needs half_life: a score that does not decay never becomes less",
		"points: [{event: x, points: 1}], event: y, at_least: 1":                                                         "steps[0].event: a step of kind score has no such field",
	} {
		_, err := compiled("version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, kind: score, " + step + "}")
		assert.EqualError(t, err, want)
	}
}
