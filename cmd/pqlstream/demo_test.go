package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDemo(t *testing.T) {
	r := pqlstream(t, "demo", "--accounts", "30", "--days", "40", "--dir", t.TempDir())
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Empty(t, r.stderr)
	assert.Contains(t, r.stdout, "\nWhere to begin: ")

	r = pqlstream(t, "demo", "--accounts", "30", "--days", "10", "--verbose")
	assert.Contains(t, r.stderr, "msg=ready")

	r = pqlstream(t, "demo", "--accounts", "0")
	assert.Equal(t, "pqlstream: --accounts and --days must be 1 or more\n", r.stderr)
}
