package rollup

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAMonthThatCanNoLongerBeCorrectedStaysAsItIs has rows asked for only when a timer fires or something comes, as a stage does.
func TestAMonthThatCanNoLongerBeCorrectedStaysAsItIs(t *testing.T) {
	b := newBoardOf(t, Month, "2025-02-10T12:00:00Z", DefaultLimits())
	b.feed(delta(t, "small", "2025-02-10T10:00:00Z", came, 2, Ordinary))
	b.flush()
	b.pass(instant(t, "2025-03-10T12:00:00Z"))
	b.feed(delta(t, "small", "2025-03-10T10:00:00Z", came, 1, Ordinary))
	b.flush()
	s, until := b.series["series|Europe/Berlin|month|tier|small"], instant(t, "2025-07-30T12:00:00Z")
	for s.NextTimer() <= until {
		b.pass(s.NextTimer())
		b.flush()
	}
	b.watermark = until
	was := b.gauge("small")
	b.feed(delta(t, "small", "2025-03-10T10:00:00Z", came, -1, ByErasure)) // 120 days after March have passed
	b.flush()
	now := b.gauge("small")
	assert.Equal(t, was[:2], now[:2], "February and March")
	assert.Contains(t, now[2], "31 22h 2-2 closed restated by erased", "April")
}

// TestRowsThatAreToldLateTakeInNoMore jumps with the watermark, and corrects what was before it, with no rows told in between.
func TestRowsThatAreToldLateTakeInNoMore(t *testing.T) {
	l := DefaultLimits()
	l.Restatement = 30 * 24 * time.Hour
	b := newBoardOf(t, Day, "2025-03-02T12:00:00Z", l)
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, 4, Ordinary))
	b.flush()
	b.pass(instant(t, "2025-06-01T00:00:00Z"))
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, -1, ByErasure))
	b.reload()
	b.flush()
	lines := b.gauge("large")
	assert.Equal(t, []string{"01 23h 0-4 closed r2", "02 23h 4-4 closed r2"}, lines[:2])
	oldest := len(lines) - 31 // the day of 2 May
	assert.Equal(t, []string{"30 22h 4-4 closed r2", "01 22h 3-3 closed r2"}, lines[oldest-1:oldest+1])
}

// TestAGroupThatBeginsWithWhatIsOld has nothing of a group come that could still be corrected.
func TestAGroupThatBeginsWithWhatIsOld(t *testing.T) {
	b := newBoardOf(t, Month, "2025-07-30T12:00:00Z", DefaultLimits())
	b.feed(delta(t, "small", "2025-01-10T10:00:00Z", came, 2, Ordinary))
	b.flush()
	assert.Equal(t, []string{"31 22h 2-2 closed r1", "30 22h 2-2 closed r1", "31 22h 2-2 closed r1", "30 22h 2-2 r1"}, b.gauge("small"), "April to July")
}

// arrival is a change as the model has it: in the window that it belongs to, or carried to the oldest one that could be corrected.
type arrival struct {
	start   int64
	carried bool
	n       int64
}

// TestOldRowsStay has changes of all ages come, and computes each row anew from when they came. So a row that can no longer be corrected
// stays as it is, and it doesn't matter when rows were asked for.
func TestOldRowsStay(t *testing.T) {
	limits := Limits{MaxGroups: 10, Lateness: 5 * time.Hour, Restatement: 40 * 24 * time.Hour}
	for _, unit := range allUnits {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 41))
			often, seldom := newBoardOf(t, unit, "2025-01-01T00:00:00Z", limits), newBoardOf(t, unit, "2025-01-01T00:00:00Z", limits)
			windows := often.rollup.windows[0]
			var arrivals []arrival
			for range 150 {
				at := often.watermark - r.Int64N(80*dayMillis)
				d := Delta{Values: []string{"large"}, At: SlotOf(at), Cell: came, N: 1 + r.Int64N(3), Why: Why(r.IntN(int(afterWhys)))}
				a := arrival{n: d.N}
				if r.IntN(3) == 0 {
					d.Cell, a.n = left, -a.n
				}
				var end int64
				if a.start, end = windows.At(at); end+limits.Restatement.Milliseconds() <= often.watermark {
					a.start, _ = windows.At(often.watermark - limits.Restatement.Milliseconds())
					a.carried = true
				}
				arrivals = append(arrivals, a)
				often.feed(d)
				seldom.feed(d)
				often.flush()
				if r.IntN(15) == 0 {
					seldom.flush()
				}
				next := often.watermark + r.Int64N(2*dayMillis)
				often.pass(next)
				seldom.pass(next)
			}
			often.flush()
			seldom.flush()
			requireArrived(t, often, arrivals)
			requireArrived(t, seldom, arrivals)
		}
	}
}

func requireArrived(t *testing.T, b *board, arrivals []arrival) {
	t.Helper()
	for key, row := range b.rows {
		if row.Metric != MetricPQLs {
			continue
		}
		start, net := int64(0), int64(0)
		for _, a := range arrivals {
			switch {
			case a.start < row.WindowStart || a.start == row.WindowStart && a.carried:
				start += a.n
			case a.start == row.WindowStart:
				net += a.n
			}
		}
		require.Equal(t, [2]int64{start, start + net}, [2]int64{row.CurrentStart.Value, row.CurrentEnd.Value}, key)
	}
}
