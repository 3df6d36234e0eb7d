package rollup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// Span is the state of one window of a group: all that is counted in it but who came and left.
type Span struct {
	rollup   *Rollup
	address  *address
	end      int64 // of the window
	revision int64
	passed   int64 // the watermark
	counters []counted
	sketches []named // of durations
	rows     []told  // what was emitted, in order

	changed     uint32   // kinds of counters that have since rows were emitted last, as bits
	corrections []Change // since then, of a window that was told as closed: in order, added up
	shown       int64    // the watermark then
	read        causes   // what has corrected the counters that the row in hand is made from
}

// counted is a counter that is no bin of a sketch. None is 0.
type counted struct {
	cell Cell
	n    int64
}

// named is the sketch of a kind of durations.
type named struct {
	kind Kind // of the bins
	name string
	sketch
}

// told is what was emitted of a row.
type told struct {
	metric   uint8 // place among spanMetrics
	detail   string
	digest   uint64
	restated causes
}

// The most that a Span keeps apart. What goes beyond isn't counted.
const (
	mostCounters = 1024
	mostSketches = 104 // three, and one for each step of a checklist
	mostName     = 256 // bytes of a name
)

// goneAfter is how long a Span is there when it can't be corrected any longer, so that its last rows go out; ms.
const goneAfter = hourMillis

// Span returns the state of a key, from what AppendBinary has appended. With nothing it is new.
func (r *Rollup) Span(key string, b []byte) (*Span, error) {
	a, err := parseAddress(WindowEntity, key)
	if err != nil {
		return nil, err
	}
	w := r.windowsOf(a.unit, a.zone)
	if w == nil {
		return nil, fmt.Errorf("%s: there are no such windows", key)
	}
	s := &Span{rollup: r, address: a}
	_, s.end = w.At(a.start)
	if len(b) == 0 {
		return s, nil
	}
	if err := s.load(b); err != nil {
		return nil, fmt.Errorf("loading %s: %w", key, err)
	}
	return s, nil
}

// Apply takes changes in, after time has passed to the watermark. It returns how much of them could not be counted: the window
// can no longer be corrected, or there is too much in it to keep apart.
func (s *Span) Apply(changes []Change, watermark int64) (lost int64) {
	s.Pass(watermark)
	for i := range changes {
		c := &changes[i]
		if s.passed >= s.expiry() || !s.add(c) {
			if !c.Cell.Kind.sums() {
				lost += max(c.N, -c.N)
			}
			continue
		}
		s.changed |= 1 << c.Cell.Kind
		if c.Why != Ordinary && s.wasClosed() {
			s.correct(c)
		}
	}
	return lost
}

// correct keeps what corrects rows that have been told.
func (s *Span) correct(c *Change) {
	of := Change{Cell: c.Cell, Why: c.Why}
	at, found := slices.BinarySearchFunc(s.corrections, of, func(a, b Change) int { return a.compare(&b) })
	if !found {
		of.Cell.Name = strings.Clone(of.Cell.Name)
		s.corrections = slices.Insert(s.corrections, at, of)
	}
	if s.corrections[at].N += c.N; s.corrections[at].N == 0 {
		s.corrections = slices.Delete(s.corrections, at, at+1)
	}
}

// wasClosed says whether the window was closed when rows were emitted last.
func (s *Span) wasClosed() bool { return s.shown >= s.end+s.rollup.lateness }

// reading notes that the row in hand is made from some counters.
func (s *Span) reading(which func(Cell) bool) {
	for i := range s.corrections {
		if c := &s.corrections[i]; which(c.Cell) {
			s.read |= 1 << c.Why
		}
	}
}

func (s *Span) add(c *Change) bool {
	kind := c.Cell.Kind
	if kind.sums() {
		kind-- // each follows its bins
	}
	if kind.Numbered() != Bin {
		return s.count(c.Cell, c.N)
	}
	k := s.sketch(kind, c.Cell.Name)
	switch {
	case k == nil:
		return false
	case kind != c.Cell.Kind:
		k.sum += c.N
	default:
		k.add(c.Cell.Number, c.N)
	}
	return true
}

func (s *Span) count(cell Cell, n int64) bool {
	at, found := slices.BinarySearchFunc(s.counters, cell, func(c counted, cell Cell) int { return c.cell.compare(cell) })
	switch {
	case found && s.counters[at].n == -n:
		s.counters = slices.Delete(s.counters, at, at+1)
	case found:
		s.counters[at].n += n
	case len(s.counters) >= mostCounters || len(cell.Name) > mostName:
		return false
	default:
		cell.Name = strings.Clone(cell.Name)
		s.counters = slices.Insert(s.counters, at, counted{cell, n})
	}
	return true
}

// sketch returns the sketch of a kind of durations, nil when there are too many.
func (s *Span) sketch(kind Kind, name string) *named {
	at, found := slices.BinarySearchFunc(s.sketches, named{kind: kind, name: name}, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	if !found {
		if len(s.sketches) >= mostSketches || len(name) > mostName {
			return nil
		}
		s.sketches = slices.Insert(s.sketches, at, named{kind: kind, name: strings.Clone(name)})
	}
	return &s.sketches[at]
}

// Pass lets time pass to the watermark, and says whether that changed the state.
func (s *Span) Pass(watermark int64) bool {
	if watermark <= s.passed {
		return false
	}
	s.passed = watermark
	return true
}

// expiry is when the window can no longer be corrected.
func (s *Span) expiry() int64 { return s.end + s.rollup.restatement }

// NextTimer is when time alone changes rows, ms since the Unix epoch: the window begins, is closed, rows ripen, it can no longer be corrected, and
// then, that the state has expired.
func (s *Span) NextTimer() int64 {
	next := s.expiry() + goneAfter
	s.ripens(func(at int64) {
		if at > s.passed {
			next = min(next, at)
		}
	})
	return next
}

// ripens tells all moments at which rows change by themselves.
func (s *Span) ripens(at func(int64)) {
	at(s.address.start)
	at(s.end + s.rollup.lateness)
	at(s.expiry())
	for _, days := range [...][]int32{s.rollup.cohortDays, s.rollup.paidDays} {
		for _, n := range days {
			at(s.after(n))
		}
	}
}

// after is so many days after the window's end.
func (s *Span) after(days int32) int64 { return s.end + int64(days)*dayMillis }

// Expired says whether the state can be deleted.
func (s *Span) Expired() bool { return s.passed >= s.expiry()+goneAfter }

// Rows emits the rows whose content has changed since the last call, from the window's beginning on: so they become known together with
// those of its Series. A row is valid during its emit only.
func (s *Span) Rows(emit func(*Row)) {
	ripened := false
	s.ripens(func(at int64) { ripened = ripened || at > s.shown && at <= s.passed })
	if s.passed >= s.address.start && (s.changed != 0 || ripened) {
		t := table{span: s, emit: emit, revision: s.revision + 1}
		for i := range spanMetrics {
			m := &spanMetrics[i]
			if ripened || m.reads()&s.changed != 0 {
				t.metric, t.name = uint8(i), m.name
				m.rows(s, &t)
			}
		}
	}
	s.changed, s.corrections, s.shown = 0, nil, s.passed
}

// table emits rows of a metric.
type table struct {
	span     *Span
	emit     func(*Row)
	revision int64
	metric   uint8
	name     string
	row      Row
}

// put emits the row with a detail, which fill completes, if it isn't what was told. What ripens is mature at a time; 0: it doesn't ripen.
func (t *table) put(detail string, matureAt int64, fill func(*Row)) {
	s, r := t.span, &t.row
	*r = Row{
		Metric: t.name, Detail: detail, Unit: string(s.address.unit), WindowStart: s.address.start, WindowEnd: s.end,
		Zone: s.address.zone, Grouping: s.address.grouping, Group: s.address.group, Revision: t.revision, AsOf: s.passed,
		Closed: s.passed >= s.end+s.rollup.lateness,
	}
	r.Mature = r.Closed && s.passed >= matureAt
	if matureAt != 0 {
		r.MatureAt = some(matureAt)
	}
	s.read = 0
	fill(r)
	at, found := t.find(detail)
	if !found {
		if r.empty() {
			return
		}
		s.rows = slices.Insert(s.rows, at, told{metric: t.metric, detail: detail})
	}
	digest := r.digest()
	if found && s.rows[at].digest == digest {
		return
	}
	if found {
		s.rows[at].restated |= s.read
	}
	s.rows[at].digest = digest
	r.Restated = s.rows[at].restated.String()
	s.revision = t.revision
	t.emit(r)
}

// has says whether the row with a detail has been emitted before.
func (t *table) has(detail string) bool {
	_, found := t.find(detail)
	return found
}

func (t *table) find(detail string) (int, bool) {
	return slices.BinarySearchFunc(t.span.rows, told{metric: t.metric, detail: detail}, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.metric, b.metric), strings.Compare(a.detail, b.detail))
	})
}

// Size is an estimate of the memory that the state takes, in bytes.
func (s *Span) Size() int {
	n := int(unsafe.Sizeof(*s)+unsafe.Sizeof(*s.address)) + cap(s.counters)*int(unsafe.Sizeof(counted{})) +
		cap(s.sketches)*int(unsafe.Sizeof(named{})) + cap(s.rows)*int(unsafe.Sizeof(told{})) +
		cap(s.corrections)*int(unsafe.Sizeof(Change{}))
	for i := range s.sketches {
		n += cap(s.sketches[i].bins) * int(unsafe.Sizeof(bin{}))
	}
	return n
}

// Touch reads a little of what Apply will read.
func (s *Span) Touch() int {
	n := len(s.counters)
	for i := range s.sketches {
		n += len(s.sketches[i].bins)
	}
	if len(s.counters) > 0 {
		n += int(s.counters[0].n)
	}
	return n
}
