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

func TestScenarios(t *testing.T) {
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != scenario.Extension {
			return err
		}
		files++
		t.Run(strings.TrimSuffix(path, scenario.Extension), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			run(t, path, text)
		})
		return nil
	}))
	assert.NotZero(t, files)
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
