package account_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// control asks for something at an hour.
func control(at int64) *account.Control {
	return &account.Control{
		At: at * hour, EventID: "asked", EventName: "asked_for", Position: account.Position{Topic: "crm", Partition: 2, Offset: 7}, Watermark: at*hour - hour/12,
	}
}

// account begins another account of the same checklist.
func (s *scenario) other(id string) *scenario {
	return &scenario{t: s.t, engine: s.engine, state: s.engine.New(id, 200), offset: 1000, kept: s.kept}
}

// take takes facts that something has led to in.
func (s *scenario) take(facts []account.Fact) string {
	s.facts = append(s.facts, facts...)
	if !s.kept {
		s.state = reload(s.t, s.engine, s.state)
	}
	return strings.Join(inWords(facts), " ")
}

// merge merges one account into another at the later one's hour, and returns the facts of both.
func merge(from, into *scenario) (ofFrom, ofInto string) {
	c := control(max(from.hour, into.hour) + 1)
	f := into.engine.Folder()
	for _, s := range []*scenario{from, into} {
		_, due := f.Pass(s.state, c.Watermark)
		s.facts = append(s.facts, due...)
	}
	carried, facts := f.Merge(from.state, into.state.AccountID(), c)
	ofFrom = from.take(facts)
	if carried == nil {
		return ofFrom, ""
	}
	facts, err := f.Absorb(into.state, from.state.AccountID(), carried, c)
	require.NoError(into.t, err)
	into.hour = c.At / hour
	into.watermark = max(into.watermark, c.Watermark)
	return ofFrom, into.take(facts)
}

func TestMergingCarriesStepsOverWithoutCountingTwice(t *testing.T) {
	for _, kept := range []bool{true, false} {
		acme := begin(t, life)
		acme.kept = kept
		old := acme.other("acme-old")
		acme.fold("account_created@10 a/ana@20 b/ana?id=twice@21 d/ana@22")
		old.fold("account_created/bob@5 a/bob@6 b/bob?id=once@7 d/ana@8 d/bob@9")
		ofOld, ofAcme := merge(old, acme)
		assert.Equal(t, "merged", ofOld)
		assert.Equal(t, "absorbed step_done(b) step_done(d) qualified", ofAcme)
		f := acme.last()
		assert.Equal(t, account.ByMerge, f.Cause)
		assert.Equal(t, []string{"asked", "asked_for", "crm"}, []string{f.EventID, f.EventName, f.Position.Topic})
		assert.Empty(t, f.UserID)
		assert.Equal(t, 23*hour, f.OccurredAt)
		assert.Equal(t, 5*hour, f.SignedUpAt, "the earlier sign-up")
		require.Len(t, f.StepsDone, 3)
		assert.Equal(t, account.Evidence{Step: "a", DoneAt: 6 * hour, UserID: "bob", EventID: "event-1", Count: 1,
			Position: account.Position{Topic: "usage", Partition: 1, Offset: 1002}}, withoutID(f.StepsDone[0]), "the earlier evidence")
		assert.Equal(t, account.Evidence{Step: "b", DoneAt: 23 * hour, EventID: "event-1", Count: 2,
			Position: account.Position{Topic: "crm", Partition: 2, Offset: 7}}, withoutID(f.StepsDone[1]), "both together have done it")
		assert.Equal(t, 9*hour, f.StepsDone[2].DoneAt, "the other alone has done it")
		assert.Equal(t, []account.UserActivity{
			{ID: "ana", Events: 5, LastSeen: 22 * hour, StepsDone: 0, Rate: 0.75, Activated: true},
			{ID: "bob", Events: 4, LastSeen: 9 * hour, StepsDone: 2, Rate: 0.75, Activated: true},
		}, f.Users)
		assert.Equal(t, "acme-old", acme.facts[len(acme.facts)-4].Related)
		assert.Equal(t, "acme", old.last().Related)
		assert.Empty(t, acme.fold("c?id=twice@24 c/bob?id=once@25"), "both are remembered")
		assert.Equal(t, "step_done(c)", acme.fold("c@26"))

		assert.Equal(t, "acme", old.state.Alias())
		require.Empty(t, old.fold("c a"), "an alias takes nothing")
		again, nothing := merge(old, acme)
		assert.Empty(t, again+nothing, "merging twice changes nothing more")
	}
}

// withoutID leaves the event's id out, which tells nothing.
func withoutID(e account.Evidence) account.Evidence {
	e.EventID = "event-1"
	return e
}

func TestAMergedPQLIsRetractedOnce(t *testing.T) {
	acme := begin(t, life)
	old := acme.other("old")
	assert.Equal(t, "active step_done(a) step_done(c) step_done(b) qualified", old.fold("a c b b"))
	ofOld, ofAcme := merge(old, acme)
	assert.Equal(t, "disqualified!merged merged", ofOld)
	assert.Equal(t, "absorbed active step_done(a) step_done(b) step_done(c) qualified", ofAcme)
	assert.False(t, old.facts[len(old.facts)-2].Current)
	assert.False(t, old.last().Current)
	assert.False(t, old.state.Current())
	assert.Zero(t, acme.last().SignedUpAt)
	assert.Equal(t, 5*hour, acme.last().QualifiedAt, "it is a PQL since the merge, whatever the other was")
}

func TestAnUnknownAccountBecomesAnAliasAllTheSame(t *testing.T) {
	s := begin(t, life)
	carried, facts := s.engine.Folder().Merge(s.state, "other", control(3))
	assert.Nil(t, carried)
	assert.Equal(t, "merged", s.take(facts))
	assert.Equal(t, "other", s.state.Alias())
	carried, facts = s.engine.Folder().Merge(s.state, "third", control(4))
	assert.Nil(t, carried)
	assert.Empty(t, facts)
	assert.Equal(t, "other", s.state.Alias())
	_, err := s.engine.Folder().Absorb(s.state, "third", nil, control(4))
	assert.ErrorContains(t, err, "merging account third into acme")
}

func TestWhatAMergeMakesOfAnAccount(t *testing.T) {
	for _, c := range []struct{ name, rules, theirs, ours, facts, after, later string }{
		{"a sign-up comes along", never14, "signed_up@1", "a@5", "absorbed signed_up", "", ""},
		{"it has bought", never14, "a@1 bought@2", "a@5 b@6", "absorbed converted", "b c", ""},
		{"it had bought", never14, "a@1", "a@5 bought@6", "absorbed", "b", "step_done(b)"},
		{"the newer property holds", never14, "enriched?size=100@1", "enriched?size=9@5 a b", "absorbed", "", ""},
		{"and lowers the bar", never14, "enriched?size=9@9", "enriched?size=100@5 a@6 b@7", "absorbed qualified!tier_changed", "", ""},
		{"or raises it", never14 + "demote: true\n", "enriched?size=100@9", "enriched?size=9@5 a@6 b@7", "absorbed disqualified!tier_changed", "", ""},
		{"who is excluded stays so", never14 + "exclude_accounts: [acme]\n", "a@1 b@2", "c@5", "absorbed step_done(a) step_done(b)", "", ""},
		{"who came from an excluded one is not", never14 + "exclude_accounts: [old]\n", "a@1 b@2", "c@5", "absorbed step_done(a) step_done(b) qualified", "", ""},
		{"excluded by a property", never14, "enriched?test=true@9", "a@5 b@6", "absorbed excluded disqualified!excluded", "", ""},
		{"a customer that left needs another step", never14, "a@1 b@2 bought@3 cancelled@4", "c@5", "absorbed step_done(a) step_done(b)", "c c",
			"step_done(c) qualified"},
		{"which may be here already", never14, "a@1 b@2 bought@3 cancelled@4", "c@5 c c", "absorbed step_done(a) step_done(b) qualified", "", ""},
		{"a live step is done by both", never14, "d@1", "d@30", "absorbed step_done(d)", "wait@60 wait@72", "step_undone(d)"},
		{"or still", never14, "d@1 d@30", "c@40", "absorbed step_done(d)", "wait@60 wait@72", "step_undone(d)"},
		{"a live step is done again", never14, "d@50", "d@1 d@30", "absorbed step_done(d)", "wait@95 wait@96", "step_undone(d)"},
		{"silence is broken", threeDays, "c@80", "a@10 b@11 wait@84", "absorbed requalified", "wait@157 wait@158", "disqualified!inactive"},
		{"or is not", threeDays, "c@1", "a@10 b@11 wait@84", "absorbed", "", ""},
		{"what the other has done keeps it awake", threeDays, "c@50", "a@10 b@11", "absorbed", "wait@84 wait@122", ""},
		{"but not for ever", threeDays, "c@50", "a@10 b@11", "absorbed", "wait@123", "disqualified!inactive"},
		{"a trial that began earlier ends earlier", endsTrial, "signed_up@1", "signed_up@20 a b", "absorbed", "wait@48 wait@49", "disqualified!trial_ended"},
		{"a trial that was over is", endsTrial, "signed_up@1 wait@60", "a@61 b@62", "absorbed signed_up", "signed_up@80 wait@300", ""},
		{"a near miss is told", never14 + "near_miss: true\n", "a@1", "c@5", "absorbed step_done(a) near_miss(c)", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var facts [2][]account.Fact
			for i, kept := range []bool{true, false} {
				acme := begin(t, lifelong+c.rules)
				acme.kept = kept
				old := acme.other("old")
				old.fold(c.theirs)
				acme.fold(c.ours)
				_, came := merge(old, acme)
				came = strings.ReplaceAll(came, "absorbed active", "absorbed")
				assert.Equal(t, c.facts, strings.TrimSuffix(came, " segment_changed"))
				assert.Equal(t, c.later, acme.fold(c.after))
				facts[i] = acme.facts
			}
			require.Equal(t, facts[0], facts[1], "lost from memory, or not")
		})
	}
}

func TestTheEvidenceOfLiveStepsComesAlong(t *testing.T) {
	s := begin(t, `
version: 1
name: x
tiers: [{name: all, threshold: 1}]
steps:
  - {id: habit, kind: days, event: d, at_least: 2, within: 7d, live: true}
  - {id: a, kind: event, event: a}
  - {id: both, kind: all, steps: [habit, a], live: true}
`)
	old := s.other("old")
	old.fold("d/ana@1 d/bob@30 a/cem@31")
	old.take(eraseUser(old, "bob"))
	assert.Equal(t, "active", s.fold("d/ana@40"))
	_, came := merge(old, s)
	assert.Equal(t, "absorbed step_done(habit) step_done(a) step_done(both) qualified", came)
	var doneAt []int64
	for _, e := range s.last().StepsDone {
		doneAt = append(doneAt, e.DoneAt/hour)
	}
	assert.Equal(t, []int64{30, 31, 31}, doneAt)
	assert.True(t, s.last().PartlyErased, "of the other account")
}

// eraseUser takes a user out of an account.
func eraseUser(s *scenario, user string) []account.Fact {
	_, facts := s.engine.Folder().EraseUser(s.state, user, control(s.hour+1))
	return facts
}

// A property that is the user's id goes, too, and what followed from it.
func TestErasingAUserTakesPropertiesBackThatNameTheUser(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created/bob?domain=ana a/bob")
	assert.Equal(t, "user_erased", s.take(eraseUser(s, "ana")))
	assert.Empty(t, s.last().Properties[1].Value)
	b, _ := s.state.AppendBinary(nil)
	assert.NotContains(t, string(b), "ana")
}

// TestErasingAUserNoticesANewDefinition as any event would.
func TestErasingAUserNoticesANewDefinition(t *testing.T) {
	s := begin(t, oneStep("kind: distinct, event: a, of: properties.n, within: 7d, live: true, at_least: 2")+"near_miss: true\n")
	s.fold("a/ana?n=1@1 a/bob?n=2@2")
	require.True(t, s.state.Current())
	s.engine = engine(t, oneStep("kind: distinct, event: a, of: properties.n, within: 7d, live: true, at_least: 3")+"near_miss: true\n")
	encoded, err := s.state.AppendBinary(nil)
	require.NoError(t, err)
	s.state, err = s.engine.Load("acme", encoded)
	require.NoError(t, err)
	facts := eraseUser(s, "ana")
	assert.Equal(t, "step_undone(a) user_erased disqualified!definition_changed near_miss(a)", s.take(facts))
	for i, cause := range []account.Cause{account.ByDefinition, account.ByErasure, account.ByDefinition, account.ByErasure} {
		assert.Equal(t, cause, facts[i].Cause, facts[i].Type)
	}
}

func TestTheControlGroupGoesByTheID(t *testing.T) {
	held, free := "", ""
	definition := strings.Replace(life, "preset: simple", "preset: simple\nhold_out: {share: 0.5}", 1)
	e := engine(t, definition)
	for i := range 50 {
		if id := fmt.Sprint("account-", i); e.Checklist().HeldOut(id) {
			held = id
		} else {
			free = id
		}
	}
	s := begin(t, definition)
	from, into := s.other(held), s.other(free)
	from.fold("a@1")
	into.fold("a@1")
	merge(from, into)
	assert.True(t, from.last().HoldOut)
	assert.False(t, into.last().HoldOut)
}

func TestErasingLeavesAStub(t *testing.T) {
	s := begin(t, lifelong+threeDays)
	s.fold("signed_up/ana@1 a/ana?id=secret-1 b/bob?size=7&id=secret-2 c/cleo d/dora lead_lost?why=secret-3")
	require.True(t, s.state.Current())
	f := s.engine.Folder()
	facts := f.Erase(s.state, 1000*hour+1, control(9))
	assert.Equal(t, "disqualified!erased erased", s.take(facts))
	for _, f := range facts {
		assert.Equal(t, account.ByErasure, f.Cause)
		assert.Equal(t, "acme", f.AccountID)
		assert.Equal(t, 9*hour, f.OccurredAt)
		assert.Empty(t, f.StepsDone)
		assert.Empty(t, f.Users)
		assert.Empty(t, f.Properties)
		assert.Empty(t, f.Segments)
		assert.False(t, f.Current)
		assert.Zero(t, f.SignedUpAt)
	}
	b, err := s.state.AppendBinary(nil)
	require.NoError(t, err)
	for _, text := range []string{"acme", "ana", "bob", "cleo", "dora", "secret", "usage", "crm", "asked"} {
		assert.NotContains(t, string(b)+fmt.Sprintf("%+v", facts[1].StepsDone), text)
	}
	assert.Less(t, len(b), 26)
	assert.Equal(t, 1001*hour, s.state.NextTimer())
	assert.False(t, s.state.Expired(1001*hour-1))
	assert.True(t, s.state.Expired(1001*hour))
	changed, more := f.Pass(s.state, 5000*hour)
	assert.False(t, changed)
	assert.Empty(t, more)

	assert.Empty(t, f.Erase(s.state, 2000*hour, control(10)), "erasing again tells nothing")
	assert.True(t, s.state.Expired(2001*hour))
	assert.False(t, s.state.Expired(2000*hour))

	changed, _ = f.Apply(s.state, s.event("bought?x=1@10"), account.Position{}, 0)
	assert.False(t, changed, "what happened until then is erased")
	changed, _ = f.Apply(s.state, s.event("bought?x=1@11"), account.Position{}, 0)
	assert.True(t, changed)
	assert.False(t, s.state.Expired(1<<60), "it lives again")
	assert.Equal(t, "active step_done(a) step_done(b) qualified", begin(t, lifelong+threeDays).fold("a b"))
}

func TestWhatHasNoEffectOnAStubLeavesItOne(t *testing.T) {
	s := begin(t, lifelong+never14)
	s.fold("a b")
	s.take(s.engine.Folder().Erase(s.state, 100*hour, control(9)))
	before, _ := s.state.AppendBinary(nil)
	changed, facts := s.engine.Folder().Apply(s.state, s.event("cancelled"), account.Position{}, 0)
	assert.False(t, changed)
	assert.Empty(t, facts)
	after, _ := s.state.AppendBinary(nil)
	assert.Equal(t, before, after)
	assert.True(t, s.state.Expired(101*hour))
}

func TestALaterEventStartsFromNothing(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created a b c b")
	s.take(s.engine.Folder().Erase(s.state, 100*hour, control(9)))
	assert.Equal(t, "active step_done(a) step_done(c)", s.fold("a@20 c b"))
	assert.Equal(t, "step_done(b) qualified", s.fold("b"))
	ids := map[string]bool{}
	for _, f := range s.facts {
		assert.False(t, ids[f.ID], "two facts have one id")
		ids[f.ID] = true
	}
	assert.Zero(t, s.last().SignedUpAt)
	assert.Equal(t, 1, len(s.last().Users))
}

func TestAnAliasCanBeErasedOrReopened(t *testing.T) {
	s := begin(t, life)
	s.fold("a b")
	s.engine.Folder().Merge(s.state, "into", control(5))
	s.engine.Folder().Reopen(s.state)
	assert.Empty(t, s.state.Alias())
	assert.Equal(t, "active step_done(c)", s.fold("c@9"))
	v := s.engine.View(s.state, 0)
	assert.Len(t, v.StepsDone, 1)
	assert.Equal(t, int64(5), v.Ordinal, "two before, merged, and two now")

	s.engine.Folder().Merge(s.state, "into", control(10))
	assert.Equal(t, "erased", s.take(s.engine.Folder().Erase(s.state, 90*hour, control(11))))
	assert.Empty(t, s.state.Alias())
	assert.True(t, s.state.Expired(91*hour))
}

func TestAnAliasAndAStubSayWhatTheyAre(t *testing.T) {
	s := begin(t, life)
	s.fold("a b")
	s.engine.Folder().Merge(s.state, "acme-new", control(5))
	v := s.engine.View(s.state, 0)
	assert.Equal(t, "Account acme was merged into account acme-new: all that is known lies there.\n", v.Describe())
	s.engine.Folder().Erase(s.state, 90*hour, control(11))
	v = s.engine.View(s.state, 0)
	assert.Equal(t, "Account acme was erased: nothing is known of it.\n", v.Describe())
}

func TestErasingAUser(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created/ana@1 a/ana b/ana b/bob d/ana?id=d1")
	changed, facts := s.engine.Folder().EraseUser(s.state, "ana", control(9))
	assert.True(t, changed)
	assert.Equal(t, "user_erased", s.take(facts))
	f := s.last()
	assert.Equal(t, account.ByErasure, f.Cause)
	assert.Empty(t, f.UserID)
	assert.True(t, f.PartlyErased)
	assert.Equal(t, []string{"a", "b"}, []string{f.StepsDone[0].Step, f.StepsDone[1].Step})
	assert.Empty(t, f.StepsDone[0].UserID)
	assert.Equal(t, "event-2", f.StepsDone[0].EventID)
	assert.Equal(t, "bob", f.StepsDone[1].UserID)
	assert.Equal(t, "2 more users with d (0 of 2)", f.StepsMissing[1].Need)
	assert.Equal(t, []account.UserActivity{{ID: "bob", Events: 1, LastSeen: 4 * hour, StepsDone: 1, Rate: 0.25}}, f.Users)
	b, _ := s.state.AppendBinary(nil)
	assert.NotContains(t, string(b), "ana")
	changed, facts = s.engine.Folder().EraseUser(s.state, "ana", control(10))
	assert.False(t, changed)
	assert.Empty(t, facts)
	assert.Equal(t, "step_done(d) qualified", s.fold("d/bob d/cem"))
	assert.True(t, s.last().PartlyErased)
	v := s.engine.View(s.state, 0)
	assert.Contains(t, v.Describe(), "A user was erased: what cannot be taken apart")
}

func TestErasingAUserCanUndoALiveStep(t *testing.T) {
	s := begin(t, `
version: 1
name: x
tiers: [{name: all, threshold: 1}]
steps: [{id: team, kind: distinct, event: d, of: user_id, at_least: 2, within: 7d, live: true}]
`)
	assert.Equal(t, "active step_done(team) qualified", s.fold("d/ana@1 d/bob@2"))
	changed, facts := s.engine.Folder().EraseUser(s.state, "ana", control(3))
	assert.True(t, changed)
	assert.Equal(t, "user_erased step_undone(team) disqualified!step_undone", s.take(facts))
	for _, f := range facts {
		assert.Equal(t, account.ByErasure, f.Cause)
		assert.False(t, f.PartlyErased, "nothing of the user is left")
	}
	assert.Zero(t, s.state.NextTimer())
	assert.Equal(t, "step_done(team) requalified", s.fold("d/cleo@4"))
	changed, _ = s.engine.Folder().EraseUser(s.state, "nobody", control(5))
	assert.False(t, changed, "who was not there is not missed")
}

func TestErasingAUserCanLeaveNothingOfALiveStep(t *testing.T) {
	s := begin(t, `
version: 1
name: x
tiers: [{name: all, threshold: 1}]
steps: [{id: team, kind: distinct, event: d, of: user_id, at_least: 1, within: 7d, live: true}]
`)
	s.kept = true
	assert.Equal(t, "active step_done(team) qualified", s.fold("d/ana@1"))
	_, facts := s.engine.Folder().EraseUser(s.state, "ana", control(3))
	assert.Equal(t, "user_erased step_undone(team) disqualified!step_undone", s.take(facts))
	reload(t, s.engine, s.state)
}

func TestWhoIsKnown(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created/ana?domain=dora d/bob b/cleo")
	f := s.engine.Folder()
	for _, user := range []string{"ana", "bob", "cleo", "dora"} {
		assert.True(t, f.Knows(s.state, user), user)
	}
	for _, user := range []string{"", "an", "usage", "acme"} {
		assert.False(t, f.Knows(s.state, user), user)
	}
	s.take(f.Erase(s.state, 100*hour, control(9)))
	assert.False(t, f.Knows(s.state, "ana"))
	f.Reopen(s.state)
	f.Merge(s.state, "ana", control(10))
	assert.False(t, f.Knows(s.state, "ana"), "an alias knows nobody")
}

// Who is known is erased, and who is not changes nothing but what the account says of what can't be told apart.
func TestKnowingAgreesWithErasing(t *testing.T) {
	known := map[bool]int{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		e := engine(t, randomChecklist(r))
		f := newFolding(t, e)
		var now account.Control
		for i, ev := range randomLife(r, 1+r.IntN(150)) {
			now.At, now.Watermark = lifeAt(i), lifeAt(i)-5*hour
			f.pass(now.Watermark)
			f.fold(&ev, now.Watermark)
		}
		for _, user := range []string{"user-5", "nobody", "user-1", "user-3", "good"} {
			before := f.encoded()
			knows := f.folder.Knows(f.state, user)
			known[knows]++
			require.Equal(t, before, f.encoded(), "asking changes nothing")
			was := e.View(f.state, now.At)
			f.change(user, func() (bool, []account.Fact) { return f.folder.EraseUser(f.state, user, &now) })
			if is := e.View(f.state, now.At); !knows {
				require.Equal(t, []any{was.Users, was.StepsDone, was.Properties}, []any{is.Users, is.StepsDone, is.Properties}, user)
				continue
			}
			require.NotEqual(t, before, f.encoded(), user)
			require.False(t, f.folder.Knows(f.state, user))
			require.NotContains(t, string(f.encoded()), user)
			f.state = reload(t, e, f.state)
			require.False(t, f.folder.Knows(f.state, user))
		}
	}
	require.Greater(t, known[true], 30)
	require.Greater(t, known[false], 30)
}

// TestMergedAccountsRememberTheNewestIDs in the order in which they came, where late events have left the clock as it was.
func TestMergedAccountsRememberTheNewestIDs(t *testing.T) {
	acme := begin(t, `
version: 1
name: ids
inactivity: {days: 0}
tiers: [{name: all, threshold: 1}]
steps: [{id: many, kind: count, event: x, at_least: 100}]
dedupe: {horizon: 48h, limit: 3}
`)
	old := acme.other("acme-old")
	acme.fold("x?id=a@30 x?id=b@29 x?id=c@28")
	old.fold("x?id=d@30 x?id=e@20")
	merge(old, acme)
	counted := func() float64 { return acme.engine.View(acme.state, 0).StepsMissing[0].Progress }
	require.Equal(t, 0.05, counted())
	acme.fold("x?id=f@29") // in the place of the oldest
	acme.fold("x?id=b@29 x?id=c@28 x?id=f@29")
	assert.Equal(t, 0.06, counted())
}
