package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// made are the pages that programs make, by what they are made of: whoever makes them tests them.
var made = map[string]string{
	"docs/performance.md":       "what was measured",
	"docs/metrics-reference.md": "what is exported",
}

// block is a block of code in a page.
type block struct {
	page     string
	line     int
	language string // of a fence; empty: it has none, or is indented
	text     string
	notRun   string // why it can't be run; empty: it can
}

func (b *block) at() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

var mark = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// blocksOf returns the blocks of a page: between fences, or indented behind an empty line.
func blocksOf(page, text string) (list []block) {
	lines := strings.Split(text, "\n")
	notRun := ""
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		fence, fenced := strings.CutPrefix(line, "```")
		switch {
		case fenced:
			end := i + 1 + slices.Index(lines[i+1:], "```")
			list = append(list, block{page, i + 1, fence, strings.Join(lines[i+1:end], "\n") + "\n", notRun})
			i, notRun = end, ""
		case strings.HasPrefix(line, "    ") && i > 0 && lines[i-1] == "":
			b := block{page: page, line: i + 1, notRun: notRun}
			for ; i < len(lines) && (lines[i] == "" || strings.HasPrefix(lines[i], "    ")); i++ {
				b.text += strings.TrimPrefix(lines[i], "    ") + "\n"
			}
			i, notRun, b.text = i-1, "", strings.TrimRight(b.text, "\n")+"\n"
			if lines[i] == "" {
				i-- // a block that follows begins behind an empty line
			}
			list = append(list, b)
		case mark.MatchString(line):
			notRun = mark.FindStringSubmatch(line)[1]
		case line != "":
			notRun = ""
		}
	}
	return list
}

// pages are the blocks of all pages that people write.
func pages(t *testing.T) (list []block) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	for _, name := range append(names, filepath.Join(root, "README.md")) {
		page, err := filepath.Rel(root, name)
		require.NoError(t, err)
		if _, is := made[filepath.ToSlash(page)]; is {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		list = append(list, blocksOf(filepath.ToSlash(page), string(text))...)
	}
	require.NotEmpty(t, list)
	return list
}

func TestBlocksAreFound(t *testing.T) {
	got := blocksOf("page", "Text:\n\n    one\n\n      two\n\nText\n    that goes on\n\n```sh\nthree\n```\n\n<!-- not run: it needs Docker -->\n\n    four\n\n```yaml\nfive\n```\n<!-- not run: gone -->\ntext\n\n    six")
	want := []block{
		{"page", 3, "", "one\n\n  two\n", ""}, {"page", 10, "sh", "three\n", ""}, {"page", 16, "", "four\n", "it needs Docker"},
		{"page", 18, "yaml", "five\n", ""}, {"page", 24, "", "six\n", ""},
	}
	assert.Equal(t, want, got)
}
