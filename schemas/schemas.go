// Package schemas holds the Avro schemas of what pqlstream publishes and keeps, embedded in the binary.
//
// They evolve backward compatibly: a later version may add a field with a default or drop one, so that a reader with
// the new schema reads what the old one wrote. Names and types of fields that exist never change, and no enumeration is
// used, because a reader fails at a symbol that it doesn't know.
package schemas

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.avsc
var files embed.FS

// Schema is one of pqlstream's own Avro schemas.
type Schema struct {
	Name    string // the file's, without extension: usage_event
	LocalID int    // the id it goes by when no registry gives it one
	Text    string // the schema, as in its file, docs included
}

// The schemas of the topics.
var (
	UsageEvent = load("usage_event", 1) // pql.usage
	PQLEvent   = load("pql_event", 2)   // pql.events, pql.current and pql.lifecycle
	DeadLetter = load("dead_letter", 3) // pql.dead-letters
	MetricRow  = load("metric_row", 4)  // pql.metrics
)

// localBase keeps the local ids away from those that registries hand out, which count from 1: a folder may hold the
// schemas of foreign topics and pqlstream's own side by side.
const localBase = 2_000_000_000

// All returns the schemas of the topics, by local id.
func All() []Schema {
	all := []Schema{UsageEvent, PQLEvent, DeadLetter, MetricRow}
	slices.SortFunc(all, func(a, b Schema) int { return cmp.Compare(a.LocalID, b.LocalID) })
	return all
}

// Local returns the schema with a local id.
func Local(id int) (Schema, bool) {
	for _, s := range All() {
		if s.LocalID == id {
			return s, true
		}
	}
	return Schema{}, false
}

// Compact returns the schema's text without white space: what is registered.
func (s Schema) Compact() string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s.Text)); err != nil {
		panic("schemas: " + s.Name + ": " + err.Error()) // the text is embedded and tested
	}
	return b.String()
}

// Export writes the schemas of the topics into a folder, which it makes when it isn't there, as <id>.avsc under their
// local ids: what a consumer of topics that were written without a registry reads them with.
func Export(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder for schemas: %w", err)
	}
	for _, s := range All() {
		path := filepath.Join(dir, strconv.Itoa(s.LocalID)+".avsc")
		if err := os.WriteFile(path, []byte(s.Text), 0o644); err != nil {
			return fmt.Errorf("exporting schema %s: %w", s.Name, err)
		}
	}
	return nil
}

func load(name string, n int) Schema {
	text, err := files.ReadFile(name + ".avsc")
	if err != nil {
		panic("schemas: " + err.Error()) // a file that the build embeds
	}
	return Schema{Name: name, LocalID: localBase + n, Text: strings.TrimSpace(string(text)) + "\n"}
}
