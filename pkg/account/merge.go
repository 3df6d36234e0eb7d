package account

import (
	"errors"
	"fmt"
	"math"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Merge makes an account an alias of another one. If it is a PQL it leaves. What was known of it is carried to Absorb, nil when
// that is nothing. An account that is an alias already stays what it is: whoever calls asks the account that it is an alias of.
func (f *Folder) Merge(s *State, into string, c *Control) (carried []byte, facts []Fact) {
	if s.has(aliased) || into == s.id {
		return nil, nil
	}
	if !s.isEmpty() {
		carried = s.carry()
	}
	t := &f.turn
	t.begin(s, c, ByMerge)
	if s.has(qualified) {
		t.leave(ReasonMerged)
	}
	t.relate(kindMerged, into)
	facts = t.facts
	t.release()
	t.engine.wipe(s, aliased)
	s.parts.add(topics, appendText(nil, into))
	return carried, facts
}

// Absorb takes what Merge has carried from another account in, as if the events of both had been folded into one: a step is
// done if either has done it or both together have. The account keeps its id, hence whether it is excluded by that or held out,
// and what it was as a PQL. Facts come in the order: absorbed, signed up, active, steps done and undone, then as of a Fold.
func (f *Folder) Absorb(s *State, from string, carried []byte, c *Control) (facts []Fact, err error) {
	e := f.turn.engine
	other, err := e.Load(from, carried)
	if err == nil && (s.has(aliased) || other.has(aliased|erased)) {
		err = errors.New("one of them is no account of its own")
	}
	if err != nil {
		return nil, fmt.Errorf("merging account %s into %s: %w", from, s.id, err)
	}
	if c.At <= s.erasedAt() {
		return nil, nil // it was merged before the erasure, which has come the shorter way
	}
	if s.has(erased) {
		e.beginAnew(s)
	}
	t := &f.turn
	t.begin(s, c, ByMerge)
	t.catchUpOnce()
	t.absorb(other)
	facts = t.facts
	if e.timed {
		s.due = e.nextDue(s, t.properties(), &t.moment)
	}
	t.release()
	return facts, nil
}

// carry returns the encoded state without what waits for its turn: that comes later, along the alias.
func (s *State) carry() []byte {
	bare := *s
	bare.parts = parts{b: append([]byte(nil), s.parts.b...), ends: s.parts.ends}
	bare.dropHeld()
	b, _ := bare.AppendBinary(nil)
	return b
}

// relate tells a transition that another account has part in.
func (t *turn) relate(kind uint8, other string) {
	t.related = own(other)
	t.transition(kind)
	t.related = ""
}

// absorb takes another account in: at first what makes no fact of its own, then the rest.
func (t *turn) absorb(o *State) {
	s, done := t.state, t.engine.evidence(o)
	t.news = t.learnFrom(o)
	t.mergePeople(o, done)
	t.mergeSeen(o)
	t.mergeWork(o)
	t.mergeLife(o)
	t.relate(kindAbsorbed, o.id)

	if at, _ := o.times(); o.has(signedUp) && !s.has(signedUp) {
		s.flags |= signedUp
		s.remember(&entry{kind: kindSignedUp, at: at})
		t.emit(kindSignedUp, -1)
	}
	if o.has(active) {
		t.activate()
	}
	for i := range t.engine.checklist.Steps() {
		t.mergeStep(i, o.stepDone(i), done[i])
	}
	for _, i := range t.engine.checklist.Groups() {
		t.mergeGroup(i, o.stepDone(i), done[i])
	}
	if more := s.isDone[0]&^o.isDone[0] | s.isDone[1]&^o.isDone[1]; o.has(barred) && more == 0 {
		s.flags |= barred // it takes a step that the other account has not done
	}
	t.judge = true
	var isConversion checklist.Condition
	if o.has(converted) {
		isConversion = func(*usage.Event, []usage.Value) bool { return true }
	}
	t.conclude(isConversion, t.endTrial(nil))
	t.tellChange()
	if s.lastHour == 0 {
		t.liven() // the merge has made it a PQL
	}
}

// learnFrom takes over the account properties that events have told the other account later. It says whether a property is
// not what it was.
func (t *turn) learnFrom(o *State) (news bool) {
	for r := (reader{b: o.parts.items(told)}); r.more(); {
		p := nextProperty(&r)
		known, at := t.state.property(p.key)
		if known.size > 0 && known.at >= p.at {
			continue
		}
		before, more := known.value, 0
		if known.size == 0 {
			before, more = t.engine.checklist.Properties()[t.engine.propertyOf(p.key)].Default, 1
		}
		news = news || p.value != before
		t.state.parts.replace(told, at, known.size, r.b[r.at-p.size:r.at], more)
		t.read = false
	}
	if news {
		t.restand()
	}
	return news
}

// mergeWork makes the working sets what they were had the events of both been folded into one, of steps that neither has done
// for good.
func (t *turn) mergeWork(o *State) {
	s, e := t.state, t.engine
	merge := func(step *checklist.Step) {
		other, _, has := o.working(step.WorkKey)
		set, at, size := s.working(step.WorkKey)
		t.work = append(t.work[:0], set...)
		if has > 0 && step.Merge(&t.work, other) {
			t.keep(step.WorkKey, set, at, size)
		}
	}
	for i := range e.checklist.Steps() {
		if step := &e.checklist.Steps()[i]; step.Live || !s.stepDone(i) && !o.stepDone(i) {
			merge(step)
		}
	}
	if end := e.checklist.TrialEnd(); end != nil && !s.has(trialOver) {
		if _, _, size := s.working(end.WorkKey); o.has(trialOver) && size == 0 {
			s.flags |= trialOver
		}
		merge(end)
	}
}

// mergeLife makes what is known of when the account was alive what it were for both.
func (t *turn) mergeLife(o *State) {
	s, limit := t.state, t.engine.checklist.Inactivity()
	s.flags |= o.flags & partlyErased
	newest := o.newest()
	if newest == 0 || limit == 0 {
		return
	}
	if s.has(qualified) && s.lastHour > 0 {
		s.lastHour = max(s.lastHour, hourAfter(newest))
	}
	if s.has(silent) && !o.has(silent) && silentFrom(hourAfter(newest), limit) > t.readAt() {
		s.flags &^= silent
	}
}

// mergeStep says whether a step is done now, of which the other account may have evidence.
func (t *turn) mergeStep(i int, theirs bool, evidence testimony) {
	s, step := t.state, &t.engine.checklist.Steps()[i]
	_, members := step.Members()
	if members > 0 && step.Live || s.stepDone(i) && !step.Live {
		return
	}
	set, at, size := s.working(step.WorkKey)
	if theirs && !step.Live {
		if size > 0 {
			s.parts.remove(work, at, size)
		}
		t.adopt(i, evidence)
		return
	}
	if size == 0 {
		return
	}
	t.work = append(t.work[:0], set...)
	is := t.holds(step)
	if is && !step.Live || step.Oversized(set) {
		s.parts.remove(work, at, size)
	}
	if is && theirs && !s.stepDone(i) {
		t.adopt(i, evidence)
		return
	}
	t.settle(i, is)
}

// mergeGroup is mergeStep for a live step that is made of others, once those are decided.
func (t *turn) mergeGroup(i int, theirs bool, evidence testimony) {
	step := &t.engine.checklist.Steps()[i]
	if _, need := step.Members(); theirs && step.Live && !t.state.stepDone(i) && t.state.membersDone(step) >= need {
		t.adopt(i, evidence)
	}
}

// holds says whether a step is done by its working set, t.work.
func (t *turn) holds(step *checklist.Step) (done bool) {
	if step.Judged {
		t.moment = checklist.Moment{Watermark: t.watermark, Account: t.properties()}
		done, _ = step.Judge(t.work, &t.moment)
		return done
	}
	t.moment = checklist.Moment{Watermark: math.MinInt64, Account: t.properties()}
	return step.Reached(t.work, &t.moment)
}

// adopt takes a step done with the other account's evidence.
func (t *turn) adopt(i int, evidence testimony) {
	t.state.setDone(i)
	t.state.enter(&evidence)
	t.follow(i)
}
