package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// layout makes the table of a metric from the rows that it has of one group, in order.
type layout func(rows []*rollup.Row, zones *zones) *table

// field is a column and where its texts come from.
type field struct {
	column
	text func(*rollup.Row) string
}

// tabulate makes a table with a line for each row: the window, the fields, and how the row stands.
func tabulate(rows []*rollup.Row, zones *zones, value func(*rollup.Row) float64, fields ...field) *table {
	t := &table{columns: []column{{head: windowHead(rows[0].Unit)}}}
	for i := range fields {
		t.columns = append(t.columns, fields[i].column)
	}
	t.columns = append(t.columns, column{note: true})
	for _, r := range rows {
		line := []string{window(r, zones)}
		for i := range fields {
			text := ""
			if !fields[i].drawn {
				text = printable(fields[i].text(r))
			}
			line = append(line, text)
		}
		t.rows = append(t.rows, append(line, standing(r, zones)))
		t.values = append(t.values, value(r))
	}
	return t
}

func windowHead(unit string) string {
	if rollup.Unit(unit) == rollup.Week {
		return "week of"
	}
	return unit
}

func count(head string, of func(*rollup.Row) rollup.Null[int64]) field {
	return field{column{head: head, right: true}, func(r *rollup.Row) string { return number(of(r)) }}
}

// some is a count that is left out where it is 0.
func some(head string, of func(*rollup.Row) rollup.Null[int64]) field {
	return field{column{head: head, right: true}, func(r *rollup.Row) string {
		if of(r).Value == 0 {
			return ""
		}
		return number(of(r))
	}}
}

func share(head string, of func(*rollup.Row) rollup.Null[float64]) field {
	return field{column{head: head, right: true}, func(r *rollup.Row) string { return percent(of(r)) }}
}

func span(head string, spare int, of func(*rollup.Row) rollup.Null[float64]) field {
	return field{column{head: head, right: true, spare: spare}, func(r *rollup.Row) string { return duration(of(r)) }}
}

func text(head string, of func(*rollup.Row) string) field { return field{column{head: head}, of} }

// drawing is the column that the values are drawn in.
func drawing(spare int) field { return field{column: column{drawn: true, spare: spare}} }

func numerator(r *rollup.Row) rollup.Null[int64]     { return r.Numerator }
func denominator(r *rollup.Row) rollup.Null[int64]   { return r.Denominator }
func rate(r *rollup.Row) rollup.Null[float64]        { return r.Rate }
func controlRate(r *rollup.Row) rollup.Null[float64] { return r.ControlRate }
func rateValue(r *rollup.Row) float64                { return r.Rate.Value }

func pqlsTable(rows []*rollup.Row, zones *zones) *table {
	return tabulate(rows, zones, func(r *rollup.Row) float64 { return float64(r.CurrentEnd.Value) },
		count("current", func(r *rollup.Row) rollup.Null[int64] { return r.CurrentEnd }), drawing(9),
		field{column{head: "change", right: true}, func(r *rollup.Row) string { return signed(r.CurrentEnd.Value - r.CurrentStart.Value) }},
		count("raw", func(r *rollup.Row) rollup.Null[int64] { return r.Raw }),
		count("first", func(r *rollup.Row) rollup.Null[int64] { return r.First }),
		count("again", func(r *rollup.Row) rollup.Null[int64] { return r.Repeated }),
		some("moved in", func(r *rollup.Row) rollup.Null[int64] { return r.InSegment }),
		count("left", func(r *rollup.Row) rollup.Null[int64] { return r.Outflow }),
		field{column{head: "why they left", spare: 10}, leavings},
	)
}

// leavings says why accounts left, most of them first.
func leavings(r *rollup.Row) string {
	type leaving struct {
		why string
		n   int64
	}
	all := []leaving{
		{"converted", r.OutConverted.Value}, {"inactive", r.OutInactive.Value}, {"trial ended", r.OutTrialEnded.Value}, {"step undone", r.OutStepUndone.Value},
		{"excluded", r.OutExcluded.Value}, {"tier changed", r.OutTierChanged.Value}, {"moved to another group", r.OutSegment.Value},
		{"definition changed", r.OutDefinition.Value}, {"other", r.OutOther.Value},
	}
	slices.SortStableFunc(all, func(a, b leaving) int { return int(b.n - a.n) })
	var parts []string
	for _, l := range all {
		if l.n != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", l.why, l.n))
		}
	}
	return strings.Join(parts, ", ")
}

func shareTable(counted, of string) layout {
	return func(rows []*rollup.Row, zones *zones) *table {
		return tabulate(rows, zones, rateValue, count(counted, numerator), count(of, denominator), share("share", rate), drawing(9),
			field{column{head: "95 % interval", spare: 7}, func(r *rollup.Row) string { return interval(r.Low, r.High) }})
	}
}

// againstTable shows shares of two groups, and how much they differ.
func againstTable(these, those string) layout {
	return func(rows []*rollup.Row, zones *zones) *table {
		return tabulate(rows, zones, rateValue,
			field{column{head: these, right: true}, func(r *rollup.Row) string { return fraction(r.Numerator, r.Denominator) }}, share("share", rate),
			field{column{head: those, right: true}, func(r *rollup.Row) string { return fraction(r.ControlNumerator, r.ControlDenominator) }}, share("share", controlRate),
			field{column{head: "difference", right: true}, func(r *rollup.Row) string { return points(r.Difference) }},
			field{column{head: "95 % interval", spare: 8}, func(r *rollup.Row) string { return pointsInterval(r.DifferenceLow, r.DifferenceHigh) }},
			field{column{head: "lift", right: true, spare: 7}, func(r *rollup.Row) string { return times(r.Lift) }},
		)
	}
}

func timeTable(accounts string) layout {
	return func(rows []*rollup.Row, zones *zones) *table {
		return tabulate(rows, zones, func(r *rollup.Row) float64 { return r.P50.Value },
			count(accounts, func(r *rollup.Row) rollup.Null[int64] { return r.Count }),
			span("median", 0, func(r *rollup.Row) rollup.Null[float64] { return r.P50 }), drawing(4),
			span("mean", 0, func(r *rollup.Row) rollup.Null[float64] { return r.Mean }),
			span("75 %", 0, func(r *rollup.Row) rollup.Null[float64] { return r.P75 }),
			span("90 %", 0, func(r *rollup.Row) rollup.Null[float64] { return r.P90 }),
			span("99 %", 5, func(r *rollup.Row) rollup.Null[float64] { return r.P99 }),
			span("shortest", 7, func(r *rollup.Row) rollup.Null[float64] { return r.Min }),
			span("longest", 6, func(r *rollup.Row) rollup.Null[float64] { return r.Max }),
			some("no sign-up", func(r *rollup.Row) rollup.Null[int64] { return r.SignupUnknown }),
		)
	}
}

// funnelTable has the steps of a window in the order of how many have done them.
func funnelTable(rows []*rollup.Row, zones *zones) *table {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *rollup.Row) int {
		return cmp.Or(cmp.Compare(a.WindowStart, b.WindowStart), cmp.Compare(a.Position.Value, b.Position.Value))
	})
	return tabulate(rows, zones, rateValue, text("step", detail), count("done", numerator), count("signed up", denominator), share("share", rate), drawing(9),
		field{column{head: "lost before it", right: true, spare: 4}, dropOff},
		span("median", 3, func(r *rollup.Row) rollup.Null[float64] { return r.P50 }),
		span("90 %", 5, func(r *rollup.Row) rollup.Null[float64] { return r.P90 }))
}

// dropOff says how many of the accounts that came as far as the step before did not do this one.
func dropOff(r *rollup.Row) string {
	if r.Previous.Value <= 0 {
		return ""
	}
	lost := r.Previous.Value - r.Numerator.Value
	return fmt.Sprintf("%d of %d", lost, r.Previous.Value)
}

func activationTable(rows []*rollup.Row, zones *zones) *table {
	return tabulate(rows, zones, rateValue, text("rate", tenth), count("accounts", numerator), count("signed up", denominator), share("share", rate), drawing(9))
}

// tenth says which rates a row is of.
func tenth(r *rollup.Row) string {
	from := leadingNumber(r.Detail)
	if from == 100 {
		return "100 %"
	}
	return fmt.Sprintf("%d to %d %%", from, from+9)
}

func countTable(detailHead, head string) layout {
	return func(rows []*rollup.Row, zones *zones) *table {
		return tabulate(rows, zones, func(r *rollup.Row) float64 { return float64(r.Count.Value) }, text(detailHead, detail),
			count(head, func(r *rollup.Row) rollup.Null[int64] { return r.Count }), drawing(9))
	}
}

func detail(r *rollup.Row) string { return r.Detail }

// pivotTable has a line for each window, with the share of each detail and what it is of.
func pivotTable(rows []*rollup.Row, zones *zones) *table {
	var details []string
	for _, r := range rows {
		if !slices.Contains(details, r.Detail) {
			details = append(details, r.Detail)
		}
	}
	slices.SortFunc(details, compareDetails)
	t := &table{columns: []column{{head: windowHead(rows[0].Unit)}}}
	for _, d := range details {
		t.columns = append(t.columns, column{head: printable(d), right: true}, column{right: true})
	}
	t.columns = append(t.columns, column{note: true})
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].WindowStart == rows[0].WindowStart {
			n++
		}
		line := make([]string, len(t.columns))
		line[0] = window(rows[0], zones)
		for _, r := range rows[:n] {
			c := 1 + 2*slices.Index(details, r.Detail)
			line[c], line[c+1] = percent(r.Rate), fraction(r.Numerator, r.Denominator)
		}
		line[len(line)-1] = standings(rows[:n], zones)
		t.rows = append(t.rows, line)
		rows = rows[n:]
	}
	return t
}

// standings is standing for the details of one window.
func standings(rows []*rollup.Row, zones *zones) string {
	var parts []string
	if !rows[0].Closed {
		parts = append(parts, "still open")
	}
	if i := slices.IndexFunc(rows, unripe); i >= 0 {
		first := rows[i]
		note := printable(first.Detail) + " unripe until " + ripens(first, zones)
		for j, later := range rows[i+1:] {
			note += []string{", then ", ", "}[min(j, 1)] + printable(later.Detail)
		}
		parts = append(parts, note)
	}
	for _, r := range rows {
		if c := corrected(r); c != nil {
			return strings.Join(append(parts, c...), "; ")
		}
	}
	return strings.Join(parts, "; ")
}

func fraction(n, of rollup.Null[int64]) string {
	if !n.Known || !of.Known {
		return ""
	}
	return number(n) + "/" + number(of)
}

// points writes a difference between shares.
func points(d rollup.Null[float64]) string {
	if !d.Known {
		return ""
	}
	return fmt.Sprintf("%+.1f points", d.Value*100)
}

func pointsInterval(low, high rollup.Null[float64]) string {
	if !low.Known || !high.Known {
		return ""
	}
	return fmt.Sprintf("%+.1f to %+.1f", low.Value*100, high.Value*100)
}

// times writes how many times as large something is.
func times(lift rollup.Null[float64]) string {
	if !lift.Known {
		return ""
	}
	return fmt.Sprintf("%.2f times", lift.Value)
}
