package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// command is a line that a reader types, and what the page says that comes of it.
type command struct {
	line   string
	answer []string
}

// programs are those that pages have their readers start, at the beginning of a line or behind what is set for them.
var programs = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:source <\()?(?:bin/)?(pqlstream|curl|make)\b`)

var remark = regexp.MustCompile(`(^|\s+)#\s.*$`)

// commandsIn returns the commands of a block. The other lines are what the one before answers. It is no block of commands if it does not begin
// with one.
func commandsIn(text string) (list []command, ok bool) {
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(text), "\\\n", " "), "\n") {
		typed := remark.ReplaceAllString(strings.TrimSpace(line), "")
		switch {
		case programs.MatchString(typed):
			list = append(list, command{line: typed})
		case len(list) == 0:
			return nil, false
		default:
			last := &list[len(list)-1]
			last.answer = append(last.answer, line)
		}
	}
	return list, true
}

// program is the program that a command starts, and the commands below it: `pqlstream pqls list`, `make demo`.
func (c *command) program() string {
	at := programs.FindStringSubmatchIndex(c.line)
	words := strings.Fields(c.line[at[2]:])
	n := 1
	for n < len(words) && subcommand.MatchString(words[n]) {
		n++
	}
	return strings.Join(words[:n], " ")
}

var subcommand = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z]+)*$`)

func TestCommandsAreFound(t *testing.T) {
	got, ok := commandsIn("make demo   # the pipeline\n  A=b bin/pqlstream pqls list --tier large\n  ACCOUNT\n  acme\nsource <(pqlstream completion bash)\n" +
		"pqlstream checklist init \\\n    --step a\ncurl -s x | head -n 1\n")
	assert.True(t, ok)
	assert.Equal(t, []command{
		{"make demo", nil}, {"A=b bin/pqlstream pqls list --tier large", []string{"  ACCOUNT", "  acme"}},
		{"source <(pqlstream completion bash)", nil}, {"pqlstream checklist init      --step a", nil}, {"curl -s x | head -n 1", nil},
	}, got)
	for i, program := range []string{"make demo", "pqlstream pqls list", "pqlstream completion", "pqlstream checklist init", "curl"} {
		assert.Equal(t, program, got[i].program())
	}
	_, ok = commandsIn("MOMENT  time passes\n")
	assert.False(t, ok)
}
