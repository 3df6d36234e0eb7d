package account

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// advance holds the event against the inputs of steps that listen to it. A step that is done for good can only become a
// merit of the event's user, who has a place among the users, 0 if there is none, and merits already.
func (t *turn) advance(inputs []checklist.Listen, user int, have merits) {
	s, all := t.state, t.engine.checklist.Steps()
	for _, in := range inputs {
		step := &all[in.Step]
		over := s.stepDone(int(in.Step)) && !step.Live
		rank := t.engine.rank[in.Step]
		credited := user == 0 || have.has(rank) || !step.Credits()
		if over && credited || step.Filtered(in.Role) && !step.Accepts(in.Role, t.ev, t.properties()) {
			continue
		}
		if step.Credits() {
			t.activate()
		}
		if !credited {
			have.add(rank)
			t.credit(user, &have)
		}
		if !over {
			t.update(int(in.Step), in.Role)
		}
	}
}

// update folds the event into a step's working set.
func (t *turn) update(i int, role uint8) {
	s, step := t.state, &t.engine.checklist.Steps()[i]
	set, at, size := s.working(step.WorkKey)
	t.work = append(t.work[:0], set...)
	t.input.Event, t.input.Role, t.input.Watermark = t.ev, role, t.watermark
	if step.ReadsAccount {
		t.input.Account = t.properties()
	}
	changed, done := step.Update(&t.work, &t.input)
	t.moved = t.moved || changed && step.Judged
	if done && !step.Live {
		if size > 0 {
			s.parts.remove(work, at, size)
		}
	} else if changed && string(t.work) != string(set) { // some times and amounts are too close to tell apart
		t.changed = true
		t.keep(step.WorkKey, set, at, size)
	}
	t.settle(i, done)
}

// keep puts the working set in the place of the one before, whose item has the size 0 when there was none.
func (t *turn) keep(key uint32, before []byte, at, size int) {
	if size > 0 && len(before) == len(t.work) {
		copy(before, t.work)
		return
	}
	more := 0
	if size == 0 {
		more = 1
	}
	t.item = appendBytes(appendKey(t.item[:0], key), t.work)
	t.state.parts.replace(work, at, size, t.item, more)
}

// settle takes in whether a step is done now. Its working set is t.work.
func (t *turn) settle(i int, done bool) {
	switch step := &t.engine.checklist.Steps()[i]; {
	case done && !t.state.stepDone(i):
		t.moment = checklist.Moment{Watermark: math.MinInt64, Account: t.properties()}
		t.finish(i, step.Count(t.work, &t.moment, true))
	case !done && step.Live && t.state.stepDone(i):
		t.undo(i, t.catching && !t.everDone(step))
	}
}

// reconsider asks the steps on which account properties have a say, since those have changed.
func (t *turn) reconsider() {
	steps := t.engine.checklist.Steps()
	for i := range steps {
		if steps[i].ReadsAccount {
			t.review(i)
		}
	}
}

// reviewAll asks every judged step.
func (t *turn) reviewAll() {
	steps := t.engine.checklist.Steps()
	for i := range steps {
		if steps[i].Judged {
			t.review(i)
		}
	}
}

// review asks a judged step whether it is done as its working set stands. Without one it is not: all that had done a live step
// may have been an erased user's.
func (t *turn) review(i int) {
	s, step := t.state, &t.engine.checklist.Steps()[i]
	if s.stepDone(i) && !step.Live {
		return
	}
	set, at, size := s.working(step.WorkKey)
	if size == 0 {
		if s.stepDone(i) {
			t.undo(i, false)
		}
		return
	}
	t.work = append(t.work[:0], set...)
	t.moment = checklist.Moment{Watermark: t.watermark, Account: t.properties()}
	done, _ := step.Judge(t.work, &t.moment)
	if done && t.present > t.watermark && !s.stepDone(i) {
		t.moment.Watermark = t.present
		done, _ = step.Judge(t.work, &t.moment)
	}
	if done && !step.Live {
		s.parts.remove(work, at, size)
	}
	t.settle(i, done)
}

// catchUp holds the working sets of a loaded state against the definition, which may be another than they were made under: a
// step that asks for less now may be done, a live one that asks for more undone. A set that is larger than the step's may be goes.
// Under the definition that they were made under nothing changes.
func (t *turn) catchUp() {
	s, steps := t.state, t.engine.checklist.Steps()
	t.catching = true
	defer func() { t.catching = false }()
	for i := range steps {
		step := &steps[i]
		switch {
		case step.Judged:
			t.review(i)
		case s.stepDone(i):
			continue
		}
		set, at, size := s.working(step.WorkKey)
		if size == 0 {
			continue
		}
		t.work = append(t.work[:0], set...)
		t.moment = checklist.Moment{Watermark: math.MinInt64, Account: t.properties()}
		reached := !step.Judged && step.Reached(t.work, &t.moment)
		if reached || step.Oversized(t.work) {
			s.parts.remove(work, at, size)
			t.changed = true
		}
		if reached {
			t.settle(i, true)
		}
	}
	t.moved = t.moved || t.changed
}

// group looks at the steps that are made of others.
func (t *turn) group() {
	all := t.engine.checklist.Steps()
	for _, i := range t.engine.checklist.Groups() {
		_, need := all[i].Members()
		switch have := t.state.membersDone(&all[i]); {
		case have >= need && !t.state.stepDone(i):
			t.finish(i, float64(have))
		case have < need && all[i].Live && t.state.stepDone(i):
			t.undo(i, !t.undone) // it has lost no member, unless by the definition
		}
	}
}

// membersDone is how many of the steps that a step is made of are done.
func (s *State) membersDone(step *checklist.Step) (n int) {
	members, _ := step.Members()
	for _, m := range members {
		if s.stepDone(m) {
			n++
		}
	}
	return n
}

// finish takes down that a step is done, with the evidence for it.
func (t *turn) finish(step int, count float64) {
	s := t.state
	t.moved = true
	s.setDone(step)
	e := entry{kind: kindStepDone, at: t.at, key: t.engine.checklist.Steps()[step].Key, count: count}
	switch {
	case t.ev != nil:
		pos := t.position()
		e.user, e.event = s.userPlace(t.ev.UserID), parseEventID(clip(t.ev.ID))
		e.topic, e.partition, e.offset = s.topic(pos.Topic), pos.Partition, pos.Offset
	case t.control != nil:
		pos := &t.control.Position
		e.event, e.topic, e.partition, e.offset = parseEventID(clip(t.control.EventID)), s.topic(pos.Topic), pos.Partition, pos.Offset
	default:
		e.timed = true
	}
	t.item = appendEntry(t.item[:0], &e, e.at-s.lastAt())
	s.parts.add(log, t.item)
	t.follow(step)
}

// follow draws what follows from a step done.
func (t *turn) follow(step int) {
	t.state.flags &^= barred
	t.judge, t.finished = true, true
	t.emit(kindStepDone, step)
}

// undo takes back that a step is done: the evidence goes, that it was undone is remembered. It may be the definition that
// undoes it.
func (t *turn) undo(step int, byDefinition bool) {
	s, key := t.state, t.engine.checklist.Steps()[step].Key
	s.takeBack(step, key)
	s.remember(&entry{kind: kindStepUndone, at: t.at, key: key})
	t.judge, t.moved = true, true
	if !byDefinition {
		t.undone = true
		t.emit(kindStepUndone, step)
		return
	}
	t.dropped = true
	before := t.cause
	t.cause = ByDefinition
	t.emit(kindStepUndone, step)
	t.cause = before
}

// everDone says whether a live step is done as of any time by its working set, t.work: if not, one that is done was so by
// another definition.
func (t *turn) everDone(step *checklist.Step) bool {
	t.moment = checklist.Moment{Watermark: math.MinInt64, Account: t.properties()}
	done, next := step.Judge(t.work, &t.moment)
	return done || next != checklist.Never
}

// takeBack forgets that a step is done, and the evidence for it.
func (s *State) takeBack(step int, key uint32) {
	s.clearDone(step)
	for r, e := s.log(), (entry{}); r.next(&e); {
		if e.kind == kindStepDone && e.key == key {
			s.forget(&e)
			return
		}
	}
}
