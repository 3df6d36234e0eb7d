package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// came and began are the roles of an absent step.
const came, began = 0, 1

func absentFor(t testing.TB, length string, live bool) *Step {
	return stepOf(t, fmt.Sprintf("{id: a, kind: absent, event: x, after: {event: y}, for: %s, live: %v}", length, live))
}

// due is when an absent step will be done if nothing comes, in test time: -1 if never.
func due(t testing.TB, step *Step, w Work) int64 {
	t.Helper()
	done, next := judge(step, w, math.MinInt64)
	require.False(t, done)
	if next == Never {
		return -1
	}
	for watermark, want := range map[int64]bool{next - 1: false, next: true, next + 1000*dayMillis: true} {
		done, again := judge(step, w, watermark)
		require.Equal(t, want, done)
		require.Equal(t, map[bool]int64{false: next, true: Never}[done], again)
	}
	return next - testTime
}

func TestAbsent(t *testing.T) {
	const d = dayMillis
	for name, c := range map[string]struct {
		arrivals  []arrival
		due, live int64
	}{
		"nothing to come after":             {[]arrival{{came, 0}}, -1, -1},
		"nothing comes":                     {[]arrival{{began, 0}}, 14 * d, 14 * d},
		"it comes":                          {[]arrival{{began, 0}, {came, 1}}, -1, -1},
		"it comes just before the end":      {[]arrival{{began, 0}, {came, 14*d - 1}}, -1, -1},
		"it comes at the very end":          {[]arrival{{began, 0}, {came, 14 * d}}, 14 * d, -1},
		"it comes at the same time":         {[]arrival{{began, 0}, {came, 0}}, 14 * d, 14 * d},
		"it came at the same time":          {[]arrival{{came, 0}, {began, 0}}, 14 * d, 14 * d},
		"it came before":                    {[]arrival{{came, 0}, {began, 1}}, 14*d + 1, 14*d + 1},
		"it comes, and the time anew":       {[]arrival{{began, 0}, {came, d}, {began, 2 * d}}, 16 * d, 16 * d},
		"the oldest counts":                 {[]arrival{{began, d}, {began, 0}, {began, 3 * d}}, 14 * d, 14 * d},
		"one of several is left":            {[]arrival{{began, 0}, {began, d}, {came, d}}, 15 * d, 15 * d},
		"it is late":                        {[]arrival{{began, 0}, {began, d}, {began, 3 * d}, {came, 2 * d}}, 17 * d, 17 * d},
		"the after event is late":           {[]arrival{{came, d}, {began, d - 1}}, -1, -1},
		"the after event is late, but fit":  {[]arrival{{came, 0}, {came, d}, {came, 15*d + 2}, {began, 15*d + 2}, {began, 15*d + 1}}, 29*d + 2, 29*d + 2},
		"an after event as late as can be":  {[]arrival{{began, d}, {began, 0}}, 14 * d, 14 * d},
		"an after event too late":           {[]arrival{{began, d + 1}, {began, 0}}, 15*d + 1, 15*d + 1},
		"at the edge of what is remembered": {[]arrival{{began, 0}, {began, d}, {began, 2 * d}, {came, d}}, 15 * d, 15 * d},
		"between two that must not come":    {[]arrival{{came, 0}, {came, 14*d + 2}, {began, 14*d + 1}, {began, 14 * d}}, -1, -1},
		"a stretch of a day without any":    {[]arrival{{came, 20 * d}, {came, 34*d + 3}, {began, 33*d + 3}, {began, 34*d + 3}}, 48*d + 3, 48*d + 3},
	} {
		for live, want := range map[bool]int64{false: c.due, true: c.live} {
			step, w := absentFor(t, "14d", live), Work{}
			arrive(step, &w, c.arrivals)
			assert.Equal(t, want, due(t, step, w), "%s, live: %v", name, live)
			assert.True(t, step.Valid(w))
		}
	}
}

// TestAbsentIsUndone goes through the life of a live step.
func TestAbsentIsUndone(t *testing.T) {
	const d = dayMillis
	step, w := absentFor(t, "14d", true), Work{}
	now := func(days int64) bool {
		done, _ := judge(step, w, testTime+days*d)
		return done
	}
	arrive(step, &w, []arrival{{began, 0}})
	assert.False(t, now(13))
	assert.True(t, now(14))
	arrive(step, &w, []arrival{{began, 20 * d}})
	assert.True(t, now(20), "it stays done")
	_, done := feed(step, &w, came, &usage.Event{OccurredAt: testTime + 30*d}, Moment{Watermark: testTime + 30*d - 1})
	assert.False(t, done, "undone at once")
	assert.Equal(t, int64(-1), due(t, step, w))
	arrive(step, &w, []arrival{{began, 31 * d}})
	assert.False(t, now(44))
	assert.True(t, now(45))
}

// TestAbsentIsWhatTheEventsSay compares with the definition at every arrival: the oldest after event that is not followed.
func TestAbsentIsWhatTheEventsSay(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	pending, none := 0, 0
	for _, length := range []string{"1m", "10m", "2h", "20h", "3d"} {
		for _, live := range []bool{false, true} {
			step := absentFor(t, length, live)
			rule := step.rule.(*absentRule)
			for range 60 {
				var all []arrival
				newest, w, mean := int64(1<<40), Work{}, 1+max(rule.late/8, r.Int64N(2*rule.span))
				for range 80 {
					a := arrival{uint8(r.IntN(2)), newest + r.Int64N(mean)}
					if r.IntN(3) == 0 {
						a.at = newest - r.Int64N(rule.late+1)
					}
					newest, all = max(newest, a.at), append(all, a)
					arrive(step, &w, []arrival{a})
					want := oldestPending(all, rule.span, live)
					require.Equal(t, want, due(t, step, w), "%s: %v", length, all)
					require.True(t, step.Valid(w), "%s: %v", length, all)
					require.LessOrEqual(t, workBound+len(w), rule.traits().bound)
					if want < 0 {
						none++
						require.Zero(t, step.Count(w, &Moment{}, false))
					} else {
						pending++
						require.Equal(t, 1.0, step.Count(w, &Moment{}, false))
					}
				}
			}
		}
	}
	require.Greater(t, pending, 10_000)
	require.Greater(t, none, 10_000)
}

func oldestPending(all []arrival, span int64, live bool) (due int64) {
	due = -1
	for _, y := range all {
		alive := y.role == began && (due < 0 || y.at+span < due)
		for _, x := range all {
			alive = alive && !(x.role == came && x.at > y.at && (live || x.at < y.at+span))
		}
		if alive {
			due = y.at + span
		}
	}
	return due
}

func TestAbsentKeepsTheSameInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	steps := []*Step{absentFor(t, "2h", false), absentFor(t, "20h", false), absentFor(t, "2h", true), absentFor(t, "20h", true)}
	for i := range 4000 / effort {
		step := steps[i%len(steps)]
		var all []arrival
		for range r.IntN(40) {
			all = append(all, arrival{uint8(r.IntN(4) / 3 * r.IntN(2)), r.Int64N(dayMillis)})
		}
		for range r.IntN(30) {
			all = append(all, arrival{began, r.Int64N(dayMillis)})
		}
		first, again := Work{}, Work{}
		arrive(step, &first, all)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		arrive(step, &again, all)
		require.Equal(t, string(first), string(again))
	}
}

// TestAbsentAfterManyEvents has more after events than it keeps, some of what must not come being late: it is done as if the
// oldest that is left were up to 96 minutes later.
func TestAbsentAfterManyEvents(t *testing.T) {
	const minute = 60_000
	r := rand.New(rand.NewPCG(15, 16))
	inexact := 0
	for round := range 10 {
		step, w := absentFor(t, "14d", round%2 == 0), Work{}
		var all []arrival
		newest, every := int64(0), minute+r.Int64N(10*minute)
		for range 1000 {
			a := arrival{began, newest + r.Int64N(2*every)}
			if r.IntN(100) == 0 {
				a = arrival{came, newest - r.Int64N(60*minute)}
			}
			newest, all = max(newest, a.at), append(all, a)
			if arrive(step, &w, []arrival{a}); r.IntN(20) > 0 {
				continue
			}
			want, got := oldestPending(all, 14*dayMillis, round%2 == 0), due(t, step, w)
			require.Equal(t, want < 0, got < 0)
			require.GreaterOrEqual(t, got, want)
			require.LessOrEqual(t, got, want+96*minute)
			if got != want {
				inexact++
			}
		}
	}
	require.Positive(t, inexact, "nothing was left out")
}

// TestAbsentComesNearItsBound lets what must not come do so as often as it can without being one stretch, with after events
// between that remain.
func TestAbsentComesNearItsBound(t *testing.T) {
	most, bound := 0, 0
	for minutes := int64(80); minutes < 110; minutes++ {
		step := absentFor(t, fmt.Sprintf("%dm", minutes), false)
		bound = step.rule.traits().bound
		for gap := int64(3); gap < 3_000_000; gap = gap*5/4 + 1 {
			w := Work{}
			arrive(step, &w, []arrival{{began, -1 << 60}, {began, 0}})
			for i := range int64(40) {
				at := i * (minutes*60_000 + gap)
				arrive(step, &w, []arrival{{came, at}, {began, at}, {began, at + 1}, {began, at + gap/2 + 1}})
				most = max(most, workBound+len(w))
				require.True(t, step.Valid(w))
			}
		}
	}
	assert.LessOrEqual(t, most, bound)
	assert.Greater(t, most, bound*85/100)
}

// TestAbsentGoesOnWithAnotherLength when the definition changes.
func TestAbsentGoesOnWithAnotherLength(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	for _, live := range []bool{false, true} {
		var steps []*Step
		for _, length := range []string{"1m", "9m", "10m", "2h", "3d", "366d"} {
			steps = append(steps, absentFor(t, length, live))
		}
		w, at := Work{}, int64(0)
		for i := range 20_000 / effort {
			step := steps[r.IntN(1+i%len(steps))]
			at += r.Int64N(1 << (10 + r.IntN(16)))
			arrive(step, &w, []arrival{{uint8(r.IntN(2)), at - r.Int64N(1<<20)}})
			require.True(t, step.Valid(w), "%q", w)
			require.LessOrEqual(t, workBound+len(w), step.rule.traits().bound)
		}
	}
}

func TestAbsentSaysWhatIsMissing(t *testing.T) {
	step, w := stepOf(t, "{id: a, kind: absent, event: [ticket, complaint], after: {event: import}, for: 14d}"), Work{}
	say := func() string {
		progress, need := step.Missing(step.Count(w, &Moment{}, false))
		return fmt.Sprint(progress, " ", need)
	}
	assert.Equal(t, "0 import, then 14 days without ticket or complaint", say())
	arrive(step, &w, []arrival{{began, 0}})
	assert.Equal(t, "0.5 14 days without ticket or complaint after import", say())
	arrive(step, &w, []arrival{{came, 1}})
	assert.Equal(t, "0 import, then 14 days without ticket or complaint", say())
	assert.Equal(t, 2.0, step.Count(w, &Moment{}, true))
	assert.False(t, step.Credits())
}

func TestAbsentKeepsWhatItSays(t *testing.T) {
	step, w := absentFor(t, "1m", false), Work{}
	at := func(ms int64) *usage.Event { return &usage.Event{OccurredAt: ms} }
	feed(step, &w, began, at(100_000), Moment{})
	feed(step, &w, began, at(99_000), Moment{})
	assert.Equal(t, "\xc0\x9a\x0c\x02\xe8\x07\xe8\x07", string(w))
	feed(step, &w, came, at(100_000), Moment{})
	assert.Equal(t, "\xc0\x9a\x0c\x01\x00\xa2\xe3\x95\x29\xdf\xd4\x03", string(w))
	for _, set := range []string{
		"\x80", "\xc0\x9a\x0c", "\xc0\x9a\x0c\x00", "\xc0\x9a\x0c\x01", "\xc0\x9a\x0c\x01\x01", "\xc0\x9a\x0c\x02\x00", "\xc0\x9a\x0c\x02\x05\x00",
		"\xc0\x9a\x0c\x02\x05\x06", "\xc0\x9a\x0c\x21\x00", "\xc0\x9a\x0c\x01\x80\x00", "\xc0\x9a\x0c\x01\x00\xa1\xe3\x95\x29", "\xc0\x9a\x0c\x01\x00\x01\x01\x01",
		"\xc0\x9a\x0c\x00\xa1\xe3\x95\x29\xe1\xd4\x03", "\xc0\x9a\x0c\x02\x01\x01\xa1\xe3\x95\x29\xe0\xd4\x03",
		"\xc0\x9a\x0c\x03\x80\x8c\x8d\x9e\x01\x01\xff\x8b\x8d\x9e\x01",
	} {
		assert.False(t, step.Valid(Work(set)), "%q", set)
	}
}

func TestAbsentFieldsAreChecked(t *testing.T) {
	for fields, want := range map[string]string{
		"": "steps[0].event: is missing\nsteps[0].after: is missing\nsteps[0].for: is missing",
		"event: x, after: {event: y, where: 'properties'}, for: 0d": "",
		"event: x, after: {event: y}, for: 400d, within: 3d": "steps[0].within: a step of kind absent has no such field\n" +
			"steps[0].for: 400d is not from 1m to 366d",
	} {
		_, err := compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps: [{id: a, kind: absent, " + fields + "}]")
		if require.Error(t, err); want != "" {
			assert.EqualError(t, err, want, fields)
		}
	}
}
