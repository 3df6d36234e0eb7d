package account_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func described(s *scenario) string {
	v := s.engine.View(s.state, s.hour*hour)
	return v.Describe()
}

func TestAnAccountIsExplained(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created?company_size=60@10 a/bob b c d/bob b")
	assert.Equal(t, `Account acme is a PQL since 1970-01-01 15:00.
Tier medium asks for 60 %; 3 of 4 steps are done: 75 %. Checklist life, version 3.
Signed up 1970-01-01 10:00.

Done
  a  1970-01-01 11:00  by bob, event event-11 (usage-1 at 2)
  c  1970-01-01 13:00  by ana, event event-13 (usage-1 at 4)
  b  1970-01-01 15:00  by ana, event event-15 (usage-1 at 6)

Missing
  d  50 %  1 more user with d (1 of 2)

What to do: playbook guided-trial, queue customer-success
  offer help with the steps that are missing
  Why: A medium account is on its way: guide it through what blocks it: 3 of 4 steps done (75 %; tier medium asks for 60 %).

Most active users (active within 7 days: 2)
  ana  4 events, 2 steps, last seen 1970-01-01 15:00
  bob  2 events, 1 step, last seen 1970-01-01 14:00

Properties
  company_size  60
  domain        null

History
  1970-01-01 10:00  signed up
  1970-01-01 11:00  step done: a
  1970-01-01 13:00  step done: c
  1970-01-01 15:00  step done: b
  1970-01-01 15:00  qualified
`, described(s))
}

func TestTheVerdictNamesTheStanding(t *testing.T) {
	for events, want := range map[string]string{
		"b":                                "is no PQL yet.",
		"a b b c":                          "is a PQL since 1970-01-01 04:00.",
		"a b b c d/x d/y":                  "is a PQL since 1970-01-01 04:00, and has escalated.",
		"enriched?domain=ourcompany.com a": "is no PQL: the checklist excludes it.",
		"a b b c bought?plan=team":         "has converted: it is a customer.",
		"a b b c enriched?domain=ourcompany.com enriched?domain=acme.com bought?plan=free": "is a PQL since 1970-01-01 06:00.",
	} {
		s := begin(t, strings.Replace(life, "preset: simple", tiersOfOne, 1))
		s.fold(events)
		first, _, _ := strings.Cut(described(s), "\n")
		assert.Equal(t, "Account acme "+want, first, events)
	}
}

const tiersOfOne = `tiers: [{name: all, threshold: 0.7, escalate_at: 0.9}]`

func TestTextFromOutsideCannotDriveATerminal(t *testing.T) {
	s := begin(t, life)
	s.fold("a/x\x1b[2J")
	assert.NotContains(t, described(s), "\x1b")
	assert.Contains(t, described(s), `by "x\x1b[2J"`)
}
