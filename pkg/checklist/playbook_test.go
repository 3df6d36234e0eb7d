package checklist

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const refined = `
version: 1
name: refined
properties:
  - {name: manager, type: string, from: [{event: created}]}
  - {name: region, type: long, from: [{event: created}]}
tiers: [{name: all, threshold: 0.5, playbook: call}]
playbooks:
  - name: call
    action: call them
    queue: sales
    owner: account.manager
    message: call.now
    reason: They are ready
    refine:
      - {when: 'single_user', name: wait, action: wait for colleagues, reason: One user alone}
      - {when: '!steps.invited && rate >= 0.5', queue: success, owner: account.region, message: invite}
      - {when: 'account.manager == "nobody"', owner: the team's lead}
      - {when: 'true && pql', name: never the first}
steps: [{id: invited, kind: event, event: e}, {id: other, kind: event, event: e}]
`

func TestPlaybooksAreRefined(t *testing.T) {
	text := strings.Replace(refined, "never the first", "last", 1)
	c, err := compiled(text)
	require.NoError(t, err)
	require.True(t, c.Behaves())
	assert.Equal(t, []string{"call", "wait", "last"}, c.PlaybookNames(), "each once")
	tier := &c.Tiers()[0]
	plain := Playbook{"call", "call them", "sales", "account.manager", "call.now", "They are ready"}
	assert.Equal(t, plain, tier.Playbook, "as written")

	account := []usage.Value{usage.StringValue("ana"), usage.LongValue(7)}
	invited := [2]uint64{1}
	for name, want := range map[string]struct {
		account []usage.Value
		b       Behaviour
		advice  Playbook
	}{
		"none fits":      {account, Behaviour{Done: invited}, Playbook{"call", "call them", "sales", "ana", "call.now", "They are ready"}},
		"owner unknown":  {c.Defaults(), Behaviour{Done: invited}, Playbook{"call", "call them", "sales", "", "call.now", "They are ready"}},
		"the first":      {account, Behaviour{SingleUser: true, Rate: 0.5}, Playbook{"wait", "wait for colleagues", "sales", "ana", "call.now", "One user alone"}},
		"owner a number": {account, Behaviour{Rate: 0.5}, Playbook{"call", "call them", "success", "7", "invite", "They are ready"}},
		"owner a text": {[]usage.Value{usage.StringValue("nobody"), {}}, Behaviour{},
			Playbook{"call", "call them", "sales", "the team's lead", "call.now", "They are ready"}},
		"the last": {account, Behaviour{Done: invited, PQL: true}, Playbook{"last", "call them", "sales", "ana", "call.now", "They are ready"}},
	} {
		assert.Equal(t, want.advice, tier.Advise(want.account, &want.b), name)
	}
}

func TestAdviceOutlivesTheAccount(t *testing.T) {
	c, err := compiled(strings.Replace(refined, "never the first", "last", 1))
	require.NoError(t, err)
	state := []byte("ana")
	account := []usage.Value{usage.StringValue(unsafe.String(&state[0], len(state))), {}}
	p := c.Tiers()[0].Advise(account, &Behaviour{Done: [2]uint64{1}})
	copy(state, "bob")
	assert.Equal(t, "ana", p.Owner)
}

func TestPlaybooksOfPresets(t *testing.T) {
	c, err := compiled(good)
	require.NoError(t, err)
	for i, name := range []string{"manual-outreach", "guided-trial", "in-app-nudge"} {
		tier := &c.Tiers()[i]
		assert.Equal(t, name, tier.Advise(c.Defaults(), &Behaviour{}).Name)
		assert.Equal(t, tier.Playbook, tier.Advise(c.Defaults(), &Behaviour{}))
	}
	large, medium := &c.Tiers()[0], &c.Tiers()[1]
	alone := large.Advise(c.Defaults(), &Behaviour{SingleUser: true})
	assert.Equal(t, "manual-outreach-not-yet", alone.Name)
	assert.Equal(t, "sales", alone.Queue)
	assert.Contains(t, alone.Action, "colleagues")
	assert.Contains(t, alone.Reason, "not yet for a lone junior user")
	assert.Equal(t, medium.Playbook, medium.Advise(c.Defaults(), &Behaviour{SingleUser: true}))

	c, err = compiled(good + "playbooks: [{name: manual-outreach, action: call}]")
	require.NoError(t, err)
	assert.False(t, c.Behaves(), "a declared playbook takes the place of the preset's with its refinements")
	assert.Equal(t, Playbook{Name: "manual-outreach", Action: "call"}, c.Tiers()[0].Advise(c.Defaults(), nil))

	c, err = compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsteps: [{id: a, kind: event, event: e}]")
	require.NoError(t, err)
	assert.False(t, c.Behaves())
	assert.Zero(t, c.Tiers()[0].Advise(nil, nil))
}

func TestWrongPlaybooksAreRefused(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	text := strings.NewReplacer(
		"owner: account.manager", "owner: account.boss", "message: call.now", "message: "+long, "owner: account.region", "owner: account.",
		"'single_user'", "''", "One user alone", long, `rate >= 0.5`, `rate >= tier`,
	).Replace(refined)
	_, err := compiled(text)
	assert.EqualError(t, err, strings.Join([]string{
		`playbooks[0].message: is over the limit of 1000 bytes`,
		`playbooks[0].owner: there is no account property "boss"`,
		`playbooks[0].refine[0].when: is missing`,
		`playbooks[0].refine[0].reason: is over the limit of 1000 bytes`,
		`playbooks[0].refine[1].when: line 1, column 24: found no matching overload for '_>=_' applied to '(double, string)'`,
		`playbooks[0].refine[1].owner: there is no account property ""`,
		`playbooks[0].refine[3].name: "never the first" is not a name of 1 to 64 letters, digits, dots, dashes or underscores`,
	}, "\n"))

	many := good + "playbooks:\n  - name: many\n    refine:\n" + strings.Repeat("      - {when: 'pql'}\n", 20)
	_, err = compiled(many)
	require.NoError(t, err)
	_, err = compiled(many + "      - {when: 'pql'}\n")
	assert.EqualError(t, err, "playbooks[0].refine: are 21, over the limit of 20")
}

func TestPlaybooksOfTiersArePartOfTheHash(t *testing.T) {
	hash := func(text string) string {
		c, err := compiled(strings.Replace(text, "never the first", "last", 1))
		require.NoError(t, err)
		return c.Hash()
	}
	base := hash(refined)
	assert.Equal(t, base, hash(strings.Replace(refined, "'single_user'", "'(single_user)'", 1)))
	assert.Equal(t, base, hash(strings.Replace(refined, "'single_user', name: wait", "'single_user', queue: sales, name: wait", 1)))
	assert.Equal(t, base, hash(strings.Replace(refined, "playbooks:\n", "playbooks:\n  - {name: unused, action: x}\n", 1)))
	for _, change := range [][2]string{
		{"owner: account.manager", "owner: ana"}, {"message: call.now", "message: call.later"}, {"single_user", "!single_user"},
		{"wait for colleagues", "wait"}, {"queue: success", "queue: sales"}, {"message: invite", "message: invite.them"},
		{"      - {when: 'true && pql', name: never the first}\n", ""}, {"account.region", "account.manager"},
	} {
		assert.NotEqual(t, base, hash(strings.Replace(refined, change[0], change[1], 1)), change[0])
	}
}
