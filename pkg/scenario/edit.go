package scenario

import (
	"slices"
	"strings"
)

// edits are what makes the lines of a file say what came, by the lines' indexes.
type edits struct {
	replaced map[int]string
	removed  map[int]bool
	inserted map[int][]string // below a line
}

func newEdits() edits {
	return edits{map[int]string{}, map[int]bool{}, map[int][]string{}}
}

func (e *edits) none() bool { return len(e.replaced)+len(e.removed)+len(e.inserted) == 0 }

// compare holds what a line expects against what came of it.
func (e *edits) compare(f *File, s *Scenario, st *statement, came []subject) {
	switch st.kind {
	case check:
		w := &st.wants[0]
		if len(w.attributes) == 0 || !w.fits(came[0], st) {
			e.replaced[w.line] = f.rewritten(w, came[0])
		}
		return
	case rowIs:
		w := &st.wants[0]
		if !w.fitsRow(came[0]) {
			e.replaced[w.line] = f.rewrittenRow(w, came[0])
		}
		return
	}
	after := st.line
	for _, p := range align(st, came) {
		switch {
		case p.came == nil:
			e.removed[p.want.line] = true
			after = p.want.line
		case p.want == nil:
			e.inserted[after] = append(e.inserted[after], f.written(s, st, *p.came))
		default:
			if !p.want.fits(*p.came, st) {
				e.replaced[p.want.line] = f.rewritten(p.want, *p.came)
			}
			after = p.want.line
		}
	}
}

// fits says whether a transition, a standing or a row that is there is what a line expects.
func (w *want) fits(s subject, st *statement) bool {
	if w.kind != "" {
		if w.kind != s.Type || ofStep(w.kind) && w.step != s.Step {
			return false
		}
		if !w.concerns(s, st) {
			return false
		}
	}
	for i := range w.attributes {
		if !w.attributes[i].holds(s) {
			return false
		}
	}
	return true
}

// concerns says whether a transition can be of whom the line expects it: what is not said of whom is of whom the line is.
func (w *want) concerns(s subject, st *statement) bool {
	return s.Type == deadLetter || st.account == "" || s.AccountID == st.account || w.has("account")
}

func (w *want) has(words string) bool {
	return slices.ContainsFunc(w.attributes, func(a attribute) bool { return a.words == words })
}

// pair is what a line expects and what came in its place; one of them may be nil.
type pair struct {
	want *want
	came *subject
}

// align pairs what a line expects with what came, both in their order: as many as possible that fit, and between those
// what is of one type.
func align(st *statement, came []subject) (pairs []pair) {
	var w, c int // how many are paired
	gap := func(wantTo, cameTo int) {
		pairs = append(pairs, alike(st.wants[w:wantTo], came[c:cameTo], st)...)
		w, c = wantTo, cameTo
	}
	for _, m := range longestFit(st, came) {
		gap(m[0], m[1])
		pairs = append(pairs, pair{&st.wants[w], &came[c]})
		w, c = w+1, c+1
	}
	gap(len(st.wants), len(came))
	return pairs
}

// alike pairs what is of one type and account, none of which fits.
func alike(wants []want, came []subject, st *statement) (pairs []pair) {
	for i := range wants {
		w := &wants[i]
		at := slices.IndexFunc(came, func(s subject) bool {
			return s.Type == w.kind && w.concerns(s, st)
		})
		if at < 0 {
			pairs = append(pairs, pair{want: w})
			continue
		}
		for ; at > 0; at-- {
			pairs = append(pairs, pair{came: &came[0]})
			came = came[1:]
		}
		pairs = append(pairs, pair{w, &came[0]})
		came = came[1:]
	}
	for i := range came {
		pairs = append(pairs, pair{came: &came[i]})
	}
	return pairs
}

// mostCompared bounds the work of finding what fits best.
const mostCompared = 1 << 20

// longestFit returns the indexes of the longest common subsequence of what is expected and what came.
func longestFit(st *statement, came []subject) (fits [][2]int) {
	wants := st.wants
	from := 0
	for from < min(len(wants), len(came)) && wants[from].fits(came[from], st) {
		fits = append(fits, [2]int{from, from})
		from++
	}
	rows, columns := len(wants)-from, len(came)-from
	if rows == 0 || columns == 0 || rows*columns > mostCompared {
		return fits
	}
	length := make([][]int, rows+1) // of the longest from a place on
	fit := make([][]bool, rows)
	for i := range length {
		length[i] = make([]int, columns+1)
	}
	for i := rows - 1; i >= 0; i-- {
		fit[i] = make([]bool, columns)
		for j := columns - 1; j >= 0; j-- {
			if fit[i][j] = wants[from+i].fits(came[from+j], st); fit[i][j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < rows && j < columns; {
		switch {
		case fit[i][j] && length[i][j] == length[i+1][j+1]+1:
			fits = append(fits, [2]int{from + i, from + j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return fits
}

// rewritten returns a line that says what came: what was right stays as it is written, and so does the space between.
func (f *File) rewritten(w *want, s subject) string {
	line := f.lines[w.line]
	var b strings.Builder
	at := 0
	replace := func(where span, text string) {
		b.WriteString(line[at:where.from])
		b.WriteString(text)
		at = where.to
	}
	if ofStep(w.kind) && w.step != s.Step {
		replace(w.stepAt, quoted(s.Step))
	}
	for i := range w.attributes {
		if a := &w.attributes[i]; !a.holds(s) {
			replace(a.at, a.write(s, f.clock))
		}
	}
	b.WriteString(line[at:w.end])
	if w.kind == "" && len(w.attributes) == 0 {
		b.WriteString(attributesText(usual(s), s, "  ", f.clock))
	}
	b.WriteString(line[w.end:])
	return b.String()
}

// written returns a new line for a transition that no line expects.
func (f *File) written(s *Scenario, st *statement, came subject) string {
	like := st.line
	indent := "  "
	if len(st.wants) > 0 {
		like, indent = st.wants[0].line, ""
	}
	line := f.lines[like]
	line = line[:len(line)-len(strings.TrimLeft(line, " \t"))] + indent + arrow + " " + string(came.Type)
	if ofStep(came.Type) {
		line += " " + quoted(came.Step)
	}
	attributes := usual(came)
	if came.Type != deadLetter && st.account != came.AccountID && (st.account != "" || s.several) {
		attributes = append(named("account"), attributes...)
	}
	if len(st.events) > 1 && !slices.ContainsFunc(attributes, func(a attribute) bool { return a.words == "at" }) {
		attributes = append(attributes, named("at")...)
	}
	return line + attributesText(attributes, came, " ", f.clock)
}

// attributesText writes attributes one after the other; "rate 75% of 75%" is held together.
func attributesText(all []attribute, s subject, between string, c clock) string {
	var b strings.Builder
	for i := range all {
		if all[i].words == "of" {
			b.WriteString(" ")
		} else {
			b.WriteString(between)
		}
		b.WriteString(all[i].write(s, c))
	}
	return b.String()
}

// Update returns the file with lines that say what came of the scenarios that were run. Where all of them passed these are
// the very bytes that were parsed.
func (f *File) Update(results []*Result) []byte {
	all := newEdits()
	for _, r := range results {
		if r.Err == nil {
			all.add(&r.edits)
		}
	}
	if all.none() {
		return f.text
	}
	var lines []string
	for i, line := range f.lines {
		if text, ok := all.replaced[i]; ok {
			line = text
		}
		if !all.removed[i] {
			lines = append(lines, line)
		}
		lines = append(lines, all.inserted[i]...)
	}
	return []byte(strings.Join(lines, f.eol))
}

func (e *edits) add(more *edits) {
	for i, text := range more.replaced {
		e.replaced[i] = text
	}
	for i := range more.removed {
		e.removed[i] = true
	}
	for i, lines := range more.inserted {
		e.inserted[i] = lines
	}
}
