package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the README shows is what the program takes: its settings, its checklist, its commands.
func TestTheReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(m[1]))
	}
	require.Len(t, blocks, 3, "settings, the input of another shape, a checklist")
	list := write(t, blocks[2])
	first := regexp.MustCompile(`(?m)^input:.*\n`).ReplaceAllString(blocks[0], "")
	for _, settings := range []string{blocks[0], first + blocks[1]} {
		r := pqlstream(t, "config", "check", "--config", write(t, settings), "--set", "checklist="+list)
		assert.Equal(t, exitDone, r.code, r.stderr)
		assert.Contains(t, r.stdout, "demo, version 1, 6 steps, 3 tiers")
	}
	for _, m := range regexp.MustCompile(`(?m)^    bin/pqlstream (\w+(?: [a-z]+)?)`).FindAllSubmatch(text, -1) {
		cmd, _, err := newRoot(io.Discard, io.Discard).Find(regexp.MustCompile(` `).Split(string(m[1]), -1))
		require.NoError(t, err, string(m[1]))
		assert.NotEqual(t, "pqlstream", cmd.Name())
	}
	for _, m := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllSubmatch(text, -1) {
		_, err := os.Stat(filepath.Join("../..", string(m[1])))
		assert.NoError(t, err)
	}
}
