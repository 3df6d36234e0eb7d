package rollup

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var tiers = [][]string{{"large"}, {"small"}, {""}}

// TestRowsAreTheSameInWhateverOrder feeds the same contributions at once, and in any order and pieces, with time passing, rows
// going out and takeovers in between.
func TestRowsAreTheSameInWhateverOrder(t *testing.T) {
	rollup := newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin", "Asia/Kathmandu")
	from := instant(t, "2025-03-20T05:00:00Z")
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		deltas := randomContributions(r, from, 25, 1+r.IntN(200), tiers)
		whole := newBoard(t, rollup, DimTier)
		whole.pass(from)
		whole.feed(deltas...)
		finish(whole, from)

		pieces := newBoard(t, rollup, DimTier)
		watermark := from - 3*dayMillis
		r.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
		for len(deltas) > 0 {
			n := 1 + r.IntN(min(len(deltas), 40))
			pieces.feed(deltas[:n]...)
			deltas = deltas[n:]
			if watermark = min(watermark+r.Int64N(5*dayMillis), from+40*dayMillis); r.IntN(2) == 0 {
				pieces.pass(watermark)
			}
			if r.IntN(2) == 0 {
				pieces.flush()
				pieces.requireIdentities()
			}
			if r.IntN(4) == 0 {
				pieces.reload()
			}
		}
		finish(pieces, from)
		requireSameRows(t, whole.final(), pieces.final())
	}
}

func requireSameRows(t *testing.T, want, got map[string]Row) {
	t.Helper()
	for key := range got {
		if _, has := want[key]; !has {
			require.Fail(t, "a row too many", key)
		}
	}
	for key, row := range want {
		if other := got[key]; other.digest() != row.digest() {
			require.Equal(t, row, other, key)
		}
	}
}

// finish lets everything be closed, and nothing expire.
func finish(b *board, from int64) {
	b.pass(from + 40*dayMillis)
	b.flush()
	b.requireIdentities()
	require.Zero(b.t, b.lost)
	require.Empty(b.t, b.directory.beyond)
}

// TestPQLsAreANaiveSum compares each row with a loop over all that came and left.
func TestPQLsAreANaiveSum(t *testing.T) {
	rollup := newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin", "America/St_Johns")
	from := instant(t, "2024-10-20T05:00:00Z")
	r := rand.New(rand.NewPCG(11, 12))
	deltas := randomContributions(r, from, 25, 1500, tiers)
	b := newBoard(t, rollup, DimTier)
	for i := range deltas {
		b.feed(deltas[i])
		if i%100 == 0 {
			b.flush()
		}
	}
	finish(b, from)
	seen := 0
	for _, row := range b.rows {
		if row.Metric != MetricPQLs {
			continue
		}
		before, within, firsts := int64(0), int64(0), int64(0)
		for _, d := range deltas {
			if !d.Cell.Kind.Standing() || GroupName(d.Values) != row.Group || d.At.Unit != "" && (string(d.At.Unit) != row.Unit || d.At.Zone != row.Zone) {
				continue
			}
			n := d.N
			if d.Cell.Kind == Out {
				n = -n
			}
			switch {
			case d.At.Start < row.WindowStart:
				before += n
			case d.At.Start < row.WindowEnd:
				within += n
				if d.Cell.Name == typeQualified {
					firsts += n
				}
			}
		}
		require.Equal(t, [3]int64{before, before + within, firsts}, [3]int64{row.CurrentStart.Value, row.CurrentEnd.Value, row.First.Value}, row.Key())
		seen++
	}
	assert.Greater(t, seen, 4000)
}

// TestRowsChangeAtTimersOnly lets time pass for all states all the time, and only when their timers say so.
func TestRowsChangeAtTimersOnly(t *testing.T) {
	limits := Limits{MaxGroups: 10, Lateness: 5 * time.Hour, Restatement: 100 * 24 * time.Hour}
	rollup := newRollup(t, limits, [][]string{{DimTier}}, "Asia/Kathmandu")
	from := instant(t, "2025-01-01T00:00:00Z")
	r := rand.New(rand.NewPCG(13, 14))
	deltas := randomContributions(r, from, 2, 40, tiers[:1])
	always, due := newBoard(t, rollup, DimTier), newBoard(t, rollup, DimTier)
	always.feed(deltas...)
	due.feed(deltas...)
	for at := from; at < from+150*dayMillis; at += r.Int64N(2 * dayMillis) {
		due.pass(at)
		due.flush()
		always.watermark = at
		for _, s := range always.series {
			s.Pass(at)
		}
		for _, s := range always.spans {
			s.Pass(at)
		}
		always.flush()
		if at < from+99*dayMillis {
			for key, row := range always.rows {
				row.AsOf, row.Revision = due.rows[key].AsOf, due.rows[key].Revision
				require.Equal(t, row, due.rows[key])
			}
			require.Len(t, due.rows, len(always.rows))
		}
	}
	assert.Empty(t, due.spans, "they have expired")
}
