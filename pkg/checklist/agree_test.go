package checklist

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// onlyTheCompiler knows what these say: things of one part of a file that depend on another, expressions, and lengths that
// no pattern tells.
var onlyTheCompiler = regexp.MustCompile(strings.Join([]string{
	`^zone: ".*" is no time zone`,
	`: line 1, column \d+: `, `, not a condition$`, // expressions
	`there is no (playbook|account property|step) `, `no points are in the group`, `the group ".*" has no cap`,
	`is taken already`, `is listed twice`, `is missing: without it no tier after this one can fit`,
	`is not between the threshold and 1`, `is not a (long|double|string|boolean)$`, `has no such field`,
	` needs `, `the trial has only`, `does not go together with`, `is more than `, `don't fit within`, `amounts that add up need`,
	`^steps\[\d+\]\.(for|within): \S+ is not from 1m to 366d`, `^dedupe.horizon: \S+ is not between 0 and 366d`,
	`all have the weight 0`, `^tiers\[\d+\].threshold: is missing`, `^tiers: is missing: name at least one tier, or a preset`, `give it, or finished`,
	`the preset's tiers need`, `is neither a long nor a double`,
}, "|"))

// onlyTheSchema refuses these, which mean the same as leaving the field out.
var onlyTheSchema = regexp.MustCompile(`^(preset|tiers\[\d+\]\.playbook|.*refine\[\d+\]\.name): ""$`)

// values are put in the place of everything that the whole language has.
var values = strings.Split(`null|''|'x'|a b|1st|account.size|account.|properties.|user_id|quantity|'*'|5|0|-1|2.5|1.0|1001|1e16|true|false|yes|`+
	`7d|0d|366d|367d|36h|90m|0h|30s|.5h|1h30m|10us|2w|'7'|d|[]|{}|[x]|[x, x]|[x, 5]|[null]|[{}]|{event: x}|{event: 5}|{colour: red}`, "|")

// TestSchemaAndCompilerAgree puts each of some values in each place of a file, one at a time, and takes each key out: the
// parser with the compiler and the schema both take that, or both refuse it.
func TestSchemaAndCompilerAgree(t *testing.T) {
	s := compiledSchema(t)
	agree := func(change string, doc *yaml.Node) {
		text, err := yaml.Marshal(doc)
		require.NoError(t, err)
		_, mistaken := compiled(string(text))
		var read any
		require.NoError(t, doc.Decode(&read))
		switch refused := s.Validate(inJSON(t, read)); {
		case refused != nil && mistaken == nil:
			assert.Regexp(t, onlyTheSchema, change, "only the schema refuses this: %v", refused)
		case refused == nil && mistaken != nil:
			for _, p := range problemsOf(mistaken) {
				assert.Regexp(t, onlyTheCompiler, p.Error(), "only the compiler refuses %s", change)
			}
		}
	}
	try := func(doc *yaml.Node, path string, from *yaml.Node, oneIn int) {
		eachPlace(from, path, func(path string, place *yaml.Node) {
			was := *place
			for i, value := range values {
				if (i+len(path))%(oneIn*effort) != 0 {
					continue
				}
				*place = *parsedYAML(t, value)
				agree(fmt.Sprintf("%s: %s", path, strings.ReplaceAll(value, "'", `"`)), doc)
			}
			*place = was
			for i := 0; place.Kind == yaml.MappingNode && i < len(was.Content); i += 2 {
				place.Content = append(append([]*yaml.Node{}, was.Content[:i]...), was.Content[i+2:]...)
				agree(path+" without "+was.Content[i].Value, doc)
			}
			*place = was
		})
	}
	const afew = 2 // steps, which others name
	top := parsedYAML(t, whole)
	steps := top.Content[slices.IndexFunc(top.Content, func(n *yaml.Node) bool { return n.Value == "steps" })+1]
	for _, step := range steps.Content[afew:] { // in a small file, which takes a tenth of the time
		doc := parsedYAML(t, "{version: 1, name: x, tiers: [{name: all, threshold: 0.5}], trial: {days: 14, starts: {event: d}, ends: {event: e}}, "+
			"properties: [{name: size, type: long, from: [{event: f}]}], steps: [{id: a, kind: event, event: x}, {id: b, kind: event, event: x}]}")
		to := doc.Content[len(doc.Content)-1]
		to.Content = append(to.Content, step)
		try(doc, "steps[2]", step, 1)
	}
	steps.Content = steps.Content[:afew]
	try(top, "", top, 2) // much of it is alike
}

func parsedYAML(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &doc))
	return doc.Content[0]
}

// eachPlace visits a node and all that it holds.
func eachPlace(n *yaml.Node, path string, visit func(path string, place *yaml.Node)) {
	visit(path, n)
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			eachPlace(c, fmt.Sprintf("%s[%d]", path, i), visit)
		case i%2 == 1:
			eachPlace(c, strings.TrimPrefix(path+"."+n.Content[i-1].Value, "."), visit)
		}
	}
}
