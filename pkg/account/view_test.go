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
	assert.Equal(t, int64(7), v.Ordinal)
	assert.Equal(t, []account.Moment{
		{Type: account.SignedUp, OccurredAt: 10 * hour}, {Type: account.Active, OccurredAt: 11 * hour},
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
	assert.Equal(t, int64(125), v.Ordinal)
	assert.Equal(t, account.Requalified, v.History[49].Type)
	assert.Equal(t, account.LetIn, v.History[0].Type)
}

func TestAFactNamesAnEventThatTheChecklistDoesNot(t *testing.T) {
	s := begin(t, strings.Replace(life, "{event: enriched}", "{event: '*'}", 1))
	assert.Equal(t, "active step_done(a) step_done(c) qualified!tier_changed escalated", s.fold("a c viewed?company_size=700"))
	for _, f := range s.facts[3:] {
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
	for tiers, want := range map[string]bool{
		tiersOfOne: false,
		"tiers: [{name: enterprise, when: account.company_size > 9000, threshold: 0.2}, {name: large, threshold: 0.4}]": true,
		"tiers: [{name: all, threshold: 0.3}]": true,
	} {
		s := begin(t, strings.Replace(life, "preset: simple", tiers, 1))
		s.fold("a")
		assert.Equal(t, want, s.engine.View(s.state, 0).LoneUser, tiers)
	}
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

func TestTheNearestStepsAreWhatAnAccountCanDo(t *testing.T) {
	for _, c := range []struct {
		name, steps, events string
		threshold           float64
		nearest, completes  []string
	}{
		{"a group takes two events, c takes one", "a 0, b 0, g 1 all a b, c 1", "", 0.5, []string{"c"}, nil},
		{"what a group is made of counts too", "a 1, b 1, g 1 any a b, c 1", "", 0.5, []string{"a"}, []string{"g"}},
		{"all of a group", "a 0, b 0, g 2 all a b", "", 0.5, []string{"a", "b"}, []string{"g"}},
		{"the rest of a group", "a 0, b 0, g 2 all a b, c 1", "b", 0.6, []string{"a"}, []string{"g"}},
		{"groups of groups", "a 0, b 0, c 0, g 0 all a b, h 3 any g c, d 1", "", 0.7, []string{"c"}, []string{"h"}},
		{"what weighs nothing and completes nothing is no way", "x 0, a 1, b 1", "", 0.5, []string{"a"}, nil},
		{"a group that is done already", "a 0, b 0, g 1 any a b, c 1, d 1", "a", 0.6, []string{"c"}, nil},
	} {
		s := begin(t, grouped(c.threshold, c.steps))
		s.fold(c.events)
		v := s.engine.View(s.state, 0)
		assert.Equal(t, c.nearest, v.Nearest, c.name)
		assert.Equal(t, c.completes, v.Completes, c.name)
	}
}

// grouped is a checklist of steps of a weight each: done at the first of their events, or any or all of others.
func grouped(threshold float64, steps string) string {
	text := fmt.Sprintf("version: 1\nname: grouped\ntiers: [{name: all, threshold: %v}]\nsteps:\n", threshold)
	for _, step := range strings.Split(steps, ", ") {
		words := strings.Fields(step)
		text += "  - {id: " + words[0] + ", weight: " + words[1] + ", "
		if len(words) == 2 {
			text += "kind: event, event: " + words[0] + "}\n"
		} else {
			text += "kind: " + words[2] + ", steps: [" + strings.Join(words[3:], ", ") + "]}\n"
		}
	}
	return text
}

// made is a checklist of steps a, b, ..., some of which are made of others.
type made struct {
	weights []float64
	members [][]int // none: it is done after atLeast of its events
	need    []int
	atLeast []int
}

// randomlyMade returns a checklist of some steps, of which those after the first leaves are made of up to so many before.
func randomlyMade(r *rand.Rand, steps, leaves, most int) (m made) {
	for i := range steps {
		m.weights, m.atLeast = append(m.weights, float64(r.IntN(9))/10), append(m.atLeast, 1+r.IntN(3))
		var of []int
		if i >= leaves {
			of = r.Perm(i)[:1+r.IntN(most)]
		}
		m.members, m.need = append(m.members, of), append(m.need, 1+r.IntN(max(1, len(of))))
	}
	m.weights[0] += 0.1 // some step weighs something
	return m
}

func (m *made) text(threshold float64) string {
	text := fmt.Sprintf("version: 1\nname: made\ntiers: [{name: all, threshold: %v}]\nsteps:\n", threshold)
	for i, w := range m.weights {
		text += fmt.Sprintf("  - {id: %s, weight: %v, ", letter(i), w)
		if m.members[i] == nil {
			text += fmt.Sprintf("kind: count, event: %s, at_least: %d}\n", letter(i), m.atLeast[i])
			continue
		}
		var of []string
		for _, member := range m.members[i] {
			of = append(of, letter(member))
		}
		text += fmt.Sprintf("kind: any, steps: [%s], at_least: %d}\n", strings.Join(of, ", "), m.need[i])
	}
	return text
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// letter names a step by its place, placeOf is the inverse.
func letter(i int) string { return letters[i : i+1] }

func placeOf(id string) int { return strings.Index(letters, id) }

// rate is that of an account that has done some steps, and what they complete.
func (m *made) rate(set uint) float64 {
	var some, all float64
	for i, w := range m.weights {
		n := 0
		for _, member := range m.members[i] {
			n += int(set >> member & 1)
		}
		if m.members[i] != nil && n >= m.need[i] {
			set |= 1 << i
		}
		if all += w; set>>i&1 == 1 {
			some += w
		}
	}
	return some / all
}

// No choice of fewer steps that an account can do reaches the threshold, of those as few none has come further, and the one
// that is told suffices.
func TestThereIsNoShorterWay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	completes := 0
	for range 300 {
		leaves := 5 + r.IntN(5)
		m, threshold := randomlyMade(r, 9, leaves, 4), float64(1+r.IntN(20))/20
		s := begin(t, m.text(threshold))
		for i := range leaves {
			if r.IntN(3) == 0 {
				s.fold(letter(i))
			}
		}
		v := s.engine.View(s.state, 0)
		done, progress := uint(0), map[string]float64{}
		for _, e := range v.StepsDone {
			done |= 1 << placeOf(e.Step)
		}
		for _, missing := range v.StepsMissing {
			progress[missing.Step] = missing.Progress
		}
		fewest, furthest := len(m.weights), 0.0
		for set := range uint(1 << leaves) {
			if n := bits.OnesCount(set); set&done == 0 && n <= fewest && m.rate(set|done) >= threshold-1e-9 {
				come := 0.0
				for i := range leaves {
					come += progress[letter(i)] * float64(set>>i&1)
				}
				if n < fewest || come > furthest {
					fewest, furthest = n, come
				}
			}
		}
		told, come := m.text(threshold)+fmt.Sprint(progress, v.Nearest), 0.0
		require.Len(t, v.Nearest, fewest, told)
		for _, id := range v.Nearest {
			require.Less(t, placeOf(id), leaves, told)
			done |= 1 << placeOf(id)
			come += progress[id]
		}
		require.GreaterOrEqual(t, m.rate(done), threshold-1e-9, told)
		require.InDelta(t, furthest, come, 1e-6, told)
		completes += len(v.Completes)
	}
	assert.Positive(t, completes)
}

// Where there are too many ways to try them all, one is told that suffices and has no needless step.
func TestAWayIsFoundAmongTooMany(t *testing.T) {
	const steps, leaves, threshold = 52, 36, 0.6
	r := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		m := randomlyMade(r, steps, leaves, 12)
		for i := range leaves {
			m.weights[i] = 0.01
		}
		s := begin(t, m.text(threshold))
		way, nearest := uint(0), s.engine.View(s.state, 0).Nearest
		for _, id := range nearest {
			way |= 1 << placeOf(id)
		}
		require.GreaterOrEqual(t, m.rate(way), threshold-1e-9, nearest)
		for _, id := range nearest {
			require.Less(t, placeOf(id), leaves)
			require.Less(t, m.rate(way&^(1<<placeOf(id))), threshold-1e-9, "%s is needless in %s", id, nearest)
		}
	}
}
