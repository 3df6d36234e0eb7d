package account_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

func TestViewTellsWhatTheTierDependsOn(t *testing.T) {
	by := func(definition, events string) string {
		s := begin(t, definition)
		s.fold(events)
		v := s.engine.View(s.state, 0)
		var parts []string
		for _, p := range v.TierBy {
			parts = append(parts, p.Key+"="+p.Value.String())
		}
		return strings.Join(parts, " ")
	}
	assert.Equal(t, "company_size=60", by(life, "enriched?company_size=60&domain=acme.com"))
	assert.Equal(t, "company_size=5", by(life, "enriched?company_size=5"), "of another size it would be larger")
	assert.Equal(t, "company_size=null", by(life, "a"))
	assert.Empty(t, by(strings.Replace(life, "preset: simple", tiersOfOne, 1), "a"), "there is one tier only")

	either := strings.Replace(life, "preset: simple",
		`tiers: [{name: vip, when: 'account.company_size > 9 || account.domain == "acme.com"', threshold: 0.5}, {name: all, threshold: 0.7}]`, 1)
	assert.Equal(t, "company_size=10 domain=acme.com", by(either, "enriched?company_size=10&domain=acme.com"), "each suffices, so neither is what it depends on")
	assert.Equal(t, "domain=acme.com", by(either, "enriched?company_size=9&domain=acme.com"))
}

func TestALoneUserOfALargeAccountIsNoted(t *testing.T) {
	for events, want := range map[string]bool{
		"enriched?company_size=500 a": true, "enriched?company_size=500 a b/bob": false, "enriched?company_size=60 a": false, "a": false,
	} {
		s := begin(t, life)
		s.fold(events)
		assert.Equal(t, want, s.engine.View(s.state, 0).LoneUser, events)
	}
	s := begin(t, strings.Replace(life, "preset: simple", tiersOfOne, 1))
	s.fold("a")
	assert.False(t, s.engine.View(s.state, 0).LoneUser, "no tier is that of large accounts")
}

func TestTheNearestStepsComeFirst(t *testing.T) {
	for _, c := range []struct {
		name, events string
		weights      [5]float64
		threshold    float64
		nearest      []string
	}{
		{"one step, the one that has begun", "a b b b", [5]float64{1, 1, 1, 1, 1}, 0.4, []string{"b"}},
		{"only a heavy one suffices", "a b b b", [5]float64{1, 1, 1, 1, 6}, 0.5, []string{"e"}},
		{"of two the one that has begun", "b b b", [5]float64{1, 1, 1, 1, 1}, 0.4, []string{"b", "a"}},
		{"one heavy step rather than two light ones", "b b b", [5]float64{1, 1, 1, 1, 2}, 0.3, []string{"e"}},
		{"a light one that has begun, and the heavy one that it takes", "b b b", [5]float64{1, 1, 1, 1, 6}, 0.7, []string{"b", "e"}},
		{"fractions add up", "a c", [5]float64{0.1, 0.2, 0.3, 0.1, 0.3}, 0.7, []string{"e"}},
		{"all of them", "", [5]float64{1, 1, 1, 1, 1}, 1, []string{"a", "b", "c", "d", "e"}},
		{"none more", "a", [5]float64{1, 1, 1, 1, 1}, 0.2, nil},
	} {
		s := begin(t, weighed(c.threshold, c.weights[:], 4))
		s.fold(c.events)
		assert.Equal(t, c.nearest, s.engine.View(s.state, 0).Nearest, c.name)
	}
}

// weighed is a checklist of steps a, b, ..., each done after so many of its events.
func weighed(threshold float64, weights []float64, atLeast int) string {
	text := fmt.Sprintf("version: 1\nname: weighed\ntiers: [{name: all, threshold: %v}]\nsteps:\n", threshold)
	for i, w := range weights {
		id := string(rune('a' + i))
		n := 1
		if id == "b" {
			n = atLeast
		}
		text += fmt.Sprintf("  - {id: %s, kind: count, event: %s, at_least: %d, weight: %v}\n", id, id, n, w)
	}
	return text
}

// No choice of fewer steps reaches the threshold, and the one that is told does.
func TestThereIsNoShorterWay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		weights := make([]float64, 7)
		for i := range weights {
			weights[i] = float64(1+r.IntN(9)) / 10
		}
		threshold := float64(1+r.IntN(20)) / 20
		s := begin(t, weighed(threshold, weights, 2))
		for i := range weights {
			if r.IntN(3) == 0 {
				s.fold(string(rune('a' + i)))
			}
		}
		v := s.engine.View(s.state, 0)
		done, fewest := uint(0), len(weights)
		for _, e := range v.StepsDone {
			done |= 1 << (e.Step[0] - 'a')
		}
		for set := range uint(1 << len(weights)) {
			if set&done == 0 && share(weights, set|done) >= threshold-1e-9 {
				fewest = min(fewest, bits.OnesCount(set))
			}
		}
		require.Len(t, v.Nearest, fewest, "%v, threshold %v", weights, threshold)
		for _, id := range v.Nearest {
			done |= 1 << (id[0] - 'a')
		}
		require.GreaterOrEqual(t, share(weights, done), threshold-1e-9)
	}
}

func share(weights []float64, set uint) float64 {
	var some, all float64
	for i, w := range weights {
		all += w
		if set&(1<<i) != 0 {
			some += w
		}
	}
	return some / all
}
