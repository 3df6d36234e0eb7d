package rollup

import (
	"bytes"
	"encoding/binary"
)

// spanLayout is the first byte of an encoded span. What follows: revision, watermark, and by how much that is beyond the one that rows were
// emitted at; then lists, each with its length before it: counters, sketches, rows; then, when counters have changed since, their kinds
// and corrections.
const spanLayout = 1

// AppendBinary appends the encoded state.
func (s *Span) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, spanLayout)
	b = appendInt(appendInt(appendInt(b, s.revision), s.passed), s.passed-s.shown)
	b = appendUint(b, uint64(len(s.counters)))
	for _, c := range s.counters {
		b = appendText(append(b, byte(c.cell.Kind)), c.cell.Name)
		b = appendInt(appendInt(b, int64(c.cell.Number)), c.n)
	}
	b = appendUint(b, uint64(len(s.sketches)))
	for i := range s.sketches {
		b = s.sketches[i].append(b)
	}
	b = appendUint(b, uint64(len(s.rows)))
	for _, t := range s.rows {
		b = appendText(append(b, t.metric), t.detail)
		b = append(binary.BigEndian.AppendUint64(b, t.digest), byte(t.restated))
	}
	if s.changed != 0 {
		b = AppendChanges(appendUint(b, uint64(s.changed)), s.corrections)
	}
	return b, nil
}

func (k *named) append(b []byte) []byte {
	b = appendText(append(b, byte(k.kind)), k.name)
	b = appendUint(appendInt(b, k.sum), uint64(len(k.bins)))
	last := int64(0)
	for _, bin := range k.bins {
		b = appendInt(appendInt(b, int64(bin.index)-last), bin.n)
		last = int64(bin.index)
	}
	return b
}

func (s *Span) load(b []byte) error {
	r := reader{b: string(b)}
	if r.byte() != spanLayout {
		return errLayout
	}
	s.revision, s.passed = r.int(), r.int()
	s.shown = s.passed - r.int()
	for range r.count() {
		c := counted{r.cell(), r.int()}
		if n := len(s.counters); c.n == 0 || n >= mostCounters || n > 0 && s.counters[n-1].cell.compare(c.cell) >= 0 {
			r.fail()
			break
		}
		s.counters = append(s.counters, c)
	}
	s.loadSketches(&r)
	s.loadRows(&r)
	if r.more() {
		s.changed = uint32(r.below(1 << afterKinds))
		var err error
		if s.corrections, err = DecodeChanges(nil, []byte(r.b[r.at:])); err != nil {
			return err
		}
	}
	if again, _ := s.AppendBinary(nil); r.bad || !bytes.Equal(again, b) {
		return errState
	}
	return nil
}

func (s *Span) loadSketches(r *reader) {
	for range r.count() {
		k := named{kind: Kind(r.below(int(afterKinds))), name: r.text()}
		k.sum = r.int()
		last := int64(0)
		for range r.count() {
			last += r.int()
			one := bin{int32(last), r.int()}
			if n := len(k.bins); int64(one.index) != last || one.n == 0 || n > 0 && k.bins[n-1].index >= one.index {
				r.fail()
				return
			}
			k.bins = append(k.bins, one)
		}
		had := len(s.sketches)
		if r.bad || k.kind.spec() == nil || k.kind.Numbered() != Bin || s.sketch(k.kind, k.name) == nil || len(s.sketches) == had {
			r.fail()
			return
		}
		*s.sketch(k.kind, k.name) = k
	}
}

func (s *Span) loadRows(r *reader) {
	for range r.count() {
		t := told{metric: uint8(r.below(len(spanMetrics))), detail: r.text()}
		for range 8 {
			t.digest = t.digest<<8 | uint64(r.byte())
		}
		t.restated = causes(r.byte())
		if n := len(s.rows); r.bad || n > 0 && (s.rows[n-1].metric > t.metric || s.rows[n-1].metric == t.metric && s.rows[n-1].detail >= t.detail) {
			r.fail()
			return
		}
		s.rows = append(s.rows, t)
	}
}
