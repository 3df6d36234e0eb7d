package docs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// elsewhere are the languages of blocks that other tests run: test/sql and test/connect.
var elsewhere = map[string]bool{"sql": true}

// Everything that a page tells its reader to do can be done, on a deployment that has PQLs and metrics.
func TestPagesCanBeFollowed(t *testing.T) {
	at := deploy(t)
	list := pages(t)
	for page := range byPage(list) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			r, alone := newReader(t, at), newReader(t, place{})
			for _, b := range list {
				if b.page == page && b.notRun == "" && !elsewhere[b.language] && !isFirstDeployment(&b) {
					r.take(alone, &b)
				}
			}
		})
	}
	t.Run("sentences", func(t *testing.T) { newReader(t, at).sentences() })
}

// take does what a block says.
func (r *reader) take(alone *reader, b *block) {
	r.t.Helper()
	commands, isCommands := commandsIn(b.text)
	switch {
	case b.language == "yaml":
		alone.check(b)
	case b.language == "scenario" || strings.HasPrefix(b.text, "scenario: "):
		alone.play(b)
	case b.language == "go":
		compile(r.t, b)
	case b.language == "json":
		assertFact(r.t, b)
	case isCommands:
		r.follow(b, commands)
	default:
		assert.Fail(r.t, "can't be run", "%s: run it here, or say above it why not: <!-- not run: needs Docker -->", b.at())
	}
}

// byPage yields the pages that have blocks, each once.
func byPage(list []block) func(func(string) bool) {
	var names []string
	for i := range list {
		names = append(names, list[i].page)
	}
	return slices.Values(slices.Compact(names))
}

// play runs a scenario, in a folder that lies where the page does.
func (r *reader) play(b *block) {
	r.t.Helper()
	text := b.text
	if strings.HasPrefix(text, "scenario: ") { // what comes before it in a file
		text = "checklist: ../config/checklists/simple.yaml\nstart: 2026-03-02 09:00\nshow: signed_up step_done\n\n" + text
	}
	code, out := r.run("test", r.write("docs/example.scenario", text))
	assert.Zero(r.t, code, "%s: %s", b.at(), out)
}
