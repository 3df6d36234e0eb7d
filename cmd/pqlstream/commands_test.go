package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

func TestEveryCommandSaysWhatItIsAndHow(t *testing.T) {
	all := append(documented(newRoot(io.Discard, io.Discard)), newRoot(io.Discard, io.Discard))
	require.Greater(t, len(all), 25)
	for _, cmd := range all {
		assert.NotEmpty(t, cmd.Short, cmd.CommandPath())
		assert.NotContains(t, cmd.Short, "\n", cmd.CommandPath())
		assert.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
		lines := exampleLines(cmd)
		require.NotEmpty(t, lines, "%s has no example", cmd.CommandPath())
		for _, line := range lines {
			checkExample(t, cmd, line)
		}
	}
}

// exampleLines are the command lines of a command's example, without what is no argument.
func exampleLines(cmd *cobra.Command) (lines []string) {
	text := strings.ReplaceAll(cmd.Example, "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " > ")
		if _, of, found := strings.Cut(line, "pqlstream "); found {
			lines = append(lines, strings.TrimRight(strings.TrimSpace(of), ")"))
		}
	}
	return lines
}

// checkExample finds the command of an example, and has it take the flags and arguments.
func checkExample(t *testing.T, of *cobra.Command, line string) {
	t.Helper()
	cmd, args, err := newRoot(io.Discard, io.Discard).Find(strings.Fields(strings.ReplaceAll(line, "'", "")))
	require.NoError(t, err, line)
	assert.True(t, strings.HasPrefix(cmd.CommandPath(), of.CommandPath()), "%s shows %s", of.CommandPath(), line)
	assert.True(t, cmd.Runnable() && !cmd.HasSubCommands(), line)
	require.NoError(t, cmd.ParseFlags(args), line)
	if cmd.Name() != "init" || cmd.Flags().NFlag() > 0 { // init alone asks, on a terminal
		assert.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
	}
}

func TestTheReferencePageIsCurrent(t *testing.T) {
	const path = "../../docs/cli.md"
	page := referencePage(newRoot(io.Discard, io.Discard))
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, page, string(text), "the commands have changed; run go generate ./cmd/pqlstream")
}

// What tells something for programs has the one flag for it.
func TestOutputIsOneConvention(t *testing.T) {
	silent := map[string]bool{}
	for _, cmd := range documented(newRoot(io.Discard, io.Discard)) {
		f := cmd.Flag("output")
		if f == nil {
			silent[cmd.CommandPath()] = true
			continue
		}
		_, is := f.Value.(*output)
		assert.True(t, is, cmd.CommandPath())
		assert.Equal(t, "o", f.Shorthand, cmd.CommandPath())
		assert.Equal(t, formatTable, f.DefValue, cmd.CommandPath())
	}
	for _, cmd := range documented(newRoot(io.Discard, io.Discard)) {
		if !cmd.HasSubCommands() && silent[cmd.CommandPath()] {
			assert.Contains(t, []string{"pqlstream run", "pqlstream demo", "pqlstream test", "pqlstream man", "pqlstream checklist init", "pqlstream checklist schema",
				"pqlstream completion bash", "pqlstream completion zsh", "pqlstream completion fish", "pqlstream completion powershell"}, cmd.CommandPath())
		}
	}
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	r := pqlstream(t, "man", dir)
	require.Equal(t, exitDone, r.code, r.stderr)
	for _, cmd := range append(documented(newRoot(io.Discard, io.Discard)), newRoot(io.Discard, io.Discard)) {
		text, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(text), ".nh\n.TH \"PQLSTREAM"), string(text[:40]))
	}
	again := filepath.Join(t.TempDir(), "man1")
	require.Equal(t, exitDone, pqlstream(t, "man", again).code)
	for _, d := range []string{dir, again} {
		text, err := os.ReadFile(filepath.Join(d, "pqlstream-run.1"))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "Auto generated")
	}
}
