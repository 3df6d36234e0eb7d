package account

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// NextTimer is when time alone will change the account next, ms since the Unix epoch: the watermark that Pass waits for. 0:
// it won't.
func (s *State) NextTimer() int64 {
	if s.due == checklist.Never {
		return 0
	}
	return max(s.due, atOnce)
}

// Pass lets event time pass up to a moment, in ms since the Unix epoch, and does what was due on the way, in order: steps
// that waited for it are done, live ones undone, with what follows. What happens so occurs at the moment that it was due.
//
// Of a stub nothing is done, though it has a timer: see Expired.
//
// A stage calls it before it folds an event at a watermark that has passed NextTimer.
func (f *Folder) Pass(s *State, at int64) (changed bool, facts []Fact) {
	t := &f.turn
	if s.has(erased) {
		return false, nil // what is due is that it is forgotten
	}
	for s.due <= at {
		due := s.due
		t.state, t.at, t.watermark, t.present, t.facts = s, due, due, at, facts
		if due == atOnce {
			t.at, t.watermark = at, at
		}
		if t.judge = s.has(unjudged); t.judge {
			s.flags &^= unjudged
			t.catchUp()
		} else {
			t.reviewAll()
		}
		ended := t.endTrial(nil)
		t.conclude(nil, ended)
		t.silence()
		t.tellChange()
		if s.lastHour == 0 {
			t.liven() // time has made it a PQL
		}
		facts, changed = t.facts, true
		s.due = t.engine.nextDue(s, t.properties(), &t.moment)
		t.release()
		if s.due <= due {
			break // no rule says so; whoever waits for NextTimer will find it in the past
		}
	}
	return changed, facts
}

// nextDue is when time alone changes an account with such properties; checklist.Never if it does not. The moment is room
// to work in.
func (e *Engine) nextDue(s *State, properties []usage.Value, m *checklist.Moment) (due int64) {
	due = checklist.Never
	if !e.checklist.Timed() {
		return due
	}
	if limit := e.checklist.Inactivity(); limit > 0 && s.has(qualified) && s.lastHour > 0 {
		due = silentFrom(s.lastHour, limit)
	}
	if end := e.checklist.TrialEnd(); end != nil && !s.has(trialOver) {
		if set, _, size := s.working(end.WorkKey); size > 0 {
			*m = checklist.Moment{Watermark: math.MinInt64}
			due = min(due, flips(end, set, false, m))
		}
	}
	steps := e.checklist.Steps()
	for i := range steps {
		done := s.stepDone(i)
		if !steps[i].Judged || done && !steps[i].Live {
			continue
		}
		set, _, size := s.working(steps[i].WorkKey)
		if size == 0 {
			continue
		}
		*m = checklist.Moment{Watermark: math.MinInt64, Account: properties}
		due = min(due, flips(&steps[i], set, done, m))
	}
	return due
}

// flips is when a step stops being what it is, done or not, seen from before all time. Time takes a step at most from not
// done to done or the other way: where it is what it becomes, it has been there. A live step that is done and never could
// be is one of a definition that asked for less.
func flips(step *checklist.Step, set checklist.Work, done bool, m *checklist.Moment) int64 {
	was, next := step.Judge(set, m)
	switch {
	case was == done:
		return next
	case done && next == checklist.Never:
		return atOnce
	}
	return checklist.Never
}

// atOnce is a time that every watermark has passed.
const atOnce = 1
