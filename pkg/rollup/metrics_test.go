package rollup

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cell makes a cell of a kind and what tells it apart.
func cell(kind Kind, rest ...any) Cell {
	c := Cell{Kind: kind}
	for _, v := range rest {
		switch v := v.(type) {
		case string:
			c.Name = v
		case int:
			c.Number = int32(v)
		case int32:
			c.Number = v
		}
	}
	return c
}

// counts are what lies in one day of one group.
type dayOf map[Cell]int64

// rowsOf returns the rows that a day has at some watermark, by metric and detail, with only what is told of numbers.
func rowsOf(t *testing.T, day dayOf, after time.Duration) map[string]Row {
	t.Helper()
	r := newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "UTC")
	b := newBoard(t, r, DimTier)
	start := instant(t, "2025-03-01T00:00:00Z")
	var deltas []Delta
	for c, n := range day {
		deltas = append(deltas, Delta{Values: []string{"large"}, At: SlotOf(start + 5*hourMillis), Cell: c, N: n})
	}
	b.feed(deltas...)
	b.pass(start + dayMillis + after.Milliseconds())
	b.flush()
	all := map[string]Row{}
	for _, row := range b.rows {
		if row.Unit == string(Day) && row.WindowStart == start {
			assert.Equal(t, []any{"UTC", "tier", "large", start + dayMillis}, []any{row.Zone, row.Grouping, row.Group, row.WindowEnd})
			all[row.Metric+" "+row.Detail] = row
		}
	}
	return all
}

// numbers is what a row tells, without which window it is of.
func numbers(r Row) Row {
	r.Metric, r.Detail, r.Unit, r.Zone, r.Grouping, r.Group, r.WindowStart, r.WindowEnd = "", "", "", "", "", "", 0, 0
	r.Revision, r.AsOf, r.Closed, r.Mature, r.Restated, r.Sketch = 0, 0, false, false, "", nil
	r.MatureAt = Null[int64]{}
	return r
}

func f(v float64) Null[float64] { return some(v) }
func n(v int64) Null[int64]     { return some(v) }

// requireNumbers compares to six digits.
func requireNumbers(t *testing.T, want, got Row) {
	t.Helper()
	for _, c := range Columns {
		w, is := c.Of(&want), c.Of(&got)
		if w, ok := w.(*Null[float64]); ok {
			is := is.(*Null[float64])
			require.Equal(t, w.Known, is.Known, c.Name)
			require.InDelta(t, w.Value, is.Value, 5e-7, c.Name)
			continue
		}
		require.Equal(t, w, is, c.Name)
	}
}

// TestEachMetricsRow has rows worked out by hand. The intervals were found by bisecting the score test, not by the closed form.
func TestEachMetricsRow(t *testing.T) {
	signedUp := dayOf{cell(SignedUp): 20, cell(HeldSignedUp): 4, cell(QualifiedWithin, 7): 6, cell(QualifiedWithin, 14): 8, cell(QualifiedWithin, 30): 10,
		cell(HeldQualifiedWithin, 7): 1, cell(HeldQualifiedWithin, 14): 2, cell(HeldQualifiedWithin, 30): 2,
		cell(PaidSince): 7, cell(QualifiedPaidSince, 7): 4, cell(QualifiedPaidSince, 14): 5, cell(QualifiedPaidSince, 30): 6,
		cell(Rate, 0): 5, cell(Rate, 10): 15, cell(In, typeQualified): 6, cell(In, typeRequalified): 2, cell(SignupUnknown): 1, cell(TimeToPQL, 9): 5,
		cell(StepTime, "first", BinOf(60_000)): 15, cell(StepTimeSum, "first"): 15 * 60_000,
		cell(StepTime, "second", NoTime): 5,
	}
	qualified := dayOf{cell(Accounts): 10, cell(Paid, 7): 1, cell(Paid, 30): 3, cell(Paid, 60): 4, cell(Paid, 90): 4, cell(HeldAccounts): 5, cell(HeldPaid, 30): 1, cell(HeldPaid, 60): 1,
		cell(HeldPaid, 90): 1, cell(TimeToPaid, BinOf(100_000)): 4, cell(TimeToPaid, BinOf(200_000)): 1, cell(TimeToPaidSum): 600_000,
		cell(TimeToPQL, BinOf(1000)): 1, cell(TimeToPQL, BinOf(3000)): 1, cell(TimeToPQLSum): 4000, cell(SignupUnknown): 3}
	bin := func(ms int64) Null[float64] { return f(secondsOf(BinOf(ms))) }
	for name, c := range map[string]struct {
		day  dayOf
		want map[string]Row
	}{
		"pqls": {dayOf{
			cell(In, typeQualified): 5, cell(In, typeRequalified): 2, cell(In, segmentChanged): 1, cell(Out, typeConverted): 1, cell(Out, "inactive"): 2, cell(Out, "unknown"): 1,
		}, map[string]Row{"pqls ": {
			First: n(5), Repeated: n(2), Raw: n(7), CurrentStart: n(0), CurrentEnd: n(4), Inflow: n(8), Outflow: n(4), InQualified: n(5), InRequalified: n(2), InSegment: n(1),
			OutInactive: n(2), OutTrialEnded: n(0), OutStepUndone: n(0), OutExcluded: n(0), OutTierChanged: n(0), OutSegment: n(0), OutDefinition: n(0), OutConverted: n(1), OutOther: n(1),
		}}},
		"cohort": {signedUp, map[string]Row{
			"pql_rate 7d":      {Numerator: n(6), Denominator: n(20), Rate: f(0.3), Low: f(0.1454772), High: f(0.5189728)},
			"pql_rate 14d":     {Numerator: n(8), Denominator: n(20), Rate: f(0.4), Low: f(0.2188065), High: f(0.6134185)},
			"pql_rate_period ": {Numerator: n(5), Denominator: n(20), Rate: f(0.25)},
			"pql_to_paid_cohort 7d": { // 4 of 5 against 3 of 11
				Numerator: n(4), Denominator: n(5), Rate: f(0.8), Low: f(0.3755346), High: f(0.9637759),
				ControlNumerator: n(3), ControlDenominator: n(11), ControlRate: f(3. / 11), Lift: f(0.8 * 11 / 3), Difference: f(0.8 - 3./11),
				DifferenceLow: f(0.0115482), DifferenceHigh: f(0.7671497),
			},
			"activation_rate 0":   {Numerator: n(5), Denominator: n(20), Rate: f(0.25), Low: f(0.1118617), High: f(0.4687009)},
			"activation_rate 100": {Numerator: n(15), Denominator: n(20), Rate: f(0.75), Low: f(0.5312991), High: f(0.8881383)},
			"funnel first": {Numerator: n(15), Denominator: n(20), Rate: f(0.75), Low: f(0.5312991), High: f(0.8881383), Position: n(1), Previous: n(20),
				Count: n(15), Mean: f(60), Min: bin(60_000), Max: bin(60_000), P50: bin(60_000), P75: bin(60_000), P90: bin(60_000), P99: bin(60_000)},
			"funnel second": {Numerator: n(5), Denominator: n(20), Rate: f(0.25), Low: f(0.1118617), High: f(0.4687009), Position: n(2), Previous: n(15),
				Count: n(5), Mean: f(0), Min: f(0), Max: f(0), P50: f(0), P75: f(0), P90: f(0), P99: f(0)},
		}},
		"qualified": {qualified, map[string]Row{
			"pql_to_paid 7d":  {Numerator: n(1), Denominator: n(10), Rate: f(0.1), Low: f(0.0178762), High: f(0.4041500)},
			"pql_to_paid 90d": {Numerator: n(4), Denominator: n(10), Rate: f(0.4), Low: f(0.1681803), High: f(0.6873262)},
			"hold_out 7d": {Numerator: n(1), Denominator: n(10), Rate: f(0.1), Low: f(0.0178762), High: f(0.4041500), ControlNumerator: n(0), ControlDenominator: n(5), ControlRate: f(0),
				Difference: f(0.1), DifferenceLow: f(-0.3421757), DifferenceHigh: f(0.4041500)},
			"precision ":    {Numerator: n(5), Denominator: n(10), Rate: f(0.5), Low: f(0.2365931), High: f(0.7634069)},
			"time_to_paid ": {Count: n(5), Mean: f(120), Min: bin(100_000), Max: bin(200_000), P50: bin(100_000), P75: bin(100_000), P90: bin(100_000), P99: bin(100_000)},
			"time_to_pql ":  {Count: n(2), Mean: f(2), Min: bin(1000), Max: bin(3000), P50: bin(1000), P75: bin(1000), P90: bin(1000), P99: bin(1000), SignupUnknown: n(3)},
		}},
		"since sign-up": {dayOf{cell(CohortTimeToPQL, BinOf(5000)): 2, cell(CohortTimeToPQLSum): 10_000}, map[string]Row{
			"time_to_pql_cohort ": {Count: n(2), Mean: f(5), Min: bin(5000), Max: bin(5000), P50: bin(5000), P75: bin(5000), P90: bin(5000), P99: bin(5000)},
		}},
		"sales": {dayOf{cell(Feedback, "sales_accepted"): 3, cell(Feedback, "sales_rejected"): 1, cell(Feedback, "sales_won"): 1}, map[string]Row{
			"sales_acceptance ":    {Numerator: n(3), Denominator: n(4), Rate: f(0.75), Low: f(0.3006418), High: f(0.9544127)},
			"sales sales_accepted": {Count: n(3)}, "sales sales_rejected": {Count: n(1)}, "sales sales_won": {Count: n(1)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rows := rowsOf(t, c.day, time.Hour)
			for key, want := range c.want {
				require.Contains(t, rows, key)
				requireNumbers(t, want, numbers(rows[key]))
				delete(rows, key)
			}
			if name == "sales" {
				require.Empty(t, rows)
			}
		})
	}
}

// TestRowsRipen lets time pass after a day until its rows can no longer change.
func TestRowsRipen(t *testing.T) {
	day := dayOf{cell(SignedUp): 2, cell(QualifiedWithin, 7): 1, cell(In, typeQualified): 1, cell(Accounts): 1, cell(HeldAccounts): 1, cell(TimeToPaid, 5): 1,
		cell(StepTime, "a", 5): 1, cell(Rate, 3): 1, cell(TimeToPQL, 3): 1, cell(CohortTimeToPQL, 3): 1, cell(Feedback, "sales_accepted"): 1}
	end := instant(t, "2025-03-02T00:00:00Z")
	matures := map[string]int{"pql_rate 7d": 7, "pql_rate 14d": 14, "pql_rate 30d": 30, "pql_rate_period ": 1, "time_to_pql ": 1, "time_to_pql_cohort ": 120,
		"pql_to_paid 7d": 7, "pql_to_paid 30d": 30, "pql_to_paid 60d": 60, "pql_to_paid 90d": 90, "hold_out 7d": 7, "hold_out 30d": 30, "hold_out 60d": 60, "hold_out 90d": 90,
		"pql_to_paid_cohort 7d": 90, "pql_to_paid_cohort 14d": 90, "pql_to_paid_cohort 30d": 90, "time_to_paid ": 120, "funnel a": 120, "activation_rate 30": 120,
		"precision ": 120, "sales_acceptance ": 1, "sales sales_accepted": 1, "pqls ": 1}
	for _, days := range []int{0, 1, 6, 7, 13, 14, 29, 30, 59, 60, 89, 90, 119, 120} {
		rows := rowsOf(t, day, time.Duration(days)*24*time.Hour)
		assert.Len(t, rows, len(matures))
		for key, after := range matures {
			row, is := rows[key]
			require.True(t, is, key)
			assert.Equal(t, days >= 1, row.Closed, key)
			assert.Equal(t, days >= after, row.Mature, "%s after %d days", key, days)
			if after > 1 {
				assert.Equal(t, some(end+int64(after)*dayMillis), row.MatureAt, key)
			} else {
				assert.False(t, row.MatureAt.Known, key)
			}
		}
	}
}

func TestNumbersThatAreNoShareHaveNoInterval(t *testing.T) {
	for _, c := range [][2]int64{{0, 0}, {1, 0}, {2, 1}, {-1, 3}, {0, -1}} {
		var r Row
		r.share(c[0], c[1])
		r.against(c[0], c[1])
		assert.Equal(t, Row{Numerator: n(c[0]), Denominator: n(c[1]), ControlNumerator: n(c[0]), ControlDenominator: n(c[1])}, r, fmt.Sprint(c))
	}
}
