package checklist

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTiersOfLargeAccounts(t *testing.T) {
	for tiers, want := range map[string]string{
		"preset: simple": "large",
		"preset: simple\ntiers: [{name: enterprise, when: account.company_size >= 5000, threshold: 0.2}, {name: large}, {name: medium}, {name: small}]": "enterprise large",
		"preset: simple\ntiers: [{name: enterprise, when: account.company_size >= 5000, threshold: 0.9}, {name: small}]":                                "enterprise small",
		"preset: mid\ntiers: [{name: vip, when: account.company_size > 9, threshold: 0.25}, {name: large, threshold: 0.2}, {name: small}]":              "vip large",
		"preset: mid\ntiers: [{name: vip, when: account.company_size > 9, threshold: 0.35}, {name: large, threshold: 0.2}, {name: small}]":              "large",
		"tiers: [{name: all, threshold: 0.5}]":                                                                           "",
		"tiers: [{name: all, threshold: 0.35}]":                                                                          "all",
		"tiers: [{name: large, threshold: 0.9}]":                                                                         "large",
		"tiers: [{name: a, when: account.company_size > 9, threshold: 0.5}, {name: b, threshold: 0.5}]":                  "",
		"tiers: [{name: a, when: account.company_size > 9, threshold: 0.5}, {name: b, threshold: 0.6}]":                  "a",
		"tiers: [{name: a, when: account.company_size > 9, threshold: 0.3}, {name: b, threshold: 0.2}]":                  "a b",
		"preset: complex\ntiers: [{name: a, when: account.company_size > 9, threshold: 0.3}, {name: b, threshold: 0.2}]": "b",
	} {
		c, err := compiled("version: 1\nname: x\nproperties: [{name: company_size, type: long, from: [{event: a}]}]\n" + twoSteps + tiers)
		require.NoError(t, err, tiers)
		var large []string
		for _, tier := range c.Tiers() {
			if tier.Large {
				large = append(large, tier.Name)
			}
		}
		assert.Equal(t, want, strings.Join(large, " "), tiers)
	}
}
