//go:build !race

package bench

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBudget is left out where the race detector is on: what it watches is allocated otherwise. `make test` runs it apart.
func TestBudget(t *testing.T) {
	got := newWork(t).measure()
	if os.Getenv("UPDATE_BUDGET") != "" {
		b, err := json.MarshalIndent(got, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(budgetFile, append(b, '\n'), 0o644))
		return
	}
	want := readBudget(t)
	requireWithin(t, got.bytes(), want.bytes())
	requireWithin(t, got.allocations(), want.allocations())
}
