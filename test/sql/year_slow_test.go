//go:build slow

package sql_test

import (
	"testing"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// forEver is longer than any of these accounts live: what is corrected, however late, is in the rows.
const forEver = 3 * 365 * 24 * time.Hour

// A year of 50,000 accounts: a leap year, with both changes of clocks.
func TestYear(t *testing.T) {
	p := &proof{
		accounts: 50_000, days: 366, from: "2024-01-01", zones: []string{"UTC", "America/New_York"},
		units: []rollup.Unit{rollup.Day, rollup.Week, rollup.Month}, weekStart: time.Monday,
		groupings: [][]string{{}, {rollup.DimTier}, {rollup.DimTier, "plan"}, {rollup.DimSegment}},
		limits:    rollup.Limits{MaxGroups: 10, Lateness: 24 * time.Hour, Restatement: forEver},
		every:     120,
	}
	p.run(t, "").requireVariety()
}
