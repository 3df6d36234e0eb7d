package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/schemas"
)

func TestSchemasAreExported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "schemas")
	r := pqlstream(t, "schemas", "export", dir)
	require.Equal(t, exitDone, r.code, r.stderr)
	for _, s := range schemas.All() {
		assert.Contains(t, r.stdout, s.Name)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.avsc"))
	require.NoError(t, err)
	assert.Len(t, files, len(schemas.All()))
}
