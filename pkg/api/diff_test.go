package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChangesAreSaidInWords(t *testing.T) {
	const was = `
version: 1
name: life
zone: Europe/Berlin
exclude: [account.is_test]
tiers: [{name: large, when: 'account.size > 5', threshold: 0.3}, {name: small, threshold: 0.5}]
steps:
  - {id: a, kind: event, event: x}
  - {id: b, kind: count, event: [x, y], at_least: 3, within: 7d}
  - {id: c, kind: event, event: z}
`
	for _, c := range []struct {
		name, is string
		changes  []string
	}{
		{"nothing", "# only a comment\n" + was, []string{}},
		{"steps in another order", `
name: life
version: 1
zone: Europe/Berlin
exclude: [account.is_test]
tiers: [{name: large, when: 'account.size > 5', threshold: 0.3}, {name: small, threshold: 0.5}]
steps: [{id: c, kind: event, event: z}, {id: b, kind: count, event: [x, y], at_least: 3, within: 7d}, {id: a, kind: event, event: x}]
`, []string{}},
		{"everything", `
version: 2
name: life
demote: true
exclude: [account.is_test, account.is_ours]
tiers: [{name: small, threshold: 0.5}, {name: large, when: 'account.size > 5', threshold: 0.35}]
steps:
  - {id: a, kind: event, event: x, weight: 2}
  - {id: b, kind: count, event: x, at_least: 5, within: 7d}
  - {id: d, kind: event, event: w, weight: 1.5}
`, []string{
			"demote: true, was not set",
			"exclude: [account.is_test, account.is_ours], was [account.is_test]",
			"steps.a.weight: 2, was not set",
			"steps.b.at_least: 5, was 3",
			"steps.b.event: x, was [x, y]",
			"steps.d: new, {event: w, kind: event, weight: 1.5}",
			"steps.c: gone, was {event: z, kind: event}",
			"tiers.large.threshold: 0.35, was 0.3",
			"tiers: in the order small, large, was large, small",
			"version: 2, was 1",
			"zone: not set, was Europe/Berlin",
		}},
		{"a list that goes", "version: 1\nname: life\nzone: Europe/Berlin\nexclude: [account.is_test]\ntiers: [{name: large, when: 'account.size > 5', threshold: 0.3}, {name: small, threshold: 0.5}]\n", []string{
			"steps.a: gone, was {event: x, kind: event}",
			"steps.b: gone, was {at_least: 3, event: [x, y], kind: count, within: 7d}",
			"steps.c: gone, was {event: z, kind: event}",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := changesOf(was, c.is)
			require.NoError(t, err)
			assert.Equal(t, c.changes, got)
		})
	}
	_, err := changesOf(was, "a: [")
	require.ErrorContains(t, err, "reading the other")
}
