package checklist

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxSums = 200_000 // different weights that sets of steps can have
	// sameRate is what a rate may lack of its bar, as accounts' rates may.
	sameRate = 1e-9
	// roundedBar is how far a rate may be over the bar that stands for it: 0.66 means 2 of 3.
	roundedBar = 0.01
)

// rates are the activation rates that accounts can have: the sums of the weights of sets of steps, each sum a multiple
// of 10^-decimals, by the sum of all.
type rates struct {
	sums    []int64 // ascending, from 0 to the sum of all
	weights []int64 // ascending, without those that are 0
	unit    float64
}

// ratesOf returns false when the weights make more sums than are worth looking at.
func ratesOf(steps []Step) (r rates, ok bool) {
	decimals := 0
	for _, s := range steps {
		_, fraction, _ := strings.Cut(strconv.FormatFloat(s.Weight, 'f', -1, 64), ".")
		decimals = max(decimals, len(fraction))
	}
	if decimals > 9 {
		return rates{}, false
	}
	r.unit = math.Pow10(decimals)
	for _, s := range steps {
		if s.Weight > 0 {
			r.weights = append(r.weights, int64(math.Round(s.Weight*r.unit)))
		}
	}
	slices.Sort(r.weights)
	r.sums = []int64{0}
	for _, weight := range r.weights {
		if len(r.sums) > maxSums {
			return rates{}, false
		}
		r.sums = withAdded(r.sums, weight)
	}
	return r, len(r.weights) > 0
}

// withAdded returns ascending sums together with those that are a weight more.
func withAdded(sums []int64, weight int64) (all []int64) {
	more := slices.Clone(sums)
	for i := range more {
		more[i] += weight
	}
	all = make([]int64, 0, 2*len(sums))
	for len(sums) > 0 && len(more) > 0 {
		next := min(sums[0], more[0])
		if sums[0] == next {
			sums = sums[1:]
		}
		if more[0] == next {
			more = more[1:]
		}
		all = append(all, next)
	}
	return append(append(all, sums...), more...)
}

func (r *rates) total() int64 { return r.sums[len(r.sums)-1] }

func (r *rates) rate(sum int64) float64 { return float64(sum) / float64(r.total()) }

// needed is the least sum that reaches a bar of at most 1.
func (r *rates) needed(bar float64) int64 {
	at, _ := slices.BinarySearchFunc(r.sums, bar-sameRate, func(sum int64, bar float64) int {
		if r.rate(sum) < bar {
			return -1
		}
		return 1
	})
	return r.sums[min(at, len(r.sums)-1)]
}

// described says what a sum is in steps, or in weight where steps weigh differently.
func (r *rates) described(sum int64) string {
	if r.weights[0] == r.weights[len(r.weights)-1] {
		return fmt.Sprintf("%d of %d steps", sum/r.weights[0], len(r.weights))
	}
	return fmt.Sprintf("weight %s of %s", number(float64(sum)/r.unit), number(float64(r.total())/r.unit))
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// percent writes a rate with at most one decimal.
func percent(rate float64) string { return number(math.Round(rate*1000)/10) + " %" }

// warnOfBars warns of thresholds and escalations that mean something else than they say. A preset's own are let be:
// they are bars, whatever the number of steps.
func (w *warner) warnOfBars() {
	r, ok := ratesOf(w.list.Steps())
	if !ok || len(r.weights) == 1 {
		return
	}
	for i := range w.def.Tiers {
		written, t, path := &w.def.Tiers[i], &w.list.Tiers()[i], fmt.Sprintf("tiers[%d]", i)
		preset := w.presetTier(written.Name)
		ownThreshold := chosen(written.Threshold, preset.Threshold)
		ownEscalation := chosen(written.EscalateAt, preset.EscalateAt)
		if ownThreshold {
			w.warnOfBar(&r, path+".threshold", t.Threshold)
		}
		switch both := t.EscalateAt > 0 && r.needed(t.EscalateAt) == r.needed(t.Threshold); {
		case both && (ownThreshold || ownEscalation):
			w.add(path+".escalate_at", "an account of the tier %s escalates as soon as it qualifies: both take %s",
				t.Name, r.described(r.needed(t.Threshold)))
		case t.EscalateAt > 0 && ownEscalation:
			w.warnOfBar(&r, path+".escalate_at", t.EscalateAt)
		}
	}
}

// presetTier returns the tier of a name that the definition's preset has, or none.
func (w *warner) presetTier(name string) TierDef {
	for _, t := range presets[w.def.Preset] {
		if t.Name == name {
			return t
		}
	}
	return TierDef{}
}

// chosen says whether a bar is written and another than the preset's.
func chosen(bar, preset *float64) bool { return bar != nil && (preset == nil || *bar != *preset) }

func (w *warner) warnOfBar(r *rates, path string, bar float64) {
	needed, n := r.needed(bar), len(r.weights)
	switch rate := r.rate(needed); {
	case bar > 1-sameRate:
	case r.rate(r.weights[0]) >= bar-sameRate:
		w.add(path, "any single step reaches %s: the lightest of %d makes %s", percent(bar), n, percent(r.rate(r.weights[0])))
	case needed == r.total():
		w.add(path, "only all %d steps together reach %s: without the lightest it is %s", n, percent(bar),
			percent(r.rate(r.sums[len(r.sums)-2])))
	case rate-bar >= roundedBar:
		w.add(path, "%s can't be reached exactly: with these weights %s (%s) is the first that is enough",
			percent(bar), percent(rate), r.described(needed))
	}
}
