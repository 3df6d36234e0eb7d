package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checked returns what Check says, a line each.
func checked(text string) string {
	_, _, mistakes := Check([]byte(text))
	var b strings.Builder
	for _, m := range mistakes {
		fmt.Fprintf(&b, "%d: %v\n", m.Line, m.Error())
	}
	return b.String()
}

func TestCheckSaysEverythingAtOnce(t *testing.T) {
	assert.Equal(t, `1: version: 0 is not a whole number above 0
2: name: "a b" is not a name of 1 to 64 letters, digits, dots, dashes or underscores
3: zone: "Mars" is no time zone such as Europe/Berlin
4: signup.evnt: unknown field; did you mean event?
5: tiers[0].threshold: `+"`high`"+` where a number belongs
6: tiers[1].threshold: 7 is not from 0.000001 to 1
7: name: given already at line 2
9: steps[0]: `+"`5`"+` where a mapping belongs
10: steps[1].kind: "often" is none of the kinds [event count distinct days sum ratio sequence absent score trial any all]
11: steps[2].at_leest: unknown field; did you mean at_least?
12: steps[3].colour: unknown field
12: steps[3].at_least: 0 is not above 0 and at most 1e+09
14: steps[4].within: `+"`soon`"+` is no length of time such as 7d, 36h or 90m
15: steps[5].event: is missing
15: steps[5].at_least: is missing
`, checked(`version: 0
name: a b
zone: Mars
signup: {evnt: x}
tiers: [{name: a, when: 'true', threshold: high},
  {name: b, threshold: 7}]
name: again
steps:
  - 5
  - {id: a, kind: often}
  - {id: b, kind: count, event: x, at_leest: 3}
  - {id: c, kind: count, event: x, at_least: 0, colour: red}
  - {id: d, kind: count, event: x, at_least: 2,
     within: soon, live: true}
  - {id: e, kind: count}
`))
}

// TestCheckLeavesOutWhatOnlyFollows lists files with one mistake each, of which more would follow.
func TestCheckLeavesOutWhatOnlyFollows(t *testing.T) {
	const head, step = "version: 1\nname: x\n", "steps: [{id: a, kind: event, event: x}]\n"
	const tiers = "tiers: [{name: all, threshold: 1}]\n"
	for text, want := range map[string]string{
		head + step + "presset: mid\ntiers: [{name: all, threshold: 1, playbook: p}]\nplaybooks: 5":                                    "presset|playbooks",
		head + step + "preset: 5\nproperties: [{name: company_size, type: long, from: [{event: x}]}]":                                  "preset",
		head + step + "teirs: [{name: all, threshold: 1}]":                                                                             "teirs",
		head + tiers + "stepss: [{id: a, kind: event, event: x}]":                                                                      "stepss",
		head + tiers + "steps: {id: a}":                                                                                                "steps",
		head + tiers + "steps: [5]":                                                                                                    "steps[0]",
		head + tiers + "steps: [{id: a, kind: event, event: [5]}]":                                                                     "steps[0].event[0]",
		head + tiers + "steps: [{id: 5, kind: event, event: x}, {id: b, kind: all, steps: [a]}]\nsegments: [{name: s, when: steps.a}]": "steps[0].id",
		head + tiers + step + "properties: [{name: size, type: 5, from: [{event: x}]}]\nexclude: [account.size > 1]":                   "properties[0].type",
		head + tiers + "steps: [{id: a, kind: trial, day: 3}]\ntrial: soon":                                                            "trial",
		head + tiers + "steps: [{id: a, kind: trial, day: 3}]\ntrial: {days: two, starts: {event: x}}":                                 "trial.days",
		head + tiers + "steps: [{id: a, kind: trial, finished: yes}]\ntrial: {days: 2}\nsignup: {event: x}":                            "steps[0].finished",
		head + tiers + "steps: [{id: a, kind: trial, day: 2}]\ntrial: {days: 2}\nsignup: 5":                                            "signup",
		head + tiers + "steps: [{id: a, kind: ratio, event: x, of: quantity, to: 5, at_least: 1, adds: yes, within: 7d, live: true}]":  "steps[0].adds",
		head + tiers + "steps: [{id: a, kind: score, points: [{event: x, points: many}], at_least: 1, half_life: long, live: true}]":   "steps[0].points[0].points|steps[0].half_life",
	} {
		_, _, mistakes := Check([]byte(text))
		var paths []string
		for _, m := range mistakes {
			paths = append(paths, m.Path)
		}
		assert.ElementsMatch(t, strings.Split(want, "|"), paths, "%s\n%v", text, mistakes)
	}
}

func TestCheckReturnsWhatCanBeUsed(t *testing.T) {
	def, list, mistakes := Check([]byte(good))
	require.Empty(t, mistakes)
	assert.Equal(t, "product", def.Name)
	assert.Equal(t, "product", list.Name())
	for _, text := range []string{"", "a: [b", good + "---\n", good + "x: 1", "version: 0"} {
		def, list, mistakes = Check([]byte(text))
		assert.NotEmpty(t, mistakes, text)
		assert.Nil(t, def, text)
		assert.Nil(t, list, text)
	}
}
