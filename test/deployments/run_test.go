package deployments

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// run runs a program and returns what it printed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := command(t, program, args...)
	require.NoError(t, err, "%s %v\n%s", program, args, out)
	return out
}

func command(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String() + stderr.String(), err
}
