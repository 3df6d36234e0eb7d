package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/account"
)

func TestConfigShow(t *testing.T) {
	t.Setenv("PQLSTREAM_REDIS_PASSWORD", "hunter2")
	flags := []string{"--config", example, "--set", "prefix=leads"}
	r := pqlstream(t, append([]string{"config", "show", "--origin"}, flags...)...)
	require.Equal(t, exitDone, r.code, r.stderr)
	assert.Regexp(t, `(?m)^prefix +leads +flag --set$`, r.stdout)
	assert.Regexp(t, `(?m)^redis\.password +\*\*\* +environment PQLSTREAM_REDIS_PASSWORD$`, r.stdout)
	assert.Regexp(t, `(?m)^kafka\.brokers +\["localhost:9092"\] +file `+example+`:\d+$`, r.stdout)
	assert.Regexp(t, `(?m)^kafka\.session_timeout +45s +default$`, r.stdout)
	assert.NotContains(t, r.stdout+r.stderr, "hunter2")

	r = pqlstream(t, append([]string{"config", "show", "--changed"}, flags...)...)
	assert.NotContains(t, r.stdout, "kafka.session_timeout")
	assert.Regexp(t, `(?m)^prefix +leads$`, r.stdout)

	r = pqlstream(t, append([]string{"config", "show", "--origin", "-o", "json"}, flags...)...)
	var shown []map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &shown))
	assert.Contains(t, shown, map[string]any{"setting": "prefix", "value": "leads", "origin": "flag", "place": "--set"})
	assert.Contains(t, shown, map[string]any{"setting": "redis.password", "value": "***", "origin": "environment", "place": "PQLSTREAM_REDIS_PASSWORD"})
	assert.Contains(t, shown, map[string]any{"setting": "kafka.session_timeout", "value": "45s", "origin": "default"})

	r = pqlstream(t, "config", "show", "--config", example, "--set", "kafka.broker=a:1")
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "kafka.broker: there is no such setting, or it can be set in the file only; did you mean kafka.brokers?")
}

// YAML says what JSON says, in the same order.
func TestYAMLIsTheSameAsJSON(t *testing.T) {
	ambiguous := []any{"yes", "No", "on", "OFF", "y", "190:20:30", "0o17", "017", "1_000", "0b1", "~", "null", "2025-03-01", ".inf", "=", "<<", "\u0085", "\u009b31m", "\u202e", "\u007f", "\U000e0001", "\u2028", "\ufeff", "\x1b", "a\tb", " a "}
	value := map[string]any{"a": "1", "b": 1, "c": nil, "d": []any{"true", true, "x: y", "", "two\nlines", "<&>", "é"}, "e": map[string]any{}, "on": map[string]any{"y": 1, "190:20:30": 2, "a b": 3, "": 4, "NULL": 5}, "h": ambiguous, "f": []any{}, "g": 1.5e300}
	var asJSON, asYAML strings.Builder
	require.NoError(t, writeJSON(&asJSON, value))
	require.NoError(t, writeYAML(&asYAML, value))
	var fromJSON, fromYAML any
	require.NoError(t, json.Unmarshal([]byte(asJSON.String()), &fromJSON))
	require.NoError(t, yaml.Unmarshal([]byte(asYAML.String()), &fromYAML))
	again, err := json.Marshal(fromYAML)
	require.NoError(t, err)
	once, err := json.Marshal(fromJSON)
	require.NoError(t, err)
	assert.JSONEq(t, string(once), string(again))
	for _, written := range []string{asJSON.String(), asYAML.String()} {
		for _, hidden := range []string{"\u0085", "\u009b", "\u202e", "\x7f", "\x1b"} {
			assert.NotContains(t, written, hidden, "it would get through to a terminal")
		}
	}
	for _, text := range ambiguous {
		assert.Regexp(t, `(?m)^  - ".+"$`, lineWith(t, asYAML.String(), text.(string)), "it is a text by every version of YAML")
	}
	for _, name := range []string{`"on":`, `  "y": 1`, `  "190:20:30": 2`, `  "NULL": 5`, `  "": 4`} {
		assert.Contains(t, asYAML.String(), "\n"+name, "names are, too")
	}
	assert.True(t, strings.HasPrefix(asYAML.String(), "a: \"1\"\nb: 1\nc: null\nd:\n  - \"true\"\n"), asYAML.String())
}

// lineWith is the line of a list that is a text.
func lineWith(t *testing.T, list, text string) string {
	t.Helper()
	for line := range strings.Lines(list) {
		var item []string
		if yaml.Unmarshal([]byte(line), &item) == nil && len(item) == 1 && item[0] == text {
			return strings.TrimSuffix(line, "\n")
		}
	}
	t.Errorf("%q is not listed in\n%s", text, list)
	return ""
}

func TestProgressIsForTerminalsOnly(t *testing.T) {
	var out strings.Builder
	p := progressOn(&out, "sent")
	p.at(1, 2)
	p.at(2, 2)
	p.end()
	assert.Empty(t, out.String())
	assert.Equal(t, "sent [###############...............] 5 of 10", p.line(5, 10))
	assert.Equal(t, "sent: 5", p.line(5, 0))
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer file.Close()
	assert.Nil(t, progressOn(file, "sent").w)
}

func TestTables(t *testing.T) {
	table := newTable(nil, "NAME", "LAG")
	table.add(plain("ä"), number("10"))
	table.add(cell{text: "longer", colour: red}, number("7"))
	assert.Equal(t, "NAME    LAG\nä        10\nlonger    7\n", table.String())
	table.paint = true
	assert.Equal(t, "\x1b[90mNAME\x1b[0m    \x1b[90mLAG\x1b[0m\nä        10\n\x1b[31mlonger\x1b[0m    7\n", table.String())
	assert.Empty(t, newTable(nil).String())
}

// Whoever sends events names accounts: no text gets through to the terminal as a command, or breaks or pads rows.
func TestTablesShowAnybodysTexts(t *testing.T) {
	table := newTable(nil, "ACCOUNT", "TIER", "NEXT")
	for _, id := range []string{"x\x1b[31mRED\x1b]0;pwn\x07", "a\nb", "\u202eabc", "\xff", "\u009b31m", "tab\t"} {
		table.add(plain(id), cell{text: id, colour: red}, plain(id))
	}
	lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
	assert.Len(t, lines, 7)
	for _, line := range lines {
		assert.Equal(t, line, account.Shown(line), "nothing is left that would have to be quoted")
	}
	assert.Contains(t, lines[1], `"x\x1b[31mRED\x1b]0;pwn\a"`)

	long := strings.Repeat("x", 256)
	table = newTable(nil, "ACCOUNT", "TIER", "NEXT")
	table.add(plain(long), plain("large"), plain("call"))
	assert.Contains(t, table.String(), long, "what is no terminal is for programs")
	table.room = 80
	assert.Equal(t, fmt.Sprintf("%-65s  TIER   NEXT\n%s…  large  call\n", "ACCOUNT", long[:64]), table.String())
	table.room = 20
	assert.Equal(t, fmt.Sprintf("%-24s  TIER   NEXT\n%s…  large  call\n", "ACCOUNT", long[:23]), table.String())
}
