//go:build slow

package deployments

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// build builds the program from a copy of its sources in a folder of its own, as .goreleaser.yaml has it.
func build(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"cmd", "config", "pkg", "schemas"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(read(t, file)), 0o600))
	}
	program := filepath.Join(dir, "pqlstream")
	t.Setenv("CGO_ENABLED", "0")
	run(t, "go", "-C", dir, "build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags", "-s -w -X main.version=v1.2.3", "-o", program, "./cmd/pqlstream")
	require.Contains(t, run(t, program, "version"), "v1.2.3")
	built, err := os.ReadFile(program)
	require.NoError(t, err)
	return built
}

// Whoever builds a release gets the same program, byte by byte, wherever the sources lie.
func TestTwoBuildsAreTheSame(t *testing.T) {
	first, second := build(t), build(t)
	require.True(t, bytes.Equal(first, second), "two builds of the same sources differ")
}
