package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestALifeIsChecked(t *testing.T) {
	long := strings.Repeat("x", 300)
	for text, want := range map[string]string{
		"churned: {where: 'true'}":                                    "churned.event: is missing",
		"inactivity: {}":                                              "inactivity.days: is missing",
		"inactivity: {days: -1}":                                      "inactivity.days: -1 is not from 0 to 366",
		"inactivity: {days: 367}":                                     "inactivity.days: 367 is not from 0 to 366",
		"hold_out: {share: 1.5}":                                      "hold_out.share: 1.5 is not from 0 to 1",
		"hold_out: {share: -0.1}":                                     "hold_out.share: -0.1 is not from 0 to 1",
		"hold_out: {share: .nan}":                                     "hold_out.share: NaN is not from 0 to 1",
		"hold_out: {share: 0.1, salt: " + long + "}":                  "hold_out.salt: is over the limit of 64 bytes",
		"exclude_accounts: [a, '']":                                   `exclude_accounts[1]: "" is not an account's id of 1 to 256 bytes`,
		"exclude_accounts: [" + long + "]":                            fmt.Sprintf("exclude_accounts[0]: %q is not an account's id of 1 to 256 bytes", long),
		"sales: {won: {where: 'true'}}":                               "sales.won.event: is missing",
		"sales: {lost: {event: x, where: quantity}}":                  "sales.lost.where: is a double, not a condition",
		"sales: {lost: {event: x, reason: " + long + "}}":             "sales.lost.reason: is over the limit of 256 bytes",
		"trial: {days: 0, disqualifies: true}":                        "trial.days: 0 is not from 1 to 366",
		"trial: {days: 7, ends: {where: 'true'}, disqualifies: true}": "trial.ends.event: is missing",
	} {
		_, err := compiled(good + text)
		assert.EqualError(t, err, want, text)
	}
	_, err := compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\ntrial: {days: 7, disqualifies: true}\nsteps: [{id: a, kind: event, event: e}]")
	assert.EqualError(t, err, "trial.starts: is missing, and there is no signup that it could begin with")
	_, err = compiled(good + "exclude_accounts: [" + strings.Repeat("x,", maxExcluded+1) + "]")
	assert.ErrorContains(t, err, "exclude_accounts: are 10001, over the limit of 10000")
}

func TestTheTrialsEndListensBesideTheSteps(t *testing.T) {
	c, err := compiled(good + "trial: {days: 7, ends: {event: [stopped, project_created]}, disqualifies: true}\n")
	require.NoError(t, err)
	end := c.TrialEnd()
	require.NotNil(t, end)
	assert.Len(t, c.Steps(), 1)
	assert.Equal(t, []uint8{startsOf}, c.Listener("account_created").TrialEnd)
	assert.Empty(t, c.Listener("account_created").Steps)
	assert.Equal(t, []uint8{endsOf}, c.Listener("project_created").TrialEnd)
	assert.Equal(t, []Listen{{Step: 0}}, c.Listener("project_created").Steps)
	assert.Equal(t, []uint8{endsOf}, c.Listener("stopped").TrialEnd)
	assert.True(t, c.Timed())

	without, err := compiled(good + "trial: {days: 7, ends: {event: stopped}}\n")
	require.NoError(t, err)
	assert.Nil(t, without.TrialEnd())
	assert.False(t, without.Listens("stopped"))
	assert.Equal(t, without.StateBound()+end.traits.bound, c.StateBound())
}

func TestInactivityIsOfTwoWeeksUnlessSaid(t *testing.T) {
	for text, want := range map[string]int64{"": 14, "inactivity: {days: 0}": 0, "inactivity: {days: 30}": 30} {
		c, err := compiled(good + text)
		require.NoError(t, err)
		assert.Equal(t, want*86_400_000, c.Inactivity())
		assert.Equal(t, want > 0, c.Timed())
	}
}

// TestTheControlGroupIsForEver: who was set apart once must be so in every version to come.
func TestTheControlGroupIsForEver(t *testing.T) {
	c, err := compiled(good + "hold_out: {share: 0.5, salt: pepper}")
	require.NoError(t, err)
	var held string
	for i := range 32 {
		held += map[bool]string{true: "x", false: "-"}[c.HeldOut(fmt.Sprint("account-", i))]
	}
	assert.Equal(t, "x--xxx---xx-----xx--x-x-x-xxx-x-", held)
}

func TestReasonsAreTextsOfTheEvent(t *testing.T) {
	ev := &usage.Event{Properties: []usage.Property{{Key: "a", Value: usage.StringValue("price")}, {Key: "n", Value: usage.LongValue(3)}, {Key: "none"}}}
	for key, want := range map[string]string{"": "", "a": "price", "n": "3", "none": "", "other": ""} {
		assert.Equal(t, want, (&Saying{Reason: key}).Why(ev), key)
	}
}
