package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// completed are what a shell is offered at the end of a line.
func completed(t *testing.T, args ...string) []string {
	t.Helper()
	r := pqlstream(t, append([]string{"__complete"}, args...)...)
	assert.Equal(t, exitDone, r.code, r.stderr)
	var offered []string
	for line := range strings.Lines(r.stdout) {
		if !strings.HasPrefix(line, ":") {
			offered = append(offered, strings.TrimSpace(line))
		}
	}
	return offered
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := pqlstream(t, "completion", shell)
		assert.Equal(t, exitDone, r.code, r.stderr)
		assert.Contains(t, r.stdout, "pqlstream", shell)
	}
	assert.Contains(t, completed(t, "metrics", "--metric", ""), "pql_rate")
	assert.Equal(t, []string{"hour", "day", "week", "month"}, completed(t, "metrics", "--unit", ""))
	assert.Equal(t, []string{"UTC"}, completed(t, "metrics", "--config", example, "--zone", ""))
	assert.Empty(t, completed(t, "metrics", "--config", "none.yaml", "--zone", ""), "settings that are not valid have none")
	assert.Equal(t, []string{"simple", "mid", "complex"}, completed(t, "checklist", "init", "--preset", ""))
	assert.Equal(t, []string{"table", "json", "yaml", "jsonl", "csv", "parquet"}, completed(t, "metrics", "-o", ""))
	assert.Equal(t, []string{"table", "json", "yaml"}, completed(t, "topics", "check", "-o", ""))
	assert.Contains(t, completed(t, "run", "--set", "kafka.cl"), "kafka.client_id=")
}
