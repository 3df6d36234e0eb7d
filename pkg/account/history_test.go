package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// However much happens afterwards, a PQL knows when it qualified: those who read pql.current are told by that when it leaves.
func TestTheNewestQualificationOutlastsTheHistory(t *testing.T) {
	s := begin(t, `
version: 1
name: flaps
exclude: [account.bad]
properties: [{name: bad, type: boolean, from: [{event: judged}]}]
tiers: [{name: all, threshold: 0.5}]
steps:
  - {id: a, kind: event, event: a, weight: 3}
  - {id: here, kind: days, event: s, at_least: 1, within: 1d, live: true}
`)
	assert.Equal(t, "active step_done(a) qualified", s.fold("a@1"))
	for day := range 150 {
		s.fold(fmt.Sprintf("s@%d wait@%d", 24*(2*day+1), 24*(2*day+2)+1))
	}
	assert.Equal(t, hour, s.standing().QualifiedAt)
	assert.Equal(t, "excluded disqualified!excluded", s.fold("judged?bad=true"))
	assert.Equal(t, hour, s.last().QualifiedAt)
}

// A user's merits are of steps that users can take part in, also after a step has become one that they can't.
func TestMeritsOfStepsThatAreNobodysMeritGo(t *testing.T) {
	s := begin(t, "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, kind: event, event: a}\n  - {id: b, kind: event, event: b}\n")
	s.fold("a b")
	e := engine(t, "version: 2\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, kind: event, event: a}\n"+
		"  - {id: b, kind: absent, event: b, after: {event: a}, for: 1d}\n")
	encoded, err := s.state.AppendBinary(nil)
	assert.NoError(t, err)
	state, err := e.Load("acme", encoded)
	assert.NoError(t, err)
	assert.Equal(t, 1.0, e.View(state, 0).Users[0].Rate)
}

// A step that becomes live begins anew: what did it was not kept.
func TestAStepThatBecomesLiveBeginsAnew(t *testing.T) {
	sticky := "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, kind: count, event: a, at_least: 2, within: 7d"
	s := begin(t, sticky+"}\n")
	assert.Equal(t, "active step_done(a) qualified", s.fold("a a"))
	e := engine(t, sticky+", live: true}\n")
	encoded, err := s.state.AppendBinary(nil)
	assert.NoError(t, err)
	state, err := e.Load("acme", encoded)
	assert.NoError(t, err)
	s.engine, s.state = e, reload(t, e, state)
	assert.Zero(t, s.engine.View(s.state, 0).Rate)
	assert.Equal(t, "", s.fold("a"), "it is a PQL still: nothing that it had was undone")
	assert.Equal(t, "step_done(a)", s.fold("a"))
	assert.Equal(t, "step_undone(a) disqualified!step_undone", s.fold("wait@300"))
}

// under loads the account under another definition of its one step.
func (s *scenario) under(step string) *scenario {
	s.engine = engine(s.t, oneStep(step))
	encoded, err := s.state.AppendBinary(nil)
	require.NoError(s.t, err)
	s.state, err = s.engine.Load("acme", encoded)
	require.NoError(s.t, err)
	return s
}

func oneStep(step string) string {
	return "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - {id: a, " + step + "}\n"
}

// A live step that its definition now asks more of than there is holds no longer, also of an account in which nothing happens.
func TestHarderLiveStepsAreUndone(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"kind: days, event: a, within: 7d, live: true, at_least: 3", "kind: days, event: a, within: 7d, live: true, at_least: 5"},
		{"kind: count, event: a, within: 30d, live: true, at_least: 3", "kind: count, event: a, within: 2d, live: true, at_least: 3"},
		{"kind: sum, event: a, of: properties.n, within: 7d, live: true, at_least: 3", "kind: sum, event: a, of: properties.n, within: 7d, live: true, at_least: 300"},
		{"kind: distinct, event: a, of: properties.n, within: 7d, live: true, at_least: 2", "kind: distinct, event: a, of: properties.n, within: 7d, live: true, at_least: 4"},
		{"kind: score, points: [{event: a, points: 10}], half_life: 7d, live: true, at_least: 20", "kind: score, points: [{event: a, points: 10}], half_life: 7d, live: true, at_least: 50"},
	} {
		s := begin(t, oneStep(c.before))
		s.fold("a?n=1@1 a?n=2@30 a?n=3@60")
		require.True(t, s.state.Current(), c.before)
		s.under(c.after)
		assert.Positive(t, s.state.NextTimer())
		assert.Equal(t, "step_undone(a) disqualified!definition_changed", s.fold("wait@70"), c.after)
		assert.Equal(t, 70*hour, s.last().OccurredAt, "when it was noticed")
		assert.Zero(t, s.state.NextTimer())
	}
}

// What the definition takes away says so: what time or an event takes away in the same turn, or would have anyway, does not.
func TestWhatTheDefinitionUndidIsTold(t *testing.T) {
	rules := func(within string, need int) string {
		return fmt.Sprintf(`
version: 1
name: x
tiers: [{name: all, threshold: 0.5}]
steps:
  - {id: habit, kind: count, event: a, within: 7d, at_least: %d, live: true}
  - {id: lately, kind: count, event: b, within: %s, at_least: 1, live: true, weight: 0}
  - {id: both, kind: all, steps: [habit, lately], live: true}
`, need, within)
	}
	for _, c := range []struct{ name, after, event, facts, causes string }{
		{"noticed by time", rules("7d", 4), "wait@61", "step_undone(habit) step_undone(both) disqualified!definition_changed", "definition definition definition"},
		{"the same definition undoes nothing", rules("7d", 3), "wait@61 a@62", "", ""},
		{"time undoes what it would have", rules("7d", 3), "wait@900", "step_undone(habit) step_undone(both) disqualified!step_undone step_undone(lately)",
			"timer timer timer timer"},
		{"another window, and time", rules("2d", 3), "wait@110", "step_undone(lately) step_undone(both)", "timer timer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t, rules("7d", 3))
			s.fold("a@1 a@30 a@59 b@60")
			require.True(t, s.state.Current())
			s.engine = engine(t, c.after)
			encoded, err := s.state.AppendBinary(nil)
			require.NoError(t, err)
			s.state, err = s.engine.Load("acme", encoded)
			require.NoError(t, err)
			before := len(s.facts)
			assert.Equal(t, c.facts, s.fold(c.event))
			var causes []string
			for _, f := range s.facts[before:] {
				causes = append(causes, string(f.Cause))
				if f.Cause == account.ByDefinition {
					assert.Empty(t, f.EventID+f.EventName+f.UserID+f.Position.Topic, "no event did it")
				}
			}
			assert.Equal(t, c.causes, strings.Join(causes, " "))
		})
	}
}

// A step that its definition now asks less of is done by what there is already, at the account's next event.
func TestEasierStepsAreDone(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"kind: distinct, event: a, of: properties.n, at_least: 5", "kind: distinct, event: a, of: properties.n, at_least: 3"},
		{"kind: distinct, event: a, of: properties.n, within: 7d, at_least: 5", "kind: distinct, event: a, of: properties.n, within: 7d, at_least: 3"},
		{"kind: days, event: a, at_least: 5", "kind: days, event: a, at_least: 3"},
		{"kind: days, event: a, within: 7d, at_least: 5", "kind: days, event: a, within: 7d, at_least: 3"},
		{"kind: count, event: a, at_least: 5", "kind: count, event: a, at_least: 3"},
		{"kind: days, event: a, within: 7d, at_least: 5, live: true", "kind: days, event: a, within: 7d, at_least: 3, live: true"},
	} {
		s := begin(t, oneStep(c.before))
		s.fold("a?n=1@1 a?n=2@30 a?n=3@60")
		require.False(t, s.state.Current(), c.before)
		assert.Equal(t, "step_done(a) qualified", s.under(c.after).fold("a?n=3@61"), c.after)
	}
}

// What a step that asked for more has kept does not stay when it can't be needed.
func TestSetsOfAnotherDefinitionDoNotOutgrowTheBound(t *testing.T) {
	s := begin(t, oneStep("kind: distinct, event: a, of: properties.n, at_least: 5000, where: 'quantity < 5.0'"))
	f := s.engine.Folder()
	for i := range 3000 {
		f.Apply(s.state, &usage.Event{Name: "a", OccurredAt: int64(i), Properties: []usage.Property{{Key: "n", Value: usage.StringValue(fmt.Sprint("value ", i))}}}, account.Position{}, 0)
	}
	s.under("kind: distinct, event: a, of: properties.n, within: 2d, at_least: 2")
	s.fold("a?n=1")
	encoded, err := s.state.AppendBinary(nil)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(encoded), s.engine.Checklist().StateBound())

	s = begin(t, oneStep("kind: days, event: a, within: 300d, at_least: 300"))
	for i := range 250 {
		s.fold(fmt.Sprintf("a@%d", 24*i))
	}
	s.under("kind: days, event: a, within: 300d, at_least: 299").under("kind: days, event: a, within: 2d, at_least: 2")
	s.fold("a@6000 a")
	encoded, err = s.state.AppendBinary(nil)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(encoded), s.engine.Checklist().StateBound())
}

// A live absence that waits for another time begins anew.
func TestALiveAbsenceOfAnotherLengthBeginsAnew(t *testing.T) {
	s := begin(t, oneStep("kind: absent, event: a, after: {event: b}, for: 2d, live: true"))
	assert.Equal(t, "step_done(a) qualified", s.fold("b@1 wait@100"))
	s.under("kind: absent, event: a, after: {event: b}, for: 9d, live: true")
	assert.Zero(t, s.engine.View(s.state, 0).Rate)
	assert.Equal(t, "step_done(a)", s.fold("b@110 wait@400"))
}
