package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pqlstream/pqlstream/pkg/account"
)

func TestViewShowsTheStandingAndTheHistory(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created?company_size=500@10 a@11 c@12 bought?plan=team@13")
	v := s.engine.View(s.state, 13*hour)
	assert.Equal(t, "large", v.Tier)
	assert.Equal(t, 0.5, v.Rate)
	assert.Len(t, v.StepsDone, 2)
	assert.True(t, v.Converted)
	assert.True(t, v.Escalated)
	assert.False(t, v.Current)
	assert.False(t, v.Excluded)
	assert.Equal(t, int64(100), v.Incarnation)
	assert.Equal(t, int64(6), v.Ordinal)
	assert.Equal(t, []account.Moment{
		{Type: account.SignedUp, OccurredAt: 10 * hour},
		{Type: account.StepDone, Step: "a", OccurredAt: 11 * hour},
		{Type: account.StepDone, Step: "c", OccurredAt: 12 * hour},
		{Type: account.Qualified, OccurredAt: 12 * hour},
		{Type: account.Escalated, OccurredAt: 12 * hour},
		{Type: account.Converted, OccurredAt: 13 * hour},
	}, v.History)
	assert.Zero(t, v.ActiveUsers7d-1)
	assert.Zero(t, s.engine.View(s.state, 13*hour+8*24*hour).ActiveUsers7d)
}

func TestHistoryKeepsTheNewest50(t *testing.T) {
	s := begin(t, life)
	s.fold("a b b c")
	for range 30 {
		s.fold("enriched?domain=ourcompany.com enriched?domain=acme.com")
	}
	v := s.engine.View(s.state, 0)
	assert.Len(t, v.History, 50)
	assert.Equal(t, int64(64), v.Ordinal)
	assert.Equal(t, account.Requalified, v.History[49].Type)
	assert.Equal(t, account.Disqualified, v.History[0].Type)
}

func TestAFactNamesAnEventThatTheChecklistDoesNot(t *testing.T) {
	s := begin(t, strings.Replace(life, "{event: enriched}", "{event: '*'}", 1))
	assert.Equal(t, "step_done(a) step_done(c) qualified escalated", s.fold("a c viewed?company_size=700"))
	for _, f := range s.facts[2:] {
		assert.Equal(t, "viewed", f.EventName, fmt.Sprint(f.Type))
	}
}

func TestForgottenIDsMakeRoom(t *testing.T) {
	s := begin(t, life+"activity: {users: 0}\n")
	s.fold("b")
	small := s.state.Size()
	for i := range 300 {
		s.engine.Folder().Apply(s.state, s.event(fmt.Sprintf("viewed@%d", i*48)), account.Position{}, 0)
		s.engine.Folder().Apply(s.state, s.event(fmt.Sprintf("enriched?domain=%d@%d", i, i*48)), account.Position{}, 0)
	}
	assert.Less(t, s.state.Size(), small+500, "ids beyond the horizon take memory")
}
