package account

import (
	"math"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// turn is the folding of one event.
type turn struct {
	engine   *Engine
	state    *State
	ev       *usage.Event
	pos      Position
	listener *checklist.Listener
	late     bool
	changed  bool
	facts    []Fact
}

// notTold is the time of a property that no event has told.
const notTold = math.MinInt64

// learn takes over the account properties that the event tells. The newest event by its own time is right, whichever
// comes last: so disorder can't bring back an old value.
func (t *turn) learn(sources []checklist.Source) {
	s, learned := t.state, false
	for i := range sources {
		p := sources[i].Property
		v, ok := t.engine.checklist.Properties()[p].Take(t.ev.Property(sources[i].Path))
		if !ok || s.told != nil && t.ev.OccurredAt < s.told[p] {
			continue
		}
		if v != s.properties[p] {
			learned = true
			if v.Kind() == usage.String {
				v = usage.StringValue(strings.Clone(v.Str()))
			}
		} else if v = s.properties[p]; s.told != nil && t.ev.OccurredAt == s.told[p] {
			continue
		}
		s.set(p, v, t.ev.OccurredAt)
		t.changed = true
	}
	if learned {
		s.standing = t.engine.standing(s.properties)
	}
}

// noteUser keeps the newest users' activity: when there are too many, who was not seen for the longest time goes.
func (t *turn) noteUser() {
	s, id, limit := t.state, t.ev.UserID, t.engine.users
	if limit == 0 || id == "" {
		return
	}
	t.changed = true
	oldest := 0
	for i := range s.users {
		u := &s.users[i]
		if u.id == id {
			u.events++
			u.lastSeen = max(u.lastSeen, t.ev.OccurredAt)
			return
		}
		if u.lastSeen < s.users[oldest].lastSeen {
			oldest = i
		}
	}
	if len(s.users) > 0 {
		s.flags |= severalUsers
	}
	u := user{id: s.userID(id), events: 1, lastSeen: t.ev.OccurredAt}
	if len(s.users) < limit {
		s.users = append(s.users, u)
		return
	}
	s.users[oldest] = u
}

func (t *turn) signUp(is checklist.Condition) {
	s := t.state
	if is == nil || s.has(signedUp) || !is(t.ev, s.properties) {
		return
	}
	s.flags |= signedUp
	s.signedUpAt = t.ev.OccurredAt
	t.emit(SignedUp, noStep)
}

// advance holds the event against the steps that listen to it and are not done.
func (t *turn) advance(steps []int) {
	s, all := t.state, t.engine.checklist.Steps()
	for _, i := range steps {
		step := &all[i]
		if s.stepDone(i) || !step.Accepts(t.ev, s.properties) {
			continue
		}
		w := s.begin(i)
		changed, done := step.Update(&s.work[w].Work, t.ev)
		if done {
			t.finish(i, step.Count(&s.work[w].Work, true))
			s.drop(w)
		} else if !changed && s.work[w].untouched() {
			s.drop(w)
		}
		if t.changed = t.changed || changed; done {
			t.emit(StepDone, i)
		}
	}
}

// begin returns the index of a step's working set, a new one if there is none.
func (s *State) begin(step int) int {
	for i := range s.work {
		if int(s.work[i].step) == step {
			return i
		}
	}
	s.work = append(s.work, work{step: uint16(step)})
	return len(s.work) - 1
}

func (s *State) drop(i int) {
	last := len(s.work) - 1
	copy(s.work[i:], s.work[i+1:])
	s.work[last] = work{}
	if s.work = s.work[:last]; last == 0 && s.allDone() {
		s.work = nil
	}
}

func (s *State) allDone() bool { return len(s.done) == len(s.engine.checklist.Steps()) }

func (w *work) untouched() bool { return w.Total == 0 && len(w.IDs) == 0 && len(w.Days) == 0 }

func (t *turn) finish(step int, count float64) {
	s := t.state
	s.setDone(step)
	s.done = append(s.done, evidence{
		step: uint16(step), at: t.ev.OccurredAt, count: count,
		user: s.userID(t.ev.UserID), event: clip(t.ev.ID),
		topic: t.engine.topic(t.pos.Topic), partition: t.pos.Partition, offset: t.pos.Offset,
	})
	s.recompute()
}

func (t *turn) disqualify() {
	s := t.state
	if !s.has(qualified) || !s.standing.excluded {
		return
	}
	s.flags &^= qualified
	t.emit(Disqualified, noStep).Reason = Excluded
}

func (t *turn) convert(is checklist.Condition) {
	s := t.state
	if is == nil || s.has(converted) || !is(t.ev, s.properties) {
		return
	}
	s.flags = s.flags&^qualified | converted
	t.emit(Converted, noStep)
}

func (t *turn) qualify() {
	s := t.state
	if s.has(qualified|converted) || s.standing.excluded || !reached(s.rate, t.tier().Threshold) {
		return
	}
	kind := Qualified
	if s.has(wasQualified) {
		kind = Requalified
	}
	s.flags = s.flags&^escalated | qualified | wasQualified
	s.qualifiedAt = t.ev.OccurredAt
	t.emit(kind, noStep)
}

func (t *turn) escalate() {
	s, bar := t.state, t.tier().EscalateAt
	if !s.has(qualified) || s.has(escalated) || bar == 0 || !reached(s.rate, bar) {
		return
	}
	s.flags |= escalated
	t.emit(Escalated, noStep)
}

func (t *turn) tier() *checklist.Tier { return &t.engine.checklist.Tiers()[t.state.standing.tier] }

// reached compares a rate with a bar; what weights such as 0.1 and 0.2 lose in their sum must not decide.
func reached(rate, bar float64) bool { return rate >= bar-1e-9 }
