package checklist

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// stepOf compiles one step.
func stepOf(t testing.TB, text string) *Step { return stepIn(t, "", text) }

// stepIn compiles one step of a checklist with a time zone.
func stepIn(t testing.TB, zone, text string) *Step {
	t.Helper()
	rest := ""
	for _, id := range others {
		if !strings.Contains(text, "id: "+id) {
			rest += "\n  - {id: " + id + ", kind: event, event: " + id + "}"
		}
	}
	c, err := compiled("version: 1\nname: one\nzone: '" + zone + "'\ntiers: [{name: all, threshold: 1}]\nsignup: {event: signed_up}\ntrial: {days: 14, ends: {event: z}}\n" +
		"properties: [{name: seats, type: long, from: [{event: signed_up}]}]\nsteps:\n  - " + text + rest)
	require.NoError(t, err, text)
	return &c.Steps()[0]
}

// others are steps that examples of steps over steps name.
var others = []string{"saw_premium", "asked_support", "first_project", "invited_team"}

// update folds an event into a step's working set as it comes, at the watermark that it moves.
func update(step *Step, w *Work, ev *usage.Event) (changed, done bool) {
	return step.Update(w, &Input{Event: ev, Moment: Moment{Watermark: ev.OccurredAt - 300_000}})
}

// script folds events, one a word, each a day with what the kind needs, and returns the word at which the step was
// done, -1 when it never was.
func script(step *Step, events []usage.Event) int {
	w := &Work{}
	for i := range events {
		if !step.Accepts(0, &events[i], nil) {
			continue
		}
		if _, done := update(step, w, &events[i]); done {
			return i
		}
	}
	return -1
}

func onDays(days ...int64) (events []usage.Event) {
	for _, d := range days {
		events = append(events, usage.Event{OccurredAt: (20_000 + d) * dayMillis})
	}
	return events
}

func ofUsers(users ...string) (events []usage.Event) {
	for _, u := range users {
		events = append(events, usage.Event{UserID: u, Properties: []usage.Property{{Key: "p", Value: usage.StringValue(u)}}})
	}
	return events
}

func ofQuantities(quantities ...float64) (events []usage.Event) {
	for _, q := range quantities {
		events = append(events, usage.Event{Quantity: q,
			Properties: []usage.Property{{Key: "p", Value: usage.StringValue(fmt.Sprint(q))}, {Key: "n", Value: usage.DoubleValue(q)}}})
	}
	return events
}

// byUsers makes events of users, each a letter, on days.
func byUsers(users ...string) (events []usage.Event) {
	for _, u := range users {
		day, _ := strconv.ParseInt(u[1:], 10, 64)
		events = append(events, usage.Event{UserID: u[:1], OccurredAt: (20_000 + day) * dayMillis})
	}
	return events
}

// amountsOn makes events of a quantity and a day each.
func amountsOn(each ...float64) (events []usage.Event) {
	for ; len(each) > 0; each = each[2:] {
		events = append(events, usage.Event{Quantity: each[0], OccurredAt: (20_000 + int64(each[1])) * dayMillis})
	}
	return events
}

func TestKinds(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		step   string
		events []usage.Event
		done   int
	}{
		{"{id: a, kind: event, event: x}", onDays(0), 0},
		{"{id: a, kind: event, event: x, where: 'quantity > 2.0'}", ofQuantities(1, 2, 3, 4), 2},

		{"{id: a, kind: count, event: x, at_least: 3}", onDays(0, 0), -1},
		{"{id: a, kind: count, event: x, at_least: 3}", onDays(0, 500, 0), 2},
		{"{id: a, kind: count, event: x, at_least: 1}", onDays(0), 0},
		{"{id: a, kind: count, event: x, at_least: 3, within: 7d}", onDays(0, 3, 6), 2},
		{"{id: a, kind: count, event: x, at_least: 3, within: 7d}", onDays(0, 3, 7), -1},
		{"{id: a, kind: count, event: x, at_least: 3, within: 7d}", onDays(6, 0, 3), 2},
		{"{id: a, kind: count, event: x, at_least: 3, within: 7d}", onDays(0, 9, 3, 6), 3},
		{"{id: a, kind: count, event: x, at_least: 3, within: 1d}", onDays(0, 1, 0, 1, 0), 4},
		{"{id: a, kind: count, event: x, at_least: 2, within: 7d}", onDays(40, 10, 4), 2},
		{"{id: a, kind: count, event: x, at_least: 2, within: 7d}", onDays(40, 3, 3), -1}, // over 30 days late
		{"{id: a, kind: count, event: x, at_least: 2, within: 7d}", onDays(0, 36, 6), 2},  // just 30
		{"{id: a, kind: count, event: x, at_least: 2, within: 1d}", onDays(-20_001, -20_002, -20_001), 2},

		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 3}", ofUsers("a", "b", "a", "b"), -1},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 3}", ofUsers("b", "", "a", "a", "b", "c"), 5},
		{"{id: a, kind: distinct, event: x, of: properties.p, at_least: 2}", ofUsers(long+"a", long+"a", long+"b"), 2},
		{"{id: a, kind: distinct, event: x, of: properties.q, at_least: 1}", ofUsers("a", "b"), -1},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 7d}", byUsers("a0", "a6", "b13", "b14"), -1},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 7d}", byUsers("a0", "b7", "c6"), 2},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 3, within: 7d}", byUsers("a0", "b6", "c12", "b0", "c6"), 4},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 3, within: 7d}", byUsers("c12", "b9", "a3", "a5", "a6"), 4},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 1, within: 1d}", byUsers("a40", "b0"), 0},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 7d}", byUsers("a40", "b0", "c0"), -1}, // over 7 days late
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 7d}", byUsers("a0", "b13", "c6"), 2},  // just 7
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 366d}", byUsers("a0", "b365"), 1},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 366d}", byUsers("b366", "a0", "a1"), 2},

		{"{id: a, kind: days, event: x, at_least: 3}", onDays(0, 0, 900, 900), -1},
		{"{id: a, kind: days, event: x, at_least: 3}", onDays(0, 900, 0, 13), 3},
		{"{id: a, kind: days, event: x, at_least: 3, within: 7d}", onDays(0, 0, 0, 6), -1},
		{"{id: a, kind: days, event: x, at_least: 3, within: 7d}", onDays(0, 3, 6), 2},
		{"{id: a, kind: days, event: x, at_least: 3, within: 7d}", onDays(0, 3, 7, 9), 3},
		{"{id: a, kind: days, event: x, at_least: 3, within: 7d}", onDays(9, 7, 0, 3), 3},
		{"{id: a, kind: days, event: x, at_least: 3, within: 3d}", onDays(0, 1, 3, 4), -1},

		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10}", ofQuantities(4, 5.75), -1},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10}", ofQuantities(4, -4, 0, math.NaN(), 5.75, 0.25), 5},
		{"{id: a, kind: sum, event: x, of: properties.p, at_least: 10}", ofQuantities(4, 6), 1},
		{"{id: a, kind: sum, event: x, of: properties.n, at_least: 0.5}", ofQuantities(0.25, 0.25), 1},
		{"{id: a, kind: sum, event: x, of: properties.m, at_least: 0.5}", ofQuantities(1, 1), -1},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 0.3}", ofQuantities(0.1, 0.1, 0.1), 2},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10}", ofQuantities(9.9999), -1},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10, within: 7d}", amountsOn(1e300, 0, 9, 8, 1, 14), 0},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10, within: 7d}", amountsOn(9, 0, 9, 7, 0.5, 1, 0.25, 7, 0.25, 6), 4},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10, within: 7d}", amountsOn(4, 0, 4, 8, -4, 3, 2, 13, 5, 14), 4},
	} {
		assert.Equal(t, c.done, script(stepOf(t, c.step), c.events), "%s: %+v", c.step, c.events)
	}
}

func TestMissingSaysWhat(t *testing.T) {
	for _, c := range []struct {
		step     string
		events   []usage.Event
		progress float64
		need     string
	}{
		{"{id: a, kind: event, event: [x, y]}", nil, 0, "no x or y yet"},
		{"{id: a, kind: count, event: x, at_least: 4}", nil, 0, "4 more x (0 of 4)"},
		{"{id: a, kind: count, event: x, at_least: 4}", onDays(1), 0.25, "3 more x (1 of 4)"},
		{"{id: a, kind: count, event: x, at_least: 4, within: 7d}", onDays(0, 1, 8), 0.25, "3 more x within 7 days (1 of 4)"},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 4}", ofUsers("a", "b"), 0.5, "2 more users with x (2 of 4)"},
		{"{id: a, kind: distinct, event: x, of: properties.p, at_least: 4}", ofUsers("a", "b"), 0.5, "2 more values of properties.p with x (2 of 4)"},
		{"{id: a, kind: days, event: x, at_least: 4}", onDays(1, 2, 9), 0.75, "1 more day with x (3 of 4)"},
		{"{id: a, kind: days, event: x, at_least: 4, within: 7d}", onDays(1, 2, 9), 0.25, "3 more days with x within 7 days (1 of 4)"},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 4, within: 7d}", byUsers("a0", "b5", "c8"), 0.5, "2 more users with x within 7 days (2 of 4)"},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10, within: 36h}", amountsOn(6, 0, 2.5, 1, 5, 2), 0.75, "2.5 more of x within 36 hours (7.5 of 10)"},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10}", ofQuantities(2.5), 0.25, "7.5 more of x (2.5 of 10)"},
	} {
		step, w := stepOf(t, c.step), &Work{}
		for i := range c.events {
			update(step, w, &c.events[i])
		}
		progress, need := step.Missing(step.Count(*w, &Moment{}, false))
		assert.Equal(t, c.progress, progress, c.step)
		assert.Equal(t, c.need, need, c.step)
		if c.events == nil {
			_, need = step.Missing(0)
			assert.Equal(t, c.need, need)
		}
	}
}

// What has left its window, or decayed, is missing again, as time passes.
func TestMissingIsAsOfAMoment(t *testing.T) {
	for _, c := range []struct {
		step   string
		events []usage.Event
		needs  map[int64]string // by day
	}{
		{"{id: a, kind: count, event: x, at_least: 4, within: 7d}", onDays(0, 1, 1), map[int64]string{
			6: "1 more x within 7 days (3 of 4)", 7: "2 more x within 7 days (2 of 4)", 8: "4 more x within 7 days (0 of 4)"}},
		{"{id: a, kind: days, event: x, at_least: 4, within: 7d}", onDays(0, 1, 2), map[int64]string{
			-9: "1 more day with x within 7 days (3 of 4)", 8: "3 more days with x within 7 days (1 of 4)", 900: "4 more days with x within 7 days (0 of 4)"}},
		{"{id: a, kind: days, event: x, at_least: 4}", onDays(0, 1, 2), map[int64]string{900: "1 more day with x (3 of 4)"}},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 4, within: 7d}", byUsers("a0", "b1", "a2"), map[int64]string{
			7: "2 more users with x within 7 days (2 of 4)", 8: "3 more users with x within 7 days (1 of 4)", 9: "4 more users with x within 7 days (0 of 4)"}},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 10, within: 7d}", amountsOn(6, 0, 2.5, 1), map[int64]string{
			6: "1.5 more of x within 7 days (8.5 of 10)", 7: "7.5 more of x within 7 days (2.5 of 10)"}},
		{"{id: a, kind: ratio, event: x, of: quantity, to: 100, at_least: 0.8, adds: true, within: 7d}", amountsOn(60, 0, 5, 1), map[int64]string{
			6: "quantity of x within 7 days is at 65 % of 100, 80 % are needed", 7: "quantity of x within 7 days is at 5 % of 100, 80 % are needed"}},
		{"{id: a, kind: score, points: [{event: x, points: 8}], half_life: 2d, at_least: 10}", onDays(0), map[int64]string{
			0: "2 more points (8 of 10)", 4: "8 more points (2 of 10)"}},
	} {
		step, w := stepOf(t, c.step), &Work{}
		for i := range c.events {
			update(step, w, &c.events[i])
		}
		for day, want := range c.needs {
			_, need := step.Missing(step.Count(*w, &Moment{Watermark: (20_000 + day) * dayMillis}, false))
			assert.Equal(t, want, need, "%s, day %d", c.step, day)
		}
	}
}

func TestMissingHidesWhatSumsLose(t *testing.T) {
	for have, want := range map[float64]string{
		0.1 + 0.2:    "99.7 more of x (0.3 of 100)",
		99.9:         "0.1 more of x (99.9 of 100)",
		99.99999:     "0.00001 more of x (99.9999 of 100)",
		99.999999:    "0.000001 more of x (99.9999 of 100)",
		1.0 / 3:      "99.6667 more of x (0.333333 of 100)",
		12.345678901: "87.6543 more of x (12.3456 of 100)",
	} {
		_, need := stepOf(t, "{id: a, kind: sum, event: x, of: quantity, at_least: 100}").Missing(have)
		assert.Equal(t, want, need)
	}
	_, need := stepOf(t, "{id: a, kind: sum, event: x, of: quantity, at_least: 1000000000}").Missing(999_999_997)
	assert.Equal(t, "3 more of x (999999997 of 1000000000)", need)
	_, need = stepOf(t, "{id: a, kind: ratio, event: x, of: quantity, to: 1000, at_least: 0.8}").Missing((300 + 300 + 199.9) / 1000)
	assert.Equal(t, "quantity of x is at 79.99 % of 1000, 80 % are needed", need)
}

func TestWorkingSetsAreWhatTheirKindSays(t *testing.T) {
	for _, c := range []struct {
		step   string
		events []usage.Event
		work   string
	}{
		{"{id: a, kind: count, event: x, at_least: 900}", make([]usage.Event, 300), "\xac\x02"},
		{"{id: a, kind: count, event: x, at_least: 9, within: 7d}", onDays(3, 0, 3), "\xc6\xb8\x02\x02\x03\x01"},
		{"{id: a, kind: days, event: x, at_least: 9}", onDays(3, 0, 3, 2), "\xc6\xb8\x02\x01\x02"},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 9}", ofUsers("m", "ab", "z", "a", "m"), "\x01a\x02ab\x01m\x01z"},
		{"{id: a, kind: distinct, event: x, of: user_id, at_least: 9, within: 7d}", byUsers("c0", "a1", "c12", "a12", "b3", "a2"),
			"\xd8\xb8\x02\x01a\x02\x01\x0c\x01b\x02\x00\x02\x01c\x02\x01\x10"},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 9, within: 7d}", amountsOn(1.5, 3, 2, 0),
			"\xc6\xb8\x02\x00\x00\x00\x00\x00\x00\xf8\x3f\x03\x00\x00\x00\x00\x00\x00\x00\x40"},
		{"{id: a, kind: sum, event: x, of: quantity, at_least: 9}", ofQuantities(1.5), "\x00\x00\x00\x00\x00\x00\xf8\x3f"},
	} {
		step, w := stepOf(t, c.step), Work{}
		for i := range c.events {
			update(step, &w, &c.events[i])
		}
		assert.Equal(t, c.work, string(w), c.step)
	}
}

func TestMalformedWorkingSetsAreNotValid(t *testing.T) {
	for step, sets := range map[string][]string{
		"{id: a, kind: event, event: x}":                {"\x00"},
		"{id: a, kind: count, event: x, at_least: 900}": {"\x80", "\x01\x01", "\x00", "\x81\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		"{id: a, kind: count, event: x, at_least: 9, within: 7d}": {"\x02", "\x02\x00", "\x02\x01\x00\x01", "\x02\x01\x01\x00",
			"\x82\x00\x01", "\x02\x81\x00", "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		"{id: a, kind: days, event: x, at_least: 9}": {"\x80", "\x02\x00", "\xff\xff\xff\xff\x7f", "\x82\x00",
			"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 9}": {"\x00", "\x02a", "\x01b\x01a", "\x01a\x01a", "\x48" + strings.Repeat("a", 72)},
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 9, within: 7d}": {"\x02", "\x82\x00\x01a\x01\x01", "\x02\x00\x01\x01", "\x02\x01a",
			"\x02\x01a\x00", "\x02\x01a\x01", "\x02\x01a\x01\x00", "\x02\x01a\x02\x01\x00", "\x02\x01a\x01\x02", "\x02\x01b\x01\x01\x01a\x01\x01",
			"\x02\x01a\x01\x01\x01a\x01\x01", "\x02\x01a\x01\x01\x01", "\x02\x48" + strings.Repeat("a", 72) + "\x01\x01",
			"\x02\x01a\x3e" + strings.Repeat("\x01", 62), "\xff\xff\xff\xff\x7f\x01a\x01\x01"},
		"{id: a, kind: sum, event: x, of: quantity, at_least: 9, within: 7d}": {"\x02", "\x02\x00\x00\x00\x00\x00\x00\xf8", "\x02\x00\x00\x00\x00\x00\x00\xf8\xbf",
			"\x02\x00\x00\x00\x00\x00\x00\xf0\x7f", "\x02\x00\x00\x00\x00\x00\x00\xf8\x3f\x00\x00\x00\x00\x00\x00\x00\xf8\x3f"},
		"{id: a, kind: sum, event: x, of: quantity, at_least: 9}": {"\x00", "\x00\x00\x00\x00\x00\x00\xf8\xbf", "\x00\x00\x00\x00\x00\x00\xf8\x7f",
			"\x00\x00\x00\x00\x00\x00\xf0\x7f"},
		"{id: a, kind: days, event: x, at_least: 3, within: 7d}":           {"\x02\x00"},
		"{id: a, kind: distinct, event: x, of: properties.p, at_least: 9}": {"\x05abcd"},
	} {
		for _, set := range sets {
			assert.False(t, stepOf(t, step).Valid(Work(set)), "%s: %q", step, set)
		}
		assert.True(t, stepOf(t, step).Valid(nil))
	}
}
