package account_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Two checklists with steps of every kind and variant: of steps that stay done, and of live ones. Nobody tells account
// properties or converts, which an order of events decides: what an account is when an event comes is what counts.
const (
	orderHead = `
version: 1
name: order
zone: Europe/Berlin
inactivity: {days: 60}
near_miss: true
signup: {event: e0}
trial: {days: 2, starts: {event: e1}, ends: {event: e10}}
properties: [{name: seats, type: long, from: [{event: nobody}], default: 4}]
tiers: [{name: all, threshold: 0.5, escalate_at: 0.8}]
dedupe: {horizon: 9d, limit: 1000}
steps:
`
	stickySteps = `
  - {id: event, kind: event, event: [e1, e2], where: quantity > 0.5}
  - {id: count, kind: count, event: e3, at_least: 6, weight: 2}
  - {id: count-within, kind: count, event: [e3, e4], at_least: 4, within: LONG}
  - {id: count-resolved, kind: count, event: [e5, e6], at_least: 3, within: SHORT}
  - {id: distinct, kind: distinct, event: e5, of: user_id, at_least: 4}
  - {id: distinct-within, kind: distinct, event: [e5, e6], of: properties.p, at_least: 3, within: SHORT}
  - {id: days, kind: days, event: e7, at_least: 3}
  - {id: days-within, kind: days, event: [e7, e8], at_least: 3, within: 3d}
  - {id: sum, kind: sum, event: e8, of: quantity, at_least: 4.3}
  - {id: sum-within, kind: sum, event: [e4, e8], of: properties.p, at_least: 2.1, within: SHORT}
  - {id: level, kind: ratio, event: e9, of: quantity, to: 1, at_least: 0.9}
  - {id: level-of-events, kind: ratio, event: e2, of: quantity, to: properties.p, at_least: 2}
  - {id: level-of-account, kind: ratio, event: e9, of: quantity, to: account.seats, at_least: 0.2}
  - {id: added, kind: ratio, event: e6, of: quantity, to: account.seats, at_least: 0.8, adds: true}
  - {id: added-within, kind: ratio, event: [e6, e7], of: quantity, to: 2, at_least: 0.7, adds: true, within: LONG}
  - {id: added-of-account, kind: ratio, event: e9, of: quantity, to: account.seats, at_least: 0.4, adds: true, within: LONG}
  - {id: sequence, kind: sequence, first: {event: e4}, then: {event: e11}, within: SPAN}
  - {id: sequence-within-itself, kind: sequence, first: {event: e5}, then: {event: e5, where: quantity > 0.3}, within: SPAN}
  - {id: absent, kind: absent, event: [e5, e6], after: {event: e12}, for: SPAN}
  - {id: score, kind: score, points: [{event: e1, points: 1, group: a}, {event: [e2, e3, e7], points: 2.1, group: b}, {event: e10, points: 4}],
      caps: [{group: a, at_most: 2}, {group: b, at_most: 9}], at_least: 12.4}
  - {id: score-halved, kind: score, points: [{event: e2, points: 3.3, group: a}, {event: e11, points: 2}], caps: [{group: a, at_most: 8}],
      half_life: 1d, at_least: 7}
  - {id: trial-day, kind: trial, day: 1}
  - {id: trial-finished, kind: trial, finished: true}
  - {id: any, kind: any, steps: [absent, level, sum-within], at_least: 2}
  - {id: all, kind: all, steps: [any, sequence, trial-day]}
`
	liveSteps = `
  - {id: count-within, kind: count, event: [e3, e4], at_least: 4, within: LONG, live: true}
  - {id: count-resolved, kind: count, event: [e5, e6], at_least: 3, within: SHORT, live: true}
  - {id: distinct-within, kind: distinct, event: [e5, e6], of: user_id, at_least: 3, within: SHORT, live: true}
  - {id: distinct-long, kind: distinct, event: e8, of: properties.p, at_least: 2, within: LONG, live: true}
  - {id: days-within, kind: days, event: [e7, e8], at_least: 2, within: 3d, live: true}
  - {id: sum-within, kind: sum, event: [e4, e8], of: properties.p, at_least: 1.1, within: SHORT, live: true}
  - {id: sum-long, kind: sum, event: e7, of: quantity, at_least: 1.3, within: LONG, live: true}
  - {id: level, kind: ratio, event: e9, of: quantity, to: 1, at_least: 0.6, live: true}
  - {id: level-of-events, kind: ratio, event: e9, of: quantity, to: properties.p, at_least: 1.1, live: true}
  - {id: level-of-account, kind: ratio, event: e9, of: quantity, to: account.seats, at_least: 0.1, live: true}
  - {id: added-within, kind: ratio, event: [e6, e7], of: quantity, to: account.seats, at_least: 0.3, adds: true, within: LONG, live: true}
  - {id: added, kind: ratio, event: e9, of: quantity, to: 2, at_least: 0.7, adds: true, within: LONG, live: true}
  - {id: absent, kind: absent, event: [e5, e6], after: {event: e12}, for: SPAN, live: true}
  - {id: score, kind: score, points: [{event: e2, points: 3.3, group: a}, {event: e11, points: 2}], caps: [{group: a, at_most: 8}],
      half_life: 1d, at_least: 5, live: true}
  - {id: any, kind: any, steps: [count-within, level, sum-within, days-within], at_least: 2, live: true}
  - {id: all, kind: all, steps: [any, added-within], live: true}
`
)

// pace is how fast a history goes, and the spans of the steps that look at it: all as long as the kinds promise that order
// does not matter up to the disorder.
type pace struct {
	long, short, span string
	disorder, grid    int64 // ms
}

var paces = []pace{
	{long: "7d", short: "36h", span: "30h", disorder: 24 * hour, grid: hour},
	{long: "5h", short: "50m", span: "40m", disorder: hour, grid: hour / 12},
	{long: "3d", short: "20m", span: "5m", disorder: hour / 12, grid: hour / 60},
}

func (p *pace) engine(t testing.TB, steps string) *account.Engine {
	return engine(t, orderHead+strings.NewReplacer("LONG", p.long, "SHORT", p.short, "SPAN", p.span).Replace(steps))
}

// history makes an account's events in the order in which they happened, many of them just where something begins or ends.
func (p *pace) history(r *rand.Rand) (events []usage.Event) {
	at := lifeStarts + r.Int64N(30*24*hour)
	at -= at % hour
	levels := []int64{-1 << 60, -1 << 60, -1 << 60, -1 << 60, -1 << 60, -1 << 60}
	for i := range 5 + r.IntN(70) {
		switch r.IntN(8) {
		case 0:
			at += r.Int64N(3)
		case 1:
			at += r.Int64N(4 * p.disorder)
		case 2:
			at += p.disorder + 24*hour*int64(r.IntN(8)/6)
		default:
			at += p.grid * r.Int64N(4)
		}
		ev := usage.Event{ID: fmt.Sprint("event-", i), UserID: fmt.Sprint("user-", r.IntN(5)), Name: names[r.IntN(len(names))],
			OccurredAt: at, Quantity: float64(r.IntN(11)) / 10,
			Properties: []usage.Property{{Key: "p", Value: usage.DoubleValue(float64(1+r.IntN(8)) / 10)}}}
		// A ratio step keeps 8 levels: more of them within the disorder it does not promise to tell apart.
		if ev.Name == "e9" || ev.Name == "e2" {
			if at-levels[0] <= 2*p.disorder {
				continue
			}
			levels = append(levels[1:], at)
		}
		events = append(events, ev)
		if r.IntN(12) == 0 {
			events = append(events, ev) // once more
		}
	}
	return events
}

// disordered returns events in an order in which none comes after one that happened more than the disorder later. There is
// no such order that it could not return.
func (p *pace) disordered(r *rand.Rand, events []usage.Event) []usage.Event {
	type delayed struct {
		usage.Event
		until int64
	}
	out := make([]delayed, len(events))
	for i, ev := range events {
		delay := []int64{0, p.disorder, r.Int64N(p.disorder + 1)}[r.IntN(3)]
		out[i] = delayed{ev, ev.OccurredAt + delay}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	slices.SortStableFunc(out, func(a, b delayed) int { return cmp.Compare(a.until, b.until) })
	shuffled := make([]usage.Event, len(out))
	for i := range out {
		shuffled[i] = out[i].Event
	}
	return shuffled
}

// outcome is what became of an account: the steps done once all events are folded and as time passes on, and how often it
// qualified.
type outcome struct {
	done      []string // at one moment after another
	qualified int
	left      int64 // when it ceased to be a PQL as nothing happened any more
}

func (p *pace) outcome(t *testing.T, e *account.Engine, events []usage.Event) (out outcome) {
	f, s, done := e.Folder(), e.New("acme", 5), map[string]bool{}
	take := func(_ bool, facts []account.Fact) {
		for i := range facts {
			switch facts[i].Type {
			case account.Qualified, account.Requalified:
				out.qualified++
			case account.Disqualified:
				if facts[i].Reason == account.ReasonInactive {
					out.left = facts[i].OccurredAt
				}
			case account.StepDone:
				done[facts[i].Step] = true
			case account.StepUndone:
				delete(done, facts[i].Step)
			}
		}
	}
	newest := int64(0)
	for i := range events {
		newest = max(newest, events[i].OccurredAt)
		if events[i].OccurredAt < newest-p.disorder {
			t.Fatal("there is more disorder than allowed")
		}
		take(f.Pass(s, newest-p.disorder))
		take(f.Apply(s, &events[i], account.Position{Topic: "usage", Offset: int64(i)}, newest-p.disorder))
	}
	for _, moment := range []int64{-p.disorder, -p.disorder / 2, 0, 1, p.grid, p.disorder, 30 * hour, 100 * hour, 400 * 24 * hour} {
		take(f.Pass(s, newest+moment))
		out.done = append(out.done, strings.Join(slices.Sorted(maps.Keys(done)), " "))
	}
	return out
}

// orderEngine returns only the facts that an outcome is made of.
func (p *pace) orderEngine(t *testing.T, steps string) *account.Engine {
	return p.engine(t, steps).Wanting(func(is account.Type) bool {
		return slices.Contains([]account.Type{account.Qualified, account.Requalified, account.Disqualified, account.StepDone, account.StepUndone}, is)
	}, false)
}

// TestTheOrderOfEventsDoesNotMatter within the allowed disorder: the same steps are done in the end, and an account
// qualifies once or not at all. Live steps may be done or undone on the way in one order only, as a late event tells what
// has been; they agree as soon as no event is missing.
func TestTheOrderOfEventsDoesNotMatter(t *testing.T) {
	seen, qualified, steps := map[string]bool{}, 0, 0
	for _, p := range paces {
		sticky, live := p.orderEngine(t, stickySteps), p.orderEngine(t, liveSteps)
		steps = len(sticky.Checklist().Steps()) + len(live.Checklist().Steps())
		for seed := range uint64(histories) {
			r := rand.New(rand.NewPCG(seed, 21))
			events := p.history(r)
			want, wantLive := p.outcome(t, sticky, events), p.outcome(t, live, events)
			require.LessOrEqual(t, want.qualified, 1)
			for range 3 {
				shuffled := p.disordered(r, events)
				require.Equal(t, want, p.outcome(t, sticky, shuffled), "seed %d at %v", seed, p)
				require.Equal(t, want.qualified > 0, want.left > 0)
				require.Equal(t, wantLive.done, p.outcome(t, live, shuffled).done, "seed %d at %v", seed, p)
			}
			qualified += want.qualified
			want.sawIn(seen, "sticky ")
			wantLive.sawIn(seen, "live ")
		}
	}
	all := histories * len(paces)
	assert.Greater(t, qualified, all/10)
	assert.Less(t, qualified, all-all/10)
	assert.Len(t, seen, steps, "steps that were done at all: %v", seen)
}

func (o *outcome) sawIn(seen map[string]bool, of string) {
	for _, done := range o.done {
		for _, step := range strings.Fields(done) {
			seen[of+step] = true
		}
	}
}

// TestAValueSeenLongAgoIsNotSeenAgainLater than it was: what is remembered of a bucket goes when it is too old.
func TestAValueSeenLongAgoIsNotSeenAgainLater(t *testing.T) {
	for ago := int64(1); ago < 40; ago++ {
		s := begin(t, "version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsteps:\n"+
			"  - {id: s, kind: distinct, event: d, of: user_id, at_least: 2, within: 3h}")
		assert.Equal(t, "active", s.fold(fmt.Sprintf("d/ana@%d d/ana@100 d/bob@97", 97-3-ago)), "%d hours", ago)
	}
}
