package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is one figure of a table and how many decimals it is shown with.
type column struct {
	name     string
	decimals int
}

// table collects the figures of runs.
type table struct {
	title   string
	columns []column
	rows    [][]float64
}

func (t *table) add(figures ...float64) { t.rows = append(t.rows, figures) }

// print writes the runs and their medians as Markdown.
func (t *table) print(w io.Writer) {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	fmt.Fprintf(w, "\n%s\n\n| run | %s |\n|%s\n", t.title, strings.Join(names, " | "), strings.Repeat("---|", len(names)+1))
	for i, row := range t.rows {
		t.line(w, fmt.Sprint(i+1), row)
	}
	if len(t.rows) < 2 {
		return
	}
	medians := make([]float64, len(t.columns))
	for i := range t.columns {
		var all []float64
		for _, row := range t.rows {
			all = append(all, row[i])
		}
		medians[i] = quantile(all, 0.5)
	}
	t.line(w, "median", medians)
}

func (t *table) line(w io.Writer, name string, figures []float64) {
	fmt.Fprintf(w, "| %s |", name)
	for i, f := range figures {
		fmt.Fprintf(w, " %.*f |", t.columns[i].decimals, f)
	}
	fmt.Fprintln(w)
}

// quantile returns the value that a share of all values does not exceed.
func quantile(all []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(share*float64(len(sorted)-1))]
}
