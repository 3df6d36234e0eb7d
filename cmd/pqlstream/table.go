package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// table is columns under headings, for people. Texts may be anybody's: none of them gets through to a terminal as a command.
type table struct {
	paint    paint
	room     int // columns of the terminal, 0: as many as it takes
	headings []string
	rows     [][]cell
}

type cell struct {
	text   string
	colour string
	right  bool // aligned as numbers are
}

// newTable begins a table for a stream, with headings or without.
func newTable(w io.Writer, headings ...string) *table {
	return &table{paint: paintOn(w), room: columnsOf(w), headings: headings}
}

func (t *table) add(row ...cell) { t.rows = append(t.rows, row) }

func plain(text string) cell { return cell{text: text} }

func number(text string) cell { return cell{text: text, right: true} }

func (t *table) write(w io.Writer) error {
	_, err := fmt.Fprint(w, t)
	return err
}

// String writes the columns as wide as they have to be. Nothing follows the last of a line.
func (t *table) String() string {
	var rows [][]cell
	if t.headings != nil {
		rows = append(rows, t.heads())
	}
	for _, row := range t.rows {
		rows = append(rows, shown(row))
	}
	widths := t.widths(rows)
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			c.text = shortened(c.text, widths[i])
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			if c.right {
				line.WriteString(gap)
				gap = ""
			}
			line.WriteString(t.paint.colour(c.colour, c.text) + gap + "  ")
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}

func shown(row []cell) []cell {
	row = slices.Clone(row)
	for i := range row {
		row[i].text = account.Shown(row[i].text)
	}
	return row
}

// narrowest is how far columns are narrowed for the terminal's sake: longer texts are cut.
const narrowest = 24

// widths are those of the columns. Where the terminal has no room for all, the widest are narrowed; not the last, which pads no row.
func (t *table) widths(rows [][]cell) (widths []int) {
	total := 0
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
				total += len("  ")
			}
			if n := utf8.RuneCountInString(c.text); n > widths[i] {
				total += n - widths[i]
				widths[i] = n
			}
		}
	}
	for t.room > 0 && total > t.room && len(widths) > 1 {
		before := widths[:len(widths)-1]
		widest := slices.Index(before, slices.Max(before))
		if before[widest] <= narrowest {
			break
		}
		before[widest]--
		total--
	}
	return widths
}

// shortened is a text of so many characters at most.
func shortened(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// heads are the headings, which stand where their numbers do.
func (t *table) heads() []cell {
	row := make([]cell, len(t.headings))
	for i, h := range t.headings {
		row[i] = cell{text: h, colour: grey, right: len(t.rows) > 0 && i < len(t.rows[0]) && t.rows[0][i].right}
	}
	return row
}
