package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestCompileReportsEverythingAtOnce(t *testing.T) {
	_, err := compiled(`
name: no good
preset: tiny
signup: {event: '*'}
converted: {where: 'true'}
exclude: ['properties.x == 1', 'account.size > 1']
properties:
  - {name: size, type: int, from: [{event: ''}]}
  - {name: 1st, type: long, default: many}
  - {name: test, type: boolean, default: 'true', from: [{event: x}]}
tiers:
  - {name: large, threshold: 1.4, playbook: call}
  - {name: large, when: 'account.siez > 1', threshold: 0.5, escalate_at: 0.4}
playbooks: [{name: '', reason: x}]
steps:
  - {id: a, kind: event, event: x, at_least: 3}
  - {id: a, kind: count, event: [x, x]}
  - {id: b, kind: counts, event: x}
  - {id: c, kind: distinct, event: x, of: user, at_least: 1.5, weight: -1}
  - {id: d, kind: days, event: x, at_least: 8, within: 7d}
  - {id: e, kind: sum, of: quantity, at_least: -1}
  - {id: f, kind: count, event: x, at_least: 1, within: 400h, where: 'quantity'}
  - {id: g, kind: distinct, event: x, of: user_id, at_least: 20000}
dedupe: {horizon: 400d, limit: -1}
activity: {users: 1000}
`)
	require.Error(t, err)
	got := strings.Split(err.Error(), "\n")
	assert.Equal(t, []string{
		`version: 0 is not a whole number above 0`,
		`name: "no good" is not a name of 1 to 64 letters, digits, dots, dashes or underscores`,
		`preset: "tiny" is none of simple, mid, complex`,
		`properties[0].type: "int" is none of string, long, double, boolean`,
		`properties[0].from[0].event: "" is not an event's name of 1 to 256 bytes`,
		`properties[1].name: "1st" is not a name of 1 to 64 letters, digits or underscores that starts with none of the digits`,
		`properties[1].default: many is not a long`,
		`properties[1].from: is missing: name the events that tell it`,
		`properties[2].default: true is not a boolean`,
		"signup.event: * stands for any event only in `from` of properties: name the events",
		`converted.event: is missing`,
		`exclude[0]: line 1, column 1: undeclared reference to 'properties'; no event is read here, use account.NAME, declared under properties`,
		`playbooks[0].name: "" is not a name of 1 to 64 letters, digits, dots, dashes or underscores`,
		`tiers[0].when: is missing: without it no tier after this one can fit`,
		`tiers[0].threshold: 1.4 is not from 0.000001 to 1`,
		`tiers[0].playbook: there is no playbook "call"`,
		`tiers[1].name: "large" is taken already`,
		`tiers[1].when: line 1, column 8: undefined field 'siez'; did you mean account.size?`,
		`tiers[1].escalate_at: 0.4 is not between the threshold and 1`,
		`steps[0].at_least: a step of kind event has no such field`,
		`steps[1].id: "a" is taken already`,
		`steps[1].event: "x" is listed twice`,
		`steps[1].at_least: is missing`,
		`steps[2].kind: "counts" is none of the kinds ` + fmt.Sprint(kindNames()),
		`steps[3].weight: -1 is not from 0 to 1e+06`,
		`steps[3].at_least: 1.5 is not a whole number`,
		`steps[3].of: "user" is neither user_id nor properties.NAME`,
		`steps[4].at_least: 8 days don't fit within 7`,
		`steps[5].event: is missing`,
		`steps[5].at_least: -1 is not above 0 and at most 1e+15`,
		`steps[6].where: is a double, not a condition`,
		`steps[6].within: 400h is not from 1 to 366 days, hours or minutes`,
		`steps[7].at_least: 20000 is not above 0 and at most 10000`,
		`dedupe.horizon: 9600h0m0s is not between 0 and 366d`,
		`dedupe.limit: -1 is not between 0 and 4096`,
		`activity.users: 1000 is not between 0 and 200`,
	}, got)
}

func TestCompileNeedsTheEssentials(t *testing.T) {
	for text, want := range map[string]string{
		"version: 1\nname: x":                      "tiers: is missing: name at least one tier, or a preset\nsteps: is missing: name at least one step",
		strings.Replace(good, "long", "string", 1): "properties: the preset's tiers need the account property company_size of type long",
		good + "exclude: ['']":                     "exclude[0]: is empty",
		good + "exclude: ['1 +']":                  "exclude[0]: line 1, column 4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
	} {
		_, err := compiled(text)
		assert.EqualError(t, err, want)
	}
}

func TestStatesThatCouldOutgrowARecordAreRefused(t *testing.T) {
	text := good
	for i := range 2 {
		text += fmt.Sprintf("  - {id: many%d, kind: distinct, event: x, of: user_id, at_least: 10000}\n", i)
	}
	_, err := compiled(text)
	assert.ErrorContains(t, err, "steps: an account's state could take")
}

func TestPresets(t *testing.T) {
	for preset, want := range map[string][]Tier{
		"simple":  {{Threshold: 0.35, EscalateAt: 0.5}, {Threshold: 0.6, EscalateAt: 0.8}, {Threshold: 0.75}},
		"mid":     {{Threshold: 0.25, EscalateAt: 0.4}, {Threshold: 0.5, EscalateAt: 0.65}, {Threshold: 0.6}},
		"complex": {{Threshold: 0.15, EscalateAt: 0.3}, {Threshold: 0.3, EscalateAt: 0.5}, {Threshold: 0.4}},
	} {
		c, err := compiled(strings.Replace(good, "simple", preset, 1))
		require.NoError(t, err)
		for i, name := range []string{"large", "medium", "small"} {
			got := c.Tiers()[i]
			assert.Equal(t, name, got.Name)
			assert.Equal(t, want[i].Threshold, got.Threshold, "%s %s", preset, name)
			assert.Equal(t, want[i].EscalateAt, got.EscalateAt, "%s %s", preset, name)
			assert.NotEmpty(t, got.Playbook.Reason)
		}
		for size, tier := range map[int64]int{0: 2, 49: 2, 50: 1, 499: 1, 500: 0} {
			assert.Equal(t, tier, c.Tier([]usage.Value{usage.LongValue(size)}), size)
		}
		assert.Equal(t, 2, c.Tier(c.Defaults()), "an account of unknown size is small")
	}
}

func TestPresetsAreOverridable(t *testing.T) {
	c, err := compiled(good + `
tiers:
  - {name: large, threshold: 0.5}
  - {name: medium, when: 'account.company_size > 10', escalate_at: 0}
  - {name: rest, when: 'account.company_size > 5', threshold: 0.9}
`)
	require.NoError(t, err)
	tiers := c.Tiers()
	assert.Equal(t, 0.5, tiers[0].Threshold)
	assert.Zero(t, tiers[0].EscalateAt, "the preset's escalation is no higher than the threshold")
	assert.Equal(t, "manual-outreach", tiers[0].Playbook.Name)
	assert.Equal(t, 0.6, tiers[1].Threshold)
	assert.Zero(t, tiers[1].EscalateAt)
	assert.Zero(t, tiers[2].Playbook)
	for size, tier := range map[int64]int{1: 2, 6: 2, 11: 1, 500: 0} {
		assert.Equal(t, tier, c.Tier([]usage.Value{usage.LongValue(size)}), size)
	}
}

func TestListens(t *testing.T) {
	c, err := compiled(good)
	require.NoError(t, err)
	assert.True(t, c.Listens("account_created"))
	assert.True(t, c.Listens("project_created"))
	assert.False(t, c.Listens("page_viewed"))
	name := []byte("page_viewed")
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Listens(string(name)) }))

	c, err = compiled(good + "  - {id: second, kind: event, event: [project_created, x]}\n" +
		"exclude: ['account.company_size == 3']\nconverted: {event: bought}")
	require.NoError(t, err)
	assert.Equal(t, []Listen{{Step: 0}, {Step: 1}}, c.Listener("project_created").Steps)
	assert.Equal(t, []Listen{{Step: 1}}, c.Listener("x").Steps)
	assert.NotNil(t, c.Listener("bought").Converted)
	assert.True(t, c.Excluded([]usage.Value{usage.LongValue(3)}))
	assert.False(t, c.Excluded(c.Defaults()))

	c, err = compiled(strings.Replace(good, "{event: account_created}]", "{event: '*', property: size}]", 1))
	require.NoError(t, err)
	assert.Equal(t, []Source{{Property: 0, Path: "size"}}, c.Listener("page_viewed").Sources)
	assert.Equal(t, []Source{{Property: 0, Path: "size"}}, c.Listener("project_created").Sources)
}

func TestHashIsOfTheMeaning(t *testing.T) {
	hash := func(text string) string {
		c, err := compiled(text)
		require.NoError(t, err)
		return c.Hash()
	}
	base := good + "  - {id: z, kind: count, event: [a, b], at_least: 2, where: 'quantity > 1.0'}\n"
	same := []string{
		"# a comment\n" + base,
		strings.Replace(base, "version: 4", "version: 5", 1),
		strings.Replace(base, "name: product", "name: other", 1),
		strings.Replace(base, "[a, b]", "[b, a]", 1),
		strings.Replace(base, "quantity > 1.0", "(quantity>1.0)", 1),
		strings.Replace(base, "at_least: 2,", "at_least: 2, weight: 1,", 1),
		strings.Replace(base, "from: [{event: account_created}]", "from: [{event: account_created, property: company_size}]", 1),
		base + "dedupe: {horizon: 1d, limit: 256}\nactivity: {users: 20}",
		base + "inactivity: {days: 14}\ndemote: false\nhold_out: {share: 0, salt: x}\ntrial: {days: 7}\nsales: {}",
	}
	for _, text := range same {
		assert.Equal(t, hash(base), hash(text), text)
	}
	seen := map[string]string{hash(base): base}
	for _, text := range []string{
		strings.Replace(base, "at_least: 2", "at_least: 3", 1),
		strings.Replace(base, "at_least: 2", "at_least: 2, within: 7d", 1),
		strings.Replace(base, "at_least: 2", "at_least: 2, weight: 2", 1),
		strings.Replace(base, "> 1.0", "> 2.0", 1),
		strings.Replace(base, "[a, b]", "[a, c]", 1),
		strings.Replace(base, "id: z", "id: y", 1),
		strings.Replace(base, "preset: simple", "preset: mid", 1),
		strings.Replace(base, "signup: {event: account_created}", "signup: {event: other}", 1),
		base + "dedupe: {limit: 10}",
		base + "activity: {users: 10}",
		base + "converted: {event: x}",
		base + "churned: {event: x}",
		base + "inactivity: {days: 7}",
		base + "inactivity: {days: 0}",
		base + "trial: {days: 7, disqualifies: true}",
		base + "trial: {days: 8, disqualifies: true}",
		base + "trial: {days: 8, ends: {event: x}, disqualifies: true}",
		base + "demote: true",
		base + "near_miss: true",
		base + "exclude_accounts: [a, b]",
		base + "hold_out: {share: 0.1}",
		base + "hold_out: {share: 0.2}",
		base + "hold_out: {share: 0.1, salt: x}",
		base + "sales: {won: {event: x}}",
		base + "sales: {lost: {event: x}}",
		base + "sales: {lost: {event: x, reason: y}}",
		base + "sales: {lost: {event: x, where: 'quantity > 1.0'}}",
		base + "exclude: ['account.company_size == 1']",
		base + "playbooks: [{name: in-app-nudge, action: x}]",
		strings.Replace(base, "[{event: account_created}]", "[{event: account_created, property: size}]", 1),
		strings.Replace(base, "[{event: account_created}]", "[{event: account_created}], default: 3", 1),
	} {
		h := hash(text)
		assert.Empty(t, seen[h], text)
		seen[h] = text
	}
}

func TestPropertiesTakeWhatReadsAsTheirType(t *testing.T) {
	null := usage.Value{}
	for _, c := range []struct {
		kind      usage.Kind
		from, out usage.Value
	}{
		{usage.Long, usage.LongValue(3), usage.LongValue(3)},
		{usage.Long, usage.StringValue("500"), usage.LongValue(500)},
		{usage.Long, usage.DoubleValue(3), usage.LongValue(3)},
		{usage.Long, usage.DoubleValue(3.5), null},
		{usage.Long, usage.StringValue("many"), null},
		{usage.Long, usage.BoolValue(true), null},
		{usage.Double, usage.LongValue(3), usage.DoubleValue(3)},
		{usage.Double, usage.StringValue("0.5"), usage.DoubleValue(0.5)},
		{usage.Double, usage.StringValue("NaN"), null},
		{usage.Bool, usage.StringValue("true"), usage.BoolValue(true)},
		{usage.Bool, usage.StringValue("yes"), null},
		{usage.Bool, usage.BoolValue(false), usage.BoolValue(false)},
		{usage.String, usage.BoolValue(true), usage.StringValue("true")},
		{usage.String, usage.StringValue(strings.Repeat("x", 256)), usage.StringValue(strings.Repeat("x", 256))},
		{usage.String, usage.StringValue(strings.Repeat("x", 257)), null},
		{usage.String, null, null},
	} {
		p := Property{Kind: c.kind}
		got, ok := p.Take(c.from)
		assert.Equal(t, c.out.Kind() != usage.Null, ok, "%+v", c)
		if ok {
			assert.Equal(t, c.out, got)
		}
	}
}

// collision returns two names that fit a pattern and have the same key by a function.
func collision(pattern string, key func(name string) uint32) (a, b string) {
	names := map[uint32]string{}
	for i := 0; ; i++ {
		b = fmt.Sprintf(pattern, uint32(i)*2_654_435_761) // names that follow one another hardly ever collide
		if a = names[key(b)]; a != "" {
			return a, b
		}
		names[key(b)] = b
	}
}

// TestNamesThatEncodedStatesCannotTellApartAreRefused whatever the key is of: a working set that another step read would be
// nonsense to it.
func TestNamesThatEncodedStatesCannotTellApartAreRefused(t *testing.T) {
	compile := func(text string, names ...any) error {
		def, err := Parse([]byte("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\n" + fmt.Sprintf(text, names...)))
		require.NoError(t, err)
		_, err = Compile(def)
		return err
	}
	const steps = "steps: [{id: %s, kind: event, event: e}, {id: %s, kind: count, event: e, at_least: 3}]\n"
	a, b := collision("s%d", func(name string) uint32 { return key("step", name) })
	require.ErrorContains(t, compile(steps, a, b), fmt.Sprintf("steps[1].id: %q can't be told from %q", b, a))
	a, b = collision("s%d", func(name string) uint32 { return key("work", name, "count") })
	require.ErrorContains(t, compile(strings.Replace(steps, "kind: event, event: e", "kind: count, event: e, at_least: 2", 1), a, b),
		fmt.Sprintf("steps[1].id: %q can't be told from %q", b, a))
	a, b = collision("p%d", func(name string) uint32 { return key("property", name, "long") })
	const properties = "properties: [{name: %s, type: long, from: [{event: e}]}, {name: %s, type: long, from: [{event: e}]}]\n" +
		"steps: [{id: a, kind: event, event: e}]\n"
	require.ErrorContains(t, compile(properties, a, b), fmt.Sprintf("properties[1].name: %q can't be told from %q", b, a))
	require.NoError(t, compile(properties, "p", "q"))
}

func TestThresholdsThatRoundingWouldDecideAreRefused(t *testing.T) {
	for threshold, right := range map[string]bool{"0.000001": true, "1e-9": false, "1e-320": false} {
		def, err := Parse([]byte("version: 1\nname: x\ntiers: [{name: all, threshold: " + threshold + "}]\nsteps: [{id: a, kind: event, event: e}]\n"))
		require.NoError(t, err)
		if _, err = Compile(def); right {
			require.NoError(t, err, threshold)
		} else {
			require.ErrorContains(t, err, "is not from 0.000001 to 1", threshold)
		}
	}
}
