// Package scenarios holds the project's own scenario files: what checklists make of accounts, readable and run.
package scenarios

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/scenario"
)

// run runs all scenarios of a file.
func run(t *testing.T, name string, text []byte) {
	t.Helper()
	file, err := scenario.Parse(name, text, os.ReadFile)
	require.NoError(t, err)
	var results []*scenario.Result
	for _, s := range file.Scenarios {
		results = append(results, file.Run(s))
		t.Run(s.Name, func(t *testing.T) {
			r := results[len(results)-1]
			require.NoError(t, r.Err)
			for _, line := range r.Diff() {
				t.Log(line)
			}
			assert.True(t, r.Passed(), "to write what came into the file: pqlstream test --update test/scenarios/%s", name)
		})
	}
	if !t.Failed() {
		assert.Equal(t, string(text), string(file.Update(results)), "there is nothing to update")
	}
}

// files are the texts of the scenario files, by their paths.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != scenario.Extension {
			return err
		}
		texts[path], err = os.ReadFile(path)
		return err
	}))
	require.NotEmpty(t, texts)
	return texts
}

func TestScenarios(t *testing.T) {
	for path, text := range files(t) {
		t.Run(strings.TrimSuffix(path, scenario.Extension), func(t *testing.T) { run(t, path, text) })
	}
}

// TestEveryKindHasScenarios counts a scenario for a kind if it expects something of one of its steps.
func TestEveryKindHasScenarios(t *testing.T) {
	const least, leastOfKind = 60, 3
	all, ofKind := 0, map[string]int{}
	for path, text := range files(t) {
		file, err := scenario.Parse(path, text, os.ReadFile)
		require.NoError(t, err)
		kindOf := map[string]string{}
		for _, step := range file.Checklist().Steps() {
			kindOf[step.ID] = step.Kind
		}
		for _, s := range file.Scenarios {
			all++
			kinds := map[string]bool{}
			for _, id := range s.Steps() {
				kinds[kindOf[id]] = true
			}
			for kind := range kinds {
				ofKind[kind]++
			}
		}
	}
	for _, kind := range checklist.Kinds() {
		assert.GreaterOrEqual(t, ofKind[kind.Name], leastOfKind, "scenarios that expect something of a step of the kind %s", kind.Name)
	}
	assert.GreaterOrEqual(t, all, least, "scenarios")
	t.Log(all, "scenarios:", ofKind)
}

// TestEveryMetricHasScenarios counts a scenario file for a metric if it expects a row of it.
func TestEveryMetricHasScenarios(t *testing.T) {
	reference, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	metrics := map[string]bool{"pqls": true}
	for _, table := range regexp.MustCompile(`(?m)^\| metric \|.*\n(?:\|.*\n)+`).FindAllString(string(reference), -1) {
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
			metrics[m[1]] = true
		}
	}
	assert.Len(t, metrics, 16)
	expected := map[string]int{}
	for _, text := range files(t) {
		for _, m := range regexp.MustCompile(`(?m)^ +metric (\w+) .*$`).FindAllSubmatch(text, -1) {
			if !strings.Contains(string(m[0]), "no row") {
				expected[string(m[1])]++
			}
		}
	}
	for metric := range metrics {
		assert.Positive(t, expected[metric], "rows of %s", metric)
	}
	t.Log(expected)
}

// The examples of the format's reference are true.
func TestTheReferenceIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenarios.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```scenario\n(.*?)```").FindAllSubmatch(text, -1)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		run(t, "../../docs/example.scenario", example[1])
	}
}
