package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	for _, shell := range []string{"zsh", "fish", "powershell"} { // bash is had complete below
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
	list := "checklist=" + write(t, validChecklist+"segments: [{name: half, when: 'rate >= 0.5'}]\n")
	assert.Equal(t, []string{"half"}, completed(t, "accounts", "list", "--config", example, "--set", list, "--segment", ""))
	assert.Contains(t, completed(t, "run", "--set", "kafka.cl"), "kafka.client_id=")
}

// Files are offered to commands that take files, and to no other.
func TestCommandsThatTakeNoFilesAreOfferedNone(t *testing.T) {
	files := map[string]bool{}
	for _, cmd := range documented(newRoot(io.Discard, io.Discard)) {
		args := append([]string{"__complete"}, strings.Fields(cmd.CommandPath())[1:]...)
		r := pqlstream(t, append(args, "")...)
		require.Equal(t, exitDone, r.code, r.stderr)
		if !strings.HasSuffix(r.stdout, ":4\n") {
			files[cmd.CommandPath()] = true
		}
	}
	assert.Equal(t, map[string]bool{
		"pqlstream checklist check": true, "pqlstream man": true, "pqlstream schemas export": true, "pqlstream test": true,
	}, files)
}

// bashCompletes has bash complete the last word of a line by our script. bash-completion, which the script asks for the words, need not be there.
const bashCompletes = `
_init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
__start_pqlstream
printf '%s\n' "${COMPREPLY[@]}"
`

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "completions.bash")
	require.NoError(t, os.WriteFile(script, []byte(pqlstream(t, "completion", "bash").stdout), 0o600))
	out, err := exec.CommandContext(t.Context(), bash, "-n", script).CombinedOutput()
	require.NoError(t, err, string(out))
	program, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pqlstream"), []byte("#!/bin/sh\nexec '"+program+"' \"$@\"\n"), 0o755))
	offered := func(line ...string) []string {
		cmd := exec.CommandContext(t.Context(), bash, append([]string{"--noprofile", "--norc", "-c", bashCompletes, "bash", script, "pqlstream"}, line...)...)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+dir+":"+os.Getenv("PATH"))
		cmd.Stderr = t.Output()
		out, err := cmd.Output()
		require.NoError(t, err, line)
		var words []string
		for word := range strings.FieldsSeq(string(out)) {
			words = append(words, word)
		}
		return words
	}
	const settings = "config/pqlstream.yaml"
	assert.Equal(t, []string{"metrics"}, offered("met"))
	assert.Equal(t, []string{"--timeout"}, offered("accounts", "show", "--timeo"))
	assert.Empty(t, offered("accounts", "show", ""), "no files")
	assert.Contains(t, offered("pqls", "list", "--config", settings, "--tier", ""), "large")
	assert.Contains(t, offered("pqls", "list", "--config", settings, "--playbook", "manual"), "manual-outreach")
	assert.Equal(t, []string{"table", "json", "yaml"}, offered("top", "-o", ""))
}
