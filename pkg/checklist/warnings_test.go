package checklist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// warned returns the warnings of a valid definition.
func warned(t *testing.T, text string) (messages []string) {
	t.Helper()
	def, err := Parse([]byte(text))
	require.NoError(t, err, text)
	c, err := Compile(def)
	require.NoError(t, err, text)
	found, err := Warnings(def, c)
	require.NoError(t, err)
	for _, p := range found {
		messages = append(messages, p.Error())
	}
	return messages
}

const twoSteps = "steps:\n  - {id: a, kind: event, event: a}\n  - {id: b, kind: event, event: b}\n"

func TestTiersThatFitNobody(t *testing.T) {
	const head = "version: 1\nname: x\nproperties:\n" +
		"  - {name: size, type: long, from: [{event: '*'}]}\n" +
		"  - {name: score, type: double, from: [{event: '*'}]}\n" +
		"  - {name: plan, type: string, from: [{event: '*'}], default: free}\n" +
		"  - {name: paid, type: boolean, from: [{event: '*'}], default: false}\n" +
		"segments: [{name: all, when: 'account.size > 0 || account.score > 0.0 || account.plan == \"\" || account.paid'}]\n" +
		twoSteps + "tiers:\n"
	for when, want := range map[string]string{
		`account.size >= 50`:                                                                     "whoever fits it is in a tier before it",
		`account.size > 100 && account.size < 200`:                                               "whoever fits it is in a tier before it",
		`account.size == 10`:                                                                     "",
		`account.size < 10`:                                                                      "",
		`account.size > 3 && account.size < 4`:                                                   "its condition is never true",
		`account.size > 3 && account.size < 5`:                                                   "",
		`account.size > 3 && account.size <= 3.5`:                                                "its condition is never true",
		`account.score > 3.0 && account.score < 3.0001`:                                          "",
		`account.plan == "pro" && account.plan == "team"`:                                        "its condition is never true",
		`account.plan in ["pro", "team"] && account.plan != "pro"`:                               "",
		`account.plan in ["pro"] && account.plan != "pro"`:                                       "its condition is never true",
		`account.plan.startsWith("p") && account.plan.endsWith("o")`:                             "",
		`account.plan.startsWith("pro") && account.plan == "p"`:                                  "its condition is never true",
		`account.plan != "free" && !account.paid`:                                                "",
		`account.paid && !account.paid`:                                                          "its condition is never true",
		`!has(account.plan)`:                                                                     "its condition is never true",
		`!has(account.size)`:                                                                     "",
		`has(account.size) && !(account.size < 50) && !account.paid`:                             "whoever fits it is in a tier before it",
		`(account.paid ? account.size : 1) > 60 && account.size < 50`:                            "", // can't be told
		`account.plan.matches("^$") && account.plan != ""`:                                       "", // can't be told
		`account.plan.contains("a") && account.plan.contains("b") && account.plan.contains("c")`: "", // can't be told
		`account.plan < "a" && account.plan > "b"`:                                               "", // can't be told
		`account.size * 2 > 10 && account.size * 2 < 5`:                                          "", // can't be told
		`account.plan == "` + strings.Repeat("longer than 256", 20) + `"`:                        "its condition is never true",
		`false`: "its condition is never true",
		`500 <= account.size && account.plan == "free" || 3 > account.size`: "",
	} {
		messages := warned(t, head+"  - {name: big, when: account.size >= 50, threshold: 1}\n"+
			"  - {name: odd, when: '"+when+"', threshold: 1}\n  - {name: rest, threshold: 1}\n")
		if want == "" {
			assert.Empty(t, messages, when)
			continue
		}
		assert.Equal(t, []string{"tiers[1]: no account can be in the tier odd: " + want}, messages, when)
	}

	assert.Equal(t, []string{"tiers[2]: no account can be in the tier rest: whoever fits it is in a tier before it"},
		warned(t, head+"  - {name: big, when: account.size >= 50, threshold: 1}\n"+
			"  - {name: others, when: '!has(account.size) || account.size < 50', threshold: 1}\n  - {name: rest, threshold: 1}\n"))
}

// TestManyCombinationsAreNotTried holds that what would take too long is let be.
func TestManyCombinationsAreNotTried(t *testing.T) {
	text, when := "version: 1\nname: x\nproperties:\n", "false"
	for _, name := range strings.Split("a b c d e f g h i j k l", " ") {
		text += "  - {name: " + name + ", type: long, from: [{event: '*'}]}\n"
		when += " || account." + name + " > 5 && account." + name + " < 5"
	}
	assert.Empty(t, warned(t, text+"tiers:\n  - {name: odd, when: '"+when+"', threshold: 1}\n  - {name: rest, threshold: 1}\n"+twoSteps))
}

func TestExclusionsThatDecideNothing(t *testing.T) {
	const head = "version: 1\nname: x\nproperties:\n  - {name: test, type: boolean, from: [{event: '*'}], default: false}\n" +
		"  - {name: size, type: long, from: [{event: '*'}]}\nsegments: [{name: big, when: account.size > 0 || account.test}]\n" +
		"tiers: [{name: all, threshold: 1}]\n" + twoSteps
	for exclude, want := range map[string][]string{
		`account.test`:                   nil,
		`account.test && !account.test`:  {"exclude[0]: is never true"},
		`!has(account.test)`:             {"exclude[0]: is never true"},
		`account.test || !account.test`:  {"exclude[0]: is always true: no account can ever qualify"},
		`account.test in [true, false]`:  {"exclude[0]: is always true: no account can ever qualify"},
		`string(account.test) == "true"`: nil, // can't be told
		`account.size > 1000`:            nil,
		`account.size < -1000`:           nil,
	} {
		assert.Equal(t, want, warned(t, head+"exclude: ['"+exclude+"']\n"), exclude)
	}
}

func TestBarsThatNoStepsMake(t *testing.T) {
	for _, c := range []struct {
		weights string
		tier    string
		want    []string
	}{
		{"1 1 1 1", "threshold: 0.75", nil},
		{"1 1 1 1", "threshold: 0.75, escalate_at: 1", nil},
		{"1 1 1 1 1", "threshold: 0.75",
			[]string{"tiers[0].threshold: 75 % can't be reached exactly: with these weights 80 % (4 of 5 steps) is the first that is enough"}},
		{"1 1 1 1 1 2", "threshold: 0.5",
			[]string{"tiers[0].threshold: 50 % can't be reached exactly: with these weights 57.1 % (weight 4 of 7) is the first that is enough"}},
		{"0.1 0.2 0.3 0.4", "threshold: 0.7", nil},
		{"0.1 0.2 0.3 0.4", "threshold: 0.75",
			[]string{"tiers[0].threshold: 75 % can't be reached exactly: with these weights 80 % (weight 0.8 of 1) is the first that is enough"}},
		{"1 1 1", "threshold: 0.66", nil}, // 2 of 3
		{"1 1 1", "threshold: 0.67",
			[]string{"tiers[0].threshold: only all 3 steps together reach 67 %: without the lightest it is 66.7 %"}},
		{"1 1 1", "threshold: 1", nil},
		{"2 3 3", "threshold: 0.25",
			[]string{"tiers[0].threshold: any single step reaches 25 %: the lightest of 3 makes 25 %"}},
		{"1 3 3", "threshold: 0.25",
			[]string{"tiers[0].threshold: 25 % can't be reached exactly: with these weights 42.9 % (weight 3 of 7) is the first that is enough"}},
		{"1 1 1 1", "threshold: 0.5, escalate_at: 0.6",
			[]string{"tiers[0].escalate_at: 60 % can't be reached exactly: with these weights 75 % (3 of 4 steps) is the first that is enough"}},
		{"1 1 1 1", "threshold: 0.5, escalate_at: 0.5",
			[]string{"tiers[0].escalate_at: an account of the tier all escalates as soon as it qualifies: both take 2 of 4 steps"}},
		{"1", "threshold: 0.5", nil},
	} {
		text := "version: 1\nname: x\ntiers: [{name: all, " + c.tier + "}]\nsteps:\n"
		for i, weight := range strings.Fields(c.weights) {
			id := string(rune('a' + i))
			text += "  - {id: " + id + ", kind: event, event: " + id + ", weight: " + weight + "}\n"
		}
		assert.Equal(t, c.want, warned(t, text), "%s: %s", c.weights, c.tier)
	}
}

// TestPresetsBarsAreLetBe holds that a preset is no mistake with any number of steps, unlike the same bars elsewhere.
func TestPresetsBarsAreLetBe(t *testing.T) {
	const text = "version: 1\nname: x\npreset: complex\nproperties: [{name: company_size, type: long, from: [{event: a}]}]\n" + twoSteps
	assert.Empty(t, warned(t, text))
	assert.Empty(t, warned(t, text+"tiers: [{name: large, threshold: 0.15, escalate_at: 0.30}, {name: small}]\n"))
	assert.Equal(t, []string{"tiers[0].threshold: any single step reaches 20 %: the lightest of 2 makes 50 %"},
		warned(t, text+"tiers: [{name: large, threshold: 0.2, escalate_at: 0.6}, {name: small}]\n")[:1])
}

func TestWeightsWithTooManySumsAreLetBe(t *testing.T) {
	text, weight := "version: 1\nname: x\ntiers: [{name: all, threshold: 0.5}]\nsteps:\n", 1
	for i := range 25 {
		id := string(rune('a' + i))
		text += "  - {id: " + id + ", kind: event, event: " + id + ", weight: " + number(float64(weight)/1e6) + "}\n"
		weight *= 2
	}
	assert.Empty(t, warned(t, text))
}

func TestStepsThatGoTogether(t *testing.T) {
	const (
		implied = "steps[1]: whoever has done %A has done %B too, so the same use counts twice: drop one, or give one weight 0"
		ab      = "a b"
		ba      = "b a"
		same    = "same"
		none    = ""
	)
	for _, c := range []struct{ a, b, want string }{
		{"kind: event, event: x", "kind: event, event: x", same},
		{"kind: event, event: x", "kind: event, event: y", none},
		{"kind: event, event: x", "kind: event, event: [x, y]", ab},
		{"kind: event, event: x", "kind: event, event: x, where: 'quantity > 1.0'", ba},
		{"kind: event, event: x, where: 'quantity > 1.0'", "kind: event, event: x, where: 'quantity > 2.0'", none},
		{"kind: count, event: x, at_least: 5, within: 7d", "kind: count, event: x, at_least: 3, within: 14d", ab},
		{"kind: count, event: x, at_least: 3, within: 14d", "kind: count, event: x, at_least: 5, within: 7d", ba},
		{"kind: count, event: x, at_least: 5, within: 14d", "kind: count, event: x, at_least: 3, within: 7d", none},
		{"kind: count, event: x, at_least: 5, within: 7d", "kind: count, event: x, at_least: 5", ab},
		{"kind: count, event: x, at_least: 5", "kind: count, event: x, at_least: 3, within: 7d", none},
		{"kind: count, event: x, at_least: 5", "kind: event, event: x", ab},
		{"kind: count, event: x, at_least: 1", "kind: event, event: x", same},
		{"kind: days, event: x, at_least: 3, within: 7d", "kind: count, event: x, at_least: 3, within: 7d", ab},
		{"kind: days, event: x, at_least: 3, within: 7d", "kind: count, event: x, at_least: 4, within: 7d", none},
		{"kind: days, event: x, at_least: 5, within: 7d", "kind: days, event: x, at_least: 3, within: 7d", ab},
		{"kind: distinct, event: x, of: user_id, at_least: 3", "kind: event, event: x", ab},
		{"kind: distinct, event: x, of: user_id, at_least: 3", "kind: distinct, event: x, of: user_id, at_least: 2", ab},
		{"kind: distinct, event: x, of: user_id, at_least: 3", "kind: distinct, event: x, of: properties.y, at_least: 2", none},
		{"kind: sum, event: x, of: quantity, at_least: 3", "kind: sum, event: x, of: quantity, at_least: 5", ba},
		{"kind: sum, event: x, of: quantity, at_least: 3", "kind: count, event: x, at_least: 3", none},
		{"kind: count, event: x, at_least: 5, within: 7d", "kind: count, event: x, at_least: 3, within: 14d, live: true", none},
		{"kind: count, event: x, at_least: 5, within: 7d, live: true", "kind: count, event: x, at_least: 3, within: 14d, live: true", ab},
		{"kind: count, event: x, at_least: 5, within: 7d, live: true", "kind: count, event: x, at_least: 3, within: 14d", ab},
		{"kind: count, event: x, at_least: 5, within: 24h", "kind: count, event: x, at_least: 3, within: 1d", none},
		{"kind: count, event: x, at_least: 5, within: 24h", "kind: count, event: x, at_least: 3, within: 2d", ab},
	} {
		var want []string
		switch c.want {
		case ab:
			want = []string{strings.NewReplacer("%A", "a", "%B", "b").Replace(implied)}
		case ba:
			want = []string{strings.NewReplacer("%A", "b", "%B", "a").Replace(implied)}
		case same:
			want = []string{"steps[1]: b is done whenever a is: the rate always moves by both, so one of them is enough"}
		}
		assert.Equal(t, want, warned(t, "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\n"+
			"steps:\n  - {id: a, "+c.a+"}\n  - {id: b, "+c.b+"}\n"), "%s / %s", c.a, c.b)
	}
}

func TestThingsThatNothingUses(t *testing.T) {
	assert.Equal(t, []string{
		"zone: nothing counts days: there is neither a trial nor a step of days or with a window of days",
		"playbooks[1]: no tier uses the playbook unused",
	}, warned(t, "version: 1\nname: x\nzone: Europe/Berlin\ntiers: [{name: all, threshold: 1, playbook: call}]\n"+
		"properties: [{name: owner, type: string, from: [{event: a}]}]\n"+
		"playbooks: [{name: call, owner: account.owner}, {name: unused}]\n"+twoSteps))
}

func TestLines(t *testing.T) {
	lines := LinesOf([]byte("version: 1\nsteps:\n  - id: a\n    kind: event\n  - {id: b,\n     event: c}\ntiers: []\n"))
	for path, want := range map[string]int{
		"": 0, "version": 1, "steps": 2, "steps[0]": 3, "steps[0].kind": 4, "steps[0].at_least": 3, "steps[1].event": 6,
		"steps[1].where": 5, "steps[7].id": 2, "tiers": 7, "name": 0,
	} {
		assert.Equal(t, want, lines.Of(path), path)
	}
	assert.Zero(t, LinesOf([]byte("a: [")).Of("a"))
}

// TestExamplesHaveNoWarnings holds the checklists that people copy from against what they are told.
func TestExamplesHaveNoWarnings(t *testing.T) {
	for _, name := range []string{"simple", "mid", "complex"} {
		text, err := os.ReadFile(filepath.Join("../../config/checklists", name+".yaml"))
		require.NoError(t, err)
		assert.Empty(t, warned(t, string(text)), name)
	}
}

// TestStepsThatNothingUses makes the checklist by hand: only weights and ids matter.
func TestStepsThatNothingUses(t *testing.T) {
	zero := 0.0
	for _, c := range []struct {
		when   string
		member []string
		want   bool
	}{
		{"", nil, true},
		{"steps.other", nil, true},
		{"steps.fed", nil, false},
		{`!steps["fed"] && rate > 0.5`, nil, false},
		{`steps[tier]`, nil, false},
		{"", []string{"fed"}, false},
	} {
		def := &Definition{
			Segments: []SegmentDef{{Name: "stuck", When: c.when}},
			Steps:    []StepDef{{ID: "fed", Weight: &zero}, {ID: "whole", Steps: c.member}},
		}
		w, err := newWarner(def, &Checklist{steps: []Step{{ID: "fed"}, {ID: "whole", Weight: 1}}})
		require.NoError(t, err)
		w.warnOfUnusedSteps()
		var want []*Problem
		if c.want {
			want = []*Problem{{"steps[0]", "fed has no weight, and no step, segment or playbook uses it"}}
		}
		assert.Equal(t, want, w.found, c)
	}
}

func TestStepsThatCountTwice(t *testing.T) {
	def := &Definition{Steps: []StepDef{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "some", Steps: []string{"a", "b", "c"}}, {ID: "free", Steps: []string{"a"}}}}
	w, err := newWarner(def, &Checklist{
		steps: []Step{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}, {ID: "c"}, {ID: "some", Weight: 1}, {ID: "free"}},
	})
	require.NoError(t, err)
	w.warnOfDoubleCounting()
	assert.Equal(t, []*Problem{{"steps[3].steps", "counts twice what a and b count by themselves: give these weight 0, or some"}}, w.found)
}

func TestZonesThatCountNoDays(t *testing.T) {
	const want = "zone: nothing counts days: there is neither a trial nor a step of days or with a window of days"
	for rest, warns := range map[string]bool{
		"steps: [{id: a, kind: event, event: a}]":                                        true,
		"steps: [{id: a, kind: count, event: a, at_least: 2, within: 24h}]":              true,
		"steps: [{id: a, kind: count, event: a, at_least: 2, within: 1d}]":               false,
		"steps: [{id: a, kind: days, event: a, at_least: 2}]":                            false,
		"steps: [{id: a, kind: event, event: a}]\nsignup: {event: s}\ntrial: {days: 14}": false,
	} {
		messages := warned(t, "version: 1\nname: x\nzone: Europe/Berlin\ntiers: [{name: all, threshold: 1}]\n"+rest)
		assert.Equal(t, warns, len(messages) == 1 && messages[0] == want, "%s: %s", rest, messages)
		assert.Equal(t, warns, len(messages) > 0, "%s: %s", rest, messages)
	}
}

func TestSignupsAndConversionsThatSayNothingMore(t *testing.T) {
	const (
		signsUp  = "steps[0]: whoever signs up by x has done a at once, so it says nothing of what they do: drop it"
		converts = "steps[0]: whoever does a by x has converted, so it comes too late to find a lead: drop it"
		both     = "converted: whoever signs up by x has converted at once, and is never a lead"
	)
	for _, c := range []struct{ signup, converted, step, want string }{
		{"{event: x}", "{event: y}", "kind: event, event: x", signsUp},
		{"{event: [z, x]}", "{event: y}", "kind: event, event: [v, x]", signsUp},
		{"{event: x, where: user_id != ''}", "{event: y}", "kind: event, event: x", signsUp},
		{"{event: x}", "{event: y}", "kind: count, event: x, at_least: 1", signsUp},
		{"{event: x}", "{event: y}", "kind: event, event: x, where: user_id != ''", ""},
		{"{event: x}", "{event: y}", "kind: count, event: x, at_least: 2", ""},
		{"{event: x}", "{event: y}", "kind: event, event: x, weight: 0", ""},
		{"{event: x}", "{event: y}", "kind: count, event: x, at_least: 1, within: 7d, live: true", ""},
		{"{event: y}", "{event: x}", "kind: event, event: x", converts},
		{"{event: y}", "{event: x}", "kind: event, event: x, where: user_id != ''", converts},
		{"{event: y}", "{event: x, where: user_id != ''}", "kind: event, event: x", ""},
		{"{event: x}", "{event: [y, x]}", "kind: event, event: z", both},
		{"{event: x, where: user_id != ''}", "{event: x}", "kind: event, event: z", both},
		{"{event: x}", "{event: x, where: user_id != ''}", "kind: event, event: z", ""},
		{"{event: x}", "{event: y}", "kind: event, event: z", ""},
	} {
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		text := "version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nsignup: " + c.signup + "\nconverted: " + c.converted +
			"\nsegments: [{name: uses-a, when: steps.a}]\nsteps:\n  - {id: a, " + c.step + "}\n  - {id: b, kind: event, event: b}\n"
		assert.Equal(t, want, warned(t, text), text)
	}
}

func TestRatesThatAreNone(t *testing.T) {
	for when, want := range map[string]string{
		`rate >= 0.5 && rate < 1 && rate > 0 && 1.0 == rate`: "",
		`users > 5 && rate != 0.5`:                           "",
		`rate >= 50`:                                         "rate is from 0 to 1: 50 % is 0.5",
		`pql || !(62.5 < .rate)`:                             "rate is from 0 to 1: 62.5 % is 0.625",
		`rate in [0.5, 75]`:                                  "rate is from 0 to 1: 75 % is 0.75",
		`rate > -1`:                                          "rate is from 0 to 1, and never -1",
		`rate == 101.0`:                                      "rate is from 0 to 1, and never 101",
		`[50, 60].exists(rate, rate == 50)`:                  "",
	} {
		var messages []string
		if want != "" {
			messages = []string{"segments[0].when: " + want, "playbooks[0].refine[0].when: " + want}
		}
		assert.Equal(t, messages, warned(t, "version: 1\nname: x\ntiers: [{name: all, threshold: 1, playbook: call}]\n"+
			"segments: [{name: it, when: '"+when+"'}]\nplaybooks: [{name: call, refine: [{when: '"+when+"', queue: q}]}]\n"+twoSteps), when)
	}
}
