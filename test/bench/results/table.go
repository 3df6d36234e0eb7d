// Package results holds what benchmarks measured: as a table for people and as a file for the page that is made from it.
package results

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Table is what one benchmark measured.
type Table struct {
	Name    string // of its file
	Title   string
	Command string // that measured it
	Date    string
	Machine Machine
	Of      string // what a row is of
	Columns []Column
	Rows    []Row
}

// Column is one figure.
type Column struct {
	Key      string
	Name     string
	Decimals int
	Spread   bool // the least and the most are shown beside the median
}

// Row is what was measured of one thing: a figure for each column, in each run. 0 stands for a figure that there is not.
type Row struct {
	Name string
	Runs [][]float64
}

// Add adds a run to the row with a name.
func (t *Table) Add(name string, figures ...float64) {
	if len(figures) != len(t.Columns) {
		panic(fmt.Sprintf("%d figures for %d columns", len(figures), len(t.Columns)))
	}
	i := slices.IndexFunc(t.Rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		i = len(t.Rows)
		t.Rows = append(t.Rows, Row{Name: name})
	}
	t.Rows[i].Runs = append(t.Rows[i].Runs, figures)
}

// Median returns the median of a row's figure, and whether the table has it.
func (t *Table) Median(row, column string) (float64, bool) {
	r := slices.IndexFunc(t.Rows, func(r Row) bool { return r.Name == row })
	c := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Key == column })
	if r < 0 || c < 0 || len(t.Rows[r].Runs) == 0 {
		return 0, false
	}
	m := median(t.Rows[r].column(c))
	return m, m != 0
}

func (r *Row) column(i int) []float64 {
	all := make([]float64, len(r.Runs))
	for run, figures := range r.Runs {
		all[run] = figures[i]
	}
	return all
}

// Markdown writes the table: the median of each figure.
func (t *Table) Markdown(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n| %s |", t.Title, t.Of)
	for _, c := range t.Columns {
		fmt.Fprintf(w, " %s |", c.Name)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---:|", len(t.Columns)))
	for i := range t.Rows {
		r := &t.Rows[i]
		fmt.Fprintf(w, "| %s |", r.Name)
		for j, c := range t.Columns {
			fmt.Fprintf(w, " %s |", c.cell(r.column(j)))
		}
		fmt.Fprintln(w)
	}
}

func (c *Column) cell(figures []float64) string {
	least, most := slices.Min(figures), slices.Max(figures)
	if least == 0 && most == 0 {
		return "–"
	}
	middle := Number(median(figures), c.Decimals)
	if !c.Spread || len(figures) == 1 {
		return middle
	}
	return fmt.Sprintf("%s (%s–%s)", middle, Number(least, c.Decimals), Number(most, c.Decimals))
}

// Number writes a figure with commas between thousands.
func Number(f float64, decimals int) string {
	text := strconv.FormatFloat(math.Abs(f), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if f < 0 {
		whole = "-" + whole
	}
	return whole
}

// Quantile returns the least of all values that a share of them does not exceed, 0 when there are none. The share is above
// 0 and at most 1.
func Quantile(all []float64, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	rank := math.Ceil(share*float64(len(all)) - 1e-9) // what the product loses must not make it one more
	return slices.Sorted(slices.Values(all))[max(int(rank), 1)-1]
}

// median returns the value in the middle, or between the two in the middle. There has to be one.
func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Save writes the table to its file in a folder, which is made.
func (t *Table) Save(folder string) error {
	b, err := json.MarshalIndent(t, "", "  ")
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, t.Name+".json"), append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("saving the results of %s: %w", t.Name, err)
	}
	return nil
}

// Load reads the table with a name from a folder.
func Load(folder, name string) (*Table, error) {
	b, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		return nil, err
	}
	t := &Table{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, fmt.Errorf("reading the results of %s: %w", name, err)
	}
	return t, nil
}
