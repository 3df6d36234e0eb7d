package account

import (
	"cmp"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// maxTries bounds the sets of steps that are tried for the shortest way, which groups of groups can make too many.
const maxTries = 20_000

// shortestWay returns the fewest steps missing that take an account to its threshold together, and the steps made of others
// that these complete. Only what an account can do counts: no step that is made of others. Of several such choices it is
// the one whose steps have come furthest together. Where too many would have to be tried, it is one that suffices and has
// no needless step.
func (e *Engine) shortestWay(v *View) (ids, completes []string) {
	if v.reached() {
		return nil, nil
	}
	r := newRoute(e.checklist, v)
	way := r.fewest()
	after := r.done
	for _, step := range way {
		ids, after = append(ids, r.steps[step].ID), after.with(step)
	}
	after = r.completed(after)
	for _, group := range e.checklist.Groups() {
		if after.has(group) && !r.done.has(group) && r.steps[group].Weight > 0 {
			completes = append(completes, r.steps[group].ID)
		}
	}
	return ids, completes
}

// places is a set of steps by their places.
type places [2]uint64

func (p places) has(step int) bool { return p[step/64]>>(step%64)&1 == 1 }

func (p places) with(step int) places {
	p[step/64] |= 1 << (step % 64)
	return p
}

func (p places) without(step int) places {
	p[step/64] &^= 1 << (step % 64)
	return p
}

// route is the search for the shortest way.
type route struct {
	list     *checklist.Checklist
	steps    []checklist.Step
	bar      float64
	done     places
	progress []float64   // of each step
	open     []int       // those that can bring the account closer, the furthest along first
	worth    []float64   // of each of open: see worths
	most     [][]float64 // most[i][n] is what the n of open[i:] that are worth most are worth together

	tries  int   // that are left
	chosen []int // the set that is being made up
	best   []int // of the sets that suffice
	come   float64
}

func newRoute(list *checklist.Checklist, v *View) *route {
	steps := list.Steps()
	r := &route{list: list, steps: steps, bar: v.Threshold, progress: make([]float64, len(steps)), tries: maxTries}
	missing := map[string]float64{}
	for i := range v.StepsMissing {
		missing[v.StepsMissing[i].Step] = v.StepsMissing[i].Progress
	}
	for i := range steps {
		progress, is := missing[steps[i].ID]
		if r.progress[i] = progress; !is {
			r.done = r.done.with(i)
		}
	}
	r.done = r.completed(r.done)
	worths := r.worths(r.done)
	for i := range steps {
		if worths[i] > 0 {
			r.open = append(r.open, i)
		}
	}
	slices.SortStableFunc(r.open, func(a, b int) int {
		return cmp.Or(cmp.Compare(r.progress[b], r.progress[a]), cmp.Compare(worths[b], worths[a]))
	})
	for _, step := range r.open {
		r.worth = append(r.worth, worths[step])
	}
	for i := range len(r.open) + 1 {
		r.most = append(r.most, heaviest(r.worth[i:]))
	}
	return r
}

// heaviest returns the sums of the 0, 1, ... heaviest.
func heaviest(weights []float64) []float64 {
	weights = slices.Sorted(slices.Values(weights))
	sums := make([]float64, 1, len(weights)+1)
	for n, w := range slices.Backward(weights) {
		sums = append(sums, sums[len(weights)-1-n]+w)
	}
	return sums
}

// completed adds the steps that are made of those done.
func (r *route) completed(done places) places {
	for _, group := range r.list.Groups() {
		members, need := r.steps[group].Members()
		for _, m := range members {
			if done.has(m) {
				need--
			}
		}
		if need <= 0 {
			done = done.with(group)
		}
	}
	return done
}

// rate is the activation rate of an account that has done some steps.
func (r *route) rate(done places) (rate float64) {
	done = r.completed(done)
	for i := range r.steps {
		if done.has(i) {
			rate += r.steps[i].Weight / r.list.TotalWeight()
		}
	}
	return rate
}

func (r *route) suffices(done places) bool { return reached(r.rate(done), r.bar) }

// worths returns what each step is worth for the rate where some are done, so that no set of steps adds more than its steps
// are worth together: its own weight and, of each group that it can help to complete, its part among the fewest steps
// that this takes. Groups and steps done are worth nothing.
func (r *route) worths(done places) []float64 {
	worths, takes, under := make([]float64, len(r.steps)), make([]int, len(r.steps)), make([]places, len(r.steps))
	for i := range r.steps {
		takes[i], under[i] = 1, places{}.with(i)
	}
	for _, group := range r.list.Groups() {
		if !done.has(group) {
			takes[group], under[group] = r.stepsUnder(group, done, takes, under)
		}
	}
	for i := range r.steps {
		if done.has(i) || r.steps[i].Weight == 0 {
			continue
		}
		for step := range r.steps {
			if under[i].has(step) {
				worths[step] += r.steps[i].Weight / float64(takes[i]) / r.list.TotalWeight()
			}
		}
	}
	return worths
}

// stepsUnder returns the steps missing that can help to complete a group, and a number of them without which nothing does,
// given the same of its members.
func (r *route) stepsUnder(group int, done places, takes []int, under []places) (fewest int, steps places) {
	members, need := r.steps[group].Members()
	var missing []int // what each member missing takes
	groups := 0
	for _, m := range members {
		if done.has(m) {
			need--
			continue
		}
		missing, steps[0], steps[1] = append(missing, takes[m]), steps[0]|under[m][0], steps[1]|under[m][1]
		if of, _ := r.steps[m].Members(); of != nil {
			groups++
		}
	}
	// Groups may share steps, so what they take does not add up.
	slices.Sort(missing)
	return max(missing[need-1], need-groups), steps
}

// fewest returns the shortest way.
func (r *route) fewest() []int {
	for n := 0; n <= len(r.open) && r.tries > 0; n++ {
		if r.choose(0, n, r.done, r.rate(r.done), 0); r.best != nil {
			return r.best
		}
	}
	return r.sufficient()
}

// choose looks for the best n of open[i:] that suffice together with those done, which make a rate of at most could, and of
// which those chosen have come so far.
func (r *route) choose(i, n int, done places, could, come float64) {
	if r.tries--; n == 0 {
		if r.suffices(done) {
			r.best, r.come = append([]int{}, r.chosen...), come
		}
		return
	}
	for ; i+n <= len(r.open) && r.tries > 0; i++ {
		ahead := come // what have come furthest come first
		for _, step := range r.open[i : i+n] {
			ahead += r.progress[step]
		}
		if !reached(could+r.most[i][n], r.bar-rounding) || r.best != nil && ahead <= r.come+rounding {
			return
		}
		r.chosen = append(r.chosen, r.open[i])
		r.choose(i+1, n-1, done.with(r.open[i]), could+r.worth[i], come+r.progress[r.open[i]])
		r.chosen = r.chosen[:len(r.chosen)-1]
	}
}

// rounding is more than what sums lose by the order of their parts.
const rounding = 1e-9

// sufficient takes what is worth most, one after the other, until it suffices, and leaves out again what is needless.
func (r *route) sufficient() (way []int) {
	done := r.done
	for range r.open {
		if r.suffices(done) {
			break
		}
		worths := r.worths(r.completed(done))
		best := slices.MaxFunc(r.open, func(a, b int) int { return cmp.Compare(worths[a], worths[b]) })
		done = done.with(best)
	}
	for _, step := range slices.Backward(r.open) {
		if done.has(step) && r.suffices(done.without(step)) {
			done = done.without(step)
		}
	}
	return slices.DeleteFunc(slices.Clone(r.open), func(step int) bool { return !done.has(step) })
}
