package schemas

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
)

// eachFile runs over every embedded file, so that no schema added later escapes.
func eachFile(t *testing.T, test func(t *testing.T, text string)) {
	names, err := fs.Glob(files, "*.avsc")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(names), len(All()))
	for _, name := range names {
		text, err := files.ReadFile(name)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) { test(t, string(text)) })
	}
}

func TestSchemasParseWithBothLibraries(t *testing.T) {
	eachFile(t, func(t *testing.T, text string) {
		_, err := goavro.NewCodec(text)
		assert.NoError(t, err, "goavro")
		_, err = avro.Parse(text)
		assert.NoError(t, err, "twmb/avro")
	})
}

// TestSchemasDocumentEveryField walks the JSON, nested records included: consumers of the topics have nothing else.
func TestSchemasDocumentEveryField(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			var root any
			require.NoError(t, json.Unmarshal([]byte(s.Text), &root))
			assert.Positive(t, requireDocs(t, root, ""))
		})
	}
}

func requireDocs(t *testing.T, node any, path string) (fields int) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			fields += requireDocs(t, n, path)
		}
	case map[string]any:
		assert.NotEqual(t, "enum", node["type"], "%s: an enumeration can't grow", path)
		if node["type"] == "record" {
			assert.NotEmpty(t, node["doc"], "record %s", node["name"])
			for _, f := range node["fields"].([]any) {
				f := f.(map[string]any)
				name := path + "." + f["name"].(string)
				assert.NotEmpty(t, f["doc"], "field %s", name)
				fields += 1 + requireDocs(t, f["type"], name)
			}
			return fields
		}
		for _, key := range []string{"type", "items", "values"} {
			fields += requireDocs(t, node[key], path)
		}
	}
	return fields
}

// TestSchemasEvolve holds today's schemas against those that records were written with before: testdata keeps one file of
// each, NAME.NUMBER.avsc. Either reads what the other writes, so that consumers and pqlstream can be upgraded in any order.
func TestSchemasEvolve(t *testing.T) {
	earlier, err := filepath.Glob("testdata/*.avsc")
	require.NoError(t, err)
	require.NotEmpty(t, earlier)
	for _, path := range earlier {
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		t.Run(filepath.Base(path), func(t *testing.T) {
			now, then := parsed(t, name+".avsc"), parsed(t, path)
			assert.NoError(t, avro.CheckCompatibility(then, now), "today's reads earlier records")
			assert.NoError(t, avro.CheckCompatibility(now, then), "the earlier one reads today's records")
			assert.NotEqual(t, string(then.Canonical()), string(now.Canonical()), "it is today's")
		})
	}
}

func parsed(t *testing.T, path string) *avro.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	s, err := avro.Parse(string(text))
	require.NoError(t, err)
	return s
}

func TestSchemasHaveDistinctLocalIDs(t *testing.T) {
	seen := map[int]bool{}
	for _, s := range All() {
		assert.False(t, seen[s.LocalID], s.Name)
		seen[s.LocalID] = true
		found, ok := Local(s.LocalID)
		assert.True(t, ok)
		assert.Equal(t, s, found)
	}
	_, ok := Local(1)
	assert.False(t, ok, "an id such as registries hand out")
	assert.Equal(t, 2_000_000_001, UsageEvent.LocalID, "local ids are in records: they never change")
	assert.Equal(t, 2_000_000_002, PQLEvent.LocalID, "local ids are in records: they never change")
	assert.Equal(t, 2_000_000_003, DeadLetter.LocalID, "local ids are in records: they never change")
	assert.Equal(t, 2_000_000_004, MetricRow.LocalID, "local ids are in records: they never change")
}

func TestExportWritesEverySchemaUnderItsID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	require.NoError(t, Export(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, len(All()))
	for _, s := range All() {
		text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(s.LocalID)+".avsc"))
		require.NoError(t, err)
		assert.Equal(t, s.Text, string(text))
		assert.JSONEq(t, s.Text, s.Compact())
	}
}

func TestExportNamesWhatItCouldNotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.ErrorContains(t, Export(file), "making the folder for schemas")
}
