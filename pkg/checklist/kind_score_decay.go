package checklist

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sort"
	"strconv"
)

// decay is how much of something is left after days.
type decay struct {
	halfLife int
	within   []float64 // what is left after so many days of a half-life
}

func newDecay(halfLife int) decay {
	d := decay{halfLife: halfLife}
	for i := range min(halfLife, maxWithin) {
		d.within = append(d.within, math.Exp2(-float64(i)/float64(halfLife)))
	}
	return d
}

// after is 1 at first, and 0 after some thousand half-lives.
func (d *decay) after(days int) float64 {
	if days < d.halfLife {
		return d.within[days]
	}
	halvings := days / d.halfLife
	if halvings > 1000 {
		return 0
	}
	return d.within[days%d.halfLife] * math.Float64frombits(uint64(1023-halvings)<<52) // 2^-halvings
}

// scoredDays is how many days have points of their own: late events find the scores of those days as they were.
const scoredDays = 4

// scored is a working set while it is looked at: what each group's points were worth on the day before the newest days
// that are kept, of all days until then, and the points of each of those.
type scored struct {
	newest int // day
	groups [maxScored][1 + scoredDays]float64
}

// decayingScoreRule keeps the newest day with points as a zigzag varint since the Unix epoch, then for each group, in the
// order of their names, a byte that tells which of its numbers are not 0, lowest bit first, and those as little-endian
// doubles: the older days', then those of the newest four days.
type decayingScoreRule struct {
	scoreRule
	decay    decay
	calendar *calendar
}

// read is not ok for no working set, and when it is malformed.
func (r *decayingScoreRule) read(s *scored, w Work) (ok bool) {
	u, size := uvarint(w)
	day := int64(u>>1) ^ -int64(u&1)
	if size <= 0 || day < minBucket || day > maxBucket {
		return false
	}
	s.newest, w = int(day), w[size:]
	onNewest := false
	for g := range r.caps {
		if len(w) == 0 || w[0] >= 1<<(1+scoredDays) || len(w) < 1+8*bits.OnesCount8(w[0]) {
			return false
		}
		has := w[0]
		w = w[1:]
		for ; has != 0; has &= has - 1 {
			v := double(w)
			if w = w[8:]; !(v > 0 && v <= math.MaxFloat64) {
				return false
			}
			i := bits.TrailingZeros8(has)
			s.groups[g][i] = v
			onNewest = onNewest || i == scoredDays
		}
	}
	return len(w) == 0 && onNewest
}

func (r *decayingScoreRule) encode(w Work, s *scored) Work {
	w = binary.AppendVarint(w, int64(s.newest))
	for g := range r.caps {
		at := len(w)
		w = append(w, 0)
		for i, v := range &s.groups[g] {
			if v > 0 {
				w[at] |= 1 << i
				w = appendDouble(w, v)
			}
		}
	}
	return w
}

func (r *decayingScoreRule) update(w *Work, in *Input) (changed, done bool) {
	var s scored
	day := int(r.calendar.day(in.Event.OccurredAt))
	if !r.read(&s, *w) {
		s = scored{newest: day}
	}
	if day > s.newest {
		r.advance(&s, day-s.newest)
	}
	e, at := &r.entries[in.Role], day-s.newest+scoredDays
	if at > 0 {
		s.groups[e.group][at] = plus(s.groups[e.group][at], e.points)
	} else {
		s.groups[e.group][0] = plus(s.groups[e.group][0], e.points*r.decay.after(-at))
	}
	*w = r.encode((*w)[:0], &s)
	return true, r.lastDay(&s, max(at, 0)) >= 0
}

func (r *decayingScoreRule) merge(w *Work, other Work) {
	var s, o scored
	if !r.read(&s, *w) || !r.read(&o, other) {
		return
	}
	newest := max(s.newest, o.newest)
	r.advance(&s, newest-s.newest)
	r.advance(&o, newest-o.newest)
	for g := range r.caps {
		for i, points := range &o.groups[g] {
			s.groups[g][i] = plus(s.groups[g][i], points)
		}
	}
	*w = r.encode((*w)[:0], &s)
}

func (r *decayingScoreRule) reached(w Work, m *Moment) bool {
	var s scored
	if !r.read(&s, w) {
		return false
	}
	days := int(r.calendar.day(m.Watermark)) - s.newest
	r.advance(&s, max(days, 0))
	return r.lastDay(&s, max(min(days, 0)+scoredDays, 0)) >= 0
}

// advance makes a later day the newest.
func (r *decayingScoreRule) advance(s *scored, days int) {
	for g := range r.caps {
		group := &s.groups[g]
		older := group[0] * r.decay.after(days)
		for i := 1; i <= min(days, scoredDays); i++ {
			older = plus(older, group[i]*r.decay.after(days-i))
		}
		kept := [1 + scoredDays]float64{older}
		for i := 1; i+days <= scoredDays; i++ {
			kept[i] = group[i+days]
		}
		*group = kept
	}
	s.newest += days
}

// scores returns the score of the newest days, and of the day before them.
func (r *decayingScoreRule) scores(s *scored) (scores [1 + scoredDays]float64) {
	day := r.decay.after(1)
	for g, most := range r.caps {
		sum := 0.0
		for i, v := range &s.groups[g] {
			sum = plus(sum*day, v)
			scores[i] = plus(scores[i], min(sum, most))
		}
	}
	return scores
}

// lastDay returns the last of the newest days, from one on, whose score is enough; -1 when there is none. They are
// counted from the day before them.
func (r *decayingScoreRule) lastDay(s *scored, from int) int {
	scores := r.scores(s)
	for i := scoredDays; i >= from; i-- {
		if r.reaches(scores[i]) {
			return i
		}
	}
	return -1
}

func (r *decayingScoreRule) valid(w Work) bool {
	var s scored
	return len(w) == 0 || r.read(&s, w)
}

// count is the score of the newest day, or of the moment's if that is later.
func (r *decayingScoreRule) count(w Work, m *Moment) float64 {
	var s scored
	if !r.read(&s, w) {
		return 0
	}
	if days := int(r.calendar.day(m.Watermark)) - s.newest; days > 0 {
		r.advance(&s, days)
	}
	return r.scores(&s)[scoredDays]
}

func (r *decayingScoreRule) traits() traits {
	t := r.scoreRule.traits()
	t.shape += ", halved every " + strconv.Itoa(r.decay.halfLife) + " days of " + r.calendar.name
	t.bound = workBound + dayBound + len(r.groups)*(1+8*(1+scoredDays))
	return t
}

// liveScoreRule keeps what decayingScoreRule does, also while the step is done.
type liveScoreRule struct{ decayingScoreRule }

func (r *liveScoreRule) judge(w Work, m *Moment) (done bool, next int64) {
	var s scored
	if !r.read(&s, w) {
		return false, Never
	}
	at := r.lastDay(&s, 0)
	if at < 0 {
		return false, Never
	}
	last := s.newest - scoredDays + at
	if at == scoredDays {
		last += r.lasts(&s)
	}
	switch {
	case last < int(r.calendar.day(m.Watermark)):
		return false, Never
	case last >= maxBucket:
		return true, Never
	}
	return true, r.calendar.starts(last + 1)
}

// lasts returns for how many days after the newest the score of that day, which is enough, will be.
func (r *liveScoreRule) lasts(s *scored) int {
	day := r.decay.after(1)
	var sums [maxScored]float64
	all := 0.0
	for g := range r.caps {
		for _, v := range &s.groups[g] {
			sums[g] = plus(sums[g]*day, v)
		}
		all = plus(all, sums[g])
	}
	// Without the caps it would not last longer: until its exponent is below the target's.
	_, have := math.Frexp(all)
	_, need := math.Frexp(r.target)
	return sort.Search(r.decay.halfLife*(have-need+2), func(days int) bool {
		left, score := r.decay.after(days+1), 0.0
		for g, most := range r.caps {
			score += min(sums[g]*left, most)
		}
		return !r.reaches(score)
	})
}

func (r *liveScoreRule) traits() traits {
	t := r.decayingScoreRule.traits()
	t.timed = true
	return t
}
