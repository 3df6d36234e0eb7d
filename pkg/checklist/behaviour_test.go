package checklist

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// behaving compiles a checklist of these steps with one segment of an expression.
func behaving(t testing.TB, when string, steps ...string) (*Checklist, error) {
	t.Helper()
	def := &Definition{Version: 1, Name: "x", Segments: []SegmentDef{{Name: "it", When: when}}}
	for _, id := range steps {
		def.Steps = append(def.Steps, StepDef{ID: id, Kind: "event", Event: Names{"e"}})
	}
	from := []SourceDef{{Event: "e"}}
	def.Properties = []PropertyDef{{Name: "size", Type: "long", From: from}, {Name: "domain", Type: "string", From: from}}
	def.Activity = &ActivityDef{Role: "role"}
	always, bar := "true", 0.5
	def.Tiers = []TierDef{{Name: "large", When: &always, Threshold: &bar}, {Name: "small", Threshold: &bar}}
	return Compile(def)
}

func TestWhatExpressionsOverBehaviourSee(t *testing.T) {
	account := make([]usage.Value, 2)
	b := &Behaviour{
		Done: [2]uint64{1 << 1, 1 << (99 - 64)}, Rate: 0.75, Tier: "large", Users: 3, ActiveUsers: 2,
		SingleUser: true, PQL: true, ChampionRole: "admin",
	}
	steps := make([]string, MaxSteps)
	for i := range steps {
		steps[i] = fmt.Sprint("s", i)
	}
	steps[0], steps[2] = "invited-team", "plan.chosen"
	for text, want := range map[string]bool{
		`steps.s1`:                         true,
		`steps["s1"]`:                      true,
		`!steps["invited-team"]`:           true,
		`steps["plan.chosen"]`:             false,
		`steps.s99`:                        true,
		`steps.s63`:                        false,
		`steps.s98`:                        false,
		`rate >= 0.75 && rate < 1`:         true,
		`tier == "large"`:                  true,
		`tier in ["small"]`:                false,
		`users == 3 && active_users == 2`:  true,
		`single_user`:                      true,
		`pql`:                              true,
		`signed_up`:                        false,
		`converted`:                        false,
		`champion_role == "admin"`:         true,
		`account.size >= 500`:              false,
		`!has(account.size)`:               true,
		`users - active_users == 1`:        true,
		`champion_role.startsWith("ad")`:   true,
		`size(steps) == 100`:               true,
		`steps.exists(id, steps[id])`:      true,
		`steps.all(id, steps[id])`:         false,
		`steps[tier]`:                      false,
		`"s1" in steps`:                    true,
		`has(steps.s1) && steps.s1`:        true,
		`steps.filter(s, steps[s]) == []`:  false,
		`.steps.s1 && .pql`:                true,
		`[1, 2].exists(pql, pql == users)`: false,
		`["x"].exists(tier, tier == "x")`:  true,
	} {
		c, err := behaving(t, text, steps...)
		require.NoError(t, err, text)
		assert.Equal(t, want, c.Segments(account, b) != nil, text)
	}
	b.ChampionRole = ""
	for _, text := range []string{`champion_role == ""`, `champion_role != "admin"`, `!(champion_role == "admin")`, `champion_role.size() == 0`} {
		c, err := behaving(t, text, steps...)
		require.NoError(t, err, text)
		assert.Nil(t, c.Segments(account, b), "%s where the role is missing", text)
	}
}

func TestErrorsOfExpressionsOverBehaviourNameTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		`steps.invted`:                      `line 1, column 6: there is no step "invted"`,
		"pql &&\n !steps[\"invited-teem\"]": `line 2, column 8: there is no step "invited-teem"`,
		`has(steps.invted)`:                 `line 1, column 4: there is no step "invted"`,
		`"invted" in steps`:                 `line 1, column 10: there is no step "invted"`,
		`.steps.invted`:                     `line 1, column 7: there is no step "invted"`,
		`tier == "lage"`:                    `line 1, column 9: there is no tier "lage"`,
		`"lage" != tier`:                    `line 1, column 1: there is no tier "lage"`,
		`tier in ["small", "lage"]`:         `line 1, column 19: there is no tier "lage"`,
		`tier == 3`:                         `line 1, column 6: found no matching overload for '_==_' applied to '(string, int)'`,
		`steps.invited == "yes"`:            `line 1, column 15: found no matching overload for '_==_' applied to '(bool, string)'`,
		`steps.invited-team`:                "line 1, column 14: found no matching overload for '_-_' applied to '(bool, !error!)'\nsegments[0].when: line 1, column 15: undeclared reference to 'team'; did you mean steps[\"invited-team\"]?",
		`rate`:                              `is a double, not a condition`,
		`account.siez > 1`:                  `line 1, column 8: undefined field 'siez'; did you mean account.size?`,
		`properties.plan == "free"`:         `line 1, column 1: undeclared reference to 'properties'; no event is read here, use account.NAME, declared under properties`,
		`invited`:                           `line 1, column 1: undeclared reference to 'invited'; did you mean steps.invited?`,
		`usrs > 3`:                          `line 1, column 1: undeclared reference to 'usrs' (did you mean 'users'?)`,
		`plan == "free"`:                    `line 1, column 1: undeclared reference to 'plan'; did you mean account.plan? Declare it under properties`,
		`nearest(rate)`:                     `line 1, column 8: undeclared reference to 'nearest'`,
		`champion_role.matches("(")`:        `line 1, column 23: invalid matches argument`,
		` `:                                 `is empty`,
		`steps.a == steps.b && tier == "x" || pql`: "line 1, column 6: there is no step \"a\"\nsegments[0].when: line 1, column 17: there is no step \"b\"\nsegments[0].when: line 1, column 31: there is no tier \"x\"",
	} {
		_, err := behaving(t, text, "invited", "invited-team")
		assert.EqualError(t, err, "segments[0].when: "+want, text)
	}
	_, err := behaving(t, "", "invited")
	require.EqualError(t, err, "segments[0].when: is missing")
}

func TestExpressionsThatAskForUsersThatAreNotKept(t *testing.T) {
	const (
		noRole  = "champion_role is not known: name the events' property that tells a user's role as activity.role"
		noUsers = " is not known: activity.users is 0, so no users are kept: give it another number, or leave it out"
	)
	for _, c := range []struct{ activity, when, want string }{
		{"", `champion_role == "admin"`, "line 1, column 1: " + noRole},
		{"activity: {users: 5}", "pql &&\n    .champion_role == 'admin'", "line 2, column 6: " + noRole},
		{"activity: {users: 0}", `pql && users > 1`, "line 1, column 8: users" + noUsers},
		{"activity: {users: 0}", `active_users > 1`, "line 1, column 1: active_users" + noUsers},
		{"activity: {users: 0}", `single_user`, "line 1, column 1: single_user" + noUsers},
		{"activity: {users: 0}", `champion_role == "admin"`, "line 1, column 1: champion_role" + noUsers},
		{"activity: {users: 0}", `[1, 2].exists(users, users == 1)`, ""},
		{"activity: {users: 0}", `pql && rate >= 0.5 && steps.first_project && account.company_size > 3`, ""},
		{"activity: {role: role}", `champion_role == "admin"`, ""},
		{"", `single_user && users > 1 && active_users > 1`, ""},
	} {
		def := good + c.activity + "\nplaybooks: [{name: manual-outreach, refine: [{when: pql}, {when: %s}]}]\nsegments: [{name: it, when: %[1]s}]\n"
		when := fmt.Sprintf("%q", c.when)
		_, err := compiled(strings.ReplaceAll(strings.ReplaceAll(def, "%[1]s", when), "%s", when))
		if c.want == "" {
			assert.NoError(t, err, c.when)
			continue
		}
		assert.EqualError(t, err, "segments[0].when: "+c.want+"\nplaybooks[0].refine[1].when: "+c.want)
	}
}

func TestBehaves(t *testing.T) {
	for text, want := range map[string]bool{
		`account.size >= 500`:                               false,
		`account.domain.endsWith(".test")`:                  false,
		`["a"].exists(x, x == account.domain)`:              false,
		`pql`:                                               true,
		`account.size >= 500 || steps.invited`:              true,
		`account.size >= 500 && steps.all(s, steps[s])`:     true,
		`account.size >= 500 ? .champion_role == "" : true`: true,
	} {
		c, err := behaving(t, text, "invited")
		require.NoError(t, err, text)
		assert.Equal(t, want, c.Behaves(), text)
		if !want {
			assert.NotPanics(t, func() { c.Segments([]usage.Value{usage.LongValue(500), usage.StringValue("a")}, nil) }, text)
		}
	}
}

func TestOneExpressionOverBehaviourIsEnoughToBehave(t *testing.T) {
	c, err := compiled(good + "segments: [{name: a, when: pql}, {name: b, when: 'account.company_size > 3'}]\n" +
		"playbooks: [{name: manual-outreach, action: call}]")
	require.NoError(t, err)
	assert.True(t, c.Behaves())
}

func TestUsualExpressionsOverBehaviourTakeNoMemory(t *testing.T) {
	account := []usage.Value{usage.LongValue(499), {}}
	for _, text := range []string{
		`account.size >= 500`, `!steps.invited && rate >= 0.5`, `steps["first-project"] && tier in ["large", "small"]`,
		`single_user || champion_role == "admin" && users > 1 && active_users == 0`, `!pql && !signed_up && !converted && tier != "small"`,
	} {
		c, err := behaving(t, text, "invited", "first-project")
		require.NoError(t, err, text)
		b := &Behaviour{Done: [2]uint64{1}, Rate: 0.5, Tier: "small", PQL: true}
		assert.Zero(t, testing.AllocsPerRun(100, func() { require.Nil(t, c.Segments(account, b)) }), text)
	}
}

// FuzzExpressions compiles any text in every language: that may be refused, never fail otherwise, and what becomes a
// closure agrees with the interpreter.
func FuzzExpressions(f *testing.F) {
	for _, text := range []string{
		`!steps.invited && rate >= 0.5 || tier in ["x"]`, `has(steps["a.b"])`, `properties.a.b[1] == {"c": quantity}`,
		"account.size > 1 &&\n account.domain.matches('^(a*)*$')", `steps.exists(s, steps[s] && .steps.x)`, `"\u00fc\x00" != user_id`,
		`[1, 2u, b'x', null].map(x, x)`, `duration("1s") > timestamp(0)`, `1 + `, strings.Repeat("(", 500), strings.Repeat("!", 3000) + "pql",
	} {
		f.Add(text, "role", int64(3), 0.5)
	}
	f.Fuzz(func(t *testing.T, text, s string, n int64, d float64) {
		x := testExpressions(t)
		account := []usage.Value{usage.LongValue(n), {}, usage.StringValue(s), usage.BoolValue(true)}
		anyEvent := &usage.Event{Name: s, UserID: s, Quantity: d, Properties: []usage.Property{
			{Key: "a", Value: usage.LongValue(n)}, {Key: "b", Value: usage.DoubleValue(d)}, {Key: s, Value: usage.StringValue(s)}}}
		holds(t, x.account, text, nil, account)
		holds(t, x.event, text, anyEvent, account)
		holds(t, x.behaviour, text, &Behaviour{Done: [2]uint64{uint64(n)}, Rate: d, Tier: s, Users: int(n), ChampionRole: s}, account)
		if utf8.ValidString(text) {
			_, err := behaving(t, text, testSteps...)
			var p *Problem
			require.True(t, err == nil || errors.As(err, &p), "%v is no Problem", err)
		}
	})
}

func holds[S any](t *testing.T, l *language[S], text string, of S, account []usage.Value) {
	is, _, err := l.compile(text)
	if err != nil {
		return
	}
	checked, err := l.check(text)
	require.NoError(t, err)
	slow, err := l.interpreted(checked)
	require.NoError(t, err)
	require.Equal(t, slow(of, account), is(of, account), text)
}
