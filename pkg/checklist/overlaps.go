package checklist

import (
	"fmt"
	"slices"
)

// warnOfOverlaps warns of steps of which one can't be done without the other: what one account does moves the rate twice.
func (w *warner) warnOfOverlaps() {
	steps := w.def.Steps
	for i := range steps {
		for j := range steps[:i] {
			if w.list.Steps()[i].Weight == 0 || w.list.Steps()[j].Weight == 0 {
				continue
			}
			a, b := &steps[i], &steps[j]
			switch path := fmt.Sprintf("steps[%d]", i); {
			case implies(a, b) && implies(b, a):
				w.add(path, "%s is done whenever %s is: the rate always moves by both, so one of them is enough", a.ID, b.ID)
			case implies(a, b):
				w.warnOfImplied(path, a, b)
			case implies(b, a):
				w.warnOfImplied(path, b, a)
			}
		}
	}
}

func (w *warner) warnOfImplied(path string, a, b *StepDef) {
	w.add(path, "whoever has done %s has done %s too, so the same use counts twice: drop one, or give one weight 0", a.ID, b.ID)
}

// implies says whether an account that has done step a has surely done step b, by the same events.
func implies(a, b *StepDef) bool {
	if !passes(b.Where, a.Where) || !counts(a) || !counts(b) || b.Live && !a.Live || slices.ContainsFunc(a.Event, func(e string) bool {
		return !slices.Contains(b.Event, e)
	}) {
		return false
	}
	switch b.Kind {
	case "event":
		return true
	case "count": // what takes so many users or days takes at least as many events
		return needs(b) <= 1 || a.Kind != "sum" && needs(a) >= needs(b) && contains(b.Within, a.Within)
	case "days":
		return needs(b) <= 1 || a.Kind == b.Kind && needs(a) >= needs(b) && contains(b.Within, a.Within)
	default:
		return a.Kind == b.Kind && a.Of == b.Of && needs(a) >= needs(b) && contains(b.Within, a.Within)
	}
}

// counts says whether a step is done by enough of some events, and by nothing else.
func counts(d *StepDef) bool {
	return slices.Contains([]string{"event", "count", "distinct", "days", "sum"}, d.Kind)
}

// needs is how much it takes to do a step.
func needs(d *StepDef) float64 {
	if d.AtLeast == nil {
		return 1
	}
	return *d.AtLeast
}

// contains says whether any time that an inner window holds fits an outer one; nil stands for the whole life. Windows of
// different units begin at different moments, which takes up to a day more.
func contains(outer, inner *Window) bool {
	switch {
	case outer == nil:
		return true
	case inner == nil:
		return false
	case outer.Unit == inner.Unit:
		return inner.N <= outer.N
	}
	return inner.Duration()+day <= outer.Duration()
}
