package reference

import (
	"flag"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

var update = flag.Bool("update", false, "write the page anew")

func TestPageIsCurrent(t *testing.T) {
	const path = "../../../../docs/checklist.md"
	page, err := Page()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, page, string(written), "checklists have changed; run go generate ./pkg/checklist")
}

// TestPageHasEverything holds that no part and no kind is forgotten.
func TestPageHasEverything(t *testing.T) {
	page, err := Page()
	require.NoError(t, err)
	for _, p := range checklist.Parts() {
		assert.Contains(t, page, table(p.Fields), p.Name)
	}
	for _, k := range checklist.Kinds() {
		assert.Contains(t, page, "\n### "+k.Name+"\n\n"+k.Doc+"\n\n"+table(k.Fields), k.Name)
	}
}

var fenced = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestExamplesOnThePageAreValid compiles the checklists on the page, and the parts of one with what they lack.
func TestExamplesOnThePageAreValid(t *testing.T) {
	page, err := Page()
	require.NoError(t, err)
	found := map[string]bool{}
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		text, first := block[1], firstKey.FindString(block[1])
		switch first {
		case "version":
		case "preset":
			text += rest + "playbooks: [{name: account-executive}]\n"
		case "playbooks":
			text += rest + "preset: simple\n"
		default: // a step, which the page has from its kind, or a comment
			continue
		}
		found[first] = true
		def, err := checklist.Parse([]byte(text))
		require.NoError(t, err, text)
		list, err := checklist.Compile(def)
		require.NoError(t, err, text)
		if first == "version" {
			warnings, err := checklist.Warnings(def, list)
			require.NoError(t, err)
			assert.Empty(t, warnings)
		}
	}
	assert.Len(t, found, 3)
}

var firstKey = regexp.MustCompile(`^\w+`)

const rest = `
version: 1
name: x
properties:
  - {name: company_size, type: long, from: [{event: a}]}
  - {name: plan, type: string, from: [{event: a}]}
  - {name: account_manager, type: string, from: [{event: a}]}
steps: [{id: invited_team, kind: event, event: a}, {id: b, kind: event, event: b}]
`
