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
	ev        *usage.Event // nil: no event does it
	control   *Control     // nil: no control does it
	cause     Cause        // of the transition that is being made, if it is not that of the event or of time
	related   string       // the same
	listener  *checklist.Listener
	source    Source // nil: pos it is
	pos       Position
	watermark int64
	present   int64 // while time passes up to a later watermark, that one; 0: it is the watermark
	changed   bool
	judge     bool    // something that decides on qualification has changed
	undone    bool    // a step was undone, by whatever has happened
	dropped   bool    // a step was undone that another definition asks more for
	bare      bool    // facts tell nothing of the account but its id
	catching  bool    // what is decided now is decided anew for another definition
	finished  bool    // a step was done
	news      bool    // an account property has changed
	barBefore float64 // the tier's threshold before the event; 0: it is the same still
	reason    Reason  // of the transition that is being made
	detail    string  // the same
	moved     bool    // something has changed on which it depends when time will change the account
	facts     []Fact

	read   bool // values are the account's properties now
	values []usage.Value
	work   checklist.Work
	input  checklist.Input
	moment checklist.Moment
	item   []byte // an item of a part, while it is being made
	apart  []byte // what tells accounts apart, while that is looked at
}

// release lets go of the event and the state, but not of the room.
func (t *turn) release() {
	if len(t.values) > 0 {
		clear(t.values)
		t.values = t.values[:0]
	}
	t.read, t.judge, t.undone, t.dropped, t.finished, t.news, t.moved = false, false, false, false, false, false, false
	t.changed, t.barBefore, t.cause, t.control, t.present = false, 0, "", nil, 0
	t.input, t.moment = checklist.Input{}, checklist.Moment{}
	t.state, t.ev, t.listener, t.source, t.pos, t.facts = nil, nil, nil, nil, Position{}, nil
}

// fold does what Apply says, once the event is known to be no repeated one.
func (t *turn) fold() {
	l := t.listener
	if t.judge { // as of an account that was loaded, or is new
		t.catchUp()
	}
	t.news = t.learn(l.Sources)
	user, have := t.noteUser()
	t.wake()
	t.signUp(l.Signup)
	t.advance(l.Steps, user, have)
	if t.news {
		t.reconsider()
	}
	ended := t.endTrial(l.TrialEnd)
	t.conclude(l.Converted, ended)
	t.churn(l.Churned)
	t.hear(l.Sales)
	t.tellChange()
	t.liven()
}

// conclude draws what follows from the steps done; ended says that the trial has.
func (t *turn) conclude(isConversion checklist.Condition, ended bool) {
	if t.judge {
		t.group()
		t.exclude()
	}
	if t.judge {
		t.disqualify()
	}
	t.convert(isConversion)
	if ended {
		t.outlastTrial()
	}
	if t.judge {
		t.qualify()
		t.escalate()
		t.nearlyMiss()
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

// disqualify takes away that the account is a PQL, where something asks for that.
func (t *turn) disqualify() {
	s, bar := t.state, t.tier().Threshold
	if !s.has(qualified) {
		return
	}
	below := !reached(t.engine.rate(s), bar)
	switch {
	case s.standing.excluded:
		t.leave(Excluded)
	case below && t.undone:
		t.leave(ReasonStepUndone)
	case below && t.dropped:
		t.leaveFor(ByDefinition, ReasonDefinitionChanged)
	case below && t.barBefore > 0 && t.barBefore < bar && t.engine.checklist.Demotes():
		t.leave(ReasonTierChanged)
	}
}

// leave makes the account no PQL.
func (t *turn) leave(why Reason) {
	s := t.state
	s.flags &^= qualified
	s.lastHour, t.moved = 0, true
	t.reason = why
	t.transition(kindDisqualified)
	t.reason = ""
}

// leaveFor makes the account no PQL for another cause than that of the turn.
func (t *turn) leaveFor(cause Cause, why Reason) {
	before := t.cause
	t.cause = cause
	t.leave(why)
	t.cause = before
}

func (t *turn) convert(is checklist.Condition) {
	s := t.state
	if is == nil || s.has(converted) || !is(t.ev, t.properties()) {
		return
	}
	s.flags = s.flags&^(qualified|near) | converted
	s.lastHour, t.moved = 0, true
	t.transition(kindConverted)
}

// mayQualify says whether an account becomes a PQL as soon as its rate is enough.
func (s *State) mayQualify() bool {
	return !s.has(qualified|converted|barred|silent) && !s.standing.excluded
}

func (t *turn) qualify() {
	s := t.state
	if !s.mayQualify() || !reached(t.engine.rate(s), t.tier().Threshold) {
		return
	}
	kind := kindQualified
	if s.has(wasQualified) {
		kind = kindRequalified
	}
	if t.barBefore > 0 && !t.finished && !reached(t.engine.rate(s), t.barBefore) {
		t.reason = ReasonTierChanged
	}
	s.flags = s.flags&^escalated | qualified | wasQualified
	t.transition(kind)
	t.reason = ""
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

// readAt is the watermark at which what is folded was read where it comes from, or else here.
func (t *turn) readAt() (at int64) {
	switch {
	case t.control != nil:
		at = t.control.SourceWatermark
	case t.source != nil:
		at = t.source.Watermark()
	}
	if at == 0 {
		at = t.watermark
	}
	return at
}

func (t *turn) late() bool { return t.at < t.readAt() }

func (t *turn) tier() *checklist.Tier { return &t.engine.checklist.Tiers()[t.state.standing.tier] }

// reached compares a rate with a bar; what weights such as 0.1 and 0.2 lose in their sum must not decide.
func reached(rate, bar float64) bool { return rate >= bar-1e-9 }

// transition notes what has just become of the state, other than of a step, and makes a fact of it.
func (t *turn) transition(kind uint8) {
	t.state.remember(&entry{kind: kind, at: t.at})
	t.emit(kind, -1)
}
