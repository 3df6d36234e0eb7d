package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// elsewhere are the languages of blocks that other tests run: test/sql and test/connect, and pkg/api.
var elsewhere = map[string]bool{"sql": true, "curl": true}

// Everything that a page tells its reader to do can be done.
func TestPagesCanBeFollowed(t *testing.T) {
	r := newReader(t)
	for _, b := range pages(t) {
		commands, targets, isCommands := commandsIn(b.text)
		switch {
		case b.notRun != "" || elsewhere[b.language]:
		case b.language == "yaml":
			r.check(&b)
		case b.language == "scenario" || strings.HasPrefix(b.text, "scenario: "):
			r.play(&b)
		case isCommands:
			for _, args := range commands {
				r.follow(b.at(), args)
			}
			for _, target := range targets {
				assert.Regexp(t, `(?m)^(\S+ )*`+regexp.QuoteMeta(target)+`( \S+)*:`, read(t, "Makefile"), "%s: make %s", b.at(), target)
			}
		default:
			assert.Fail(t, "can't be run", "%s: run it here, or say above it why not: <!-- not run: needs Docker -->", b.at())
		}
	}
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
