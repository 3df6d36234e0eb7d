package checklist

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

var sumKind = Kind{
	Name: "sum",
	Doc: "Done when the quantities of the events, or the values of one of their properties, add up to a number, over the " +
		"account's whole life or within a window. Only values above 0 count; a text that reads as a number is one. The order " +
		"of arrival does not matter, within a window up to a disorder of 30 days, 48 hours or 120 minutes, by the window's " +
		"unit: a billionth less than the number is enough, since the order of additions can make that much. " +
		"It keeps a number, or one for each day, hour or minute of the window and of the disorder before it.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what is added up: `quantity` or `properties.NAME`", Required: true},
		{Name: "at_least", Doc: "the sum, above 0", Required: true}, withinField, liveField},
	Example: "{id: much_stored, kind: sum, event: storage_used, of: quantity, at_least: 80}",
	build: func(b *builder) rule {
		b.onEvent()
		r := sumRule{target: b.atLeast(1e15, true), of: b.operand("quantity"), events: b.d.Event.String()}
		switch within := b.window(); {
		case within == nil:
			return &r
		case b.d.Live:
			return &liveSumRule{windowedSumRule{r, within}}
		default:
			return &windowedSumRule{r, within}
		}
	},
}

// sumRule keeps the sum, a double in little-endian order.
type sumRule struct {
	target float64
	of     operand
	events string
}

func (r *sumRule) update(w *Work, in *Input) (changed, done bool) {
	v, ok := r.amount(in.Event)
	if !ok {
		return false, false
	}
	sum := plus(r.count(*w, nil), v)
	*w = appendDouble((*w)[:0], sum)
	return true, r.enough(sum)
}

// amount is what an event adds: above 0.
func (r *sumRule) amount(ev *usage.Event) (v float64, ok bool) {
	v, ok = r.of.number(ev)
	return v, ok && v > 0
}

// enough says whether a sum reaches the target in some order of additions.
func (r *sumRule) enough(sum float64) bool { return sum >= r.target*(1-1e-9) }

func (r *sumRule) valid(w Work) bool {
	sum := r.count(w, nil)
	return len(w) == 0 || len(w) == 8 && sum > 0 && sum <= math.MaxFloat64
}

func (r *sumRule) merge(w *Work, other Work) {
	*w = appendDouble((*w)[:0], plus(r.count(*w, nil), r.count(other, nil)))
}

func (r *sumRule) reached(w Work, m *Moment) bool { return r.enough(r.count(w, m)) }

func (r *sumRule) count(w Work, _ *Moment) float64 {
	if len(w) != 8 {
		return 0
	}
	return double(w)
}

func (r *sumRule) appendNeed(b []byte, have float64) []byte {
	return appendShare(r.appendMore(b, have), have, r.target)
}

func (r *sumRule) appendMore(b []byte, have float64) []byte {
	b = append(appendNumber(b, significant(r.target-have, math.Round)), " more "...)
	if r.of.property != "" {
		b = append(append(b, r.of.property...), ' ')
	}
	return append(append(b, "of "...), r.events...)
}

func (r *sumRule) traits() traits {
	return traits{target: r.target, shape: "sum " + r.of.name, bound: workBound + 8}
}

// windowedSumRule keeps buckets with their sums: amounts.
type windowedSumRule struct {
	sumRule
	within *window
}

func (r *windowedSumRule) update(w *Work, in *Input) (changed, done bool) {
	v, ok := r.amount(in.Event)
	if !ok {
		return false, false
	}
	*w, changed, done = r.within.add(*w, r.within.bucket(in.Event.OccurredAt), v, r.enough)
	return changed || done, done
}

func (r *windowedSumRule) valid(w Work) bool { return validAmounts(w) }

func (r *windowedSumRule) merge(w *Work, other Work) { r.within.merge(w, other) }

func (r *windowedSumRule) reached(w Work, m *Moment) bool {
	holds, _ := r.within.sumsHold(w, m.Watermark, r.enough)
	return holds
}

func (r *windowedSumRule) count(w Work, m *Moment) float64 { return r.within.latestSum(w, m) }

func (r *windowedSumRule) appendNeed(b []byte, have float64) []byte {
	return appendShare(appendWithin(r.appendMore(b, have), r.within), have, r.target)
}

func (r *windowedSumRule) traits() traits {
	n := r.within.buckets() // the first is as far from the epoch as days can be, each other a bucket from the one before
	return traits{target: r.target, shape: "sums " + r.of.name + " by " + r.within.shape, bound: workBound + dayBound - 1 + n*(1+8)}
}

// liveSumRule keeps what windowedSumRule does, also while the step is done.
type liveSumRule struct{ windowedSumRule }

func (r *liveSumRule) judge(w Work, m *Moment) (done bool, next int64) {
	return r.within.sumsHold(w, m.Watermark, r.enough)
}

func (r *liveSumRule) traits() traits {
	t := r.windowedSumRule.traits()
	t.timed = true
	return t
}
