//go:build slow

package deployments

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildIn builds the program from a copy of its sources in a folder of its own, as .goreleaser.yaml has it.
func buildIn(t *testing.T, env ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"cmd", "config", "pkg", "schemas"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(read(t, file)), 0o600))
	}
	program := filepath.Join(dir, "pqlstream")
	run(t, "env", append(env, "CGO_ENABLED=0", "go", "-C", dir, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version=v1.2.3", "-o", program, "./cmd/pqlstream")...)
	require.Contains(t, run(t, program, "version"), "v1.2.3")
	built, err := os.ReadFile(program)
	require.NoError(t, err)
	return built
}

// Whoever builds a release gets the same program, byte by byte, wherever the sources lie and whatever was built before.
func TestTwoBuildsAreTheSame(t *testing.T) {
	first := buildIn(t)
	second := buildIn(t, "GOCACHE="+t.TempDir())
	require.True(t, string(first) == string(second), "two builds of the same sources differ")
}
