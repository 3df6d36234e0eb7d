package checklist

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// trialText is a definition with a trial and steps.
func trialText(head, steps string) string {
	return "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\n" + head + "\nsteps: [" + steps + "]"
}

func trialOf(t testing.TB, head, fields string) *Step {
	c, err := compiled(trialText(head, "{id: a, kind: trial, "+fields+"}"))
	require.NoError(t, err)
	return &c.Steps()[0]
}

const (
	twoWeeks = "trial: {days: 14, starts: {event: trial_started}, ends: {event: [cancelled, bought]}}"

	starts, ends = 0, 1 // the roles of a trial's step
)

func TestTrialDaysAreThoseOfTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	local := func(month time.Month, day, hour int) int64 {
		return time.Date(2026, month, day, hour, 0, 0, 0, berlin).UnixMilli()
	}
	const hour = 3_600_000
	for name, c := range map[string]struct {
		zone, fields string
		start, due   int64
	}{
		"clocks go forward":     {"Europe/Berlin", "finished: true", local(3, 20, 10), local(3, 20, 10) + 13*dayMillis + 23*hour},
		"the local time is met": {"Europe/Berlin", "finished: true", local(3, 20, 10), local(4, 3, 10)},
		"clocks go back":        {"Europe/Berlin", "finished: true", local(10, 20, 10), local(10, 20, 10) + 14*dayMillis + hour},
		"before the change":     {"Europe/Berlin", "day: 7", local(3, 20, 10), local(3, 20, 10) + 7*dayMillis},
		"after the change":      {"Europe/Berlin", "day: 9", local(3, 20, 10), local(3, 29, 10)},
		"universal time":        {"UTC", "finished: true", local(3, 20, 10), local(3, 20, 10) + 14*dayMillis},
		"the first day":         {"UTC", "day: 1", local(3, 20, 10), local(3, 20, 10) + dayMillis},
	} {
		step, w := trialOf(t, "zone: '"+c.zone+"'\n"+twoWeeks, c.fields), Work{}
		_, done := feed(step, &w, starts, &usage.Event{OccurredAt: c.start}, Moment{Watermark: math.MinInt64})
		assert.False(t, done)
		done, next := judge(step, w, c.due-1)
		assert.Equal(t, []any{false, c.due}, []any{done, next}, name)
		done, next = judge(step, w, c.due)
		assert.Equal(t, []any{true, int64(Never)}, []any{done, next}, name)
	}
}

func TestTrialInAnyOrder(t *testing.T) {
	const d, never = dayMillis, -1
	for name, c := range map[string]struct {
		fields   string
		arrivals []arrival
		done     int   // the arrival that finishes it
		due      int64 // otherwise when time does
	}{
		"not begun":                     {"finished: true", nil, never, never},
		"the earliest counts":           {"finished: true", []arrival{{starts, 5 * d}, {starts, 0}, {starts, 2 * d}}, never, 14 * d},
		"it is ended":                   {"finished: true", []arrival{{starts, 0}, {ends, 3 * d}}, 1, 0},
		"it is ended as it begins":      {"finished: true", []arrival{{starts, 0}, {ends, 0}}, 1, 0},
		"the end arrives first":         {"finished: true", []arrival{{ends, 3 * d}, {starts, 0}}, 1, 0},
		"an end before the start":       {"finished: true", []arrival{{ends, 0}, {starts, 1}}, never, 14*d + 1},
		"an end before, and an earlier": {"finished: true", []arrival{{ends, 5}, {starts, 6}, {starts, 5}}, 2, 0},
		"the latest end counts":         {"finished: true", []arrival{{ends, 5}, {ends, 9}, {ends, 1}, {starts, 8}}, 3, 0},
		"only an end":                   {"finished: true", []arrival{{ends, 5}}, never, never},
		"a day":                         {"day: 7", []arrival{{starts, d}, {starts, 0}}, never, 7 * d},
		"the last day":                  {"day: 14", []arrival{{starts, 0}}, never, 14 * d},
	} {
		step, w := trialOf(t, twoWeeks, c.fields), Work{}
		assert.Equal(t, c.done, arrive(step, &w, c.arrivals), name)
		assert.True(t, step.Valid(w), name)
		if c.done >= 0 {
			continue
		}
		done, next := judge(step, w, math.MinInt64)
		assert.False(t, done, name)
		if c.due == never {
			assert.Equal(t, int64(Never), next, name)
		} else {
			assert.Equal(t, testTime+c.due, next, name)
		}
	}
}

// TestTrialDayIsNotEnded by what an end left behind, when the definition said finished before.
func TestTrialDayIsNotEnded(t *testing.T) {
	w := Work{}
	arrive(trialOf(t, twoWeeks, "finished: true"), &w, []arrival{{ends, 5}, {starts, 0}})
	step := trialOf(t, twoWeeks, "day: 7")
	require.True(t, step.Valid(w))
	done, next := judge(step, w, testTime)
	assert.False(t, done)
	assert.Equal(t, int64(testTime+7*dayMillis), next)
}

func TestTrialListens(t *testing.T) {
	roles := func(head, fields string) map[string][]Listen {
		c, err := compiled(trialText(head, "{id: a, kind: trial, "+fields+"}"))
		require.NoError(t, err)
		assert.True(t, c.Timed())
		out := map[string][]Listen{}
		for _, event := range []string{"trial_started", "cancelled", "bought", "signed_up"} {
			if l := c.Listener(event); l != nil && l.Steps != nil {
				out[event] = l.Steps
			}
		}
		return out
	}
	start, end := []Listen{{Role: starts}}, []Listen{{Role: ends}}
	assert.Equal(t, map[string][]Listen{"trial_started": start, "cancelled": end, "bought": end}, roles(twoWeeks, "finished: true"))
	assert.Equal(t, map[string][]Listen{"trial_started": start}, roles(twoWeeks, "day: 7"), "only the days count")
	assert.Equal(t, map[string][]Listen{"signed_up": start}, roles("signup: {event: signed_up}\ntrial: {days: 7}", "finished: true"))

	c, err := compiled(trialText(twoWeeks, "{id: a, kind: event, event: x}"))
	require.NoError(t, err)
	assert.False(t, c.Listens("trial_started"), "no step asks")

	step := trialOf(t, "trial: {days: 7, starts: {event: s, where: 'properties.plan == \"pro\"'}}", "finished: true")
	plan := func(name string) *usage.Event {
		return &usage.Event{Properties: []usage.Property{{Key: "plan", Value: usage.StringValue(name)}}}
	}
	assert.True(t, step.Accepts(starts, plan("pro"), nil))
	assert.False(t, step.Accepts(starts, plan("free"), nil))
}

func TestTrialMeaning(t *testing.T) {
	hash := func(head, fields string) string {
		c, err := compiled(trialText(head, "{id: a, kind: trial, "+fields+"}"))
		require.NoError(t, err)
		return c.Hash()
	}
	const plain = "trial: {days: 14, starts: {event: s}}"
	assert.Equal(t, hash(plain, "day: 14"), hash(plain, "finished: true"), "the same without ends")
	assert.Equal(t, hash(plain, "day: 7"), hash(strings.Replace(plain, "14", "15", 1), "day: 7"), "the length does not matter to a day")
	seen := map[string]string{}
	for _, head := range []string{plain, strings.Replace(plain, "14", "15", 1), strings.Replace(plain, "event: s", "event: z", 1),
		strings.Replace(plain, "s}", "s}, ends: {event: e}", 1), "zone: Europe/Berlin\n" + plain} {
		h := hash(head, "finished: true")
		assert.Empty(t, seen[h], head)
		seen[h] = head
	}
}

func TestTrialSaysWhatIsMissing(t *testing.T) {
	for fields, want := range map[string][]string{
		"finished: true": {"0 trial_started, then 14 days, or cancelled or bought", "0.5 14 days after trial_started, or cancelled or bought"},
		"day: 1":         {"0 trial_started, then 1 day", "0.5 1 day after trial_started"},
	} {
		step, w := trialOf(t, twoWeeks, fields), Work{}
		for _, text := range want {
			progress, need := step.Missing(step.Count(w, &Moment{}, false))
			assert.Equal(t, text, fmt.Sprint(progress, " ", need))
			arrive(step, &w, []arrival{{starts, 0}})
		}
		assert.Equal(t, 2.0, step.Count(w, &Moment{}, true))
		assert.False(t, step.Credits())
	}
}

func TestTrialKeepsWhatItSays(t *testing.T) {
	step := trialOf(t, twoWeeks, "finished: true")
	for set, events := range map[string][]arrival{
		"":                 nil,
		"\x01\x02":         {{starts, 1}},
		"\x01\x01":         {{starts, 1}, {starts, -1}},
		"\x02\x80\x02":     {{ends, 128}, {ends, 1}},
		"\x03\x80\x02\x03": {{starts, 128}, {ends, -2}},
		"\x03\x04\x80\x02": {{starts, 2}, {ends, 128}},
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x3f": {{starts, math.MinInt64 + testTime}},
	} {
		w := Work{}
		for i := range events {
			events[i].at -= testTime
		}
		arrive(step, &w, events)
		assert.Equal(t, set, string(w), events)
		assert.True(t, step.Valid(w))
	}
	for _, set := range []string{"\x00", "\x04\x02", "\x01", "\x01\x80", "\x01\x80\x00", "\x01\x02\x02", "\x02", "\x03\x02", "\x03\x02\x02\x02",
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		assert.False(t, step.Valid(Work(set)), "%q", set)
	}
	w, bound := Work{}, step.rule.traits().bound
	arrive(step, &w, []arrival{{starts, math.MaxInt64 - testTime}, {ends, math.MinInt64 + testTime}})
	assert.Equal(t, bound, workBound+len(w))
}

func TestTrialIsChecked(t *testing.T) {
	for _, c := range []struct{ head, fields, want string }{
		{"", "day: 3", "steps[0].kind: needs trial at the top"},
		{"trial: {days: 7}", "day: 3", "trial.starts: is missing, and there is no signup that it could begin with"},
		{"trial: {days: 0, starts: {event: x}}", "day: 1", "trial.days: 0 is not from 1 to 366"},
		{"trial: {days: 367, starts: {event: x}}", "day: 1", "trial.days: 367 is not from 1 to 366"},
		{"trial: {days: 7, starts: {where: 'true'}, ends: {event: '*', where: '1'}}", "day: 3}, {id: b, kind: trial, finished: true",
			"trial.starts.event: is missing\ntrial.ends.where: is a int, not a condition\n" +
				"trial.ends.event: * stands for any event only in `from` of properties: name the events"},
		{"trial: {days: 7}\nsignup: {event: ''}", "day: 3", `signup.event: "" is not an event's name of 1 to 256 bytes`},
		{twoWeeks, "weight: 1", "steps[0].day: is missing: give it, or finished"},
		{twoWeeks, "day: 3, finished: true", "steps[0].finished: does not go together with day: give one of them"},
		{twoWeeks, "day: 0", "steps[0].day: 0 is not from 1 to 366"},
		{twoWeeks, "day: 400", "steps[0].day: 400 is not from 1 to 366"},
		{twoWeeks, "day: 15", "steps[0].day: the trial has only 14 days"},
		{twoWeeks, "day: 3, live: true", "steps[0].live: a step of kind trial has no such field"},
	} {
		_, err := compiled(trialText(c.head, "{id: a, kind: trial, "+c.fields+"}"))
		assert.EqualError(t, err, c.want)
	}
	_, err := compiled(trialText("trial: {days: 0, starts: {event: x}}", "{id: a, kind: event, event: x}"))
	assert.EqualError(t, err, "trial.days: 0 is not from 1 to 366", "also when no step asks")
}
