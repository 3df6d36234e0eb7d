package checklist

import (
	"errors"
	"os"
	"path/filepath"
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
		{"what comes later", good + "\nchurned: {event: x}", "churned: line 11: unknown field"},
		{"unknown field of a step", good + "  - {id: x, kind: event, event: y, at_leest: 3}", "steps[1].at_leest: line 10: unknown field"},
		{"repeated key", good + "\nname: again", "name: line 11: given already at line 3"},
		{"repeated key of a step", good + "  - {id: x, id: y}", "steps[1].id: line 10: given already at line 10"},
		{"wrong type", "version: four", "version: line 1: `four` where a whole number belongs"},
		{"wrong type of a list", "steps: {a: 1}", "steps: line 1: a mapping where a list belongs"},
		{"not a span", "dedupe: {horizon: soon}", "dedupe.horizon: line 1: `soon` is no length of time such as 7d, 24h or 0"},
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
		if err != nil {
			return
		}
		c, err := Compile(def)
		if err != nil {
			var p *Problem
			require.True(t, errors.As(err, &p), "%v is no Problem", err)
			return
		}
		require.LessOrEqual(t, c.StateBound(), maxState)
	})
}
