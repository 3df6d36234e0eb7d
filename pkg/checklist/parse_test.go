package checklist

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const good = `
version: 4
name: product
preset: simple
signup: {event: account_created}
properties:
  - {name: company_size, type: long, from: [{event: account_created}]}
steps:
  - {id: first_project, kind: event, event: project_created}
`

// compiled reads and compiles a definition; problems are the lines of the error.
func compiled(text string) (*Checklist, error) {
	def, err := Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return Compile(def)
}

func TestExamplesCompile(t *testing.T) {
	files, err := filepath.Glob("../../config/checklists/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		c, err := compiled(string(data))
		require.NoError(t, err, file)
		assert.Less(t, c.StateBound(), 100_000, file)
	}
}

func TestParseNamesThePlaceOfEverythingThatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the definition is empty"},
		{"two documents", good + "\n---\nversion: 1", "the file holds more than one YAML document"},
		{"unknown field", good + "\nthreshold: 1", "threshold: line 11: unknown field"},
		{"unknown field of a step", good + "  - {id: x, kind: event, event: y, at_leest: 3}", "steps[1].at_leest: line 10: unknown field; did you mean at_least?"},
		{"repeated key", good + "\nname: again", "name: line 11: given already at line 3"},
		{"repeated key of a step", good + "  - {id: x, id: y}", "steps[1].id: line 10: given already at line 10"},
		{"wrong type", "version: four", "version: line 1: `four` where a whole number belongs"},
		{"wrong type of a list", "steps: {a: 1}", "steps: line 1: a mapping where a list belongs"},
		{"not a span", "dedupe: {horizon: soon}", "dedupe.horizon: line 1: `soon` is no length of time such as 7d, 24h or 0"},
		{"a number for a text", "steps: [{id: a, event: 5}, {event: [x, true]}]\nname: 7",
			"steps[0].event: line 1: `5` where a text (in quotes it is one) belongs\nsteps[1].event[1]: line 1: `true` where a text (in quotes it is one) belongs\n" +
				"name: line 2: `7` where a text (in quotes it is one) belongs"},
		{"a text for a truth", "steps: [{live: yes}]", "steps[0].live: line 1: `yes` where true or false belongs"},
		{"a fraction", "version: 1.5", "version: line 1: `1.5` where a whole number belongs"},
		{"empty keys", "segments:\nsignup: {where: null}\nsteps: [{weight: ~}, ]\nexclude: [a, ]", "segments: line 1: is empty: fill it in, or leave it out\n" +
			"signup.where: line 2: is empty: fill it in, or leave it out\nsteps[0].weight: line 3: is empty: fill it in, or leave it out"},
		{"empty entries", "steps:\n  -\n  - {id: a}", "steps[0]: line 2: is empty: fill it in, or leave it out"},
		{"only null", "~", "the definition is empty"},
		{"no mapping", "[a]", "line 1: a list where a mapping belongs"},
		{"parts of units", "dedupe: {horizon: .5h}\nsteps: [{within: 1h30m}, {within: 0d}]", "dedupe.horizon: line 1: `.5h` is no length of time such as 7d, 24h or 0\n" +
			"steps[0].within: line 2: `1h30m` is no length of time such as 7d, 36h or 90m\nsteps[1].within: line 2: `0d` is no length of time such as 7d, 36h or 90m"},
		{"too long for a clock", "dedupe: {horizon: 999999d}\nsteps: [{for: 16777215d}]", "dedupe.horizon: line 1: `999999d` is no length of time such as 7d, 24h or 0\n" +
			"steps[0].for: line 2: `16777215d` is no length of time such as 7d, 36h or 90m"},
		{"an anchor's mistake", "signup: &a {event: 5, where: w}\nconverted: *a\ntrial: {<<: *a, <<: 3}",
			"signup.event: line 1: `5` where a text (in quotes it is one) belongs\ntrial.where: line 1: unknown field\ntrial.<<: line 3: given already at line 3"},
		{"a key of many", "? [a]\n: b", "line 1: a key is no name"},
		{"several", "version: a\nsteps:\n  - id: x\n    weight: heavy\n    bogus: 1",
			"version: line 1: `a` where a whole number belongs\nsteps[0].weight: line 4: `heavy` where a number belongs\nsteps[0].bogus: line 5: unknown field"},
	} {
		_, err := Parse([]byte(c.text))
		assert.EqualError(t, err, c.want, c.name)
	}
	_, err := Parse([]byte("a: [b"))
	assert.Error(t, err)
	_, err = Parse(make([]byte, maxDefinition+1))
	assert.ErrorContains(t, err, "over the limit")
}

func TestParse(t *testing.T) {
	def, err := Parse([]byte(`
dedupe: {horizon: 36h, limit: 0}
steps:
  - {id: a, event: x, within: 7d}
  - {id: b, event: [x, y]}
`))
	require.NoError(t, err)
	assert.Equal(t, Span(36*time.Hour), *def.Dedupe.Horizon)
	assert.Zero(t, *def.Dedupe.Limit)
	assert.Equal(t, Window{7, day}, *def.Steps[0].Within)
	assert.Equal(t, Names{"x"}, def.Steps[0].Event)
	assert.Equal(t, Names{"x", "y"}, def.Steps[1].Event)
}

func TestParseTakesAliases(t *testing.T) {
	def, err := Parse([]byte(`
signup: &a {event: &e 2026-01-01, where: w}
converted: {<<: *a, where: x}
trial: {starts: *a, ends: {<<: [*a]}}
steps: [{to: 1.5, event: [*e, y]}, {to: account.x}]
`))
	require.NoError(t, err)
	assert.Equal(t, MomentDef{Names{"2026-01-01"}, "x"}, *def.Converted)
	assert.Equal(t, MomentDef{Names{"2026-01-01"}, "w"}, *def.Trial.Starts)
	assert.Equal(t, *def.Signup, *def.Trial.Ends)
	assert.Equal(t, "1.5", def.Steps[0].To)
	assert.Equal(t, Names{"2026-01-01", "y"}, def.Steps[0].Event)
}

// TestAliasesThatStandForTooMuch are refused in no time, as are those of themselves.
func TestAliasesThatStandForTooMuch(t *testing.T) {
	many := "[" + strings.Repeat("*p,", 20_000) + "]"
	_, err := Parse([]byte("a: &p {event: x}\nsteps:\n  - &s {points: " + many + "}\n" + strings.Repeat("  - *s\n", 20_000)))
	assert.Error(t, err)
	_, err = Parse([]byte("signup: &p {event: x}\nsteps:\n  - &s {points: " + many + "}\n" + strings.Repeat("  - *s\n", 20_000)))
	assert.ErrorContains(t, err, "excessive aliasing")
	for _, text := range []string{"steps: &a [*a]", "signup: &a {event: *a}", "signup: &a {<<: *a}", "steps: [&a {first: *a}]"} {
		_, err = Parse([]byte(text))
		assert.Error(t, err, text)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../config/checklists/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte("tiers: [{name: a, when: '1 +'}]\nsteps: [{id: a, kind: distinct, event: '', of: properties., at_least: .nan}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		def, err := Parse(data)
		checked, _, mistakes := Check(data)
		require.Equal(t, checked == nil, len(mistakes) > 0)
		if err != nil {
			require.NotEmpty(t, mistakes)
			return
		}
		c, err := Compile(def)
		require.Equal(t, err != nil, len(mistakes) > 0)
		if err != nil {
			var p *Problem
			require.True(t, errors.As(err, &p), "%v is no Problem", err)
			return
		}
		require.LessOrEqual(t, c.StateBound(), maxState)
	})
}
