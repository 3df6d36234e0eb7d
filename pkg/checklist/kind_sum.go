package checklist

import (
	"encoding/binary"
	"math"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

var sumKind = Kind{
	Name: "sum",
	Doc: "Done when the quantities of the events, or the values of one of their properties, add up to a number. Only " +
		"values above 0 count; a text that reads as a number is one. It keeps a number.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what is added up: `quantity` or `properties.NAME`", Required: true},
		{Name: "at_least", Doc: "the sum, above 0", Required: true}},
	Example: "{id: much_stored, kind: sum, event: storage_used, of: quantity, at_least: 80}",
	build: func(b *builder) rule {
		b.onEvent()
		return &sumRule{target: b.atLeast(1e15, true), of: b.operand("quantity"), events: b.d.Event.String()}
	},
}

// sumRule keeps the sum, a double in little-endian order.
type sumRule struct {
	target float64
	of     operand
	events string
}

func (r *sumRule) update(w *Work, in *Input) (changed, done bool) {
	v, ok := r.of.number(in.Event)
	if !ok || !(v > 0) {
		return false, false
	}
	before := r.count(*w, nil)
	*w = binary.LittleEndian.AppendUint64((*w)[:0], math.Float64bits(before+v))
	return true, before+v >= r.target
}

func (r *sumRule) valid(w Work) bool {
	sum := r.count(w, nil)
	return len(w) == 0 || len(w) == 8 && sum > 0 && sum <= math.MaxFloat64
}

func (r *sumRule) count(w Work, _ []usage.Value) float64 {
	if len(w) != 8 {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(w))
}

func (r *sumRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.of.name...)
	return appendShare(append(append(b, " of "...), r.events...), have, r.target)
}

func (r *sumRule) traits() traits {
	return traits{target: r.target, shape: "sum " + r.of.name, bound: workBound + 8}
}
