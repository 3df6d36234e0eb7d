package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// life is a checklist of four equal steps and every rule of an account's life.
const life = `
version: 3
name: life
preset: simple
inactivity: {days: 0}
signup: {event: account_created}
converted: {event: bought, where: 'properties.plan != "free"'}
exclude: ['account.domain == "ourcompany.com"']
properties:
  - {name: company_size, type: long, from: [{event: account_created}, {event: enriched}]}
  - {name: domain, type: string, from: [{event: account_created}, {event: enriched}]}
steps:
  - {id: a, kind: event, event: a}
  - {id: b, kind: count, event: b, at_least: 2}
  - {id: c, kind: event, event: c}
  - {id: d, kind: distinct, event: d, of: user_id, at_least: 2}
`

const hour = int64(3_600_000)

// scenario folds one word an event: name, optionally /user, ?property=value and @hour; each comes an hour after the
// one before. The watermark is five minutes behind the newest event; "wait@hour" moves it on to an hour. It returns the
// facts as words: type, type(step), type!reason.
type scenario struct {
	t         testing.TB
	engine    *account.Engine
	state     *account.State
	hour      int64
	offset    int64
	watermark int64
	facts     []account.Fact
	kept      bool // in memory: the state is not loaded anew after each event
}

func begin(t testing.TB, definition string) *scenario {
	e := engine(t, definition)
	return &scenario{t: t, engine: e, state: e.New("acme", 100)}
}

func (s *scenario) event(word string) *usage.Event {
	s.hour++
	ev := &usage.Event{ID: fmt.Sprintf("event-%d", s.hour), AccountID: "acme", UserID: "ana"}
	word, at, isAt := strings.Cut(word, "@")
	if isAt {
		_, err := fmt.Sscan(at, &s.hour)
		require.NoError(s.t, err)
	}
	word, properties, _ := strings.Cut(word, "?")
	for _, p := range strings.Split(properties, "&") {
		if key, value, ok := strings.Cut(p, "="); ok && key == "id" {
			ev.ID = value
		} else if ok {
			ev.Properties = append(ev.Properties, usage.Property{Key: key, Value: usage.StringValue(value)})
		}
	}
	if name, user, ok := strings.Cut(word, "/"); ok {
		word, ev.UserID = name, user
	}
	ev.Name, ev.OccurredAt = word, s.hour*hour
	return ev
}

func (s *scenario) fold(words string) string {
	var out []string
	for _, word := range strings.Fields(words) {
		ev := s.event(word)
		if ev.Name == "wait" {
			s.watermark = ev.OccurredAt
		} else {
			s.watermark = max(s.watermark, ev.OccurredAt-hour/12)
		}
		folder := s.engine.Folder()
		_, facts := folder.Pass(s.state, s.watermark)
		require.True(s.t, s.state.NextTimer() == 0 || s.state.NextTimer() > s.watermark, "what is due was left")
		if ev.Name != "wait" {
			s.offset++
			_, more := folder.Apply(s.state, ev, account.Position{Topic: "usage", Partition: 1, Offset: s.offset}, s.watermark)
			facts = append(facts, more...)
		}
		out = append(out, inWords(facts)...)
		s.facts = append(s.facts, facts...)
		if !s.kept {
			s.state = reload(s.t, s.engine, s.state)
		}
	}
	return strings.Join(out, " ")
}

func inWords(facts []account.Fact) (words []string) {
	for _, f := range facts {
		w := string(f.Type)
		if f.Step != "" {
			w += "(" + f.Step + ")"
		}
		if f.Reason != "" {
			w += "!" + string(f.Reason)
		}
		words = append(words, w)
	}
	return words
}

func (s *scenario) last() account.Fact { return s.facts[len(s.facts)-1] }

// standing is the account's as of the newest fact.
func (s *scenario) standing() account.Fact {
	return s.engine.View(s.state, s.last().OccurredAt).Fact
}

func TestFactsBeforeQualificationTellOnlyWhatIsNew(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created a/ana b/ana b/ana")
	assert.Equal(t, account.StepDone, s.last().Type)
	require.Len(t, s.last().StepsDone, 1)
	assert.Equal(t, "b", s.last().StepsDone[0].Step)
	assert.Empty(t, s.last().StepsMissing)
	s.fold("c/ana d/bob d/cem")
	assert.Len(t, s.last().StepsDone, 4, "a PQL's newest standing is told whole")
}

func TestLife(t *testing.T) {
	for _, c := range []struct{ name, events, facts string }{
		{"3 of 4 equal steps are 75 %", "account_created a b b c", "signed_up active step_done(a) step_done(b) step_done(c) qualified"},
		{"2 of 4 are not enough when small", "account_created?company_size=49 a c b", "signed_up active step_done(a) step_done(c)"},
		{"size unknown is small", "a c", "active step_done(a) step_done(c)"},
		{"medium needs 60 %", "account_created?company_size=50 a c b b", "signed_up active step_done(a) step_done(c) step_done(b) qualified"},
		{"medium escalates at 80 %", "account_created?company_size=499 a c b b d/x d/y",
			"signed_up active step_done(a) step_done(c) step_done(b) qualified step_done(d) escalated"},
		{"large needs 35 % and escalates at 50 % at once", "account_created?company_size=500 a c",
			"signed_up active step_done(a) step_done(c) qualified escalated"},
		{"once", "account_created a b b c a c b d d/x d", "signed_up active step_done(a) step_done(b) step_done(c) qualified step_done(d)"},
		{"before the sign-up", "a b b c account_created", "active step_done(a) step_done(b) step_done(c) qualified signed_up"},
		{"one sign-up", "account_created account_created", "signed_up"},
		{"nothing that matters", "viewed clicked", ""},

		{"a lower bar qualifies", "account_created a c enriched?company_size=500",
			"signed_up active step_done(a) step_done(c) qualified!tier_changed escalated"},
		{"a higher bar takes nothing away", "account_created?company_size=500 a c enriched?company_size=5",
			"signed_up active step_done(a) step_done(c) qualified escalated segment_changed"},
		{"an old value that comes late is not news", "enriched?company_size=5@50 account_created?company_size=500@10 a c",
			"signed_up active step_done(a) step_done(c)"},
		{"what reads as no number tells nothing", "account_created?company_size=500 enriched?company_size=huge a c",
			"signed_up active step_done(a) step_done(c) qualified escalated"},

		{"excluded from the start", "account_created?domain=ourcompany.com a b b c", "signed_up excluded active step_done(a) step_done(b) step_done(c)"},
		{"excluded later", "a b b c enriched?domain=ourcompany.com d/x d/y",
			"active step_done(a) step_done(b) step_done(c) qualified excluded disqualified!excluded step_done(d)"},
		{"excluded, then not", "a b b c enriched?domain=ourcompany.com enriched?domain=acme.com",
			"active step_done(a) step_done(b) step_done(c) qualified excluded disqualified!excluded included requalified"},
		{"excluded before anything", "enriched?domain=ourcompany.com enriched?domain=acme.com", "excluded included"},
		{"escalates again after it came back", "enriched?company_size=500 a c enriched?domain=ourcompany.com enriched?domain=acme.com",
			"active step_done(a) step_done(c) qualified escalated excluded disqualified!excluded included requalified escalated"},

		{"converted as a PQL", "a b b c bought?plan=team d/x d/y", "active step_done(a) step_done(b) step_done(c) qualified converted step_done(d)"},
		{"converted without", "bought?plan=team a b b c", "converted active step_done(a) step_done(b) step_done(c)"},
		{"converted once", "bought?plan=team bought?plan=team", "converted"},
		{"the free plan is no conversion", "bought?plan=free bought", ""},

		{"a repeated id counts once", "b?id=1 b?id=1 b?id=1 b?id=2", "active step_done(b)"},
		{"within a day", "b?id=1@1 b?id=1@25 b?id=1@26", "active step_done(b)"},
		{"after a day it is another", "b?id=1@1 b?id=1@26", "active step_done(b)"},
		{"no id is never a repetition", "b?id= b?id=", "active step_done(b)"},
		{"late ones are remembered from when they came", "a@100 b?id=1@10 b?id=1@10 b?id=1@11", "active step_done(a)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.facts, begin(t, life).fold(c.events))
		})
	}
}

func TestFactsCarryTheEvidence(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created/ana?company_size=60&domain=acme.com@10 a/ana@20 b/bob@30 b/bob@31 d/cleo@32 c/ana?id=crossing@40")
	f := s.last()
	require.Equal(t, account.Qualified, f.Type)
	id, err := uuid.Parse(f.ID)
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(5), id.Version())
	assert.Equal(t, "acme", f.AccountID)
	assert.Equal(t, []usage.Property{
		{Key: "company_size", Value: usage.LongValue(60)}, {Key: "domain", Value: usage.StringValue("acme.com")}}, f.Properties)
	assert.Equal(t, "medium", f.Tier)
	assert.Equal(t, 0.75, f.Rate)
	assert.Equal(t, 0.6, f.Threshold)
	assert.Equal(t, account.ChecklistRef{Name: "life", Version: 3, Hash: s.engine.Checklist().Hash()}, f.Checklist)
	assert.Equal(t, []account.Evidence{
		{Step: "a", DoneAt: 20 * hour, UserID: "ana", EventID: "event-11", Position: account.Position{Topic: "usage", Partition: 1, Offset: 2}, Count: 1},
		{Step: "b", DoneAt: 31 * hour, UserID: "bob", EventID: "event-31", Position: account.Position{Topic: "usage", Partition: 1, Offset: 4}, Count: 2},
		{Step: "c", DoneAt: 40 * hour, UserID: "ana", EventID: "crossing", Position: account.Position{Topic: "usage", Partition: 1, Offset: 6}, Count: 1},
	}, f.StepsDone)
	assert.Equal(t, []account.Missing{{Step: "d", Progress: 0.5, Need: "1 more user with d (1 of 2)"}}, f.StepsMissing)
	assert.Equal(t, "crossing", f.EventID)
	assert.Equal(t, "c", f.EventName)
	assert.Equal(t, "ana", f.UserID)
	assert.Equal(t, account.Position{Topic: "usage", Partition: 1, Offset: 6}, f.Position)
	assert.Equal(t, "guided-trial", f.Playbook.Name)
	assert.Equal(t, "A medium account is on its way: guide it through what blocks it: 3 of 4 steps done (75 %; tier medium asks for 60 %)",
		f.Playbook.Reason)
	assert.Equal(t, []account.UserActivity{
		{ID: "ana", Events: 3, LastSeen: 40 * hour, StepsDone: 2, Rate: 0.5},
		{ID: "bob", Events: 2, LastSeen: 31 * hour, StepsDone: 1, Rate: 0.25},
		{ID: "cleo", Events: 1, LastSeen: 32 * hour, Rate: 0.25}}, f.Users)
	assert.Equal(t, "ana", f.Champion)
	assert.Zero(t, f.Activated)
	assert.Equal(t, account.ByEvent, f.Cause)
	assert.Equal(t, 3, f.ActiveUsers7d)
	assert.False(t, f.SingleUser)
	assert.False(t, f.Late)
	assert.Equal(t, 40*hour, f.OccurredAt)
	assert.Equal(t, 10*hour, f.SignedUpAt)
	assert.Equal(t, 40*hour, f.QualifiedAt)
	assert.True(t, f.Current)

	before := s.facts[len(s.facts)-2]
	assert.Equal(t, account.StepDone, before.Type)
	assert.False(t, before.Current)
	assert.Zero(t, before.QualifiedAt)
	ids := map[string]bool{}
	for _, f := range s.facts {
		assert.False(t, ids[f.ID], "two facts have one id")
		ids[f.ID] = true
	}
}

func TestFactIDsDependOnAccountIncarnationAndOrdinal(t *testing.T) {
	e := engine(t, life)
	first := func(id string, incarnation int64, names ...string) (out string) {
		s := e.New(id, incarnation)
		for _, n := range names {
			_, facts := e.Folder().Apply(s, &usage.Event{Name: n}, account.Position{}, 0)
			out = facts[len(facts)-1].ID
		}
		return out
	}
	base := first("acme", 1, "a")
	assert.Equal(t, base, first("acme", 1, "c"), "what the fact is about does not matter")
	assert.NotEqual(t, base, first("acme", 2, "a"))
	assert.NotEqual(t, base, first("acmf", 1, "a"))
	assert.NotEqual(t, base, first("acme", 1, "a", "c"))
}

func TestFactIDsAreThoseOfTheStandard(t *testing.T) {
	_, facts := engine(t, life).Folder().Apply(engine(t, life).New("acme", 258), &usage.Event{Name: "a"}, account.Position{}, 0)
	namespace := uuid.MustParse("6f0a3c52-8d1e-4f57-9a64-c1d7e2b85b90")
	name := "acme\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x00\x01"
	assert.Equal(t, uuid.NewSHA1(namespace, []byte(name)).String(), facts[0].ID)
}

func TestLateFactsAreMarked(t *testing.T) {
	e := engine(t, life)
	for at, late := range map[int64]bool{999: true, 1000: false, 1001: false} {
		_, facts := e.Folder().Apply(e.New("acme", 0), &usage.Event{Name: "a", OccurredAt: at}, account.Position{}, 1000)
		assert.Equal(t, late, facts[0].Late, at)
	}
}

func TestUsersAreBounded(t *testing.T) {
	s := begin(t, life+"activity: {users: 3}\n")
	s.fold("a/u1 b/u2 b/u1 d/u3 d/u2 c/u4")
	f := s.last()
	var ids []string
	for _, u := range f.Users {
		ids = append(ids, fmt.Sprint(u.ID, u.Events))
	}
	assert.Equal(t, []string{"u22", "u41", "u31"}, ids, "u1 was not seen for the longest time")
	assert.False(t, f.SingleUser)
}

func TestTheFiveMostActiveUsersAreNamed(t *testing.T) {
	s := begin(t, life)
	s.fold("b/u1 b/u1 b/u1 b/u2 b/u2 b/u3 b/u4@100 b/u5 b/u6 a/u7@300")
	f := s.standing()
	require.Len(t, f.Users, 5)
	assert.Equal(t, "u1", f.Users[0].ID)
	assert.Equal(t, "u2", f.Users[1].ID)
	assert.Equal(t, "u7", f.Users[2].ID)
	assert.Equal(t, 1, f.ActiveUsers7d, "the others were seen more than 7 days before")
}

func TestSingleUser(t *testing.T) {
	s := begin(t, life)
	s.fold("a/ana b/ana b/ana c/ana")
	assert.True(t, s.standing().SingleUser)
	s.fold("d/bob")
	s.fold("d/ana")
	assert.False(t, s.standing().SingleUser)

	off := begin(t, life+"activity: {users: 0}\n")
	off.fold("a/ana b/ana b/ana")
	assert.True(t, off.standing().SingleUser)
	assert.Empty(t, off.standing().Users)
	off.fold("c/bob")
	assert.False(t, off.standing().SingleUser)
}

func TestOnlyTheNewestIDsAreRemembered(t *testing.T) {
	s := begin(t, strings.Replace(life, "at_least: 2}\n  - {id: c", "at_least: 100}\n  - {id: c", 1)+"dedupe: {horizon: 24h, limit: 2}\n")
	s.fold("b?id=1 b?id=2 b?id=3 b?id=1 b?id=3 a")
	assert.Equal(t, "96 more b (4 of 100)", s.standing().StepsMissing[0].Need, "id 1 was forgotten, id 3 was not")
}

func TestNothingOfTheEventIsKept(t *testing.T) {
	e := engine(t, life)
	s := e.New("acme", 0)
	var facts []account.Fact
	for i, name := range []string{"account_created", "a", "d"} {
		buffer := []byte(name + fmt.Sprintf("event%dana.......acme.comusage", i))
		alias := func(from, to int) string { return unsafeString(buffer[len(name)+from : len(name)+to]) }
		ev := &usage.Event{Name: unsafeString(buffer[:len(name)]), ID: alias(0, 6), UserID: alias(6, 9),
			Properties: []usage.Property{{Key: "domain", Value: usage.StringValue(alias(16, 24))}}, OccurredAt: int64(i)}
		_, more := e.Folder().Apply(s, ev, account.Position{Topic: alias(24, 29)}, 0)
		facts = append(facts, more...)
		for j := range buffer {
			buffer[j] = '#'
		}
	}
	b, err := s.AppendBinary(nil)
	require.NoError(t, err)
	assert.NotContains(t, string(b)+fmt.Sprintf("%+v", facts), "#")
	assert.Contains(t, string(b), "acme.com")
	assert.Contains(t, string(b), "usage")
}

func TestWhatChangesNothingIsNoChange(t *testing.T) {
	e := benchEngine(t)
	s := e.New("acme", 0)
	fold := func(name string) bool {
		changed, _ := e.Folder().Apply(s, &usage.Event{Name: name, UserID: "ana", OccurredAt: 5}, account.Position{}, 0)
		return changed
	}
	assert.False(t, fold("page_viewed"))
	for _, name := range []string{"created_project", "invite_accepted", "session_started"} {
		assert.True(t, fold(name), name)
		assert.False(t, fold(name), name)
	}
	assert.False(t, fold("storage_used"), "a quantity of 0")
}
