package rollup

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPartsHoldAllChangesOnce(t *testing.T) {
	var all []Change
	for start := range int64(3000) {
		all = append(all, Change{Start: start * hourMillis, Cell: Cell{Kind: StepTime, Name: strings.Repeat("a", 60), Number: 3}, N: 1})
	}
	twice := append(slices.Clone(all), all...)
	slices.Reverse(twice)
	twice = append(twice, Change{Start: 5, Cell: cell(Accounts), N: 1}, Change{Start: 5, Cell: cell(Accounts), N: -1})
	var got []Change
	parts := 0
	for part := range Parts(twice) {
		require.Less(t, len(part), PartBytes+1000)
		var err error
		got, err = DecodeChanges(got, part)
		require.NoError(t, err)
		parts++
	}
	for i := range all {
		all[i].N = 2
	}
	assert.Equal(t, all, got)
	assert.Equal(t, 5, parts)
	for range Parts(twice[:1]) {
		break
	}
	assert.Empty(t, slices.Collect(Parts(nil)))
}

func TestWhatIsMissedIsTold(t *testing.T) {
	r := newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "UTC")
	for _, key := range []string{"series|UTC|day|tier|large", "window|UTC|day|2025-01-01T00:00:00Z|tier|large"} {
		require.Equal(t, DirectoryKey("tier"), DirectoryOf(key))
		d, err := r.Directory(DirectoryOf(key), nil)
		require.NoError(t, err)
		require.NoError(t, d.Miss(key, 3, 1000))
		require.NoError(t, d.Miss(key, 2, 2000))
		var rows []Row
		d.Rows(func(r *Row) { rows = append(rows, *r) })
		assert.Equal(t, []Row{{Metric: MetricBeyond, Unit: "day", Zone: "UTC", Grouping: "tier", Revision: 1, AsOf: 2000, Count: some[int64](5)}}, rows)
		value, err := d.AppendBinary(nil)
		require.NoError(t, err)
		_, err = r.Directory(DirectoryOf(key), value)
		require.NoError(t, err)
	}
	d, err := r.Directory(DirectoryKey("plan"), nil)
	require.NoError(t, err)
	assert.Error(t, d.Miss("series|UTC|day|tier|large", 3, 1000))
	assert.Error(t, d.Miss("series|UTC|day|plan|large", -3, 1000))
	assert.Error(t, d.Miss("directory|plan", 3, 1000))
	assert.Empty(t, DirectoryOf("directory|plan"))
	assert.Empty(t, DirectoryOf("series|UTC"))
}

// A sum of durations goes with its counters: where both are missed only these count.
func TestSumsAreNotMissed(t *testing.T) {
	r := newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "UTC")
	s, err := r.Span("window|UTC|day|2025-01-01T00:00:00Z|tier|large", nil)
	require.NoError(t, err)
	late := s.expiry() + 1
	assert.EqualValues(t, 1, s.Apply([]Change{{Cell: cell(TimeToPQL, BinOf(60_000)), N: 1}, {Cell: cell(TimeToPQLSum), N: 60_000}}, late))
}
