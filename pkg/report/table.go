package report

import (
	"strings"
	"unicode/utf8"
)

// table is text in columns.
type table struct {
	columns []column
	rows    [][]string // the texts of columns
	values  []float64  // of each row, what the drawn column draws
}

// column is how a column looks.
type column struct {
	head  string
	right bool // numbers
	drawn bool // values are drawn as bars in what room there is; one column at most
	spare int  // columns with the highest number are the first to go where the room is too small; 0 stays
	note  bool // dimmed, and the last one: broken into lines where the room is too small
}

const (
	leastBar  = 4
	mostBar   = 24
	leastNote = 40
	indent    = "  "
	gap       = "  "
)

// write appends the table, not wider than so many characters if it can be. Columns without any content are left out.
func (t *table) write(b *strings.Builder, width int, s Style) {
	shown := t.fit(width)
	widths := t.widths(shown)
	room := max(leastBar, min(mostBar, leastBar+width-t.taken(shown, widths))) // of the one column that is drawn
	for _, c := range shown {
		if t.columns[c].drawn {
			widths[c] = room
		}
	}
	heads := make([]string, len(t.columns))
	for c := range t.columns {
		heads[c] = t.columns[c].head
	}
	t.line(b, shown, widths, heads, func(text string, _ *column) string { return s.dim(text) })
	largest := t.largest()
	for i, row := range t.rows {
		for _, c := range shown {
			if t.columns[c].drawn {
				row[c] = bar(t.values[i], largest, room)
			}
		}
		last := len(row) - 1
		note := []string{row[last]}
		if t.columns[last].note {
			note = broken(row[last], max(widths[last], width-t.taken(shown, widths)+widths[last]))
		}
		for i, text := range note {
			if i > 0 {
				row = make([]string, len(row))
			}
			row[last] = text
			t.line(b, shown, widths, row, s.cell)
		}
	}
}

func (s Style) cell(text string, c *column) string {
	switch {
	case c.note:
		return s.dim(text)
	case c.drawn:
		return s.chart(text)
	}
	return text
}

// broken breaks a text into lines at its blanks.
func broken(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// fit returns the columns that there is room for.
func (t *table) fit(width int) []int {
	var shown []int
	for c := range t.columns {
		if t.columns[c].drawn && t.largest() > 0 || t.any(c) {
			shown = append(shown, c)
		}
	}
	for t.taken(shown, t.widths(shown)) > width {
		at := -1
		for i, c := range shown {
			if spare := t.columns[c].spare; spare > 0 && (at < 0 || spare > t.columns[shown[at]].spare) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		shown = append(shown[:at:at], shown[at+1:]...)
	}
	return shown
}

func (t *table) any(c int) bool {
	for i := range t.rows {
		if t.rows[i][c] != "" {
			return true
		}
	}
	return false
}

func (t *table) largest() (most float64) {
	for _, v := range t.values {
		most = max(most, v)
	}
	return most
}

// widths returns how wide each column is, drawn ones as narrow as they may be.
func (t *table) widths(shown []int) []int {
	widths := make([]int, len(t.columns))
	for _, c := range shown {
		widths[c] = utf8.RuneCountInString(t.columns[c].head)
		if t.columns[c].drawn {
			widths[c] = max(widths[c], leastBar)
		}
		for i := range t.rows {
			widths[c] = max(widths[c], utf8.RuneCountInString(t.rows[i][c]))
		}
		if t.columns[c].note {
			widths[c] = min(widths[c], leastNote)
		}
	}
	return widths
}

// taken is how wide the table is with what it draws as narrow as it may be.
func (t *table) taken(shown []int, widths []int) int {
	n := len(indent) + len(gap)*max(0, len(shown)-1)
	for _, c := range shown {
		n += widths[c]
	}
	return n
}

func (t *table) line(b *strings.Builder, shown, widths []int, cells []string, style func(string, *column) string) {
	blank := len(indent) // before the next text: no line ends with blanks
	for _, c := range shown {
		pad := widths[c] - utf8.RuneCountInString(cells[c])
		if t.columns[c].right {
			blank, pad = blank+pad, 0
		}
		if cells[c] != "" {
			b.WriteString(strings.Repeat(" ", blank))
			b.WriteString(style(cells[c], &t.columns[c]))
			blank = 0
		}
		blank += pad + len(gap)
	}
	b.WriteByte('\n')
}
