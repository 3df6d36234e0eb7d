package rollup

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Delta changes one counter of one group by N.
type Delta struct {
	Values []string // of the group, in the order of the grouping's dimensions; shared among deltas, not to be changed
	At     Target
	Cell   Cell
	Why    Why
	N      int64 // not 0
}

// Target is where a Delta belongs. With no Unit it is a slot: a quarter of an hour that begins at Start, and the Delta belongs to each
// window that holds Start, of every unit in every zone. With a Unit it is the one window of that unit and zone that begins at
// Start, and the Delta belongs to no other.
type Target struct {
	Start int64 // ms since the Unix epoch
	Unit  Unit
	Zone  string
}

// SlotMillis is how long a slot is. No zone's clocks have differed from UTC by anything but whole quarters of an hour since 1972, so
// that every window consists of slots.
const SlotMillis = 15 * 60_000

// SlotOf is the slot of a time in ms since the Unix epoch.
func SlotOf(ms int64) Target { return Target{Start: floor(ms, SlotMillis)} }

// Why says what has led to a Delta, other than something that happened in its time.
type Why uint8

// The causes of corrections.
const (
	Ordinary    Why = iota // nothing is corrected: it has just happened, or become known as time went by
	Late                   // the event came beyond the allowed disorder
	ByMerge                // accounts were merged
	ByErasure              // an account was erased
	ByExclusion            // an account is excluded, or no longer
	afterWhys
)

var whys = [afterWhys]string{"", "late", "merged", "erased", "excluded"}

func (w Why) String() string {
	if w >= afterWhys {
		return fmt.Sprintf("cause %d", uint8(w))
	}
	return whys[w]
}

func (d *Delta) compare(o *Delta) int {
	return cmp.Or(slices.Compare(d.Values, o.Values), d.At.compare(o.At), d.Cell.compare(o.Cell), cmp.Compare(d.Why, o.Why))
}

func (t Target) compare(o Target) int {
	return cmp.Or(cmp.Compare(t.Zone, o.Zone), cmp.Compare(unitCode(t.Unit), unitCode(o.Unit)), cmp.Compare(t.Start, o.Start))
}

// unitsCoded are those of Targets, in the order of the encoding: only append.
var unitsCoded = [...]Unit{"", Hour, Day, Week, Month}

func unitCode(u Unit) int { return slices.Index(unitsCoded[:], u) }

// batchLayout is the first byte of an encoded batch. A batch is
//
//	the number of dimensions of its grouping
//	the names of its cells: their number, then each, in order
//	groups, in order, to the end:
//	  the values
//	  the number of targets, then each: zone, unit, start, or of a slot start / SlotMillis
//	    the number of cells, then each: kind, name (its place, counted from 1; 0: none), number, why, n
//
// Everything is in strictly ascending order. So there is one encoding of a set of deltas.
const batchLayout = 1

// AppendBatch appends the encoding of deltas of one grouping. They must be in order, no two of the same Values, At, Cell and Why.
func AppendBatch(b []byte, deltas []Delta) []byte {
	b = append(b, batchLayout)
	if len(deltas) == 0 {
		return appendUint(appendUint(b, 0), 0)
	}
	b = appendUint(b, uint64(len(deltas[0].Values)))
	names := namesOf(deltas)
	b = appendUint(b, uint64(len(names)))
	for _, n := range names {
		b = appendText(b, n)
	}
	for group := range runs(deltas, func(a, b *Delta) bool { return slices.Equal(a.Values, b.Values) }) {
		for _, v := range group[0].Values {
			b = appendText(b, v)
		}
		b = appendTargets(b, group, names)
	}
	return b
}

func appendTargets(b []byte, group []Delta, names []string) []byte {
	same := func(a, b *Delta) bool { return a.At == b.At }
	n := uint64(0)
	for range runs(group, same) {
		n++
	}
	b = appendUint(b, n)
	for cells := range runs(group, same) {
		at := cells[0].At
		b = appendText(b, at.Zone)
		b = append(b, byte(unitCode(at.Unit)))
		if at.Unit == "" {
			at.Start /= SlotMillis
		}
		b = appendUint(appendInt(b, at.Start), uint64(len(cells)))
		for i := range cells {
			b = appendCell(b, &cells[i], names)
		}
	}
	return b
}

func appendCell(b []byte, d *Delta, names []string) []byte {
	b = append(b, byte(d.Cell.Kind))
	name := 0
	if d.Cell.Name != "" {
		i, _ := slices.BinarySearch(names, d.Cell.Name)
		name = i + 1
	}
	b = appendInt(appendUint(b, uint64(name)), int64(d.Cell.Number))
	return appendInt(append(b, byte(d.Why)), d.N)
}

// few is what a number takes at most that counts something of a batch, in bytes.
const few = binary.MaxVarintLen32

// batchOverhead is what a batch takes beside its deltas and names, at most, in bytes.
const batchOverhead = 1 + 2*few

// nameBound is what a name takes in a batch at most, once, in bytes.
func nameBound(name string) int { return few + len(name) }

// bound is what a delta takes in a batch at most, behind another one, which may be nil, and without its name; in bytes.
func (d *Delta) bound(before *Delta) int {
	n := 1 + 3 + intSize(int64(d.Cell.Number)) + 1 + intSize(d.N)
	if before != nil && before.At == d.At && slices.Equal(before.Values, d.Values) {
		return n
	}
	n += few + len(d.At.Zone) + 1 + binary.MaxVarintLen64 + 2*few
	for _, v := range d.Values {
		n += few + len(v)
	}
	return n
}

func intSize(v int64) int {
	var room [binary.MaxVarintLen64]byte
	return binary.PutVarint(room[:], v)
}

func namesOf(deltas []Delta) []string {
	var names []string
	for i := range deltas {
		n := deltas[i].Cell.Name
		if n == "" {
			continue
		}
		if at, found := slices.BinarySearch(names, n); !found {
			names = slices.Insert(names, at, n)
		}
	}
	return names
}

// runs yields the longest stretches in which neighbours are the same.
func runs(deltas []Delta, same func(a, b *Delta) bool) func(yield func([]Delta) bool) {
	return func(yield func([]Delta) bool) {
		for from := 0; from < len(deltas); {
			to := from + 1
			for to < len(deltas) && same(&deltas[from], &deltas[to]) {
				to++
			}
			if !yield(deltas[from:to]) {
				return
			}
			from = to
		}
	}
}

var errBatch = errors.New("no encoding of a batch")

// DecodeBatch appends what a batch holds to deltas. It takes what AppendBatch makes, nothing else. With an error it appends nothing.
func DecodeBatch(deltas []Delta, b []byte) ([]Delta, error) {
	r := batchReader{reader: reader{b: string(b)}, deltas: deltas}
	if r.byte() != batchLayout {
		return deltas, fmt.Errorf("%w: unknown layout", errBatch)
	}
	width := r.count()
	r.readNames()
	var before []string
	for r.more() {
		values := make([]string, width)
		for i := range values {
			values[i] = r.text()
		}
		if before != nil && slices.Compare(before, values) >= 0 {
			r.fail()
		}
		before = values
		r.group(values)
	}
	if r.bad || slices.Contains(r.used, false) || before == nil && width > 0 {
		return deltas, errBatch
	}
	return r.deltas, nil
}

type batchReader struct {
	reader
	deltas []Delta
	names  []string
	used   []bool // those of names that some cell has
}

func (r *batchReader) readNames() {
	r.names = make([]string, r.count())
	r.used = make([]bool, len(r.names))
	for i := range r.names {
		r.names[i] = r.text()
		if r.names[i] == "" || i > 0 && r.names[i] <= r.names[i-1] {
			r.fail()
		}
	}
}

func (r *batchReader) group(values []string) {
	var before Target
	n := r.items()
	for i := range n {
		at := r.target()
		if i > 0 && at.compare(before) <= 0 {
			r.fail()
		}
		before = at
		cells := r.items()
		for j := range cells {
			r.deltas = append(r.deltas, Delta{Values: values, At: at})
			d := &r.deltas[len(r.deltas)-1]
			r.cell(d)
			if j > 0 && d.compare(&r.deltas[len(r.deltas)-2]) <= 0 {
				r.fail()
			}
			if r.bad {
				return
			}
		}
	}
}

// items reads how many items follow, at least one.
func (r *batchReader) items() int {
	n := r.count()
	if n == 0 {
		r.fail()
	}
	return n
}

func (r *batchReader) target() (t Target) {
	t.Zone = r.text()
	t.Unit, t.Start = unitsCoded[r.below(len(unitsCoded))], r.int()
	unit, most := int64(1), int64(2*furthest)
	if t.Unit == "" {
		unit, most = SlotMillis, most/SlotMillis
	}
	if (t.Zone == "") != (t.Unit == "") || t.Start < -most || t.Start > most {
		r.fail()
	}
	t.Start *= unit
	return t
}

func (r *batchReader) cell(d *Delta) {
	d.Cell.Kind = Kind(r.byte())
	if name := r.below(len(r.names) + 1); name > 0 {
		d.Cell.Name, r.used[name-1] = r.names[name-1], true
	}
	number := r.int()
	d.Cell.Number, d.Why, d.N = int32(number), Why(r.byte()), r.int()
	if number != int64(d.Cell.Number) || d.Why >= afterWhys || d.N == 0 || d.Cell.check() != nil {
		r.fail()
	}
}
