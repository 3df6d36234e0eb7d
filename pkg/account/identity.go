package account

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Control is what asks for something to be done to an account that no event of its own does: that accounts are merged, or
// something is erased.
type Control struct {
	At        int64 // event time, ms since the Unix epoch, UTC
	EventID   string
	EventName string
	Position  Position
	Watermark int64 // ms since the Unix epoch, UTC
	// SourceWatermark is that of the partition that the event came from, when it was read there; 0: it is not known, and Watermark counts.
	SourceWatermark int64
}

// Alias is the account that this one was merged into; empty: it is an account of its own. Nothing but its id is known of an
// alias: what concerns it belongs to the account that Alias names. Folding an event into one changes nothing.
func (s *State) Alias() string {
	if !s.has(aliased) {
		return ""
	}
	r := reader{b: s.parts.items(topics)}
	return string(r.text())
}

// Expired says whether the account is a stub of an erased one whose time has come: it can be forgotten altogether.
func (s *State) Expired(at int64) bool { return s.has(erased) && s.due <= at }

// Reopen makes an alias an account of its own again, of which nothing is known: it continues as a stub does.
func (f *Folder) Reopen(s *State) {
	if s.has(aliased) {
		f.turn.engine.wipe(s, 0)
	}
}

// wipe leaves nothing of a state but what keeps ids of facts from coming again, and what waits for its turn.
func (e *Engine) wipe(s *State, is flags) {
	waiting, n := s.heldPart()
	*s = State{
		id: s.id, incarnation: s.incarnation, ordinal: s.ordinal, parts: newParts(), due: checklist.Never,
		standing: e.standingOn(s.id, e.start), flags: is | unjudged,
	}
	s.keepHeld(waiting, n)
}

// isEmpty says whether nothing is known of the account, but that it was erased.
func (s *State) isEmpty() bool {
	return s.flags&(allFlags&^erased) == 0 && (s.bareSize() == len(nothing) || s.isOnlyErased())
}

// isOnlyErased says whether all that is there is when the account was erased.
func (s *State) isOnlyErased() bool {
	r, e := s.log(), entry{}
	return s.parts.count(log) == 1 && r.next(&e) && e.kind == kindErased && s.bareSize() == len(nothing)+1+len(s.parts.items(log))
}

// erasedAt is the event time of the newest erasure that the account remembers, below all times if there is none. What happened
// up to then, and has taken a longer way than the request, is not to come back.
func (s *State) erasedAt() int64 {
	at := int64(math.MinInt64)
	for r, e := s.log(), (entry{}); r.next(&e); {
		if e.kind == kindErased {
			at = max(at, e.at)
		}
	}
	return at
}

// beginAnew leaves of a stub that it was erased, and when.
func (e *Engine) beginAnew(s *State) {
	at := s.erasedAt()
	e.wipe(s, 0)
	s.remember(&entry{kind: kindErased, at: at})
}

// expire makes a wiped state a stub, for an hour after a time.
func (s *State) expire(at int64) {
	s.flags |= erased
	s.lastHour = max(s.lastHour, hourAfter(at))
	s.due = int64(s.lastHour) * hourMillis
}

// isRest says whether the state is what is left of an account that was merged or erased; it is good if it then is nothing else.
func (s *State) isRest() (rest, good bool) {
	bare := s.toldLast == 0
	switch s.flags & allFlags {
	case aliased:
		name := s.parts.items(topics)
		return true, bare && s.lastHour == 0 && s.parts.count(topics) == 1 && len(name) > 1 && s.bareSize() == len(nothing)+1+len(name)
	case erased:
		return true, bare && s.lastHour > 0 && s.isEmpty() && s.isOnlyErased()
	}
	return false, s.flags&(aliased|erased) == 0
}

// begin begins a turn in which a control does something to a state.
func (t *turn) begin(s *State, c *Control, cause Cause) {
	t.state, t.control, t.cause = s, c, cause
	t.at, t.watermark = c.At, c.Watermark
}

// catchUpOnce brings a state that was loaded under the definition, as an event would.
func (t *turn) catchUpOnce() {
	if t.judge = t.state.has(unjudged); t.judge {
		t.state.flags &^= unjudged
		t.catchUp()
	}
}

// foldAnew folds an event into what is left of an account: an alias takes nothing, a stub begins anew if the event has an
// effect and happened after the erasure.
func (f *Folder) foldAnew(s *State, l *checklist.Listener, ev *usage.Event, source Source, pos Position, watermark int64) (
	changed bool, facts []Fact,
) {
	if s.has(aliased) || ev.OccurredAt <= s.erasedAt() {
		return false, nil
	}
	stub := *s
	f.turn.engine.beginAnew(s)
	if changed, facts = f.fold(s, l, ev, source, pos, watermark); !changed {
		*s = stub
	}
	return changed, facts
}
