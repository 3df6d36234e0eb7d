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

// arrival is an event that a step's input accepts, as it arrives.
type arrival struct {
	role uint8
	at   int64 // event time, ms after the start of the test's time
}

const testTime = 1_770_000_000_000 // 2 February 2026

// arrive folds arrivals at a watermark far behind, and returns the first that completes the step, -1 if none.
func arrive(step *Step, w *Work, arrivals []arrival) int {
	for i, a := range arrivals {
		_, done := feed(step, w, a.role, &usage.Event{OccurredAt: testTime + a.at}, Moment{Watermark: math.MinInt64})
		if done && !step.Live {
			return i
		}
	}
	return -1
}

func sequenceOf(t testing.TB, within string) *Step {
	return stepOf(t, "{id: a, kind: sequence, first: {event: x}, then: {event: y}, within: "+within+"}")
}

func TestSequence(t *testing.T) {
	const h, d = 3_600_000, dayMillis
	for name, c := range map[string]struct {
		within   string
		arrivals []arrival
		done     int
	}{
		"just after":                          {"3d", []arrival{{0, 0}, {1, 1}}, 1},
		"at the end":                          {"3d", []arrival{{0, 0}, {1, 3 * d}}, 1},
		"too late":                            {"3d", []arrival{{0, 0}, {1, 3*d + 1}}, -1},
		"at once is not later":                {"3d", []arrival{{0, 0}, {1, 0}}, -1},
		"the wrong way":                       {"3d", []arrival{{1, 0}, {0, 1}}, -1},
		"one event alone":                     {"3d", []arrival{{0, 0}, {0, 1}, {0, 2}}, -1},
		"the first arrives last":              {"3d", []arrival{{1, 5}, {0, 4}}, 1},
		"the first arrives last, too far":     {"1h", []arrival{{1, h + 1}, {0, 0}}, -1},
		"any first does":                      {"1h", []arrival{{0, 0}, {0, 3 * h}, {1, h}}, 2},
		"any then does":                       {"1h", []arrival{{1, h}, {1, 3 * h}, {0, 0}}, 2},
		"events of both kinds":                {"3d", []arrival{{0, 0}, {1, 0}, {0, 3 * d}, {1, 3 * d}}, 3},
		"events of both kinds, too far apart": {"3d", []arrival{{0, 0}, {1, 0}, {0, 3*d + 1}, {1, 3*d + 1}}, -1},
		"a day of disorder":                   {"3d", []arrival{{0, 0}, {0, 4 * d}, {1, 3 * d}}, 2},
		"more than that":                      {"3d", []arrival{{0, 0}, {0, 4*d + 1}, {1, 3 * d}}, -1},
		"a first a day late":                  {"3d", []arrival{{1, 1}, {1, d}, {0, 0}}, 2},
		"more than 15 minutes":                {"1m", []arrival{{0, 0}, {0, 900_002}, {1, 1}}, -1},
		"15 minutes of disorder":              {"1m", []arrival{{0, 0}, {0, 900_000}, {1, 1}}, 2},
	} {
		w := Work{}
		assert.Equal(t, c.done, arrive(sequenceOf(t, c.within), &w, c.arrivals), name)
	}
}

// TestSequenceIsAnyPair compares it with its definition at every arrival: some first and some then, which follows in time.
func TestSequenceIsAnyPair(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	steps := map[string]*Step{}
	for _, within := range []string{"1m", "10m", "96m", "100m", "7h", "1d", "3d"} {
		steps[within] = sequenceOf(t, within)
	}
	completed := 0
	for within, step := range steps {
		rule := step.rule.(*sequenceRule)
		for range 1500 / effort {
			var all []arrival
			newest, w, mean := int64(0), Work{}, 1+r.Int64N(3*rule.within)
			for i := range 120 {
				a := arrival{uint8(r.IntN(2)), newest + r.Int64N(mean)}
				if r.IntN(3) == 0 {
					a.at = newest - r.Int64N(rule.late+1)
				}
				if r.IntN(8) > 0 {
					a.role = uint8(i / 20 % 2) // long runs of one kind
				}
				newest = max(newest, a.at)
				all = append(all, a)
				want := -1
				if hasPair(all, rule.within) {
					want = 0
					completed++
				}
				require.Equal(t, want, arrive(step, &w, []arrival{a}), "%s: %v", within, all)
				require.LessOrEqual(t, workBound+len(w), rule.traits().bound)
				if want == 0 {
					break
				}
				require.True(t, step.Valid(w), "%s: %v", within, all)
			}
		}
	}
	require.Greater(t, completed, 1000)
}

func hasPair(all []arrival, within int64) bool {
	last := all[len(all)-1]
	for _, a := range all {
		if a.role != last.role {
			first, then := a.at, last.at
			if last.role == 0 {
				first, then = then, first
			}
			if first < then && then <= first+within {
				return true
			}
		}
	}
	return false
}

func TestSequenceKeepsTheSameInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	step, kept := sequenceOf(t, "1h"), 0
	for range 3000 / effort {
		var all []arrival
		for range r.IntN(30) {
			all = append(all, arrival{uint8(r.IntN(2) * r.IntN(2)), r.Int64N(15 * 3_600_000)})
		}
		first, again := Work{}, Work{}
		done := arrive(step, &first, all) >= 0
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		require.Equal(t, done, arrive(step, &again, all) >= 0)
		if !done {
			kept++
			require.Equal(t, string(first), string(again))
		}
	}
	require.Greater(t, kept, 300/effort)
}

// TestSequenceComesNearItsBound folds what needs most bytes: stretches that alternate as densely as they can, of a length
// whose distances take most bytes.
func TestSequenceComesNearItsBound(t *testing.T) {
	most, bound := 0, 0
	for minutes := 90; minutes < 130; minutes++ {
		step := sequenceOf(t, fmt.Sprintf("%dm", minutes))
		bound = step.rule.traits().bound
		for gap := int64(2); gap < 600_000; gap += 16_390 {
			w := Work{}
			for i := range int64(40) {
				at := 1<<58 + i*(int64(minutes)*60_000+gap)
				require.Equal(t, -1, arrive(step, &w, []arrival{{0, at}, {1, at - 1}}))
				most = max(most, workBound+len(w))
				require.True(t, step.Valid(w))
			}
		}
	}
	assert.LessOrEqual(t, most, bound)
	assert.Greater(t, most, bound*85/100)
}

// TestSequenceGoesOnWithAnotherLength when the definition changes.
func TestSequenceGoesOnWithAnotherLength(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var steps []*Step
	for _, within := range []string{"1m", "9m", "10m", "2h", "3d", "366d"} {
		steps = append(steps, sequenceOf(t, within))
	}
	w, at := Work{}, int64(0)
	for i := range 20_000 / effort {
		step := steps[r.IntN(1+i%len(steps))]
		at += r.Int64N(1 << (10 + r.IntN(16)))
		if arrive(step, &w, []arrival{{uint8(r.IntN(8) / 7), at - r.Int64N(1<<20)}}) >= 0 {
			w = Work{}
		}
		require.True(t, step.Valid(w), "%q", w)
		require.LessOrEqual(t, workBound+len(w), step.rule.traits().bound)
	}
}

func TestSequenceSaysWhatIsMissing(t *testing.T) {
	step, w := stepOf(t, "{id: a, kind: sequence, first: {event: [sent, shared]}, then: {event: accepted}, within: 36h}"), Work{}
	say := func() string {
		progress, need := step.Missing(step.Count(w, &Moment{}, false))
		return fmt.Sprint(progress, " ", need)
	}
	const h = 3_600_000
	assert.Equal(t, "0 sent or shared, then accepted within 36 hours", say())
	arrive(step, &w, []arrival{{1, 0}})
	assert.Equal(t, "0 sent or shared, then accepted within 36 hours", say())
	arrive(step, &w, []arrival{{0, h}})
	assert.Equal(t, "0.5 accepted within 36 hours after sent or shared", say())
	arrive(step, &w, []arrival{{1, 38 * h}})
	assert.Equal(t, "0 sent or shared, then accepted within 36 hours", say(), "it came too late")
	assert.Equal(t, 2.0, step.Count(w, &Moment{}, true))
}

func TestSequenceKeepsWhatItSays(t *testing.T) {
	step, w := sequenceOf(t, "1m"), Work{}
	at := func(ms int64) *usage.Event { return &usage.Event{OccurredAt: ms} }
	feed(step, &w, 0, at(100_000), Moment{})
	assert.Equal(t, "\xc0\x9a\x0c\x02\x82\xb8\x99\x29\xe0\xd4\x03", string(w))
	feed(step, &w, 1, at(100_000), Moment{})
	assert.Equal(t, "\xc0\x9a\x0c\x02\x82\xb8\x99\x29\xe0\xd4\x03\xa1\xe3\x95\x29\xe0\xd4\x03", string(w))
	for _, set := range []string{
		"\x80", "\xc0\x9a\x0c", "\xc0\x9a\x0c\x00", "\xc0\x9a\x0c\x02", "\xc0\x9a\x0c\x02\x01", "\xc0\x9a\x0c\x01\x82\xb8\x99\x29",
		"\xc0\x9a\x0c\x22\x82\xb8\x99\x29\xe0\xd4\x03", "\xc0\x9a\x0c\x02\x82\xb8\x99\x29\x00", "\xc0\x9a\x0c\x02\x82\xb8\x99\x29\xe0\xd4\x03\x01",
		"\xc0\x9a\x0c\x02\x01\x01", "\xc0\x9a\x0c\x00\x01\x01", "\xc0\x9a\x0c\x02\x82\xb8\x99\x29\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		assert.False(t, step.Valid(Work(set)), "%q", set)
	}
}

func TestSequenceFieldsAreChecked(t *testing.T) {
	for fields, want := range map[string]string{
		"": "steps[0].first: is missing\nsteps[0].then: is missing\nsteps[0].within: is missing",
		"first: {where: '1'}, then: {event: x}, within: 1m": "steps[0].first.where: is a int, not a condition\nsteps[0].first.event: is missing",
		"first: {event: x}, then: {event: x}, within: 367d": "steps[0].within: 367d is not from 1m to 366d",
		"first: {event: x}, then: {event: x}, within: 1d, live: true, event: x": "steps[0].event: a step of kind sequence has no such field\n" +
			"steps[0].live: a step of kind sequence has no such field",
	} {
		_, err := compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps: [{id: a, kind: sequence, " + fields + "}]")
		assert.EqualError(t, err, want, fields)
	}
}
