package scenario

import (
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// noRow says of a row that it is not there. It is said alone.
var noRow = &spec{words: "no row", form: flag, use: ofRows, get: func(s subject, _ string) value { return flagValue(s.row == nil) }}

// rowSpecs are the attributes of rows: their columns, by the names that docs/metrics.md explains.
var rowSpecs = append(columnSpecs(), noRow)

// uncompared are the columns that a line doesn't say anything of: those that say which row it is, and those that depend on when rows
// are published.
var uncompared = []string{"metric", "detail", "unit", "window_start", "zone", "grouping", "group", "revision", "as_of", "sketch"}

func columnSpecs() (all []*spec) {
	for _, c := range rollup.Columns {
		if slices.Contains(uncompared, c.Name) {
			continue
		}
		s := &spec{words: c.Name, form: formOf(c.Name), use: ofRows, get: func(s subject, _ string) value { return columnValue(c, s.row) }}
		if s.form == flag {
			s.not = "not " + c.Name
		}
		all = append(all, s)
	}
	return all
}

func formOf(column string) form {
	switch column {
	case "closed", "mature":
		return flag
	case "window_end", "mature_at":
		return moment
	case "restated":
		return set
	case "rate", "low", "high", "control_rate", "difference", "difference_low", "difference_high":
		return percent
	case "lift":
		return ratio
	case "mean":
		return length
	case "min", "max", "p50", "p75", "p90", "p99":
		return about
	}
	return number
}

// columnValue is what a row has in a column. Nothing is known of a row that is not there.
func columnValue(c rollup.Column, r *rollup.Row) value {
	if r == nil {
		return value{none: true}
	}
	form := formOf(c.Name)
	switch v := c.Of(r).(type) {
	case *bool:
		return flagValue(*v)
	case *string:
		if *v == "" {
			return value{none: true}
		}
		return listValue(strings.Split(*v, ","))
	case *int64:
		return value{at: *v}
	case *rollup.Null[int64]:
		if form == moment {
			return value{none: !v.Known, at: v.Value}
		}
		return value{none: !v.Known, num: float64(v.Value)}
	case *rollup.Null[float64]:
		if form == percent {
			return value{none: !v.Known, num: v.Value * 100}
		}
		return value{none: !v.Known, num: v.Value}
	}
	return value{none: true}
}

// fitsRow says whether a row is what a line expects. Of one that is not there nothing else holds, and a line must say something.
func (w *want) fitsRow(s subject) bool {
	if len(w.attributes) == 0 || (s.row == nil) != w.has(noRow.words) {
		return false
	}
	return w.fits(s, nil)
}

// rewrittenRow returns a line that says what the row is.
func (f *File) rewrittenRow(w *want, s subject) string {
	if s.row != nil && len(w.attributes) > 0 && !w.has(noRow.words) {
		return f.rewritten(w, s)
	}
	line := f.lines[w.line]
	return line[:w.keyEnd] + attributesText(usualOfRow(s), s, "  ", f.clock) + line[w.end:]
}

// usualColumns are those that a line gets where somebody has not chosen others.
var usualColumns = map[string][]string{
	rollup.MetricPQLs:           {"raw", "current_start", "current_end", "inflow", "outflow"},
	rollup.MetricTimeToPQL:      {"count", "mean", "p50", "signup_unknown"},
	rollup.MetricTimeToPQLSince: {"count", "mean", "p50"},
	rollup.MetricTimeToPaid:     {"count", "mean", "p50"},
	rollup.MetricPaidSince:      {"numerator", "denominator", "rate", "control_numerator", "control_denominator", "control_rate", "lift"},
	rollup.MetricHoldOut:        {"numerator", "denominator", "rate", "control_numerator", "control_denominator", "control_rate", "lift"},
	rollup.MetricFunnel:         {"numerator", "denominator", "position", "previous"},
	rollup.MetricSales:          {"count"},
	rollup.MetricOther:          {"count"},
	rollup.MetricBeyond:         {"count"},
}

func usualOfRow(s subject) (all []attribute) {
	if s.row == nil {
		return []attribute{{spec: noRow}}
	}
	columns, known := usualColumns[s.row.Metric]
	if !known {
		columns = []string{"numerator", "denominator", "rate"}
	}
	columns = slices.Clone(columns)
	if s.row.MatureAt.Known {
		columns = append(columns, "mature")
	}
	if s.row.Restated != "" {
		columns = append(columns, "restated")
	}
	for _, name := range columns {
		all = append(all, attribute{spec: rowSpecs[slices.IndexFunc(rowSpecs, func(s *spec) bool { return s.words == name })]})
	}
	return all
}
