package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is columns under headings, for people.
type table struct {
	paint    paint
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
	return &table{paint: paintOn(w), headings: headings}
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
	rows := t.rows
	if t.headings != nil {
		rows = append([][]cell{t.heads()}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
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

// heads are the headings, which stand where their numbers do.
func (t *table) heads() []cell {
	row := make([]cell, len(t.headings))
	for i, h := range t.headings {
		row[i] = cell{text: h, colour: grey, right: len(t.rows) > 0 && i < len(t.rows[0]) && t.rows[0][i].right}
	}
	return row
}
