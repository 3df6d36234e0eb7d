package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`^#{1,6} (.+)$`)
	quoted   = regexp.MustCompile("`[^`]*`")
	external = regexp.MustCompile(`^[a-z]+:`)
)

// prose returns the lines of a page outside its fenced blocks.
func prose(text string) (lines []string) {
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		} else if !fenced {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}

// anchors are what a link to a page may name behind a #, as GitHub makes them of headings.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, line := range prose(text) {
		if m := heading.FindStringSubmatch(line); m != nil {
			all[anchor(m[1])] = true
		}
	}
	return all
}

func anchor(title string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
			return unicode.ToLower(c)
		}
		return -1
	}, title)
}

// links are what a page refers to in the repository.
func links(text string) (list []string) {
	for _, line := range prose(text) {
		for _, m := range link.FindAllStringSubmatch(quoted.ReplaceAllString(line, ""), -1) {
			if !external.MatchString(m[1]) {
				list = append(list, m[1])
			}
		}
	}
	return list
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	got := anchors("# The `a_b` file, and: more\n\n```sh\n# no heading\n```\n### Sticky & live\n")
	assert.Equal(t, map[string]bool{"the-a_b-file-and-more": true, "sticky--live": true}, got)
	assert.Equal(t, []string{"a.md", "#b", "c.png"}, links("[a](a.md), [b](#b) and [x](https://example.com)\n![c](c.png) `[no](no.md)`\n```\n[no](no.md)\n```"))
}

// What pages refer to is there, made pages included.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range append(markdown(t, "docs"), markdown(t, ".")...) {
		for _, to := range links(read(t, page)) {
			path, fragment, hasFragment := strings.Cut(to, "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			_, err := os.Stat(filepath.Join(root, target))
			if assert.NoError(t, err, "%s: %s", page, to) && hasFragment {
				assert.Contains(t, anchors(read(t, target)), fragment, "%s: %s", page, to)
			}
		}
	}
}

// Whoever looks for a page finds it in the index.
func TestTheIndexHasAllPages(t *testing.T) {
	listed := links(read(t, "docs/README.md"))
	for _, page := range markdown(t, "docs") {
		if name := filepath.Base(page); name != "README.md" {
			assert.Contains(t, listed, name)
		}
	}
}

// markdown returns the pages of a folder, by their paths in the repository.
func markdown(t *testing.T, folder string) (list []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		page, err := filepath.Rel(root, file)
		require.NoError(t, err)
		list = append(list, page)
	}
	return list
}
