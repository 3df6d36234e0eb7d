package account

import (
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// turn is the folding of one event. It is used again for the memory that it holds.
type turn struct {
	engine   *Engine
	state    *State
	ev       *usage.Event
	listener *checklist.Listener
	source   Source // nil: pos it is
	pos      Position
	late     bool
	changed  bool
	judge    bool // something that decides on qualification has changed
	facts    []Fact

	read   bool // values are the account's properties now
	values []usage.Value
	work   checklist.Work
	input  checklist.Input
	item   []byte // an item of a part, while it is being made
}

// release lets go of the event and the state, but not of the room.
func (t *turn) release() {
	if len(t.values) > 0 {
		clear(t.values)
		t.values = t.values[:0]
	}
	t.read = false
	t.state, t.ev, t.listener, t.source, t.pos, t.facts = nil, nil, nil, nil, Position{}, nil
}

// fold does what Apply says, once the event is known to be no repeated one.
func (t *turn) fold() {
	l := t.listener
	t.learn(l.Sources)
	if len(l.Steps) > 0 || l.Signup != nil || l.Converted != nil {
		t.noteUser()
	}
	t.signUp(l.Signup)
	t.advance(l.Steps)
	if t.judge {
		t.disqualify()
	}
	t.convert(l.Converted)
	if t.judge {
		t.qualify()
		t.escalate()
	}
}

// noteUser keeps the newest users' activity.
func (t *turn) noteUser() {
	if t.engine.users == 0 || t.ev.UserID == "" {
		return
	}
	t.changed = true
	t.state.track(t.ev.UserID, t.ev.OccurredAt, t.engine.users)
}

func (t *turn) signUp(is checklist.Condition) {
	if is == nil || t.state.has(signedUp) || !is(t.ev, t.properties()) {
		return
	}
	t.state.flags |= signedUp
	t.transition(kindSignedUp)
}

// advance holds the event against the steps that listen to it and are not done.
func (t *turn) advance(steps []checklist.Listen) {
	s, all := t.state, t.engine.checklist.Steps()
	for _, in := range steps {
		i := int(in.Step)
		if s.stepDone(i) {
			continue
		}
		step := &all[i]
		if step.Filtered(in.Role) && !step.Accepts(in.Role, t.ev, t.properties()) {
			continue
		}
		set, at, size := s.working(step.WorkKey)
		t.work = append(t.work[:0], set...)
		t.input = checklist.Input{Event: t.ev, Role: in.Role}
		changed, done := step.Update(&t.work, &t.input)
		switch {
		case done:
			if size > 0 {
				s.parts.remove(work, at, size)
			}
			t.finish(i, step.Count(t.work, t.properties(), true))
		case changed:
			t.changed = true
			t.keep(step.WorkKey, set, at, size)
		}
	}
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

func (t *turn) finish(step int, count float64) {
	s, pos := t.state, t.position()
	s.setDone(step)
	e := entry{
		kind: kindStepDone, at: t.ev.OccurredAt, key: t.engine.checklist.Steps()[step].Key, user: s.userPlace(t.ev.UserID),
		event: parseEventID(clip(t.ev.ID)), topic: s.topic(pos.Topic), partition: pos.Partition, offset: pos.Offset, count: count,
	}
	t.item = appendStepDone(t.item[:0], &e, e.at-s.lastAt())
	s.parts.add(log, t.item)
	t.judge = true
	t.emit(kindStepDone)
}

func (t *turn) disqualify() {
	s := t.state
	if !s.has(qualified) || !s.standing.excluded {
		return
	}
	s.flags &^= qualified
	t.transition(kindDisqualified)
}

func (t *turn) convert(is checklist.Condition) {
	s := t.state
	if is == nil || s.has(converted) || !is(t.ev, t.properties()) {
		return
	}
	s.flags = s.flags&^qualified | converted
	t.transition(kindConverted)
}

func (t *turn) qualify() {
	s := t.state
	if s.has(qualified|converted) || s.standing.excluded || !reached(t.engine.rate(s), t.tier().Threshold) {
		return
	}
	kind := kindQualified
	if s.has(wasQualified) {
		kind = kindRequalified
	}
	s.flags = s.flags&^escalated | qualified | wasQualified
	t.transition(kind)
}

func (t *turn) escalate() {
	s, bar := t.state, t.tier().EscalateAt
	if !s.has(qualified) || s.has(escalated) || bar == 0 || !reached(t.engine.rate(s), bar) {
		return
	}
	s.flags |= escalated
	t.transition(kindEscalated)
}

func (t *turn) position() Position {
	if t.source != nil {
		return t.source.Position()
	}
	return t.pos
}

func (t *turn) tier() *checklist.Tier { return &t.engine.checklist.Tiers()[t.state.standing.tier] }

// reached compares a rate with a bar; what weights such as 0.1 and 0.2 lose in their sum must not decide.
func reached(rate, bar float64) bool { return rate >= bar-1e-9 }

// transition notes what has just become of the state, other than a step done, and makes a fact of it.
func (t *turn) transition(kind uint8) {
	t.state.remember(kind, t.ev.OccurredAt)
	t.emit(kind)
}
