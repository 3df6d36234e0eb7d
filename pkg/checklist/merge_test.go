package checklist

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// merging are forms of steps that some events of several accounts complete together.
var merging = []struct{ zone, step string }{
	{"", "{id: a, kind: count, event: x, at_least: 15}"},
	{"Europe/Berlin", "{id: a, kind: count, event: x, where: 'quantity > 0.0', at_least: 8, within: 7d}"},
	{"", "{id: a, kind: count, event: x, at_least: 8, within: 36h}"},
	{"", "{id: a, kind: count, event: x, where: 'quantity > -0.3', at_least: 8, within: 90m}"},
	{"Pacific/Apia", "{id: a, kind: count, event: x, where: 'quantity > 0.0', at_least: 4, within: 7d, live: true}"},
	{"", "{id: a, kind: days, event: x, at_least: 12}"},
	{"Europe/Berlin", "{id: a, kind: days, event: x, at_least: 5, within: 7d}"},
	{"", "{id: a, kind: sum, event: x, of: quantity, at_least: 2.5}"},
	{"", "{id: a, kind: sum, event: x, of: quantity, at_least: 2, within: 36h}"},
	{"", "{id: a, kind: sum, event: x, where: 'quantity < 0.4', of: quantity, at_least: 2, within: 90m, live: true}"},
	{"", "{id: a, kind: distinct, event: x, of: user_id, at_least: 8}"},
	{"America/Sao_Paulo", "{id: a, kind: distinct, event: x, of: user_id, at_least: 6, within: 7d}"},
	{"", "{id: a, kind: distinct, event: x, where: 'quantity > 0.0', of: properties.p, at_least: 5, within: 36h}"},
	{"", "{id: a, kind: distinct, event: x, of: user_id, at_least: 3, within: 90m, live: true}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: 10, at_least: 0.2, adds: true}"},
	{"Europe/Berlin", "{id: a, kind: ratio, event: x, of: quantity, to: 10, at_least: 0.2, adds: true, within: 7d}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.05, adds: true, within: 36h}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.008, live: true}"},
	{"", "{id: a, kind: score, points: [{event: x, points: 1}, {event: y, points: 3, group: g}], caps: [{group: g, at_most: 9}], at_least: 18}"},
	{"Europe/Berlin", "{id: a, kind: score, points: [{event: x, points: 1}, {event: y, points: 3, group: g}], caps: [{group: g, at_most: 9}], " +
		"half_life: 2d, at_least: 16}"},
	{"", "{id: a, kind: sequence, first: {event: x, where: 'quantity > 0.3'}, then: {event: y, where: 'quantity > 0.3'}, within: 1h}"},
	{"", "{id: a, kind: sequence, first: {event: x, where: 'quantity > 0.4'}, then: {event: y, where: 'quantity > 0.4'}, within: 2d}"},
	{"", "{id: a, kind: absent, event: x, where: 'quantity > 0.4', after: {event: y}, for: 20m}"},
	{"", "{id: a, kind: absent, event: x, where: 'quantity > 0.4', after: {event: y}, for: 3d}"},
}

// mergeable are the steps that conform, and those.
func mergeable(t testing.TB) (names []string, steps []*Step) {
	names, steps = conforming(t)
	for _, v := range merging {
		names, steps = append(names, strings.TrimSpace(v.zone+" "+v.step)), append(steps, stepIn(t, v.zone, v.step))
	}
	return names, steps
}

// allowed is the disorder that a step takes, ms, and how many events it can tell apart.
func allowed(step *Step) (disorder int64, events int) {
	const always, many = 900 * dayMillis, 40
	within := func(w *window, buckets int) (int64, int) {
		if w == nil {
			return always, many
		}
		d := int64(buckets) * w.unit
		if w.calendar != nil {
			d -= 3_600_000 // a day may be an hour short
		}
		return d, many
	}
	switch r := step.rule.(type) {
	case *windowedCountRule:
		return within(r.within, r.within.memory)
	case *liveCountRule:
		return within(r.within, r.within.memory)
	case *daysRule:
		return within(r.within, 30)
	case *liveDaysRule:
		return within(r.within, 30)
	case *windowedSumRule:
		return within(r.within, r.within.memory)
	case *liveSumRule:
		return within(r.within, r.within.memory)
	case *windowedDistinctRule:
		return within(r.within, r.span-r.within.width)
	case *liveDistinctRule:
		return within(r.within, r.span-r.within.width)
	case *addedRule:
		return within(r.within, 30)
	case *judgedAddedRule:
		return within(r.within, 30)
	case *decayingScoreRule, *liveScoreRule:
		return scoredDays*dayMillis - 3_600_000, many
	case *sequenceRule:
		return r.late, many
	case *absentRule:
		return r.late, maxTimes
	case *judgedLevelRule:
		return always, maxLevels
	}
	return always, many
}

// beforeAll is a moment before all events.
var beforeAll = &Moment{Watermark: math.MinInt64, Account: someAccount}

// doneBy says whether a step is done by a working set at a watermark, as Merge tells its caller to ask.
func doneBy(step *Step, w Work, watermark int64) bool {
	done, _ := judge(step, w, watermark)
	return done || !step.Live && step.Reached(w, beforeAll)
}

// given is an event that an input of a step accepted.
type given struct {
	role uint8
	ev   *usage.Event
}

// giving makes events within a span of time, some of them twice, of a few users or of many.
func (s *stream) giving(span int64, n int) (events []given) {
	few := s.IntN(2) == 0
	for len(events) < n {
		e := given{s.role(), s.event(s.newest + s.Int64N(span))}
		if few || s.step.Kind == distinctKind.Name {
			e.ev.UserID = fmt.Sprint("user", s.IntN(12))
			for i := range e.ev.Properties {
				if s.step.Kind == distinctKind.Name {
					e.ev.Properties[i].Value = usage.StringValue(e.ev.UserID)
				}
			}
		}
		if len(events) > 0 && s.IntN(8) == 0 {
			e = events[s.IntN(len(events))]
		}
		events = append(events, e)
	}
	return slices.DeleteFunc(events, func(e given) bool {
		return len(s.step.inputs) == 0 || !s.step.Accepts(e.role, e.ev, someAccount)
	})
}

// folded folds events in their order, none of which is expected before the watermark, and says whether they did the step.
func folded(step *Step, w *Work, events []given) (done bool) {
	for i, e := range events {
		watermark := e.ev.OccurredAt
		for _, later := range events[i:] {
			watermark = min(watermark, later.ev.OccurredAt)
		}
		if _, done = feed(step, w, e.role, e.ev, Moment{Watermark: watermark, Account: someAccount}); done && !step.Live {
			return true
		}
	}
	return false
}

// merged merges clones.
func merged(t *testing.T, step *Step, w, other Work) Work {
	t.Helper()
	out, given := slices.Clone(w), string(other)
	changed := step.Merge(&out, other)
	require.Equal(t, string(out) != string(w), changed, "it says whether it changed")
	require.Equal(t, given, string(other), "the other has changed")
	require.True(t, step.Valid(out), "%q and %q became %q", w, other, out)
	return out
}

// standing is what a step says of a working set from a watermark on, until nothing happens any more.
func standing(step *Step, w Work, from int64, moments []int64) (out []string) {
	for range 20 {
		done, next := judge(step, w, from)
		if out = append(out, fmt.Sprint(done, next)); next == Never {
			break
		}
		from = next
	}
	for _, at := range moments {
		m := &Moment{Watermark: at, Account: someAccount}
		out = append(out, fmt.Sprintf("%v %.6g", step.Reached(w, m), step.Count(w, m, false)))
	}
	return out
}

// TestMergedSetsAreAsIfFoldedIntoOne splits the events of a time among three accounts, merges what each of them has come to
// in several ways, and compares with all events folded in the order of their times.
func TestMergedSetsAreAsIfFoldedIntoOne(t *testing.T) {
	names, steps := mergeable(t)
	together := map[string]int{}
	for i, step := range steps {
		t.Run(names[i], func(t *testing.T) {
			s := newStream(step, 6)
			disorder, most := allowed(step)
			for range 600 / effort {
				s.newest += s.Int64N(400 * dayMillis)
				span := 1 + s.Int64N(max(1, disorder>>s.IntN(1+s.IntN(12))))
				events := s.giving(span, s.IntN(most+1))
				sets, alone := s.split(events)
				if alone {
					continue
				}
				for _, w := range sets {
					require.False(t, !step.Live && step.Reached(w, beforeAll), "%q was not done", w)
				}
				all, now := Work{}, s.newest+span
				slices.SortStableFunc(events, func(a, b given) int { return int(a.ev.OccurredAt - b.ev.OccurredAt) })
				done := folded(step, &all, events) || !step.Live && doneBy(step, all, now)
				together[fmt.Sprint(step.Kind, " ", done)]++
				moments := []int64{math.MinInt64, s.newest, s.newest + s.Int64N(span), now, now + s.Int64N(20*dayMillis)}
				for _, w := range waysToMerge(t, step, sets) {
					if !step.Live {
						require.Equal(t, done, doneBy(step, w, now), "%q of %q", w, sets)
					}
					if done && !step.Live {
						continue
					}
					require.Equal(t, standing(step, all, now, moments), standing(step, w, now, moments), "%q of %q", w, sets)
					require.False(t, step.Oversized(w))
					s.goesOn(t, slices.Clone(all), w, now)
				}
			}
		})
	}
	for _, k := range Kinds() {
		if k.Name == eventKind.Name || k.Name == anyKind.Name || k.Name == allKind.Name {
			continue // they keep nothing
		}
		assert.Greater(t, together[k.Name+" false"], 100/effort, k.Name)
		assert.Greater(t, together[k.Name+" true"], 20/effort, k.Name)
	}
}

// split folds each event into the set of one of three accounts, in some order, and says whether one of them does the step.
func (s *stream) split(events []given) (sets [3]Work, alone bool) {
	var accounts [3][]given
	for _, e := range events {
		i := s.IntN(3)
		accounts[i] = append(accounts[i], e)
	}
	for i, own := range accounts {
		s.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
		alone = folded(s.step, &sets[i], own) || alone
	}
	return sets, alone
}

// waysToMerge merges three sets in several orders.
func waysToMerge(t *testing.T, step *Step, sets [3]Work) []Work {
	a, b, c := sets[0], sets[1], sets[2]
	return []Work{
		merged(t, step, merged(t, step, a, b), c),
		merged(t, step, a, merged(t, step, b, c)),
		merged(t, step, c, merged(t, step, b, a)),
		merged(t, step, merged(t, step, merged(t, step, Work{}, b), c), a),
	}
}

// goesOn folds the events that follow into what was merged and what was not.
func (s *stream) goesOn(t *testing.T, all, w Work, now int64) {
	more := *s
	more.newest = now
	for _, e := range more.giving(1+more.Int64N(3*dayMillis), 4) {
		m := Moment{Watermark: now, Account: someAccount}
		_, want := feed(s.step, &all, e.role, e.ev, m)
		_, done := feed(s.step, &w, e.role, e.ev, m)
		require.Equal(t, want, done)
		if done && !s.step.Live {
			return
		}
	}
	later := now + 4*dayMillis
	moments := []int64{now, later}
	require.Equal(t, standing(s.step, all, later, moments), standing(s.step, w, later, moments))
}

// TestWindowsMergeAsTheirDefinitionSays compares merged windows with the definition over the events of both accounts. One that
// lies further back than the disorder may have been forgotten, but what is not there is never found.
func TestWindowsMergeAsTheirDefinitionSays(t *testing.T) {
	r := newStream(nil, 7).Rand
	seen := map[string]int{}
	for range 4000 / effort {
		c, step := randomWindow(t, r)
		s := &stream{Rand: r, step: step}
		gap := 1 + c.within.unit*int64(1+r.IntN(4*c.within.width))
		told := outOfOrder(r, c.around-10*c.within.unit, min(gap, max(1, c.disorder>>r.IntN(8))), c.disorder, 3+r.IntN(30))
		if len(told) == 0 {
			continue
		}
		var events []given
		oldest, newest := int64(math.MaxInt64), int64(math.MinInt64)
		for _, e := range told {
			oldest, newest = min(oldest, e.at), max(newest, e.at)
			events = append(events, given{ev: &usage.Event{OccurredAt: e.at, UserID: fmt.Sprint("u", e.user), Quantity: e.n}})
		}
		sets, alone := s.split(events)
		if alone {
			continue
		}
		watermark := newest - c.disorder + r.Int64N(c.disorder+int64(c.within.width)*c.within.unit)
		for _, w := range waysToMerge(t, step, sets) {
			require.False(t, step.Oversized(w) && !doneBy(step, w, watermark))
			if !c.live {
				_, holds := c.newestWindow(told, math.MinInt32)
				got := step.Reached(w, beforeAll)
				if newest-oldest <= c.disorder || got {
					require.Equal(t, holds, got, "%s: %+v", c.text, told)
					seen[fmt.Sprint(c.kind, got)]++
				}
				continue
			}
			first, holds := c.newestWindow(told, int(c.within.bucket(watermark)))
			got, next := judge(step, w, watermark)
			require.Equal(t, holds, got, "%s at %d: %+v", c.text, watermark, told)
			if holds {
				require.Equal(t, c.within.starts(first+c.within.width), next, "%s at %d: %+v", c.text, watermark, told)
			}
			seen[fmt.Sprint("live ", c.kind, got)]++
		}
	}
	for _, kind := range []string{"count", "distinct", "days", "sum"} {
		for _, outcome := range []string{kind + "true", kind + "false", "live " + kind + "true", "live " + kind + "false"} {
			assert.Greater(t, seen[outcome], 50/effort, "%s is hardly tested", outcome)
		}
	}
}

// TestMergedSequencesHoldAPair lets accounts have been active at different times: what is found is a pair, and one is found whose
// events are no further back than the disorder.
func TestMergedSequencesHoldAPair(t *testing.T) {
	found := map[bool]int{}
	for _, within := range []string{"1m", "10m", "96m", "7h", "1d", "3d"} {
		step := sequenceOf(t, within)
		rule, s := step.rule.(*sequenceRule), newStream(step, 8)
		for range 6000 / effort {
			var sets [2]Work
			var all [2][]arrival
			newest := int64(math.MinInt64)
			for i := range sets {
				begin, span := s.Int64N(1+2*rule.late), 1+s.Int64N(2*rule.late)>>s.IntN(6)
				for range 1 + s.IntN(20) { // of mostly one role, or it would be done before
					a := arrival{uint8(i), begin + s.Int64N(span)}
					if s.IntN(6) == 0 {
						a.role ^= 1
					}
					all[i] = append(all[i], a)
				}
				slices.SortFunc(all[i], func(a, b arrival) int { return int(a.at - b.at) })
				newest = max(newest, all[i][len(all[i])-1].at)
			}
			if arrive(step, &sets[0], all[0]) >= 0 || arrive(step, &sets[1], all[1]) >= 0 {
				continue
			}
			w := merged(t, step, sets[0], sets[1])
			require.Equal(t, string(w), string(merged(t, step, sets[1], sets[0])))
			both := slices.Concat(all[0], all[1])
			recent := slices.DeleteFunc(slices.Clone(both), func(a arrival) bool { return a.at < newest-rule.late })
			done := step.Reached(w, beforeAll)
			if done {
				require.True(t, somePair(both, rule.within), "%s: %v", within, both)
			} else {
				require.False(t, somePair(recent, rule.within), "%s: %v", within, both)
				require.False(t, step.Oversized(w))
			}
			found[done]++
		}
	}
	assert.Greater(t, found[true], 500/effort)
	assert.Greater(t, found[false], 1000/effort)
}

func somePair(all []arrival, within int64) bool {
	for i := range all {
		if hasPair(all[:i+1], within) {
			return true
		}
	}
	return false
}

// TestMergedAbsencesSeeWhatCame merges an account that has waited for some time with one in which the events came lately. Only if
// the time is over already may it be in doubt whether what came did so in time.
func TestMergedAbsencesSeeWhatCame(t *testing.T) {
	ended := map[bool]int{}
	for _, length := range []string{"10m", "20h", "3d", "14d"} {
		for _, live := range []bool{false, true} {
			step := absentFor(t, length, live)
			rule, s := step.rule.(*absentRule), newStream(step, 9)
			for range 1000 / effort {
				since := s.Int64N(2 * rule.span)
				waits := []arrival{{began, 0}}
				var came []arrival
				for range 1 + s.IntN(12) {
					came = append(came, arrival{mustNot, since + s.Int64N(rule.late)})
				}
				newest := int64(0)
				for _, a := range came {
					newest = max(newest, a.at)
				}
				var sets [2]Work
				arrive(step, &sets[0], waits)
				arrive(step, &sets[1], came)
				w := merged(t, step, sets[0], sets[1])
				require.Equal(t, string(w), string(merged(t, step, sets[1], sets[0])))
				want, got := oldestPending(append(waits, came...), rule.span, live), due(t, step, w)
				if got >= 0 && want < 0 && !live {
					require.LessOrEqual(t, got, newest, "%s: %v", length, came)
				} else {
					require.Equal(t, want, got, "%s: %v", length, came)
				}
				ended[got < 0]++
			}
		}
	}
	assert.Greater(t, ended[true], 1000/effort)
	assert.Greater(t, ended[false], 100/effort)
}

// TestMergedWindowsForget merges with an account that went on when the windows of the other had long passed.
func TestMergedWindowsForget(t *testing.T) {
	names, steps := mergeable(t)
	tested := 0
	for i, step := range steps {
		if !strings.Contains(names[i], "within") || step.Kind == sequenceKind.Name {
			continue
		}
		s := newStream(step, 14)
		disorder, _ := allowed(step)
		for range 100 / effort {
			var old, recent Work
			folded(step, &old, s.giving(disorder, 1+s.IntN(6)))
			s.newest += 800 * dayMillis
			folded(step, &recent, s.giving(disorder, 1+s.IntN(6)))
			if len(old) == 0 || len(recent) == 0 {
				continue
			}
			require.Equal(t, string(recent), string(merged(t, step, old, recent)), names[i])
			require.Equal(t, string(recent), string(merged(t, step, recent, old)), names[i])
			tested++
		}
	}
	assert.Greater(t, tested, 1000/effort)
}

// FuzzMerge merges any valid sets of any step.
func FuzzMerge(f *testing.F) {
	names, steps := mergeable(f)
	for n, step := range steps {
		s := newStream(step, 10)
		var a, b Work
		for _, w := range []*Work{&a, &b} {
			for range 6 {
				if role, ev, m := s.next(); len(step.inputs) > 0 {
					step.Update(w, &Input{Moment: m, Event: ev, Role: role})
				}
			}
		}
		f.Add(uint8(n), []byte(a), []byte(b), int64(testTime))
	}
	f.Fuzz(func(t *testing.T, n uint8, a, b []byte, at int64) {
		step := steps[int(n)%len(steps)]
		if !step.Valid(a) || !step.Valid(b) {
			return
		}
		w, again := merged(t, step, a, b), merged(t, step, b, a)
		if string(w) != string(again) {
			t.Fatalf("%s: %q and %q are %q, the other way %q", names[int(n)%len(steps)], a, b, w, again)
		}
		judge(step, w, at)
		step.Reached(w, &Moment{Watermark: at, Account: someAccount})
		step.Missing(step.Count(w, beforeAll, false))
		ev := &usage.Event{OccurredAt: at, UserID: "u", Quantity: 1}
		if _, done := feed(step, &w, 0, ev, Moment{Watermark: at, Account: someAccount}); !done && !step.Valid(w) {
			t.Fatalf("%s: %q is not valid", names[int(n)%len(steps)], w)
		}
		if step.Forget(&w, "u"); !step.Valid(w) {
			t.Fatalf("%s: %q is not valid without a user", names[int(n)%len(steps)], w)
		}
	})
}

func TestMergingWithNothing(t *testing.T) {
	_, steps := mergeable(t)
	for _, step := range steps {
		s, w := newStream(step, 11), Work{}
		folded(step, &w, s.giving(1000, 3))
		require.Equal(t, string(w), string(merged(t, step, w, nil)))
		begun := merged(t, step, nil, w)
		require.Equal(t, string(w), string(begun))
		if len(w) > 0 {
			begun[0]++
			require.NotEqual(t, string(w), string(begun), "they share memory")
		}
	}
}

// TestForgottenUsersAreAsIfNeverSeen compares with the events of the others alone.
func TestForgottenUsersAreAsIfNeverSeen(t *testing.T) {
	names, steps := mergeable(t)
	compared := 0
	for i, step := range steps {
		if step.Kind != distinctKind.Name || !strings.Contains(names[i], "of: user_id") {
			continue
		}
		s := newStream(step, 12)
		disorder, _ := allowed(step)
		for range 1000 / effort {
			span := 1 + s.Int64N(max(1, disorder>>s.IntN(12)))
			events := s.giving(span, s.IntN(12))
			gone, long := fmt.Sprint("user", s.IntN(12)), strings.Repeat("x", 100)
			for _, e := range events {
				if s.IntN(3) == 0 && !strings.HasSuffix(e.ev.UserID, long) {
					e.ev.UserID += long
				}
			}
			if s.IntN(2) == 0 {
				gone += long
			}
			w, without := Work{}, Work{}
			if folded(step, &w, events) || displaces(step, events) {
				continue
			}
			before := string(w)
			others := slices.DeleteFunc(slices.Clone(events), func(e given) bool { return e.ev.UserID == gone })
			require.False(t, folded(step, &without, others))
			changed, exact := step.Forget(&w, gone)
			require.True(t, exact)
			require.Equal(t, len(others) < len(events), changed)
			require.Equal(t, before != string(w), changed)
			require.True(t, step.Valid(w))
			require.Equal(t, string(without), string(w), "%s: %q without %s", names[i], before, gone)
			if changed && len(w) > 0 {
				compared++
			}
		}
	}
	assert.Greater(t, compared, 300/effort)
}

// displaces says whether there are more users than a live step keeps.
func displaces(step *Step, events []given) bool {
	users := map[string]bool{}
	for _, e := range events {
		users[e.ev.UserID] = true
	}
	r, live := step.rule.(*liveDistinctRule)
	return live && len(users) > r.most
}

// TestOnlyWhatTellsUsersForgetsThem lists the kinds whose sets hold nothing of users, and the others.
func TestOnlyWhatTellsUsersForgetsThem(t *testing.T) {
	names, steps := mergeable(t)
	for i, step := range steps {
		s, w := newStream(step, 13), Work{}
		changed, exact := step.Forget(&w, "user1")
		assert.True(t, !changed && exact, "%s: nothing is kept yet", names[i])
		for len(w) == 0 && len(step.inputs) > 0 && step.Kind != eventKind.Name {
			role, ev, m := s.next()
			ev.UserID = "somebody"
			feed(step, &w, role, ev, m)
		}
		before := string(w)
		changed, exact = step.Forget(&w, "user1")
		assert.False(t, changed, names[i])
		assert.Equal(t, before, string(w), names[i])
		tells := step.Kind == trialKind.Name || len(w) == 0 || step.Kind == distinctKind.Name && strings.Contains(step.begin, "user")
		assert.Equal(t, tells, exact, names[i])
	}
}
