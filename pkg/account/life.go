package account

import (
	"github.com/pqlstream/pqlstream/pkg/checklist"
)

const hourMillis = 3_600_000

// hourAfter returns the hour after the one of a time, counted from the Unix epoch; at least 1.
func hourAfter(ms int64) int32 { return int32(min(max(ms/hourMillis+1, 1), 1<<31-1)) }

// standingOn is a standing as it is for one account: some are excluded by their ids.
func (e *Engine) standingOn(id string, s standing) standing {
	s.excluded = s.excluded || e.checklist.ExcludesAccount(id)
	return s
}

// bySales says whether events are sales' own and no step's: that they come is not the account's doing.
func bySales(l *checklist.Listener) bool { return l != nil && len(l.Sales) > 0 && len(l.Steps) == 0 }

// descriptive says whether events do nothing but tell account properties, as those that a nightly job sends of all accounts:
// that they come is not the account's doing either.
func descriptive(l *checklist.Listener) bool {
	return l != nil && len(l.Sources) > 0 && len(l.Steps) == 0 && l.Signup == nil && l.Converted == nil && l.Churned == nil && len(l.TrialEnd) == 0
}

// livens says whether an event puts off the moment at which the account has been silent for too long. That is known to
// the hour, so that not every event is one. One that has just made the account a PQL does, whatever it is.
func (e *Engine) livens(s *State, l *checklist.Listener, at int64) bool {
	return s.has(qualified) && e.checklist.Inactivity() > 0 && hourAfter(at) > s.lastHour && !bySales(l) && (s.lastHour == 0 || !descriptive(l))
}

// liven notes that a PQL is not silent. One that has just become it may have done something newer than what made it one,
// where events come out of order.
func (t *turn) liven() {
	s := t.state
	if !t.engine.livens(s, t.listener, t.at) {
		return
	}
	at := t.at
	if s.lastHour == 0 {
		at = max(at, s.newest())
	}
	s.lastHour, t.changed, t.moved = hourAfter(at), true, true
}

// newest is the time of the newest that is known of what the account has done.
func (s *State) newest() (at int64) {
	for r, e := s.log(), (entry{}); r.next(&e); {
		if e.kind < kindFeedback {
			at = max(at, e.at)
		}
	}
	for r, u := s.users(), (user{}); r.next(&u); {
		at = max(at, u.lastSeen)
	}
	return at
}

// wake lets an account that left because it was silent be judged anew, unless the event comes so late that it has been
// silent for too long since.
func (t *turn) wake() {
	s, limit := t.state, t.engine.checklist.Inactivity()
	if !s.has(silent) || bySales(t.listener) || descriptive(t.listener) || limit > 0 && silentFrom(hourAfter(t.at), limit) <= t.readAt() {
		return
	}
	s.flags &^= silent
	t.judge, t.changed = true, true
}

// silentFrom is when an account is silent for too long whose newest event was in the hour before the one given.
func silentFrom(lastHour int32, limit int64) int64 { return int64(lastHour)*hourMillis + limit }

// silence takes away that the account is a PQL if nothing has happened for too long.
func (t *turn) silence() {
	s, limit := t.state, t.engine.checklist.Inactivity()
	if limit == 0 || !s.has(qualified) || s.lastHour == 0 || silentFrom(s.lastHour, limit) > t.at {
		return
	}
	s.flags |= silent
	t.leave(ReasonInactive)
}

// activate notes that a step has accepted an event, if that is the first time.
func (t *turn) activate() {
	if !t.state.has(active) {
		t.state.flags |= active
		t.transition(kindActive)
	}
}

// endTrial holds the event, or the moment, against the end of the trial, and says whether that has come now.
func (t *turn) endTrial(roles []uint8) (ended bool) {
	s, end := t.state, t.engine.checklist.TrialEnd()
	if end == nil || s.has(trialOver) {
		return false
	}
	set, at, size := s.working(end.WorkKey)
	t.work = append(t.work[:0], set...)
	changed, done := false, false
	for _, role := range roles {
		if end.Accepts(role, t.ev, t.properties()) {
			t.input.Event, t.input.Role, t.input.Watermark = t.ev, role, t.watermark
			now, over := end.Update(&t.work, &t.input)
			changed, done = changed || now, over
		}
	}
	if t.ev == nil && size > 0 {
		done, _ = end.Judge(t.work, &checklist.Moment{Watermark: t.watermark})
	}
	switch {
	case done:
		if size > 0 {
			s.parts.remove(work, at, size)
		}
		s.flags |= trialOver
		t.changed, t.moved = true, true
	case changed:
		t.changed, t.moved = true, true
		t.keep(end.WorkKey, set, at, size)
	}
	return done
}

// outlastTrial takes away that the account is a PQL as its trial has ended without a conversion. An account whose rate is
// enough needs another step to qualify from then on, also if something else keeps it from being one now.
func (t *turn) outlastTrial() {
	s := t.state
	if s.has(converted) || !s.has(qualified) && !reached(t.engine.rate(s), t.tier().Threshold) {
		return
	}
	s.flags |= barred
	if s.has(qualified) {
		t.leave(ReasonTrialEnded)
	}
}

// exclude tells that the account can't qualify from now on, or can again.
func (t *turn) exclude() {
	s := t.state
	if out := s.standing.excluded; out != s.has(shutOut) {
		kind := kindLetIn
		if out {
			kind = kindShutOut
		}
		s.flags ^= shutOut
		t.transition(kind)
	}
}

// churn notes that the account's subscription has ended. It takes another step to become a PQL again.
func (t *turn) churn(is checklist.Condition) {
	s := t.state
	if is == nil || !s.has(converted) || !is(t.ev, t.properties()) {
		return
	}
	s.flags = s.flags&^converted | barred
	t.transition(kindChurned)
}

// hear notes what sales says.
func (t *turn) hear(sayings []checklist.Saying) {
	for i := range sayings {
		if say := &sayings[i]; say.Is(t.ev, t.properties()) {
			t.detail = own(say.Why(t.ev))
			t.transition(kindFeedback + uint8(say.Feedback))
			t.detail = ""
		}
	}
}

// nearlyMiss tells that one more step would qualify the account, once until that is no longer so.
func (t *turn) nearlyMiss() {
	s := t.state
	if !t.engine.checklist.NearMisses() {
		return
	}
	step := -1
	if s.mayQualify() {
		step = t.oneStepShort()
	}
	switch {
	case step < 0:
		t.changed = t.changed || s.has(near)
		s.flags &^= near
	case !s.has(near):
		s.flags |= near
		s.remember(&entry{kind: kindNearMiss, at: t.at})
		t.emit(kindNearMiss, step)
	}
}

// oneStepShort returns the step that would qualify the account by itself, of several the one that has come furthest; below 0:
// there is none.
func (t *turn) oneStepShort() (step int) {
	s, e, furthest := t.state, t.engine, -1.0
	steps, bar := e.checklist.Steps(), t.tier().Threshold
	rate := e.rate(s)
	step = -1
	now := &checklist.Moment{Watermark: t.at, Account: t.properties()}
	for i := range steps {
		if s.stepDone(i) || !reached(rate+steps[i].Weight/e.checklist.TotalWeight(), bar) {
			continue
		}
		if progress, _ := steps[i].Missing(e.counted(s, i, now)); progress > furthest {
			step, furthest = i, progress
		}
	}
	return step
}
