package rollup

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFactsBecomeTheSameRowsInWhateverPieces folds accounts' facts on the one side and takes what is flushed in on the other: all at
// once, and in pieces, with rows going out in between.
func TestFactsBecomeTheSameRowsInWhateverPieces(t *testing.T) {
	settings := everything(t)
	settings.Windows = slices.DeleteFunc(slices.Clone(settings.Windows), func(w *Windows) bool { return w.Unit() == Hour }) // so many rows take long
	rollup, err := NewRollup(&settings, DefaultLimits())
	require.NoError(t, err)
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 31))
		lives := make([][]Fact, 20)
		for i := range lives {
			lives[i] = randomFacts(random)
		}
		whole, pieces := boardsOf(t, rollup), boardsOf(t, rollup)
		all, part := newMeasure(t, settings), newMeasure(t, settings)
		interleave(random, lives, func(_ int, h *History, f *Fact) { all.Fold(h, f) })
		whole.take(t, all)
		interleave(random, lives, func(_ int, h *History, f *Fact) {
			if part.Fold(h, f); random.IntN(50) == 0 {
				pieces.take(t, part)
			}
			if random.IntN(100) == 0 {
				pieces.each(func(b *board) {
					b.pass(b.watermark + random.Int64N(2*dayMillis))
					b.flush()
					b.requireIdentities()
				})
			}
		})
		pieces.take(t, part)
		for grouping, b := range pieces {
			finish(b, on(1, 0)+80*dayMillis)
			finish(whole[grouping], on(1, 0)+80*dayMillis)
			requireSameRows(t, whole[grouping].final(), b.final())
			requireShares(t, b)
		}
	}
}

// boards are those of several groupings.
type boards map[string]*board

func boardsOf(t *testing.T, r *Rollup) boards {
	all := boards{}
	for _, g := range r.groupings {
		all[GroupingName(g)] = newBoard(t, r, GroupingName(g))
		all[GroupingName(g)].watermark = on(1, 0)
	}
	return all
}

func (bs boards) each(do func(*board)) {
	for _, b := range bs {
		do(b)
	}
}

func (bs boards) take(t *testing.T, m *Measure) {
	m.Flush(func(grouping string, batch []byte) {
		deltas, err := DecodeBatch(nil, batch)
		require.NoError(t, err)
		bs[grouping].feed(deltas...)
	})
}

// requireShares checks that all that is told as a share is one: both sides count the same accounts.
func requireShares(t *testing.T, b *board) {
	shares := 0
	for _, r := range b.rows {
		if r.Metric == MetricPQLRatePeriod || !r.Numerator.Known {
			continue
		}
		share := r.Numerator.Value >= 0 && r.Numerator.Value <= r.Denominator.Value && r.Rate.Known == (r.Denominator.Value > 0)
		control := r.ControlNumerator.Value >= 0 && r.ControlNumerator.Value <= r.ControlDenominator.Value
		if !share || !control {
			require.Fail(t, "no share", "%+v", r)
		}
		shares++
	}
	assert.Greater(t, shares, 50)
}
