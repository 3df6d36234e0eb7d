package account

import (
	"cmp"
	"slices"
)

// doneWeight is the weight of the steps done.
func (v *View) doneWeight() (sum float64) {
	for i := range v.StepsDone {
		sum += v.Weights[v.StepsDone[i].Step]
	}
	return sum
}

// totalWeight is the weight of all steps.
func (v *View) totalWeight() float64 {
	sum := v.doneWeight()
	for i := range v.StepsMissing {
		sum += v.Weights[v.StepsMissing[i].Step]
	}
	return sum
}

// shortestWay returns the fewest steps missing that reach the threshold together; of several such choices the one whose
// steps have come furthest.
func (v *View) shortestWay() (ids []string) {
	short := v.Threshold*v.totalWeight() - v.doneWeight()
	open := slices.DeleteFunc(slices.Clone(v.StepsMissing), func(m Missing) bool { return v.Weights[m.Step] == 0 })
	slices.SortStableFunc(open, func(a, b Missing) int {
		return cmp.Or(cmp.Compare(b.Progress, a.Progress), cmp.Compare(v.Weights[b.Step], v.Weights[a.Step]))
	})
	n := 0
	for n < len(open) && !reached(v.heaviest(open, n), short) {
		n++
	}
	// A step is on the way if the rest of it can still be gone with the heaviest of the steps behind.
	for i := 0; i < len(open) && n > 0; i++ {
		if weight := v.Weights[open[i].Step]; reached(weight+v.heaviest(open[i+1:], n-1), short) {
			ids, short, n = append(ids, open[i].Step), short-weight, n-1
		}
	}
	return ids
}

// heaviest is the weight of the n heaviest of some steps together.
func (v *View) heaviest(of []Missing, n int) (sum float64) {
	weights := make([]float64, 0, len(of))
	for i := range of {
		weights = append(weights, v.Weights[of[i].Step])
	}
	slices.Sort(weights)
	for _, w := range weights[max(0, len(weights)-n):] {
		sum += w
	}
	return sum
}
