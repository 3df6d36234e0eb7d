package rollup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// corrected returns what rows of all windows say to have restated them, by metric and detail. Rows that say nothing are missing.
func (b *board) corrected() map[string]string {
	all := map[string]string{}
	for _, r := range b.rows {
		if r.Restated != "" {
			all[r.Metric+" "+r.Detail] = r.Restated
		}
	}
	return all
}

// TestARowIsRestatedByWhatItIsMadeFrom has what is ordinary change rows, together with corrections of others.
func TestARowIsRestatedByWhatItIsMadeFrom(t *testing.T) {
	r, err := NewRollup(&Settings{
		Groupings: [][]string{{DimTier}}, CohortDays: []int{7, 30}, PaidDays: []int{30, 90}, Windows: []*Windows{newWindows(t, "UTC", Day, time.Monday)},
	}, DefaultLimits())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cells []Cell // which all change in the ordinary way
		why   Cell   // the one that a correction changes
		want  map[string]string
	}{
		"number": {[]Cell{cell(QualifiedWithin, 7), cell(QualifiedWithin, 30)}, cell(QualifiedWithin, 30), map[string]string{"pql_rate 30d": "late", "pql_to_paid_cohort 30d": "late"}},
		"name":   {[]Cell{cell(Feedback, "sales_won"), cell(Feedback, "sales_lost")}, cell(Feedback, "sales_lost"), map[string]string{"sales sales_lost": "late"}},
		"kind":   {[]Cell{cell(Paid, 30), cell(Paid, 90), cell(HeldAccounts)}, cell(HeldAccounts), map[string]string{"hold_out 30d": "late", "hold_out 90d": "late"}},
		"durations": {[]Cell{cell(TimeToPaid, 3), cell(TimeToPQL, 3), cell(Accounts)}, cell(TimeToPaid, 5),
			map[string]string{"time_to_paid ": "late", "precision ": "late"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, r, DimTier)
			b.watermark = instant(t, "2025-03-05T00:00:00Z")
			feed := func(c Cell, n int64, why Why) { b.feed(delta(t, "large", "2025-03-02T10:00:00Z", c, n, why)) }
			ordinary := func() {
				for _, c := range c.cells {
					feed(c, 1, Ordinary)
				}
			}
			feed(cell(SignedUp), 4, Ordinary)
			ordinary()
			b.flush()
			feed(c.cells[0], 1, ByMerge) // and is taken back before it is told
			feed(c.cells[0], -1, ByMerge)
			ordinary()
			feed(c.why, 1, Late)
			b.reload()
			b.flush()
			assert.Equal(t, c.want, b.corrected())
		})
	}
}

// TestPQLsAreRestatedByWhatMovesThem corrects windows so that later ones are not changed by that, but by something else.
func TestPQLsAreRestatedByWhatMovesThem(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, 2, Ordinary))
	b.flush()
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, 1, Late), delta(t, "large", "2025-03-03T10:00:00Z", left, 1, Late),
		delta(t, "large", "2025-03-04T10:00:00Z", came, 1, ByMerge), delta(t, "large", "2025-03-04T10:00:00Z", left, 1, ByMerge),
		delta(t, "large", "2025-03-05T10:00:00Z", came, -1, ByErasure))
	b.reload()
	b.flush()
	assert.Equal(t, []string{"01 23h 0-3 closed restated by late r2", "02 23h 3-2 closed restated by late r2", "03 23h 2-2 closed restated by merged r2",
		"04 23h 2-1 closed restated by erased r2", "05 23h 1-1 closed restated by erased r2"}, b.gauge("large")[:5])
}
