package account

import (
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// turn is the folding of one event, or what time does at one moment. It is used again for the memory that it holds.
type turn struct {
	engine    *Engine
	state     *State
	at        int64        // event time, ms: the event's, or the moment
	ev        *usage.Event // nil: time does it
	listener  *checklist.Listener
	source    Source // nil: pos it is
	pos       Position
	watermark int64
	late      bool
	changed   bool
	loaded    bool // the state was loaded, and this is the first event since
	judge     bool // something that decides on qualification has changed
	undone    bool // a step was undone
	moved     bool // something has changed on which it depends when time will change a step
	facts     []Fact

	read   bool // values are the account's properties now
	values []usage.Value
	work   checklist.Work
	input  checklist.Input
	moment checklist.Moment
	item   []byte // an item of a part, while it is being made
}

// release lets go of the event and the state, but not of the room.
func (t *turn) release() {
	if len(t.values) > 0 {
		clear(t.values)
		t.values = t.values[:0]
	}
	t.loaded, t.read, t.judge, t.undone, t.moved, t.changed, t.late = false, false, false, false, false, false, false
	t.input, t.moment = checklist.Input{}, checklist.Moment{}
	t.state, t.ev, t.listener, t.source, t.pos, t.facts = nil, nil, nil, nil, Position{}, nil
}

// fold does what Apply says, once the event is known to be no repeated one.
func (t *turn) fold() {
	l := t.listener
	if t.loaded {
		t.catchUp()
	}
	news := t.learn(l.Sources)
	user, have := t.noteUser()
	t.signUp(l.Signup)
	t.advance(l.Steps, user, have)
	if news {
		t.reconsider()
	}
	t.conclude(l.Converted)
}

// conclude draws what follows from the steps done.
func (t *turn) conclude(isConversion checklist.Condition) {
	if t.judge {
		t.group()
		t.disqualify()
	}
	t.convert(isConversion)
	if t.judge {
		t.qualify()
		t.escalate()
	}
}

// noteUser keeps the newest users' activity. It returns the place of the event's user, 0 when there is none, and the
// user's merits.
func (t *turn) noteUser() (place int, have merits) {
	l, e := t.listener, t.engine
	if e.users == 0 || t.ev.UserID == "" || len(l.Steps) == 0 && l.Signup == nil && l.Converted == nil {
		return 0, merits{}
	}
	role := ""
	if name := e.checklist.Role(); name != "" {
		if v := t.ev.Property(name); v.Kind() == usage.String && len(v.Str()) <= checklist.MaxRole {
			role = v.Str()
		}
	}
	t.changed = true
	return t.state.track(t.ev.UserID, t.ev.OccurredAt, role, e.users)
}

func (t *turn) signUp(is checklist.Condition) {
	if is == nil || t.state.has(signedUp) || !is(t.ev, t.properties()) {
		return
	}
	t.state.flags |= signedUp
	t.transition(kindSignedUp)
}

func (t *turn) disqualify() {
	s := t.state
	below := t.undone && !reached(t.engine.rate(s), t.tier().Threshold)
	if !s.has(qualified) || !s.standing.excluded && !below {
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

// transition notes what has just become of the state, other than of a step, and makes a fact of it.
func (t *turn) transition(kind uint8) {
	t.state.remember(&entry{kind: kind, at: t.at})
	t.emit(kind, -1)
}
