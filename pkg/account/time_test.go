package account_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// timely has live steps and steps over steps: of weight 4, of which a small account needs 3.
const timely = `
version: 1
name: timely
zone: Europe/Berlin
inactivity: {days: 0}
signup: {event: account_created}
converted: {event: bought}
tiers: [{name: all, threshold: 0.75, playbook: in-app-nudge}]
segments:
  - {name: habit, when: steps.weekly}
  - {name: led-by-admin, when: 'champion_role == "admin"'}
steps:
  - {id: weekly, kind: days, event: s, at_least: 2, within: 3d, live: true}
  - {id: a, kind: event, event: a}
  - {id: b, kind: event, event: b, weight: 0}
  - {id: c, kind: event, event: c, weight: 0}
  - {id: either, kind: any, steps: [b, c]}
  - {id: habit-and-a, kind: all, steps: [weekly, a], live: true}
activity: {users: 3, role: role}
`

func TestLiveStepsComeAndGo(t *testing.T) {
	s := begin(t, timely)
	assert.Equal(t, "active", s.fold("s@10"))
	assert.Equal(t, "step_done(a)", s.fold("a@12"))
	assert.Equal(t, "step_done(weekly) step_done(habit-and-a) qualified", s.fold("s@40"), "3 of 4")
	f := s.last()
	assert.Equal(t, account.ByEvent, f.Cause)
	assert.Equal(t, 0.75, f.Rate)
	assert.Equal(t, []string{"habit"}, f.Segments)

	// Days 0 and 1 of Berlin lie in a window of 3 days until day 2 ends, an hour before UTC's does.
	assert.Equal(t, 71*hour, s.state.NextTimer())
	assert.Equal(t, "", s.fold("wait@70"))
	assert.Equal(t, "step_undone(weekly) step_undone(habit-and-a) disqualified!step_undone", s.fold("wait@80"))
	f = s.last()
	assert.Equal(t, account.ByTime, f.Cause)
	assert.Equal(t, 71*hour, f.OccurredAt)
	assert.Empty(t, f.EventID)
	assert.Zero(t, f.Position)
	assert.Equal(t, 0.25, f.Rate)
	assert.Empty(t, f.Segments)
	assert.False(t, f.Current)
	assert.Zero(t, s.state.NextTimer())

	assert.Equal(t, "step_done(weekly) step_done(habit-and-a) requalified", s.fold("s@100 s@120"))
	assert.Equal(t, "step_done(b) step_done(either) step_done(c)", s.fold("b c"), "the second of any does no more")
	assert.Equal(t, "step_undone(weekly) step_undone(habit-and-a) disqualified!step_undone", s.fold("wait@900"))
	history := s.engine.View(s.state, 900*hour).History
	assert.Equal(t, account.Moment{Type: account.StepUndone, Step: "weekly", OccurredAt: 71 * hour}, history[3])
}

// A lower rate takes no PQL away unless a step was undone, and a rate that stays above the bar does not either.
func TestUndoneStepsDisqualifyBelowTheBarOnly(t *testing.T) {
	s := begin(t, timely)
	s.fold("a@1 b s@10 s@30")
	assert.Equal(t, 1.0, s.standing().Rate)
	assert.True(t, s.state.Current())
	assert.Equal(t, "converted", s.fold("bought@31"))
	assert.Equal(t, "step_undone(weekly) step_undone(habit-and-a)", s.fold("wait@900"), "it has left already")
}

func TestEventsUndoNothingThatDisorderCouldExplain(t *testing.T) {
	for _, order := range []string{"s@10 s@40 s@23", "s@23 s@10 s@40", "s@40 s@23 s@10"} {
		s := begin(t, timely)
		s.fold(order)
		assert.Equal(t, 71*hour, s.state.NextTimer(), order)
		assert.Len(t, s.standing().StepsDone, 1, order)
	}
}

// TestALimitThatChangesMovesTheTimer of a step that stays done.
func TestALimitThatChangesMovesTheTimer(t *testing.T) {
	s := begin(t, `
version: 1
name: limits
tiers: [{name: all, threshold: 1}]
properties: [{name: seats, type: long, from: [{event: bought}]}]
steps: [{id: near, kind: ratio, event: used, of: properties.n, to: account.seats, at_least: 1, adds: true, within: 2d, live: true}]
`)
	assert.Equal(t, "active step_done(near) qualified", s.fold("bought?seats=5@1 used?n=10@2 used?n=5@30"))
	assert.Equal(t, 72*hour, s.state.NextTimer(), "the second day is enough")
	assert.Empty(t, s.fold("bought?seats=15"))
	assert.Equal(t, 48*hour, s.state.NextTimer(), "it takes both")
}

func TestUsersHaveRatesOfTheirOwn(t *testing.T) {
	s := begin(t, timely)
	s.fold("a/ana?role=guest@1 s/ana@2 s/bob@26 a/bob?role=admin b/bob c/bob a/cleo")
	f := s.standing()
	assert.Equal(t, "bob", f.Champion)
	assert.Equal(t, 2, f.Activated)
	assert.Equal(t, []string{"habit", "led-by-admin"}, f.Segments)
	assert.Equal(t, []account.UserActivity{
		{ID: "bob", Events: 4, LastSeen: 29 * hour, StepsDone: 5, Rate: 1, Activated: true, Role: "admin"},
		{ID: "ana", Events: 2, LastSeen: 2 * hour, StepsDone: 1, Rate: 1, Activated: true, Role: "guest"},
		{ID: "cleo", Events: 1, LastSeen: 30 * hour, Rate: 0.5},
	}, f.Users, "of the two steps that users can take part in and that count")

	s.fold("a/dave a/dave") // who was not seen for the longest time goes, with everything
	s.fold("b/ana@40")
	for _, u := range s.standing().Users {
		if u.ID == "ana" {
			assert.Equal(t, account.UserActivity{ID: "ana", Events: 1, LastSeen: 40 * hour, StepsDone: 1}, u)
		}
	}
}

// TestMeritsOutlastANewDefinition in which steps have come, gone and changed places.
func TestMeritsOutlastANewDefinition(t *testing.T) {
	s := begin(t, timely)
	s.fold("a/ana@1 s/ana@2 b/bob")
	e := engine(t, `
version: 2
name: timely
tiers: [{name: all, threshold: 0.75}]
steps:
  - {id: new, kind: event, event: n}
  - {id: b, kind: event, event: b}
  - {id: a, kind: event, event: a}
`)
	encoded, err := s.state.AppendBinary(nil)
	assert.NoError(t, err)
	state, err := e.Load("acme", encoded)
	assert.NoError(t, err)
	rates := map[string]float64{}
	for _, u := range e.View(reload(t, e, state), 0).Users {
		rates[u.ID] = u.Rate
	}
	assert.Equal(t, map[string]float64{"ana": 1.0 / 3, "bob": 1.0 / 3}, rates)
}

// TestTimeConcernsEveryLiveStep also where it is the only one of its checklist that time concerns.
func TestTimeConcernsEveryLiveStep(t *testing.T) {
	for _, step := range steadySteps {
		if !strings.Contains(step.step, "live: true") || strings.Contains(step.step, "steps:") {
			continue
		}
		e := engine(t, "version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\n"+
			"properties: [{name: seats, type: long, from: [{event: nobody}], default: 5}]\nsteps: [{id: s, "+step.step+"}]")
		assert.True(t, e.Checklist().Timed(), step.name)
	}
}

// TestTimeDoesNoLiveStepInThePast though an account that qualified by late events was silent from a time on at which the step
// would have been done.
func TestTimeDoesNoLiveStepInThePast(t *testing.T) {
	for _, kept := range []bool{true, false} {
		s := begin(t, `
version: 1
name: late
inactivity: {days: 1}
tiers: [{name: all, threshold: 0.5}]
steps:
  - {id: weekly, kind: days, event: s, at_least: 2, within: 3d, live: true}
  - {id: a, kind: event, event: a}
`)
		s.kept = kept
		assert.Equal(t, "active", s.fold("wait@400 s@10 s@30"), "no window with both reaches to the present")
		assert.Equal(t, "step_done(a) qualified", s.fold("a@31"))
		assert.Equal(t, "disqualified!inactive", s.fold("wait@401"))
		assert.Equal(t, 56*hour, s.last().OccurredAt)
	}
}
