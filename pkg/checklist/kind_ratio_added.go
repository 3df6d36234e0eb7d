package checklist

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// addedRule keeps the amounts that add up, see amount: by the window's buckets, or all of them at bucket 0. Before them
// stand the limits, if the events tell them: levels of the share of the limit that a unit is.
type addedRule struct {
	ratioRule
	within *window // nil: the whole life
}

// addedRoom is where a working set's parts are read to.
type addedRoom struct {
	limits  [maxLevels]level
	amounts [dayRoom]amount
}

func (r *addedRule) read(room *addedRoom, w Work) (limits []level, amounts []amount, ok bool) {
	if r.to.property != "" {
		if limits, w, ok = appendLevels(room.limits[:0], w, maxLevels); !ok {
			return nil, nil, false
		}
	}
	amounts, ok = appendAmounts(room.amounts[:0], w)
	return limits, amounts, ok
}

func (r *addedRule) update(w *Work, in *Input) (changed, done bool) {
	var room addedRoom
	limits, amounts, _ := r.read(&room, *w)
	if r.to.property != "" {
		if per, told := r.to.told(in.Event); told {
			limits, changed = insertLevel(limits, level{in.Event.OccurredAt, per}, in.Watermark, maxLevels)
		}
	}
	if v, ok := r.of.number(in.Event); ok && v > 0 {
		var counted bool
		amounts, counted, done = r.add(amounts, in.Event.OccurredAt, v)
		changed = changed || counted || done
	}
	if changed {
		*w = (*w)[:0]
		if r.to.property != "" {
			*w = encodeLevels(*w, limits)
		}
		*w = encodeAmounts(*w, amounts)
	}
	return changed, done
}

// add says whether the amount is remembered, and whether there is enough with it, as far as that is known without an
// account.
func (r *addedRule) add(amounts []amount, at int64, v float64) (_ []amount, counted, done bool) {
	if r.within == nil {
		amounts, place, _ := addAmount(amounts, 0, v)
		return amounts, true, r.to.number > 0 && r.reaches(amounts[place].sum/r.to.number)
	}
	bucket := r.within.bucket(at)
	amounts, _, _ = addAmount(amounts, bucket, v)
	done = r.to.number > 0 && r.reaches(r.within.mostWith(amounts, bucket)/r.to.number)
	amounts = r.within.forgetAmounts(amounts)
	return amounts, bucket >= amounts[0].bucket, done
}

func (r *addedRule) valid(w Work) bool {
	var room addedRoom
	limits, amounts, ok := r.read(&room, w)
	if r.within == nil && (len(amounts) > 1 || len(amounts) == 1 && amounts[0].bucket != 0) {
		return false
	}
	return ok && (len(w) == 0 || len(limits)+len(amounts) > 0)
}

func (r *addedRule) count(w Work, account []usage.Value) float64 {
	var room addedRoom
	limits, amounts, _ := r.read(&room, w)
	per := r.to.per(account)
	if r.to.property != "" {
		per = newestValue(limits)
	}
	return min(r.newest(amounts)*per, math.MaxFloat64)
}

func (r *addedRule) newest(amounts []amount) float64 {
	switch {
	case r.within != nil:
		return r.within.latestSum(amounts)
	case len(amounts) > 0:
		return amounts[0].sum
	}
	return 0
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
	var room addedRoom
	limits, amounts, _ := r.read(&room, w)
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
func (r *judgedAddedRule) judgeLimits(limits []level, amounts []amount, watermark int64) (done bool, next int64) {
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
func (r *judgedAddedRule) holds(amounts []amount, watermark int64, per float64) (holds bool, end int64) {
	enough := func(sum float64) bool { return r.reaches(sum * per) }
	if r.within == nil {
		return enough(r.newest(amounts)), Never
	}
	return r.within.sumsHold(amounts, watermark, enough)
}
