package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// usedAt is an event that tells a usage at an hour, and a limit unless that is 0.
func usedAt(hour int64, used, limit float64) usage.Event {
	ev := usage.Event{OccurredAt: hour * 3_600_000, Quantity: used}
	if limit != 0 {
		ev.Properties = []usage.Property{{Key: "limit", Value: usage.DoubleValue(limit)}}
	}
	return ev
}

func levelsOf(levels ...float64) (events []usage.Event) {
	for i, l := range levels {
		events = append(events, usedAt(int64(i), l, 100))
	}
	return events
}

func seats(n int64) []usage.Value { return []usage.Value{usage.LongValue(n)} }

// compiling compiles each step once.
func compiling(t *testing.T) func(step string) *Step {
	steps := map[string]*Step{}
	return func(step string) *Step {
		if steps[step] == nil {
			steps[step] = stepOf(t, step)
		}
		return steps[step]
	}
}

// doneAt folds events of one input, each at a watermark so many hours before the newest, and returns the place of the
// one at which the step was done, -1 when it never was.
func doneAt(step *Step, account []usage.Value, lateness int64, events ...usage.Event) int {
	w, newest := Work{}, int64(math.MinInt64/2)
	for i := range events {
		newest = max(newest, events[i].OccurredAt)
		m := Moment{Watermark: newest - lateness*3_600_000, Account: account}
		if _, done := step.Update(&w, &Input{Event: &events[i], Moment: m}); done {
			return i
		}
	}
	return -1
}

func TestRatios(t *testing.T) {
	const to = "{id: a, kind: ratio, event: x, of: quantity, at_least: 0.8, to: "
	for _, c := range []struct {
		step   string
		events []usage.Event
		done   int
	}{
		{to + "100}", levelsOf(10, 79.9, 80), 2},
		{to + "100}", levelsOf(10, 79.9, 20), -1},
		{to + "1e2}", levelsOf(math.NaN(), math.Inf(1), -90, 90), 3},
		{to + "properties.limit}", levelsOf(79, 80), 1},
		{to + "properties.limit}", []usage.Event{usedAt(1, 50, 100), usedAt(2, 90, 0), usedAt(3, 90, -1), usedAt(4, 40, 50)}, 3},
		{to + "properties.limit}", []usage.Event{usedAt(9, 50, 100), usedAt(2, 90, 100)}, 1}, // however late
		{to + "account.seats}", levelsOf(31, 32), 1},
		{to + "account.seats}", []usage.Event{usedAt(9, 10, 0), usedAt(3, 10, 0), usedAt(8, 33, 0)}, 2},
		{to + "account.seats}", []usage.Event{usedAt(9, 10, 0), usedAt(3, 10, 0), usedAt(6, 33, 0)}, 2}, // in force until 9
		{to + "account.seats}", []usage.Event{usedAt(9, 10, 0), usedAt(3, 10, 0), usedAt(2, 33, 0)}, -1},

		{to + "100, adds: true}", levelsOf(40, -40, 39.9), -1},
		{to + "100, adds: true}", levelsOf(40, 39.9, 0, 0.1), 3},
		{to + "0.3, adds: true}", levelsOf(0.08, 0.08, 0.08), 2}, // rounding does not decide
		{to + "100, adds: true, within: 3h}", levelsOf(40, 0, 0, 40), -1},
		{to + "100, adds: true, within: 3h}", levelsOf(1, 40, 0, 40), 3},
		{to + "100, adds: true, within: 3h}", []usage.Event{usedAt(3, 40, 0), usedAt(5, 39, 0), usedAt(9, 40, 0), usedAt(4, 1, 0)}, 3},
		{to + "account.seats, adds: true}", levelsOf(20, 11, 1), 2},
		{to + "account.seats, adds: true, within: 3h}", levelsOf(20, 0, 0, 12, 0, 20), 5},
	} {
		assert.Equal(t, c.done, doneAt(stepOf(t, c.step), seats(40), 5, c.events...), "%s: %+v", c.step, c.events)
	}
	for _, none := range [][]usage.Value{{{}}, seats(0), seats(-1)} {
		for _, step := range []string{to + "account.seats}", to + "account.seats, adds: true}"} {
			assert.Equal(t, -1, doneAt(stepOf(t, step), none, 5, levelsOf(1e9)...), "no limit is never reached")
		}
	}
}

// TestRatiosFollowTheAccount holds what was used against an account property that changes.
func TestRatiosFollowTheAccount(t *testing.T) {
	for _, more := range []string{"", ", live: true", ", adds: true", ", adds: true, within: 3h", ", adds: true, within: 3h, live: true"} {
		step, w := stepOf(t, "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.5"+more+"}"), Work{}
		assert.True(t, step.ReadsAccount && step.Judged, more)
		ev := usedAt(10, 20, 0)
		_, done := step.Update(&w, &Input{Event: &ev, Moment: Moment{Account: seats(41)}})
		assert.False(t, done, more)
		assert.Equal(t, 20.0/41, step.Count(w, &Moment{Account: seats(41)}, false))
		done, _ = step.Judge(w, &Moment{Account: seats(40)})
		assert.True(t, done, more)
		assert.Equal(t, 0.5, step.Count(w, &Moment{Account: seats(40)}, false))
	}
}

// TestLevelsDontMindTheOrder lets events come late by up to some hours, and asks for any event that reaches the share.
func TestLevelsDontMindTheOrder(t *testing.T) {
	r, stepOf := rand.New(rand.NewPCG(1, 7)), compiling(t)
	for range 3000 {
		lateness := r.Int64N(8) // never more than 8 events within it
		var events []usage.Event
		reached := false
		for hour := range int64(r.IntN(30)) {
			ev := usedAt(hour, float64(r.IntN(84)), 100)
			events, reached = append(events, ev), reached || ev.Quantity >= 80
		}
		arrive := disorder(r, events, lateness)
		for _, to := range []string{"100", "properties.limit", "account.seats"} {
			step := stepOf("{id: a, kind: ratio, event: x, of: quantity, at_least: 0.8, to: " + to + "}")
			require.Equal(t, reached, doneAt(step, seats(100), lateness, arrive...) >= 0, "%s: %+v", to, arrive)
		}
	}
}

// disorder returns ordered events in an order in which none comes so many hours after a later one.
func disorder(r *rand.Rand, events []usage.Event, hours int64) []usage.Event {
	at := map[int64]int64{}
	for i := range events {
		at[events[i].OccurredAt] = events[i].OccurredAt + r.Int64N(hours*3_600_000+1)
	}
	out := slices.Clone(events)
	slices.SortStableFunc(out, func(a, b usage.Event) int { return int(at[a.OccurredAt] - at[b.OccurredAt]) })
	return out
}

// TestLiveLevelsHoldUntilTheNextOnes compares the judge with its definition, at every moment around some levels.
func TestLiveLevelsHoldUntilTheNextOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	step := stepOf(t, "{id: a, kind: ratio, event: x, of: quantity, at_least: 0.5, to: 100, live: true}")
	for range 3000 {
		var levels [20]float64 // by ms
		for i := range levels {
			levels[i] = -1
		}
		w := Work{}
		for range r.IntN(maxLevels + 1) {
			at, level := r.Int64N(20), float64(r.IntN(100))
			levels[at] = max(levels[at], level)
			step.Update(&w, &Input{Event: &usage.Event{OccurredAt: at, Quantity: level}})
		}
		ends := int64(-2) // the last watermark at which a level that is enough counts
		for at, level := range levels {
			next := at + 1
			for next < len(levels) && levels[next] < 0 {
				next++
			}
			if level >= 50 {
				if ends = int64(next); next == len(levels) {
					ends = Never
				}
			}
		}
		for watermark := int64(-1); watermark < 25; watermark++ {
			done, next := step.Judge(w, &Moment{Watermark: watermark})
			want := int64(Never)
			if watermark <= ends && ends != Never {
				want = ends + 1
			}
			require.Equal(t, []any{watermark <= ends && ends >= 0, want}, []any{done, next}, "%v at %d", levels, watermark)
		}
	}
}

func TestOnlyLevelsThatCountAreKept(t *testing.T) {
	step, w := stepOf(t, "{id: a, kind: ratio, event: x, of: quantity, at_least: 0.5, to: account.seats}"), Work{}
	feed := func(at int64, used float64, watermark int64) (changed, done bool) {
		m := Moment{Watermark: watermark, Account: seats(10)}
		return step.Update(&w, &Input{Event: &usage.Event{OccurredAt: at, Quantity: used}, Moment: m})
	}
	for at := range int64(maxLevels) {
		feed(10+at, 1, 0)
	}
	before := string(w)
	changed, done := feed(9, 1000, 0)
	assert.False(t, changed || done, "there are as many newer ones as are kept")
	assert.Equal(t, before, string(w))
	changed, done = feed(12, 1000, 0)
	assert.True(t, changed && done)

	changed, _ = feed(20, 1, 17)
	assert.True(t, changed)
	assert.Equal(t, byte(3), w[0], "those at 16, which counts until 17, at 17 and at 20")
	changed, done = feed(18, 2, 21)
	assert.False(t, changed || done, "it counted until 20 only")
	changed, _ = feed(30, 1, 29)
	assert.True(t, changed)
	assert.Equal(t, byte(2), w[0])
}

// TestAddedUsageDoesNotMindTheOrder compares windows of amounts with their definition.
func TestAddedUsageDoesNotMindTheOrder(t *testing.T) {
	r, stepOf := rand.New(rand.NewPCG(3, 7)), compiling(t)
	for range 2000 {
		width, limit := 1+r.Int64N(6), float64(1+3*r.IntN(13))
		var events []usage.Event
		var used [40]float64
		for range r.IntN(25) {
			ev := usedAt(r.Int64N(20), float64(r.IntN(100))/10, 0)
			used[ev.OccurredAt/3_600_000] += ev.Quantity
			events = append(events, ev)
		}
		most, lasts, all := 0.0, int64(-1), 0.0
		for first := range int64(30) {
			sum := 0.0
			for _, n := range used[first : first+width] {
				sum += n
			}
			if all += used[first]; sum >= limit*(1-1e-9) && used[first] > 0 {
				lasts = first + width
			}
			most = max(most, sum)
		}
		name := fmt.Sprintf("{id: a, kind: ratio, event: x, of: quantity, at_least: 1, adds: true, to: %v", limit)
		within := fmt.Sprintf(", within: %dh", width)
		require.Equal(t, all >= limit*(1-1e-9), doneAt(stepOf(name+"}"), nil, 0, events...) >= 0)
		require.Equal(t, most >= limit*(1-1e-9), doneAt(stepOf(name+within+"}"), nil, 0, events...) >= 0, "%v", used)

		byAccount := strings.Replace(name, fmt.Sprint("to: ", limit), "to: account.seats", 1)
		for _, text := range []string{name, byAccount} {
			live, w := stepOf(text+within+", live: true}"), Work{}
			for i := range events {
				live.Update(&w, &Input{Event: &events[i], Moment: Moment{Account: seats(int64(limit))}})
			}
			for _, hour := range []int64{0, max(0, lasts-1), max(0, lasts), 25} {
				want, next := hour < lasts, int64(Never)
				if want {
					next = lasts * 3_600_000
				}
				m := Moment{Watermark: hour*3_600_000 + 1, Account: seats(int64(limit))}
				done, until := live.Judge(w, &m)
				require.Equal(t, []any{want, next}, []any{done, until}, "%s: %v at %d", text, used, hour)
			}
		}
	}
}

func TestRatioSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		step     string
		progress float64
		need     string
	}{
		{"of: properties.used, to: properties.limit, at_least: 0.8", 0.75, "properties.used is at 60 % of properties.limit, 80 % are needed"},
		{"of: quantity, to: 70, at_least: 0.8", 0.99, "quantity of x is at 79.99 % of 70, 80 % are needed"},
		{"of: quantity, to: account.seats, at_least: 7", 0.2, "quantity of x is at 139.98 % of account.seats, 700 % are needed"},
		{"of: quantity, to: 1000, adds: true, within: 7d, at_least: 0.07", 0.7999, "quantity of x within 7 days is at 5.59 % of 1000, 7 % are needed"},
	} {
		step, w := stepOf(t, "{id: a, kind: ratio, event: x, "+c.step+"}"), Work{}
		ev := usedAt(1, 55.993, 0)
		ev.Properties = []usage.Property{{Key: "used", Value: usage.LongValue(3)}, {Key: "limit", Value: usage.StringValue("5")}}
		step.Update(&w, &Input{Event: &ev, Moment: Moment{Account: seats(40)}})
		progress, need := step.Missing(step.Count(w, &Moment{Account: seats(40)}, false))
		assert.InDelta(t, c.progress, progress, 1e-3, c.step)
		assert.Equal(t, c.need, need)
	}
	_, need := stepOf(t, "{id: a, kind: ratio, event: x, of: quantity, to: 70, at_least: 0.8}").Missing(0)
	assert.Equal(t, "quantity of x is at 0 % of 70, 80 % are needed", need)
}

func TestRatiosKeepWhatTheirDocSays(t *testing.T) {
	const step = "{id: a, kind: ratio, event: x, of: quantity, at_least: 9, to: "
	const one, half = "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00\x00\x00\x00\x00\x00\xe0\x3f"
	for text, work := range map[string]string{
		step + "2}":                                     "\x01\x04" + one,
		step + "properties.limit}":                      "\x01\x04" + half,
		step + "2, live: true}":                         "\x02\x02" + one + "\x01" + one,
		step + "2, adds: true}":                         "\x00\x00\x00\x00\x00\x00\x00\x00\x40",
		step + "2, adds: true, within: 7d}":             "\x00\x00\x00\x00\x00\x00\x00\x00\x40",
		step + "account.seats, within: 1m, adds: true}": "\x00\x00\x00\x00\x00\x00\x00\x00\x40",
	} {
		step, w := stepOf(t, text), Work{}
		for at := range int64(2) {
			ev := usedAt(0, 1, 2)
			ev.OccurredAt = at + 1
			step.Update(&w, &Input{Event: &ev, Moment: Moment{Account: seats(5)}})
		}
		assert.Equal(t, work, string(w), text)
	}
}

func TestMalformedRatiosAreNotValid(t *testing.T) {
	const step = "{id: a, kind: ratio, event: x, of: quantity, at_least: 9, to: "
	const one, none = "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00\x00\x00\x00\x00\x00\x00\x00"
	for text, sets := range map[string][]string{
		step + "2}": {"\x00", "\x01", "\x01\x04", "\x01\x04" + one + "x", "\x02\x04" + one + "\x01" + one,
			"\x01\x84\x00" + one, "\x01\x04\x00\x00\x00\x00\x00\x00\xf8\x7f", "\x01\x04\x00\x00\x00\x00\x00\x00\x00\x80"},
		step + "2, live: true}": {"\x09" + strings.Repeat("\x01"+one, 9), "\x02\x04" + one + "\x00" + one, "\x02\x04" + one,
			"\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + one + "\x01" + one},
		step + "2, adds: true}":             {"\x00", "\x00" + none, "\x02" + one, "\x00" + one + "\x02" + one, "\x80\x00" + one},
		step + "2, adds: true, within: 7d}": {"\x00" + none, "\x00" + one + "\x00" + one},
	} {
		for _, set := range sets {
			assert.False(t, stepOf(t, text).Valid(Work(set)), "%s: %q", text, set)
		}
		assert.True(t, stepOf(t, text).Valid(nil))
	}
}

// TestRatiosReachTheirBounds makes working sets as large as they get.
func TestRatiosReachTheirBounds(t *testing.T) {
	const step = "{id: a, kind: ratio, event: x, of: quantity, at_least: 1000, to: "
	far := []int64{math.MinInt64}
	for i := range int64(maxLevels - 2) {
		far = append(far, math.MinInt64+(i+1)<<57)
	}
	far = append(far, math.MaxInt64)
	for _, text := range []string{"1e15}", "1e15, live: true}"} {
		step, w := stepOf(t, step+text), Work{}
		for _, at := range far[max(0, len(far)-8):] {
			step.Update(&w, &Input{Event: &usage.Event{OccurredAt: at, Quantity: 1}, Moment: Moment{Watermark: math.MinInt64}})
		}
		assert.Equal(t, step.rule.traits().bound, workBound+len(w), text)
		assert.True(t, step.Valid(w))
	}
	added, w := stepOf(t, step+"account.seats, adds: true, within: 7d, live: true}"), Work{}
	for day := range int64(100) {
		ev := usedAt((1_000_000+day)*24, 1, 1e15)
		added.Update(&w, &Input{Event: &ev, Moment: Moment{Account: seats(5)}})
	}
	assert.Equal(t, 37*9+3-1, len(w), "37 buckets, of which the first is 3 bytes")
	assert.Less(t, workBound+len(w), added.rule.traits().bound)
}

func TestWrongRatios(t *testing.T) {
	for step, want := range map[string]string{
		"of: quantity, at_least: 1":                     "steps[0].to: is missing",
		"of: quantity, at_least: 1, to: limit":          `steps[0].to: "limit" is neither properties.NAME nor account.NAME nor a number`,
		"of: quantity, at_least: 1, to: properties.":    `steps[0].to: "properties." is neither properties.NAME nor account.NAME nor a number`,
		"of: quantity, at_least: 1, to: 0":              "steps[0].to: 0 is not above 0 and at most 1e+15",
		"of: quantity, at_least: 1, to: NaN":            "steps[0].to: NaN is not above 0 and at most 1e+15",
		"of: quantity, at_least: 1, to: account.nobody": `steps[0].to: there is no account property "nobody"`,
		"of: quantity, at_least: 1, to: account.name":   "steps[0].to: account.name is neither a long nor a double",
		"of: quantity, at_least: 1, to: properties.limit, adds: true": "steps[0].to: amounts that add up need a limit that stands " +
			"for all of them: declare it as an account property, and write account.NAME",
		"of: user_id, at_least: 1, to: 5":                             `steps[0].of: "user_id" is neither quantity nor properties.NAME`,
		"of: quantity, at_least: 1001, to: 5":                         "steps[0].at_least: 1001 is not above 0 and at most 1000",
		"of: quantity, at_least: 1, to: 5, within: 7d":                "steps[0].within: needs adds: a level holds until the next one, however long that takes",
		"of: quantity, at_least: 1, to: 5, adds: true, live: true":    "steps[0].live: needs within: what is counted over the whole life never becomes less",
		"of: quantity, at_least: 1, to: 5, adds: true, within: 900d":  "steps[0].within: 900d is not from 1 to 366 days, hours or minutes",
		"of: quantity, at_least: 1, to: 5, adds: true, half_life: 7d": "steps[0].half_life: a step of kind ratio has no such field",
	} {
		_, err := compiled("version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\n" +
			"properties: [{name: name, type: string, from: [{event: y}]}]\nsteps:\n  - {id: a, kind: ratio, event: x, " + step + "}")
		assert.EqualError(t, err, want)
	}
}
