package account

import (
	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// findDimensions finds what accounts are told apart by.
func (e *Engine) findDimensions() {
	for i, p := range e.checklist.Properties() {
		if p.Dimension {
			e.dimensions = append(e.dimensions, i)
		}
	}
	e.telling = e.segmented || len(e.dimensions) > 0 || len(e.checklist.Tiers()) > 1
}

// whereabouts returns what stands for the tier, segments and dimensions of the account as they are now, never 0: the tier's key
// in the lower bits, so that it is short where there is nothing else, and a hash of the rest, in which the definition's order
// does not matter. segments are those that a fact has just told, if they are known.
func (t *turn) whereabouts(segments []string, known bool) uint32 {
	e, s := t.engine, t.state
	var sum uint64
	if e.segmented || len(e.dimensions) > 0 {
		account := t.properties()
		if e.segmented && !known {
			segments = e.segmentsOf(s, t.at, account)
		}
		for _, name := range segments {
			t.apart = append(append(t.apart[:0], "segment "...), name...)
			sum += xxhash.Sum64(t.apart)
		}
		for _, i := range e.dimensions {
			if account[i].Kind() != usage.Null {
				t.apart = appendDimension(t.apart[:0], e.checklist.Properties()[i].Key, account[i])
				sum += xxhash.Sum64(t.apart)
			}
		}
	}
	return t.tier().Key | uint32(sum)&^checklist.MaxTierKey
}

// appendDimension appends what stands for a property.
func appendDimension(b []byte, key uint32, v usage.Value) []byte {
	return appendValue(appendKey(append(b, 0), key), v)
}

// segmentsOf returns the segments that the account is in at a time.
func (e *Engine) segmentsOf(s *State, at int64, account []usage.Value) []string {
	var b *checklist.Behaviour
	if e.checklist.Behaves() {
		f := Fact{Tier: e.checklist.Tiers()[s.standing.tier].Name, Rate: e.rate(s)}
		b = e.behaviour(s, at, &f, e.activity(s))
	}
	return e.checklist.Segments(account, b)
}

// tellChange tells that tier, segments or dimensions are not what facts have told, where something has happened that could
// have changed them. Of what else segments read nothing is noticed by itself: each event would have to look.
func (t *turn) tellChange() {
	s := t.state
	if t.engine.telling && s.toldLast != 0 && (t.news || t.finished || t.undone || t.dropped || t.ev == nil) && s.toldLast != t.whereabouts(nil, false) {
		t.transition(kindSegmentChanged)
	}
}
