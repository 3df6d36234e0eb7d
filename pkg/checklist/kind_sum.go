package checklist

import "github.com/pqlstream/pqlstream/pkg/usage"

var sumKind = Kind{
	Name: "sum",
	Doc: "Done when the quantities of the events, or the values of one of their properties, add up to a number. Only " +
		"values above 0 count; a text that reads as a number is one. It keeps a number.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what is added up: `quantity` or `properties.NAME`", Required: true},
		{Name: "at_least", Doc: "the sum, above 0", Required: true}},
	Example: "{id: much_stored, kind: sum, event: storage_used, of: quantity, at_least: 80}",
	build: func(d *StepDef, p *problems, path string) rule {
		return &sumRule{
			target: d.atLeast(p, path, 1e15, true),
			of:     parseOperand(d.Of, "quantity", p, path),
			events: d.events(),
		}
	},
}

type sumRule struct {
	target float64
	of     operand
	events string
}

func (r *sumRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	v, ok := r.of.number(ev)
	if !ok || !(v > 0) {
		return false, false
	}
	w.Total += v
	return true, w.Total >= r.target
}

func (r *sumRule) count(w *Work) float64 { return w.Total }

func (r *sumRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.of.name...)
	return appendShare(append(append(b, " of "...), r.events...), have, r.target)
}

func (r *sumRule) traits() traits {
	return traits{target: r.target, shape: "sum " + r.of.name, bound: workBound}
}
