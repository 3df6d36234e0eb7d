package checklist

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestEveryFieldIsDocumented holds the documentation against the structs that Parse reads.
func TestEveryFieldIsDocumented(t *testing.T) {
	documentedBy := map[reflect.Type]*Part{}
	for i := range parts {
		documentedBy[parts[i].of] = &parts[i]
	}
	for _, of := range structsOf(reflect.TypeFor[Definition](), nil) {
		p := documentedBy[of]
		require.NotNil(t, p, "%s is no part", of)
		assert.NotEmpty(t, p.Doc, p.Name)
		names := map[string]bool{}
		for _, f := range p.Fields {
			names[f.Name] = true
			assert.NotEmpty(t, f.Doc, "%s.%s", p.Name, f.Name)
			assert.Equal(t, !f.Required, f.Default != "", "%s.%s is either required or has a default", p.Name, f.Name)
		}
		for _, f := range reflect.VisibleFields(of) {
			name := yamlName(f)
			require.NotEmpty(t, name, "%s.%s", of, f.Name)
			assert.True(t, names[name] || p == stepPart(), "%s.%s is not documented", p.Name, name) // steps': see their kinds
			delete(names, name)
		}
		assert.Empty(t, names, "documented, but not there")
	}
}

// structsOf returns the structs that a definition is made of.
func structsOf(t reflect.Type, seen []reflect.Type) []reflect.Type {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return structsOf(t.Elem(), seen)
	case reflect.Struct:
		if t == reflect.TypeFor[Window]() || slices.Contains(seen, t) {
			return seen
		}
		seen = append(seen, t)
		for _, f := range reflect.VisibleFields(t) {
			seen = structsOf(f.Type, seen)
		}
	}
	return seen
}

// TestSchemaKnowsEveryName holds the schema against the names that Parse knows.
func TestSchemaKnowsEveryName(t *testing.T) {
	text, err := JSONSchema()
	require.NoError(t, err)
	var root struct {
		Properties map[string]any
		Defs       map[string]struct {
			Properties map[string]any
			Required   []string
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(text, &root))
	for i := range parts {
		p, properties := &parts[i], root.Properties
		if i > 0 {
			properties = root.Defs[p.Name].Properties
		}
		for _, f := range p.Fields {
			assert.Contains(t, properties, f.Name, p.Name)
		}
	}
	for _, k := range Kinds() {
		of := root.Defs["step_"+k.Name]
		assert.Len(t, of.Properties, 3+len(k.Fields), k.Name)
		for _, f := range k.Fields {
			assert.Contains(t, of.Properties, f.Name, k.Name)
			assert.Equal(t, f.Required, slices.Contains(of.Required, f.Name), "%s.%s", k.Name, f.Name)
		}
	}
	for path := range constraints {
		part, name, _ := strings.Cut(path, ".")
		if kind, is := strings.CutPrefix(part, "step_"); is {
			assert.Contains(t, root.Defs[part].Properties, name, "%s is constrained and not there", kind)
			continue
		}
		found := false
		for i := range parts {
			for _, f := range reflect.VisibleFields(parts[i].of) {
				found = found || parts[i].Name == part && yamlName(f) == name
			}
		}
		assert.True(t, found, "%s is constrained and not there", path)
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := JSONSchema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("checklist.json", doc))
	s, err := c.Compile("checklist.json")
	require.NoError(t, err)
	return s
}

// asJSON reads YAML as editors do.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var read any
	require.NoError(t, yaml.Unmarshal([]byte(text), &read))
	return inJSON(t, read)
}

// inJSON turns what YAML was read into to what JSON is.
func inJSON(t *testing.T, read any) any {
	t.Helper()
	b, err := json.Marshal(read)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return doc
}

func TestSchemaAcceptsTheExamples(t *testing.T) {
	s := compiledSchema(t)
	examples, err := filepath.Glob("../../config/checklists/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, path := range examples {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NoError(t, s.Validate(asJSON(t, string(text))), path)
	}
	for _, k := range Kinds() {
		assert.NoError(t, s.Validate(asJSON(t, "{version: 1, name: x, preset: mid, steps: ["+k.Example+"]}")), k.Name)
	}
}

// whole is a file that has everything.
const whole = `
version: 3
name: whole
preset: simple
zone: Europe/Berlin
signup: {event: [a, b], where: quantity > 1.0}
converted: {event: c}
churned: {event: d, where: quantity > 1.0}
trial: {days: 14, starts: {event: d}, ends: {event: e}, disqualifies: true}
inactivity: {days: 30}
demote: true
near_miss: true
exclude_accounts: [us, them]
hold_out: {share: 0.1, salt: x}
sales: {accepted: {event: a}, rejected: {event: [b, c], where: 'true', reason: y}, meeting_booked: {event: m}, won: {event: w}, lost: {event: l, reason: z}}
exclude: [account.size < 0]
segments: [{name: s, when: rate > 0.5}]
tiers: [{name: large, when: account.size > 1, threshold: 0.5, escalate_at: 0.7, playbook: p}, {name: small}]
properties: [{name: size, type: long, from: [{event: '*'}, {event: f, property: g}], default: 7}]
playbooks: [{name: p, action: x, queue: x, owner: account.size, message: x, reason: x, refine: [{when: single_user, name: q, action: x}]}]
steps:
  - {id: a, kind: event, event: x, weight: 0}
  - {id: b, kind: count, event: x, at_least: 2, within: 36h, live: true}
  - {id: c, kind: ratio, event: x, of: properties.y, to: 100, at_least: 0.8, adds: true, within: 90m}
  - {id: d, kind: ratio, event: x, of: quantity, to: account.size, at_least: 0.8}
  - {id: e, kind: sequence, first: {event: x, where: 'quantity > 1.0'}, then: {event: [y, z]}, within: 3d}
  - {id: f, kind: absent, event: x, after: {event: y}, for: 14d}
  - {id: g, kind: score, points: [{event: x, where: 'true', points: 2.5, group: h}], caps: [{group: h, at_most: 5}], half_life: 14d, at_least: 4, live: true}
  - {id: i, kind: trial, day: 7}
  - {id: j, kind: trial, finished: true}
  - {id: k, kind: any, steps: [a, b], at_least: 2}
  - {id: l, kind: all, steps: [a, b], live: true}
  - {id: m, kind: distinct, event: x, of: user_id, at_least: 2}
  - {id: n, kind: days, event: x, at_least: 2, within: 7d}
  - {id: o, kind: sum, event: x, of: quantity, at_least: 80}
dedupe: {horizon: 0, limit: 0}
activity: {users: 20, role: role}
`

func TestSchemaKnowsTheWholeLanguage(t *testing.T) {
	assert.NoError(t, compiledSchema(t).Validate(asJSON(t, whole)))
	_, err := compiled(whole)
	assert.NoError(t, err)
}

func TestSchemaRefuses(t *testing.T) {
	s := compiledSchema(t)
	const head = "{version: 1, name: x, preset: mid, "
	step := func(fields string) string { return head + "steps: [{" + fields + "}]}" }
	valid := "steps: [{id: a, kind: event, event: x}]"
	require.NoError(t, s.Validate(asJSON(t, head+valid+"}")))
	for name, text := range map[string]string{
		"unknown field":            head + valid + ", colour: red}",
		"no steps":                 head + "steps: []}",
		"no version":               "{name: x, preset: mid, " + valid + "}",
		"version 0":                "{version: 0, name: x, preset: mid, " + valid + "}",
		"neither preset nor tier":  "{version: 1, name: x, " + valid + "}",
		"unknown preset":           "{version: 1, name: x, preset: huge, " + valid + "}",
		"bad name":                 "{version: 1, name: a b, preset: mid, " + valid + "}",
		"threshold over 1":         head + valid + ", tiers: [{name: a, threshold: 75}]}",
		"unknown type":             head + valid + ", properties: [{name: a, type: int, from: [{event: x}]}]}",
		"property of nothing":      head + valid + ", properties: [{name: a, type: long, from: []}]}",
		"a dash in a property":     head + valid + ", properties: [{name: a-b, type: long, from: [{event: x}]}]}",
		"unknown kind":             step("id: a, kind: often, event: x"),
		"no id":                    step("kind: event, event: x"),
		"no event":                 step("id: a, kind: event"),
		"empty event":              step("id: a, kind: event, event: ''"),
		"an event twice":           step("id: a, kind: event, event: [x, x]"),
		"another kind's field":     step("id: a, kind: event, event: x, at_least: 3"),
		"no at_least":              step("id: a, kind: count, event: x"),
		"at_least 0":               step("id: a, kind: count, event: x, at_least: 0"),
		"negative weight":          step("id: a, kind: event, event: x, weight: -1"),
		"a window without a unit":  step("id: a, kind: count, event: x, at_least: 2, within: '7'"),
		"a window of weeks":        step("id: a, kind: count, event: x, at_least: 2, within: 2w"),
		"a window of 0":            step("id: a, kind: count, event: x, at_least: 2, within: 0d"),
		"distinct of nothing":      step("id: a, kind: distinct, event: x, at_least: 2, of: colour"),
		"a trial of 0 days":        head + valid + ", trial: {days: 0}}",
		"a silence below 0":        head + valid + ", inactivity: {days: -1}}",
		"a silence of nothing":     head + valid + ", inactivity: {}}",
		"a group of more than all": head + valid + ", hold_out: {share: 1.1}}",
		"a group of no share":      head + valid + ", hold_out: {salt: x}}",
		"an account without id":    head + valid + ", exclude_accounts: ['']}",
		"a reason for a meeting":   head + valid + ", sales: {meeting_booked: {event: x, reason: y}}}",
		"a share of nothing":       step("id: a, kind: ratio, event: x, of: quantity, to: limit, at_least: 0.8"),
		"points of nothing":        step("id: a, kind: score, points: [{event: x, points: 0}], at_least: 2"),
		"a moment of nothing":      step("id: a, kind: sequence, first: {event: x}, then: {where: 'true'}, within: 3d"),
		"a trial's day 0":          step("id: a, kind: trial, day: 0"),
		"segment of nobody":        head + valid + ", segments: [{name: a, when: ''}]}",
		"a horizon of nonsense":    head + valid + ", dedupe: {horizon: long}}",
		"a horizon of a number":    head + valid + ", dedupe: {horizon: 24}}",
	} {
		assert.Error(t, s.Validate(asJSON(t, text)), name)
	}
}

// TestEveryFieldOfStepsIsSomeKinds holds that no field of a step is left to nobody.
func TestEveryFieldOfStepsIsSomeKinds(t *testing.T) {
	owned := map[string]bool{}
	for _, f := range stepPart().Fields {
		owned[f.Name] = true
	}
	for _, k := range Kinds() {
		for _, f := range k.Fields {
			owned[f.Name] = true
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[StepDef]()) {
		assert.True(t, owned[yamlName(f)], "no kind has the field %s", yamlName(f))
	}
}
