package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
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
		file, _, _ := strings.Cut(string(m[1]), "#")
		_, err := os.Stat(filepath.Join("../..", file))
		assert.NoError(t, err)
	}
}

// What the README shows that explain answers is what it answers, but for what it leaves out.
func TestTheReadmesExplanationIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)`(simulate --epoch [0-9-]+)`.*?\n((?:    [^\n]*\n|\n)+)###").FindStringSubmatch(string(text))
	require.NotNil(t, shown)
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, append(strings.Fields(shown[1])[1:], "--create-topic")...)
	require.NoError(t, err)
	flags := append(flagsFor(t, servers.Brokers(), servers.RedisAddr()), "--set", "runtime.replay=true") // what the clock says plays no part
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	require.Eventually(t, func() bool {
		return pqlstream(t, append([]string{"lag", "--max", "0"}, flags...)...).code == exitDone
	}, time.Minute, 50*time.Millisecond)
	stop()
	require.Equal(t, exitDone, <-running)
	account := regexp.MustCompile(`Account (\S+)`).FindStringSubmatch(shown[2])
	require.NotNil(t, account)
	require.Contains(t, string(text), "    bin/pqlstream explain "+account[1]+" ")
	rest := pqlstream(t, append([]string{"explain", account[1]}, flags...)...).stdout
	for line := range strings.Lines(shown[2]) {
		line = strings.TrimPrefix(line, "    ")
		if text := strings.TrimSpace(line); text == "..." || text == "" {
			continue
		}
		_, after, ok := strings.Cut(rest, line)
		require.True(t, ok, "%q is not in what follows of the answer:\n%s", line, rest)
		rest = after
	}
}
