//go:build slow

package sql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// TestFigures tells how many rows a year of 100,000 accounts makes by the default settings, and how many bytes they are with their
// keys: those of the whole year, and those of windows that can still be corrected at its end.
func TestFigures(t *testing.T) {
	p := &proof{
		accounts: 100_000, days: 365, from: "2025-01-01", zones: []string{"UTC"},
		units: []rollup.Unit{rollup.Hour, rollup.Day, rollup.Week, rollup.Month}, weekStart: time.Monday,
		groupings: [][]string{{}, {rollup.DimTier}}, limits: rollup.DefaultLimits(),
	}
	m, facts := newMetrics(t, p.accounts, p.settings(t), p.limits), 0
	w := newWorld(t, p.accounts, p.days, p.begin(t), func(f *account.Fact) {
		facts++
		n := number(f.AccountID)
		m.fold(n, n%partitions, factOf(f))
	})
	for date := range p.days {
		w.live(date, func() {})
		m.pass(w.watermark, false)
	}
	m.pass(w.watermark, true)

	t.Logf("%d facts", facts)
	whole, kept := map[string]*figures{}, map[string]*figures{}
	json, err := codec.NewMetricEncoder(codec.JSON, 0)
	require.NoError(t, err)
	for key, value := range m.rows {
		r, err := codec.DecodeRow(value)
		require.NoError(t, err)
		size := [2]int{len(key) + len(value), len(key) + len(json.AppendRow(nil, &r))}
		count(whole, r.Unit, size)
		if r.WindowEnd+p.limits.Restatement.Milliseconds() > w.watermark {
			count(kept, r.Unit, size)
		}
	}
	for _, unit := range []string{"hour", "day", "week", "month", ""} {
		for name, all := range map[string]map[string]*figures{"the year": whole, "of 120 days": kept} {
			if f := all[unit]; f != nil {
				t.Logf("%-5s %-12s %8d rows, Avro %6.1f MB, JSON %6.1f MB", unit, name, f.rows, float64(f.bytes[0])/1e6, float64(f.bytes[1])/1e6)
			}
		}
	}
	assert.NotEmpty(t, whole)
}

// figures are numbers of rows, and of bytes in Avro and JSON.
type figures struct {
	rows  int
	bytes [2]int
}

func count(all map[string]*figures, unit string, bytes [2]int) {
	f := all[unit]
	if f == nil {
		f = &figures{}
		all[unit] = f
	}
	f.rows++
	for i := range bytes {
		f.bytes[i] += bytes[i]
	}
}
