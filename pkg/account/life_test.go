package account_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// lifelong has two tiers, of which a large account needs three of four steps and a small one two, and events for all that can
// become of an account. Tests add what they are about.
const lifelong = `
version: 1
name: lifelong
signup: {event: signed_up}
converted: {event: bought}
churned: {event: cancelled, where: 'quantity == 0.0'}
tiers: [{name: large, when: account.size >= 100, threshold: 0.75}, {name: small, threshold: 0.5}]
properties:
  - {name: size, type: long, from: [{event: enriched}, {event: b}], default: 1}
  - {name: test, type: boolean, from: [{event: enriched}], default: false}
exclude: [account.test]
sales:
  accepted: {event: lead_accepted}
  rejected: {event: lead_closed, where: 'properties.won == "no"', reason: why}
  meeting_booked: {event: met}
  won: {event: lead_closed, where: 'properties.won == "yes"'}
  lost: {event: [lead_lost, bought], where: 'has(properties.why)', reason: why}
steps:
  - {id: a, kind: event, event: a}
  - {id: b, kind: event, event: b}
  - {id: c, kind: count, event: c, at_least: 3}
  - {id: d, kind: days, event: d, at_least: 2, within: 2d, live: true}
`

const (
	never14   = "inactivity: {days: 0}\n"
	threeDays = "inactivity: {days: 3}\n"
	endsTrial = never14 + "trial: {days: 2, ends: {event: trial_stopped}, disqualifies: true}\n"
)

// TestWhatBecomesOfAnAccount folds each life three times: the account is lost from memory after every event, or kept in it, or kept
// without its users.
func TestWhatBecomesOfAnAccount(t *testing.T) {
	const byUser = "whatever it was, if its user is known"
	const pql = "active step_done(a) step_done(b) qualified"
	for _, c := range []struct{ name, rules, events, facts string }{
		{"active once, before the step", never14, "signed_up c c a", "signed_up active step_done(a)"},
		{"a sign-up that begins a trial is no activity", endsTrial, "signed_up", "signed_up"},
		{"an event that no step accepts is no activity", never14, "enriched?size=5 met", "meeting_booked"},

		{"silent for too long", threeDays, "a@10 b@11 wait@83 wait@84", pql + " disqualified!inactive"},
		{"whatever is heard counts", threeDays, "a@10 b@11 c@50 wait@122 a@123 wait@195 wait@196", pql + " disqualified!inactive"},
		{"an event of a step that is done counts", threeDays, "a@10 b@11 a@50 wait@122", pql},
		{"what is not heard does not", threeDays, "a@10 b@11 viewed@50 wait@84", pql + " disqualified!inactive"},
		{"what sales says does not", threeDays, "a@10 b@11 met@50 wait@84", pql + " meeting_booked disqualified!inactive"},
		{"what only tells properties does not", threeDays, "a@10 b@11 enriched?size=2@50 wait@84", pql + " disqualified!inactive"},
		{"what tells a property as well as doing a step does", threeDays, "a@10 b@11 b?size=2@50 wait@84 wait@122 wait@123", pql + " disqualified!inactive"},
		{"who qualifies by a property has all the time", threeDays, "enriched?size=200@9 a@10 b@11 enriched?size=2@60 wait@132 wait@133",
			"active step_done(a) step_done(b) qualified!tier_changed disqualified!inactive"},
		{"14 days if nothing else is said", "", "a@10 b@11 wait@347 wait@348", pql + " disqualified!inactive"},
		{"never", never14, "a@10 b@11 wait@9000", pql},
		{"who is no PQL is not silent", threeDays, "a@10 wait@900", "active step_done(a)"},
		{"the next event decides", threeDays, "a@10 b@11 wait@84 c@100", pql + " disqualified!inactive requalified"},
		{"and it is silent again", threeDays, "a@10 b@11 wait@84 a@100 wait@172 wait@173", pql + " disqualified!inactive requalified disqualified!inactive"},
		{"unless the bar has risen", threeDays, "a@10 b@11 wait@84 enriched?size=300@100 a", pql + " disqualified!inactive segment_changed"},
		{"or what comes only tells properties", threeDays, "a@10 b@11 wait@84 enriched?size=3@100", pql + " disqualified!inactive"},
		{"or what does something comes later", threeDays, "a@10 b@11 wait@84 enriched?size=3@100 a", pql + " disqualified!inactive requalified"},
		{"or sales alone speaks", threeDays, "a@10 b@11 wait@84 met@100 met", pql + " disqualified!inactive meeting_booked meeting_booked"},
		{"a late event has not ended the silence", threeDays, "a@10 b@11 wait@200 a@20 b@21 a@201", pql + " disqualified!inactive requalified"},
		{"a late event that is not too old has", threeDays, "a@10 b@11 wait@100 a@60", pql + " disqualified!inactive requalified"},
		{"events out of order put nothing forward", threeDays, "a@10 b@60 a@20 wait@132 wait@133", pql + " disqualified!inactive"},
		{"what came before it became a PQL counts", threeDays, "a@60 b@11 wait@132 wait@133", pql + " disqualified!inactive"},
		{byUser, threeDays, "c@60 a@10 b@11 wait@132 wait@133", pql + " disqualified!inactive"},
		{"time can make a silent account no PQL", threeDays, "a@1 d@1 d@30 wait@40 wait@102",
			"active step_done(a) step_done(d) qualified step_undone(d) disqualified!step_undone"},
		{"silent, then it buys", threeDays, "a@10 b@11 wait@84 bought@100", pql + " disqualified!inactive converted"},
		{"a customer is not silent", threeDays, "a@10 b@11 bought@12 wait@900", pql + " converted"},

		{"the trial ends", endsTrial, "signed_up@1 a b wait@48 wait@49", "signed_up " + pql + " disqualified!trial_ended"},
		{"another step is needed then", endsTrial, "signed_up@1 a b wait@49 a b enriched?size=2 c c c",
			"signed_up " + pql + " disqualified!trial_ended step_done(c) requalified"},
		{"nothing ends for who has converted", endsTrial, "signed_up@1 a b bought wait@900", "signed_up " + pql + " converted"},
		{"the event that converts may end it", strings.Replace(endsTrial, "trial_stopped", "bought", 1), "signed_up@1 a b bought",
			"signed_up " + pql + " converted"},
		{"an event ends it", endsTrial, "signed_up@1 a b trial_stopped wait@900", "signed_up " + pql + " disqualified!trial_ended"},
		{"an event ends it at once", endsTrial, "signed_up@1 a b trial_stopped", "signed_up " + pql + " disqualified!trial_ended"},
		{"the event that ends it does no step for later", strings.Replace(endsTrial, "trial_stopped", "b", 1), "signed_up@1 a b a",
			"signed_up active step_done(a) step_done(b)"},
		{"a trial that was not begun does not end", endsTrial, "a b trial_stopped wait@900", pql},
		{"who is no PQL when it ends can be one later", endsTrial, "signed_up@1 a wait@49 b", "signed_up active step_done(a) step_done(b) qualified"},
		{"who was excluded when it ended needs a step, too", endsTrial, "signed_up@1 enriched?test=true a b wait@49 enriched?test=false c c c",
			"signed_up excluded active step_done(a) step_done(b) included step_done(c) qualified"},
		{"who was silent when it ended does not come back by itself", strings.Replace(endsTrial, "days: 0", "days: 1", 1), "signed_up@1 a b wait@48 wait@49 a c c c",
			"signed_up " + pql + " disqualified!inactive step_done(c) requalified"},
		{"it ends once", endsTrial, "signed_up@1 a b wait@49 c c c trial_stopped wait@900",
			"signed_up " + pql + " disqualified!trial_ended step_done(c) requalified"},
		{"its end is nothing without the rule", never14 + "trial: {days: 2, ends: {event: trial_stopped}}\n", "signed_up@1 a b trial_stopped wait@900", "signed_up " + pql},

		{"churned", never14, "a b bought cancelled a b", pql + " converted churned"},
		{"won back by another step", never14, "a b bought cancelled c c c", pql + " converted churned step_done(c) requalified"},
		{"a step before it does not win it back", never14, "a b bought c c c cancelled a", pql + " converted step_done(c) churned"},
		{"and converts again", never14, "a b bought cancelled bought cancelled", pql + " converted churned converted churned"},
		{"who has not converted does not churn", never14, "a b cancelled", pql},
		{"won back who never was a PQL", never14, "bought cancelled a b", "converted churned active step_done(a) step_done(b) qualified"},

		{"a higher bar takes nothing away", never14, "a b enriched?size=100", pql + " segment_changed"},
		{"unless the checklist demotes", never14 + "demote: true\n", "a b enriched?size=100 enriched?size=1",
			pql + " disqualified!tier_changed requalified!tier_changed"},
		{"a higher bar that is reached takes nothing away", never14 + "demote: true\n", "a b c c c enriched?size=100", pql + " step_done(c) segment_changed"},
		{"a lower bar qualifies", never14, "enriched?size=100 a b enriched?size=9", "active step_done(a) step_done(b) qualified!tier_changed"},
		{"a step in the same turn does", never14, "enriched?size=100 a b?size=9", "active step_done(a) step_done(b) qualified"},
		{"an exclusion that ends does, not the bar", never14, "enriched?size=100&test=true a b c c c enriched?size=9&test=false",
			"excluded active step_done(a) step_done(b) step_done(c) included qualified"},

		{"excluded from the start", never14, "enriched?test=true a b", "excluded active step_done(a) step_done(b)"},
		{"excluded later", never14, "a b enriched?test=true", pql + " excluded disqualified!excluded"},
		{"no more excluded", never14, "a b enriched?test=true enriched?test=false", pql + " excluded disqualified!excluded included requalified"},
		{"excluded by its id", never14 + "exclude_accounts: [ours, acme]\n", "a b enriched?test=true enriched?test=false", "active step_done(a) excluded step_done(b)"},

		{"near", never14 + "near_miss: true\n", "c a c b", "active step_done(a) near_miss(c) step_done(b) qualified"},
		{"no nearer one comes later", never14 + "near_miss: true\n", "a c b", "active step_done(a) near_miss(b) step_done(b) qualified"},
		{"near again", never14 + "near_miss: true\n", "enriched?size=100 a b enriched?test=true enriched?test=false",
			"active step_done(a) step_done(b) near_miss(c) excluded included near_miss(c)"},
		{"near, then it buys", never14 + "near_miss: true\n", "a bought cancelled", "active step_done(a) near_miss(b) converted churned"},
		{"near is not who has converted", never14 + "near_miss: true\n", "bought a", "converted active step_done(a)"},
		{"nor who is excluded", never14 + "near_miss: true\n", "enriched?test=true a", "excluded active step_done(a)"},
		{"nor who is silent", threeDays + "near_miss: true\n", "a@1 b wait@800 b", "active step_done(a) near_miss(b) step_done(b) qualified disqualified!inactive requalified"},
		{"nor who is two steps short", never14 + "near_miss: true\n", "enriched?size=100 a", "active step_done(a)"},
		{"near after a step was undone", never14 + "near_miss: true\n", "a@1 d@1 d@30 wait@100",
			"active step_done(a) near_miss(b) step_done(d) qualified step_undone(d) disqualified!step_undone near_miss(d)"},
		{"nobody asked for near ones", never14, "a", "active step_done(a)"},

		{"sales speaks", never14, "met lead_accepted lead_closed?won=no&why=size lead_closed?won=yes lead_lost?why=price lead_lost",
			"meeting_booked sales_accepted sales_rejected sales_won sales_lost"},
		{"an event may be more than one thing", never14, "bought?why=late", "converted sales_lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lost := begin(t, lifelong+c.rules)
			assert.Equal(t, c.facts, lost.fold(c.events), "lost from memory")
			kept := begin(t, lifelong+c.rules)
			kept.kept = true
			assert.Equal(t, c.facts, kept.fold(c.events), "kept in memory")
			require.Equal(t, lost.facts, kept.facts)
			reloaded, err := lost.state.AppendBinary(nil)
			require.NoError(t, err)
			inMemory, err := kept.state.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, reloaded, inMemory)
			if c.name != byUser { // events that do nothing are passed over where users are not kept
				passing := begin(t, lifelong+c.rules+"activity: {users: 0}\n")
				passing.kept = true
				assert.Equal(t, c.facts, passing.fold(c.events), "without users")
			}
		})
	}
}

func TestSilenceIsTimed(t *testing.T) {
	s := begin(t, lifelong+threeDays)
	s.fold("a@10")
	assert.Zero(t, s.state.NextTimer(), "it is no PQL")
	s.fold("b@11")
	assert.Equal(t, (12+72)*hour, s.state.NextTimer(), "three days after the hour in which the newest event was")
	s.fold("a@30")
	assert.Equal(t, (31+72)*hour, s.state.NextTimer())
	s.fold("met@40 viewed@41")
	assert.Equal(t, (31+72)*hour, s.state.NextTimer(), "neither sales nor what nothing listens to")
	assert.Equal(t, "disqualified!inactive", s.fold("wait@200"))
	f := s.last()
	assert.Equal(t, (31+72)*hour, f.OccurredAt)
	assert.Equal(t, account.ByTime, f.Cause)
	assert.False(t, f.Current)
	assert.Equal(t, 11*hour, f.QualifiedAt)
	assert.Zero(t, s.state.NextTimer())
	v := s.engine.View(s.state, 0)
	assert.True(t, v.Silent)
	assert.Contains(t, v.Describe(), "is no PQL any more, because nothing happened for too long, it last qualified on 1970-01-01 11:00")
	assert.Equal(t, "requalified", s.fold("a@201"))
	assert.False(t, s.engine.View(s.state, 0).Silent)
	assert.Equal(t, (202+72)*hour, s.state.NextTimer())
}

func TestTheTrialsEndIsTimed(t *testing.T) {
	s := begin(t, lifelong+endsTrial)
	s.fold("signed_up@1")
	assert.Equal(t, 49*hour, s.state.NextTimer())
	s.fold("a@2 b@3")
	assert.Equal(t, 49*hour, s.state.NextTimer())
	s.fold("wait@60")
	assert.Equal(t, 49*hour, s.last().OccurredAt)
	assert.Zero(t, s.state.NextTimer())
	v := s.engine.View(s.state, 0)
	assert.True(t, v.Barred)
	assert.Contains(t, v.Describe(), "; its trial or its subscription has ended, it takes another step.")
}

// TestANewBoundOfSilence counts from the newest event on; where silence did not matter before, it does from the next on.
func TestANewBoundOfSilence(t *testing.T) {
	s := begin(t, lifelong+threeDays)
	s.fold("a@10 b@11")
	load := func(rules string) {
		b, err := s.state.AppendBinary(nil)
		require.NoError(t, err)
		s.engine = engine(t, lifelong+rules)
		s.state, err = s.engine.Load("acme", b)
		require.NoError(t, err)
	}
	load("inactivity: {days: 5}\n")
	assert.Equal(t, (12+120)*hour, s.state.NextTimer())
	load(never14)
	assert.Zero(t, s.state.NextTimer())
	load(threeDays)
	assert.Zero(t, s.state.NextTimer())
	assert.Empty(t, s.fold("a@500"))
	assert.Equal(t, (501+72)*hour, s.state.NextTimer())

	s.fold("wait@800")
	load(never14)
	assert.Equal(t, "requalified", s.fold("a@20"), "nobody is silent any more")
}

// TestOnlyAHigherBarDemotes holds where a PQL is below its bar already, as the checklist did not demote before.
func TestOnlyAHigherBarDemotes(t *testing.T) {
	s := begin(t, lifelong)
	assert.Equal(t, "active step_done(a) step_done(b) qualified segment_changed", s.fold("a b enriched?size=100"))
	s.engine = engine(t, strings.Replace(lifelong, "{name: small,", "{name: medium, when: account.size >= 50, threshold: 0.6}, {name: small,", 1)+"demote: true\n")
	s.state = reload(t, s.engine, s.state)
	assert.Equal(t, "segment_changed", s.fold("enriched?size=60"), "the bar has come down, if not far enough")
	assert.Equal(t, "disqualified!tier_changed", s.fold("enriched?size=100"))
}

func TestWhatSalesSaysIsTold(t *testing.T) {
	s := begin(t, lifelong)
	s.fold("a lead_closed?won=no&why=too-small")
	f := s.last()
	assert.Equal(t, account.LeadRejected, f.Type)
	assert.Equal(t, "too-small", f.Detail)
	assert.Empty(t, f.Reason)
	s.fold("lead_lost?why=" + strings.Repeat("ä", 200))
	assert.Equal(t, strings.Repeat("ä", 128), s.last().Detail, "cut to 256 bytes")
	s.fold("lead_closed?won=yes&why=price")
	assert.Equal(t, account.LeadWon, s.last().Type)
	assert.Empty(t, s.last().Detail)
	v := s.engine.View(s.state, 0)
	assert.Contains(t, v.Describe(), "sales rejected\n")

	buffer := []byte("why-not")
	ev := &usage.Event{Name: "lead_lost", OccurredAt: 900 * hour, Properties: []usage.Property{{Key: "why", Value: usage.StringValue(unsafeString(buffer))}}}
	_, facts := s.engine.Folder().Apply(s.state, ev, account.Position{}, 0)
	copy(buffer, "#######")
	assert.Equal(t, "why-not", facts[0].Detail, "it is the fact's own")
}

func TestAControlGroupIsAShareOfTheAccounts(t *testing.T) {
	group := func(rules string) (held map[string]bool) {
		e := engine(t, lifelong+rules)
		held = map[string]bool{}
		for i := range 2000 {
			id := fmt.Sprint("account-", i)
			_, facts := e.Folder().Apply(e.New(id, 1), &usage.Event{Name: "a", AccountID: id}, account.Position{}, 0)
			require.NotEmpty(t, facts)
			for _, f := range facts {
				require.Equal(t, facts[0].HoldOut, f.HoldOut)
			}
			if facts[0].HoldOut {
				held[id] = true
			}
		}
		return held
	}
	tenth, third := group("hold_out: {share: 0.1, salt: x}\n"), group("hold_out: {share: 0.3, salt: x}\n")
	assert.InDelta(t, 200, len(tenth), 45)
	assert.InDelta(t, 600, len(third), 70)
	for id := range tenth {
		assert.True(t, third[id], "a larger group has those of the smaller one")
	}
	assert.NotEqual(t, tenth, group("hold_out: {share: 0.1, salt: y}\n"))
	assert.Equal(t, tenth, group("hold_out: {share: 0.1, salt: x}\nnear_miss: true\n"))
	assert.Empty(t, group("hold_out: {share: 0}\n"))
	assert.Empty(t, group(""))
	assert.Len(t, group("hold_out: {share: 1}\n"), 2000)

	s := begin(t, lifelong+"hold_out: {share: 1}\n")
	s.fold("a")
	v := s.engine.View(s.state, 0)
	assert.Contains(t, v.Describe(), "It belongs to the control group, which nobody deals with.")
}

func TestFactsSayWhoIsExcluded(t *testing.T) {
	s := begin(t, lifelong)
	s.fold("a enriched?test=true b enriched?test=false")
	var excluded []bool
	for _, f := range s.facts {
		excluded = append(excluded, f.Excluded)
	}
	assert.Equal(t, "active step_done(a) excluded step_done(b) included qualified", strings.Join(inWords(s.facts), " "))
	assert.Equal(t, []bool{false, false, true, true, false, false}, excluded)
}

// TestLivingOnDoesNotAllocate holds for a PQL that only goes on doing what it has done.
func TestLivingOnDoesNotAllocate(t *testing.T) {
	e := engine(t, lifelong+"near_miss: true\nactivity: {users: 0}\ndedupe: {limit: 0}\n")
	f, s := e.Folder(), e.New("acme", 0)
	ev := &usage.Event{Name: "a", OccurredAt: 1000 * hour}
	fold := func() bool {
		changed, _ := f.Apply(s, ev, account.Position{}, 0)
		return changed
	}
	fold()
	ev.Name = "b"
	fold()
	require.True(t, s.Current())
	ev.Name = "a"
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		ev.OccurredAt += hour
		if !fold() || fold() {
			t.Fatal("an hour counts once")
		}
	}))
	assert.Equal(t, ev.OccurredAt+hour+14*24*hour, s.NextTimer())
}

// TestATrialsEndIsEncodedOnce: which of two would decide?
func TestATrialsEndIsEncodedOnce(t *testing.T) {
	e := engine(t, lifelong+endsTrial)
	set := append(binary.BigEndian.AppendUint32(nil, e.Checklist().TrialEnd().WorkKey), 4, 1, 2)
	head := []byte{12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0} // no properties, topics, users, merits and log
	state := func(n int) []byte {
		b := append(append([]byte(nil), head...), byte(2*n))
		return append(append(b, bytes.Repeat(set, n)...), 0, 0, 0)
	}
	s, err := e.Load("acme", state(1))
	require.NoError(t, err)
	assert.Equal(t, 48*hour+1, s.NextTimer())
	_, err = e.Load("acme", state(2))
	assert.ErrorContains(t, err, "malformed account state")
}
