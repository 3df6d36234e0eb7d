package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What differs from one look to another.
var (
	kinds = []struct {
		is   *regexp.Regexp
		mark string
	}{
		{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\d( \d\d:\d\d)?`), "TIME"},
		{regexp.MustCompile(`[\x{2580}-\x{259F}]+`), "BAR"},
		{regexp.MustCompile(`[+-]?\d+(\.\d+)?`), "N"},
		{regexp.MustCompile(`\s+`), " "},
	}
	row = regexp.MustCompile(`^TIME( (TIME|BAR|N/N|N|%))+`)
)

// shape is a line without what differs from one look to another. Of a table's row the columns are left, without the words behind them.
func shape(line string) string {
	for _, k := range kinds {
		line = k.is.ReplaceAllString(line, k.mark)
	}
	line = strings.TrimSpace(line)
	if columns := row.FindString(line); columns != "" {
		return columns
	}
	return line
}

// assertAnswers compares what a page says that a command answers with what it did: each line has its like, in the order of the page.
func assertAnswers(t *testing.T, command string, shown []string, said string) {
	t.Helper()
	shapes := []string{}
	for line := range strings.Lines(said) {
		shapes = append(shapes, shape(line))
	}
	for _, line := range shown {
		want := shape(line)
		if want == "" || want == "..." {
			continue
		}
		at := 0
		for at < len(shapes) && shapes[at] != want {
			at++
		}
		if assert.Less(t, at, len(shapes), "%s: nothing like %q is in\n%s", command, line, said) {
			shapes = shapes[at+1:]
		}
	}
}

func TestShapes(t *testing.T) {
	for line, want := range map[string]string{
		"  current  ▃▃▃▄▅▆▇███  162":                                                                                               "current BAR N",
		"  2025-06-16      164  ████▊      +5   16     15      1    11  inactive 6   corrected (late)":                             "TIME N BAR N N N N N",
		"  2025-05-12  18.6 %   8/43  41.9 %  18/43  corrected (late)":                                                             "TIME N % N/N N % N/N",
		"weekly_habit weight 1  2025-06-24 20:56  by acct-00002-u02, event 18c24040-45b0-4332-ad41-76ba9085797f (usage-1 at 1035)": "weekly_habit weight N TIME by acctN-uN, event ID (usageN at N)",
	} {
		assert.Equal(t, want, shape(line), line)
	}
}
