package scenario

import (
	"fmt"
	"strings"
)

// DiffLine is one line of a Diff.
type DiffLine struct {
	Mark   Mark
	Number int // of the line in its file, counted from 1; 0: it is not there
	Text   string
}

// Mark says what a line of a Diff is.
type Mark byte

// The marks.
const (
	Same     Mark = ' '
	Expected Mark = '-' // the file says so, and it did not come
	Got      Mark = '+' // it came, and the file does not say so
	Omitted  Mark = '.' // lines are left out here
)

// String is the line as people read it.
func (d DiffLine) String() string {
	switch {
	case d.Mark == Omitted:
		return "     ..."
	case d.Number == 0:
		return strings.TrimRight(fmt.Sprintf("     %c %s", d.Mark, d.Text), " ")
	}
	return strings.TrimRight(fmt.Sprintf("%4d %c %s", d.Number, d.Mark, d.Text), " ")
}

// context is how many lines around a difference are shown.
const context = 3

// Diff shows the scenario's lines around each place where something else came; none where the scenario passed.
func (r *Result) Diff() []DiffLine {
	if r.edits.none() {
		return nil
	}
	end := r.Scenario.end
	for strings.TrimSpace(r.file.lines[end-1]) == "" {
		end--
	}
	var all []DiffLine
	for i := r.Scenario.Line - 1; i < end; i++ {
		line := DiffLine{Same, i + 1, r.file.lines[i]}
		text, isReplaced := r.edits.replaced[i]
		if isReplaced || r.edits.removed[i] {
			line.Mark = Expected
		}
		all = append(all, line)
		if isReplaced {
			all = append(all, DiffLine{Mark: Got, Text: text})
		}
		for _, text := range r.edits.inserted[i] {
			all = append(all, DiffLine{Mark: Got, Text: text})
		}
	}
	return around(all)
}

// around leaves out what is far from any difference.
func around(all []DiffLine) (near []DiffLine) {
	keep := make([]bool, len(all))
	for i := range all {
		if all[i].Mark == Same {
			continue
		}
		for j := max(0, i-context); j <= min(len(all)-1, i+context); j++ {
			keep[j] = true
		}
	}
	for i, line := range all {
		switch {
		case keep[i]:
			near = append(near, line)
		case i > 0 && keep[i-1] && anyOf(keep[i:]):
			near = append(near, DiffLine{Mark: Omitted})
		}
	}
	return near
}

func anyOf(of []bool) bool {
	for _, b := range of {
		if b {
			return true
		}
	}
	return false
}
