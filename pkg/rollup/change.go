package rollup

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"unsafe"
)

// Change changes one counter of one entity by N.
type Change struct {
	Start int64 // of the window, ms since the Unix epoch; of a WindowEntity 0, its window is in its key
	Cell  Cell
	Why   Why
	N     int64
}

// BeforeAll is the Start of a Change that belongs to a window which can no longer be corrected: the oldest one that can begins with it.
const BeforeAll = math.MinInt64

func (e *Change) compare(o *Change) int {
	return cmp.Or(cmp.Compare(e.Start, o.Start), e.Cell.compare(o.Cell), cmp.Compare(e.Why, o.Why))
}

// sumChanges sorts changes and adds up those of the same counter, start and cause.
func sumChanges(all []Change) []Change {
	if len(all) > manyChanges {
		all = gatherChanges(all)
	}
	slices.SortFunc(all, func(a, b Change) int { return a.compare(&b) })
	sums := all[:0]
	for _, e := range all {
		if last := len(sums) - 1; last >= 0 && sums[last].compare(&e) == 0 {
			sums[last].N += e.N
		} else {
			sums = append(sums, e)
		}
	}
	return slices.DeleteFunc(sums, func(e Change) bool { return e.N == 0 })
}

// manyChanges is from how many on changes are gathered before they are sorted: those of a month are mostly of the same counters, and to compare them
// takes longer than to look them up.
const manyChanges = 64

// gatherChanges adds up changes in any order. It uses their room again.
func gatherChanges(all []Change) []Change {
	at, sums := map[Change]int{}, all[:0]
	for _, e := range all {
		n := e.N
		e.N = 0
		i, known := at[e]
		if !known {
			i = len(sums)
			at[e] = i
			sums = append(sums, e)
		}
		sums[i].N += n
	}
	return sums
}

// changesLayout is the first byte of encoded changes. What follows is each one: start, less the one's before, kind, name, number, why, n.
const changesLayout = 1

// AppendChanges appends the encoding of changes, which must be as Directory.Take hands them on.
func AppendChanges(b []byte, all []Change) []byte {
	b = append(b, changesLayout)
	start := int64(0)
	for i := range all {
		e := &all[i]
		b = appendInt(b, e.Start-start) // which may wrap, and does so back
		start = e.Start
		b = appendText(append(b, byte(e.Cell.Kind)), e.Cell.Name)
		b = appendInt(b, int64(e.Cell.Number))
		b = appendInt(append(b, byte(e.Why)), e.N)
	}
	return b
}

var errChanges = errors.New("not the encoding of changes")

// DecodeChanges appends what AppendChanges has encoded to all. It takes nothing else. Their texts alias b. With an error it appends
// nothing.
func DecodeChanges(all []Change, b []byte) ([]Change, error) {
	r, had := reader{b: unsafe.String(unsafe.SliceData(b), len(b))}, len(all)
	r.bad = r.byte() != changesLayout
	start := int64(0)
	for !r.bad && r.more() {
		start += r.int()
		e := Change{Start: start, Cell: r.cell(), Why: Why(r.below(int(afterWhys))), N: r.int()}
		if e.N == 0 || len(all) > had && all[len(all)-1].compare(&e) >= 0 {
			r.fail()
		}
		all = append(all, e)
	}
	if r.bad {
		return all[:had], errChanges
	}
	return all, nil
}

// cell reads kind, name and number of a good one.
func (r *reader) cell() Cell {
	c := Cell{Kind: Kind(r.byte()), Name: r.text()}
	number := r.int()
	c.Number = int32(number)
	if int64(c.Number) != number || c.check() != nil {
		r.fail()
	}
	return c
}
