package account_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
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
	assert.Equal(t, "step_done(a) qualified", s.fold("a@1"))
	for day := range 150 {
		s.fold(fmt.Sprintf("s@%d wait@%d", 24*(2*day+1), 24*(2*day+2)+1))
	}
	assert.Equal(t, hour, s.standing().QualifiedAt)
	assert.Equal(t, "disqualified!excluded", s.fold("judged?bad=true"))
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
	assert.Equal(t, "step_done(a) qualified", s.fold("a a"))
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
