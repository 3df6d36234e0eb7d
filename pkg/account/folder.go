package account

import (
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Folder folds usage events into states by an Engine's rules. It holds the memory that folding takes, so it is for one
// goroutine at a time; it keeps nothing of what it has folded.
type Folder struct{ turn turn }

// Folder returns a Folder of its own for whoever folds.
func (e *Engine) Folder() *Folder { return &Folder{turn{engine: e}} }

// Source says where an event's record lies, and what time it was there. It is asked at most twice for each step done and each fact.
type Source interface {
	Position() Position
	// Watermark is that of the partition that the event came from, when it was read there, in ms since the Unix epoch. What is late
	// is late by it: an event that was in time where it comes from is not late because others are ahead. 0: it is not known, and
	// that of the stage counts.
	Watermark() int64
}

// Apply folds an event into its account's state: Fold with the listener looked up.
func (f *Folder) Apply(s *State, ev *usage.Event, pos Position, watermark int64) (changed bool, facts []Fact) {
	l := f.turn.engine.checklist.Listener(ev.Name)
	if l == nil {
		return false, nil
	}
	return f.fold(s, l, ev, nil, pos, watermark)
}

// Fold folds an event into its account's state; the listener is the checklist's for the event's name. Nothing but the
// state, the event, its position and the watermark (ms since the Unix epoch) decides what comes of it. It keeps nothing
// of the event that it does not clone.
//
// Facts come in the order: signed up, steps done, disqualified, converted, qualified or requalified, escalated. So an
// event that converts an account does not qualify it as well. An event whose id is remembered changes nothing.
//
// Only events that had an effect are remembered: one that had none may come again and count then, once.
func (f *Folder) Fold(s *State, l *checklist.Listener, ev *usage.Event, source Source, watermark int64) (changed bool, facts []Fact) {
	return f.fold(s, l, ev, source, Position{}, watermark)
}

func (f *Folder) fold(s *State, l *checklist.Listener, ev *usage.Event, source Source, pos Position, watermark int64) (
	changed bool, facts []Fact,
) {
	t, e := &f.turn, f.turn.engine
	if s.has(aliased | erased) {
		return f.foldAnew(s, l, ev, source, pos, watermark)
	}
	if e.idle(s, l, ev) {
		return false, nil
	}
	id := e.identify(ev)
	if id != 0 && s.hasSeen(id, ev.OccurredAt, e.horizon, e.limit) {
		return false, nil
	}
	t.state, t.ev, t.at, t.listener, t.source, t.pos = s, ev, ev.OccurredAt, l, source, pos
	t.watermark, t.judge = watermark, s.has(unjudged)
	s.flags &^= unjudged
	t.fold()
	changed, facts = t.changed, t.facts
	if t.moved && e.timed {
		s.due = e.nextDue(s, t.properties(), &t.moment)
	}
	t.release()
	if changed && id != 0 {
		s.see(id, ev.OccurredAt, e.horizon, e.limit)
	}
	return changed, facts
}
