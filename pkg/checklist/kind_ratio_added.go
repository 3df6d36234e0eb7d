package checklist

import "math"

// addedRule keeps the amounts that add up: by the window's buckets, or all of them at bucket 0.
type addedRule struct {
	ratioRule
	within *window // nil: the whole life
}

func (r *addedRule) update(w *Work, in *Input) (changed, done bool) {
	return r.add(w, in, func(sum float64) bool { return r.reaches(sum / r.to.number) })
}

// add says whether the amount is remembered, and whether there is enough with it; nil: who judges will find out.
func (r *addedRule) add(w *Work, in *Input, enough func(sum float64) bool) (changed, done bool) {
	v, ok := r.of.number(in.Event)
	if !ok || v <= 0 {
		return false, false
	}
	if r.within == nil {
		*w, _ = addAmount(*w, 0, v)
		return true, enough != nil && enough(all(*w))
	}
	*w, changed, done = r.within.add(*w, r.within.bucket(in.Event.OccurredAt), v, enough)
	return changed || done, done
}

// all is what amounts of the whole life add up to.
func all(amounts Work) float64 {
	r := amountReader{set: amounts}
	r.next()
	return r.sum
}

func (r *addedRule) valid(w Work) bool {
	return validAmounts(w) && (r.within != nil || len(w) == 0 || len(w) == 1+8 && w[0] == 0)
}

func (r *addedRule) merge(w *Work, other Work) {
	if r.within == nil {
		*w, _ = addAmount(*w, 0, all(other))
		return
	}
	r.within.merge(w, other)
}

// holds says whether there is enough, in a window that reaches to or beyond a moment, and from which watermark on there is not.
func (r *addedRule) holds(w Work, m *Moment) (holds bool, end int64) {
	per := r.to.per(m.Account)
	enough := func(sum float64) bool { return r.reaches(sum * per) }
	if r.within == nil {
		return enough(all(w)), Never
	}
	return r.within.sumsHold(w, m.Watermark, enough)
}

func (r *addedRule) reached(w Work, m *Moment) bool {
	holds, _ := r.holds(w, m)
	return holds
}

func (r *addedRule) count(w Work, m *Moment) float64 {
	if r.within == nil {
		return min(all(w)*r.to.per(m.Account), math.MaxFloat64)
	}
	return min(r.within.latestSum(w, m)*r.to.per(m.Account), math.MaxFloat64)
}

func (r *addedRule) traits() traits {
	t := r.ratioRule.traits()
	t.shape, t.bound = "added "+r.of.name, workBound+amountBound
	if r.within != nil {
		t.shape, t.bound = t.shape+" by "+r.within.shape, workBound+r.within.buckets()*amountBound
	}
	return t
}

// judgedAddedRule is judged because the limit is the account's, or because it is live.
type judgedAddedRule struct{ addedRule }

func (r *judgedAddedRule) update(w *Work, in *Input) (changed, done bool) { return r.add(w, in, nil) }

func (r *judgedAddedRule) judge(w Work, m *Moment) (done bool, next int64) {
	if done, next = r.holds(w, m); !r.live {
		next = Never
	}
	return done, next
}

func (r *judgedAddedRule) traits() traits {
	t := r.addedRule.traits()
	t.timed = r.live
	return t
}
