package reference

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the page anew")

func TestPageIsCurrent(t *testing.T) {
	const path = "../../../../docs/configuration.md"
	page, err := Page("../..")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, page, string(written), "the settings have changed; run go generate ./pkg/config")
}
