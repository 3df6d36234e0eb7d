package docs

import (
	"regexp"
	"strings"

	"github.com/stretchr/testify/assert"
)

var (
	span = regexp.MustCompile("`((?:bin/)?pqlstream [a-z][^`]*|curl [^`]*|make [a-z][^`]*)`")
	word = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// sentences looks whether what pages name within a sentence is there: a call is made; of pqlstream, which mostly lacks its settings there, command and flags are.
func (r *reader) sentences() {
	r.t.Helper()
	seen := map[string]bool{}
	for _, page := range append(markdown(r.t, "docs"), "README.md") {
		for _, line := range prose(read(r.t, page)) {
			if strings.HasPrefix(line, "    ") { // a block
				continue
			}
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				if !seen[m[1]] {
					seen[m[1]] = true
					r.named(page, m[1])
				}
			}
		}
	}
	assert.Greater(r.t, len(seen), 20)
}

func (r *reader) named(page, text string) {
	r.t.Helper()
	if target, is := strings.CutPrefix(text, "make "); is {
		r.make(target)
		return
	}
	if strings.HasPrefix(text, "curl ") {
		r.patient(text)
		return
	}
	var args []string
	shown, _, _ := strings.Cut(text, " >")
	for _, w := range word.FindAllString(shown, -1)[1:] {
		args = append(args, strings.Trim(w, `'"`))
	}
	code, out := r.run(append(args, "--help")...)
	assert.Zero(r.t, code, "%s: %s: %s", page, text, out)
	assert.Contains(r.t, out, "Usage:\n  "+(&command{line: shown}).program(), "%s: %s is no command", page, text)
}
