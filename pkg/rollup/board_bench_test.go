package rollup

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkDeltas is what a delta takes on the window's side: sorted into the windows of four units, added up, its rows made once for
// every thousand.
func BenchmarkDeltas(b *testing.B) {
	rollup := newRollup(b, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin")
	from := instant(b, "2025-03-20T05:00:00Z")
	deltas := sumDeltas(randomContributions(rand.New(rand.NewPCG(1, 2)), from, 1, 1000, tiers))
	board := newBoard(b, rollup, DimTier)
	board.watermark = from + 30*dayMillis
	rows := 0
	b.ReportAllocs()
	for b.Loop() {
		parcels, _ := board.directory.Take(deltas, board.watermark)
		for _, p := range parcels {
			if KindOf(p.Key) == SeriesEntity {
				if board.series[p.Key] == nil {
					board.series[p.Key], _ = rollup.Series(p.Key, nil)
				}
				board.series[p.Key].Apply(p.Changes, board.watermark)
				board.series[p.Key].Rows(func(*Row) { rows++ })
				continue
			}
			if board.spans[p.Key] == nil {
				board.spans[p.Key], _ = rollup.Span(p.Key, nil)
			}
			board.spans[p.Key].Apply(p.Changes, board.watermark)
			board.spans[p.Key].Rows(func(*Row) { rows++ })
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(deltas)), "ns/delta")
	b.ReportMetric(float64(rows)/float64(b.N*len(deltas)), "rows/delta")
}
