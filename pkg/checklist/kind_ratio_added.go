package checklist

import (
	"math"
	"slices"
)

// addedRule keeps the amounts that add up: by the window's buckets, or all of them at bucket 0. Before them stand the
// limits, if the events tell them: levels of the share of the limit that a unit is.
type addedRule struct {
	ratioRule
	within *window // nil: the whole life
}

// split returns the limits of a working set and its amounts. It is not ok when the limits are malformed.
func (r *addedRule) split(room *[maxLevels]level, w Work) (limits []level, amounts Work, ok bool) {
	if r.to.property == "" {
		return nil, w, true
	}
	return appendLevels(room[:0], w, maxLevels)
}

func (r *addedRule) update(w *Work, in *Input) (changed, done bool) {
	var room [maxLevels]level
	limits, amounts, ok := r.split(&room, *w)
	if !ok {
		limits, amounts, *w = nil, nil, (*w)[:0]
	}
	if v, ok := r.of.number(in.Event); ok && v > 0 {
		if r.to.property != "" && len(*w) == 0 {
			*w = append(*w, 0) // no limits yet
		}
		at := len(*w) - len(amounts)
		amounts, changed, done = r.add((*w)[at:], in.Event.OccurredAt, v)
		*w = append((*w)[:at], amounts...)
	}
	if r.to.property != "" {
		if per, told := r.to.told(in.Event); told {
			limits, told = insertLevel(limits, level{in.Event.OccurredAt, per}, in.Watermark, maxLevels)
			if told {
				var room [1 + maxLevels*(varintBound+8)]byte
				*w = slices.Replace(*w, 0, len(*w)-len(amounts), encodeLevels(room[:0], limits)...)
			}
			changed = changed || told
		}
	}
	return changed || done, done
}

// add says whether the amount is remembered, and whether there is enough with it, unless that is to be judged.
func (r *addedRule) add(amounts Work, at int64, v float64) (_ Work, remembered, done bool) {
	enough := func(sum float64) bool { return r.reaches(sum / r.to.number) }
	isJudged := r.to.number == 0 || r.live
	switch {
	case r.within == nil:
		amounts, _ = addAmount(amounts, 0, v)
		return amounts, true, !isJudged && enough(all(amounts))
	case isJudged:
		enough = nil
	}
	return r.within.add(amounts, r.within.bucket(at), v, enough)
}

// all is what amounts of the whole life add up to.
func all(amounts Work) float64 {
	r := amountReader{set: amounts}
	r.next()
	return r.sum
}

func (r *addedRule) valid(w Work) bool {
	var room [maxLevels]level
	limits, amounts, ok := r.split(&room, w)
	if !ok || !validAmounts(amounts) || len(w) > 0 && len(limits)+len(amounts) == 0 {
		return false
	}
	return r.within != nil || len(amounts) == 0 || len(amounts) == 1+8 && amounts[0] == 0
}

func (r *addedRule) count(w Work, m *Moment) float64 {
	var room [maxLevels]level
	limits, amounts, _ := r.split(&room, w)
	per := r.to.per(m.Account)
	if r.to.property != "" {
		per = newestValue(limits)
	}
	if r.within == nil {
		return min(all(amounts)*per, math.MaxFloat64)
	}
	return min(r.within.latestSum(amounts, m)*per, math.MaxFloat64)
}

func (r *addedRule) traits() traits {
	t := r.ratioRule.traits()
	t.shape, t.bound = "added "+r.shape(), workBound+amountBound
	if r.within != nil {
		t.shape, t.bound = t.shape+" by "+r.within.shape, workBound+r.within.buckets()*amountBound
	}
	if r.to.property != "" {
		t.bound += levelsBound(maxLevels)
	}
	return t
}

// judgedAddedRule is judged because the limit is the account's or the events', or because it is live.
type judgedAddedRule struct{ addedRule }

func (r *judgedAddedRule) judge(w Work, m *Moment) (done bool, next int64) {
	var room [maxLevels]level
	limits, amounts, _ := r.split(&room, w)
	if r.to.property != "" {
		done, next = r.judgeLimits(limits, amounts, m.Watermark)
	} else {
		done, next = r.holds(amounts, m.Watermark, r.to.per(m.Account))
	}
	if !r.live {
		next = Never
	}
	return done, next
}

// judgeLimits looks at every limit that the watermark has not passed, for the one that holds longest.
func (r *judgedAddedRule) judgeLimits(limits []level, amounts Work, watermark int64) (done bool, next int64) {
	tried := 0.0
	for i := len(limits) - 1; i >= 0 && counting(limits, i, watermark); i-- {
		if limits[i].value <= tried {
			continue // one that is no higher counts for longer
		}
		tried = limits[i].value
		holds, end := r.holds(amounts, watermark, tried)
		if end = min(end, until(limits, i)); holds && (!done || end > next) {
			done, next = true, end
		}
	}
	if !done {
		return false, Never
	}
	return true, next
}

// holds says whether there is enough of amounts of which each unit is such a share, and the watermark from which on there
// isn't.
func (r *judgedAddedRule) holds(amounts Work, watermark int64, per float64) (holds bool, end int64) {
	enough := func(sum float64) bool { return r.reaches(sum * per) }
	if r.within == nil {
		return enough(all(amounts)), Never
	}
	return r.within.sumsHold(amounts, watermark, enough)
}

func (r *judgedAddedRule) traits() traits {
	t := r.addedRule.traits()
	t.timed = r.live
	return t
}
