package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Style is how tables look.
type Style struct {
	Width  int  // characters of a line, if they can be kept to
	Colour bool // escape codes of terminals
	Brief  bool // the details of a share side by side, and charts over all windows
	Last   bool // the newest windows only, so many as Windows says
}

// PipeWidth is the width of lines that go to no terminal.
const PipeWidth = 120

// Windows is how many windows of each unit are shown by default.
var Windows = map[rollup.Unit]int{rollup.Hour: 24, rollup.Day: 14, rollup.Week: 12, rollup.Month: 12}

func (s Style) paint(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) bold(text string) string  { return s.paint("1", text) }
func (s Style) dim(text string) string   { return s.paint("2", text) }
func (s Style) chart(text string) string { return s.paint("36", text) }

// Print writes rows that Select has returned as tables.
func Print(w io.Writer, rows []rollup.Row, s Style) error {
	p := printer{style: s, b: &strings.Builder{}}
	placed := make([]*rollup.Row, 0, len(rows))
	for i := range rows {
		if !windowless(&rows[i]) {
			placed = append(placed, &rows[i])
		}
	}
	for i, part := range chunks(placed, compareSeries) {
		if i > 0 {
			p.b.WriteByte('\n')
		}
		p.part(part)
	}
	for i := range rows {
		if windowless(&rows[i]) {
			p.unplaced(&rows[i])
		}
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// chunks cuts rows where they differ.
func chunks(rows []*rollup.Row, compare func(a, b *rollup.Row) int) (all [][]*rollup.Row) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && compare(rows[0], rows[n]) == 0 {
			n++
		}
		all, rows = append(all, rows[:n]), rows[n:]
	}
	return all
}

type printer struct {
	style Style
	b     *strings.Builder
	zones zones
}

// part writes what there is of a group in one unit and zone.
func (p *printer) part(rows []*rollup.Row) {
	r, asOf := rows[0], int64(0)
	for _, r := range rows {
		asOf = max(asOf, r.AsOf)
	}
	title := fmt.Sprintf("%ss in %s, %s, as of %s", r.Unit, r.Zone, groupTitle(r.Grouping, r.Group), p.zones.at(asOf, r.Zone).Format("2006-01-02 15:04"))
	fmt.Fprintln(p.b, p.style.bold(strings.ToUpper(title[:1])+printable(title[1:])))
	for _, metric := range chunks(rows, func(a, b *rollup.Row) int { return cmp.Compare(a.Metric, b.Metric) }) {
		p.metric(metric)
	}
}

// metric writes what there is of a metric.
func (p *printer) metric(rows []*rollup.Row) {
	m := &Metric{Name: rows[0].Metric, Title: rows[0].Metric, Says: "a metric that this version does not know: only an export has it"}
	if at := metricRank(m.Name); at < len(Metrics) {
		m = &Metrics[at]
	}
	fmt.Fprintf(p.b, "\n%s: %s\n", p.style.bold(printable(m.Title)), m.Says)
	if m.table == nil {
		return
	}
	shown := p.newest(rows)
	if p.style.Brief && m.Name == rollup.MetricPQLs {
		p.sparks(rows)
	}
	switch {
	case !byDays(m.Name):
		m.table(shown, &p.zones).write(p.b, p.style.Width, p.style)
	case p.style.Brief:
		pivotTable(shown, &p.zones).write(p.b, p.style.Width, p.style)
	default:
		p.details(m, shown)
	}
	if n, all := windows(shown), windows(rows); n < all {
		fmt.Fprintln(p.b, indent+p.style.dim(fmt.Sprintf("the last %d of %d %ss; --from shows more", n, all, rows[0].Unit)))
	}
}

// byDays says whether the details of a metric's rows are numbers of days, which make tables of their own.
func byDays(metric string) bool {
	return slices.Contains([]string{rollup.MetricPQLRate, rollup.MetricPaid, rollup.MetricPaidSince, rollup.MetricHoldOut}, metric)
}

// details writes a table for each detail.
func (p *printer) details(m *Metric, rows []*rollup.Row) {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *rollup.Row) int { return compareDetails(a.Detail, b.Detail) })
	for _, d := range chunks(rows, func(a, b *rollup.Row) int { return cmp.Compare(a.Detail, b.Detail) }) {
		fmt.Fprintln(p.b, indent+p.style.bold(printable(d[0].Detail)))
		m.table(d, &p.zones).write(p.b, p.style.Width, p.style)
	}
}

// newest returns the rows of the last windows.
func (p *printer) newest(rows []*rollup.Row) []*rollup.Row {
	most := Windows[rollup.Unit(rows[0].Unit)]
	if !p.style.Last || most == 0 {
		return rows
	}
	for i, n := len(rows)-1, 1; i > 0; i-- {
		if rows[i-1].WindowStart != rows[i].WindowStart {
			if n++; n > most {
				return rows[i:]
			}
		}
	}
	return rows
}

func windows(rows []*rollup.Row) int {
	return len(chunks(rows, func(a, b *rollup.Row) int { return cmp.Compare(a.WindowStart, b.WindowStart) }))
}

// sparks draws PQLs over all windows.
func (p *printer) sparks(rows []*rollup.Row) {
	var current, raw []float64
	for _, r := range rows {
		current, raw = append(current, float64(r.CurrentEnd.Value)), append(raw, float64(r.Raw.Value))
	}
	last := rows[len(rows)-1]
	for _, line := range []struct {
		name   string
		values []float64
		last   string
	}{{"current", current, number(last.CurrentEnd)}, {"raw", raw, number(last.Raw)}} {
		drawn := spark(line.values, max(p.style.Width-24, 10))
		fmt.Fprintf(p.b, "%s%-7s  %s  %s\n", indent, line.name, p.style.chart(drawn), line.last)
	}
}

// unplaced writes what is in no window, or in no group of its own.
func (p *printer) unplaced(r *rollup.Row) {
	if r.Count.Value == 0 {
		return
	}
	where := "grouping " + groupingName(r.Grouping)
	if r.Unit != "" {
		where += ", " + r.Unit + "s in " + r.Zone
	}
	m := Metrics[metricRank(r.Metric)]
	fmt.Fprintf(p.b, "\n%s: %s %s (%s)\n", p.style.bold(m.Title), number(r.Count), m.Says, printable(where))
}
