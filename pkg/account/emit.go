package account

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // of UUIDs v5
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// factIDs is the namespace of the ids of facts. Each is the UUID v5 of the account's id, a zero byte, and the account's
// incarnation and the fact's ordinal as 8 bytes each, big-endian.
var factIDs = uuid.MustParse("6f0a3c52-8d1e-4f57-9a64-c1d7e2b85b90")

const (
	topUsers     = 5
	activeMillis = 7 * 86_400_000
)

// emit makes a fact of what has just become of the state, and a moment of its history.
func (t *turn) emit(kind Type, step int) *Fact {
	s := t.state
	t.changed = true
	s.ordinal++
	s.remember(moment{at: t.ev.OccurredAt, kind: uint8(slices.Index(types, kind)), step: int16(step)})
	var f Fact
	if (kind == SignedUp || kind == StepDone) && !s.has(qualified) {
		f = t.engine.progressOf(s)
	} else {
		f = t.engine.standingOf(s, t.ev.OccurredAt)
	}
	f.ID, f.Type = s.factID(), kind
	if step != noStep {
		f.Step = t.engine.checklist.Steps()[step].ID
		if f.StepsDone == nil {
			f.StepsDone = t.engine.evidenceOf(s.done[len(s.done)-1:])
		}
	}
	f.EventID, f.EventName, f.UserID = t.eventID(), t.eventName(), s.userID(t.ev.UserID)
	f.Position = Position{t.engine.topic(t.pos.Topic), t.pos.Partition, t.pos.Offset}
	f.Late, f.OccurredAt = t.late, t.ev.OccurredAt
	t.facts = append(t.facts, f)
	return &t.facts[len(t.facts)-1]
}

func (s *State) remember(m moment) {
	if len(s.history) < checklist.History {
		s.history = append(s.history, m)
		return
	}
	copy(s.history, s.history[1:])
	s.history[len(s.history)-1] = m
}

func (s *State) factID() string {
	name := make([]byte, 0, 16+maxID+17)
	name = append(append(name, factIDs[:]...), s.id...)
	name = append(name, 0)
	name = binary.BigEndian.AppendUint64(name, uint64(s.incarnation))
	name = binary.BigEndian.AppendUint64(name, uint64(s.ordinal))
	return formatUUID(hashed(name))
}

// hashed is uuid.NewSHA1 without its allocations.
func hashed(name []byte) [16]byte {
	sum := sha1.Sum(name) //nolint:gosec // the standard's choice for UUIDs v5, no secret
	id := [16]byte(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// eventName returns the checklist's own copy of the event's name, or one.
func (t *turn) eventName() string {
	if t.listener.Event != "" {
		return t.listener.Event
	}
	return clip(t.ev.Name)
}

// eventID returns a copy of the event's id, the one that the step just done has if there is one.
func (t *turn) eventID() string {
	if n := len(t.state.done); n > 0 && t.state.done[n-1].event == t.ev.ID {
		return t.state.done[n-1].event
	}
	return clip(t.ev.ID)
}

// progressOf returns how far an account has come that is no PQL: a Fact without the evidence, which the facts before
// it have told, and which would be most of what all accounts together make known.
func (e *Engine) progressOf(s *State) Fact {
	tier := &e.checklist.Tiers()[s.standing.tier]
	f := Fact{
		AccountID: s.id, Tier: tier.Name, Rate: s.rate, Threshold: tier.Threshold, Checklist: e.ref,
		Properties: e.properties(s), QualifiedAt: s.qualifiedAt,
	}
	if s.has(signedUp) {
		f.SignedUpAt = s.signedUpAt
	}
	return f
}

// standingOf returns the standing of an account at a time: a Fact without what made it one.
func (e *Engine) standingOf(s *State, at int64) Fact {
	tier := &e.checklist.Tiers()[s.standing.tier]
	f := Fact{
		AccountID: s.id, Tier: tier.Name, Rate: s.rate, Threshold: tier.Threshold, Checklist: e.ref,
		Properties: e.properties(s), StepsDone: e.evidenceOf(s.done), StepsMissing: e.stepsMissing(s),
		Users: s.topUsers(), ActiveUsers7d: s.activeUsers(at - activeMillis), SingleUser: s.singleUser(),
		QualifiedAt: s.qualifiedAt, Current: s.has(qualified),
	}
	if f.Current {
		f.Playbook = e.playbook(s, tier)
	}
	if s.has(signedUp) {
		f.SignedUpAt = s.signedUpAt
	}
	return f
}

func (e *Engine) properties(s *State) []usage.Property {
	if len(s.properties) == 0 {
		return nil
	}
	out := make([]usage.Property, len(s.properties))
	for i, p := range e.checklist.Properties() {
		out[i] = usage.Property{Key: p.Name, Value: s.properties[i]}
	}
	return out
}

// evidenceOf returns the steps done as facts tell them.
func (e *Engine) evidenceOf(steps []evidence) []Evidence {
	if len(steps) == 0 {
		return nil
	}
	out := make([]Evidence, len(steps))
	for i := range steps {
		d := &steps[i]
		out[i] = Evidence{
			Step: e.checklist.Steps()[d.step].ID, DoneAt: d.at, UserID: d.user, EventID: d.event,
			Position: Position{d.topic, d.partition, d.offset}, Count: d.count,
		}
	}
	return out
}

func (e *Engine) stepsMissing(s *State) []Missing {
	steps := e.checklist.Steps()
	n := len(steps) - len(s.done)
	if n == 0 {
		return nil
	}
	out := make([]Missing, 0, n)
	for i := range steps {
		if s.stepDone(i) {
			continue
		}
		var w *checklist.Work
		for j := range s.work {
			if int(s.work[j].step) == i {
				w = &s.work[j].Work
			}
		}
		m := Missing{Step: steps[i].ID}
		m.Progress, m.Need = steps[i].Missing(w)
		out = append(out, m)
	}
	return out
}

func (e *Engine) playbook(s *State, tier *checklist.Tier) Playbook {
	p := tier.Playbook
	if p.Name == "" {
		return Playbook{}
	}
	steps := len(e.checklist.Steps())
	b := make([]byte, 0, len(p.Reason)+96)
	if p.Reason != "" {
		b = append(append(b, p.Reason...), ": "...)
	}
	b = append(strconv.AppendInt(b, int64(len(s.done)), 10), " of "...)
	b = append(strconv.AppendInt(b, int64(steps), 10), " steps done ("...)
	b = append(appendPercent(b, s.rate), "; tier "...)
	b = append(append(b, tier.Name...), " asks for "...)
	b = append(appendPercent(b, tier.Threshold), ')')
	return Playbook{Name: p.Name, Action: p.Action, Queue: p.Queue, Reason: string(b)}
}

func appendPercent(b []byte, share float64) []byte {
	return append(strconv.AppendInt(b, int64(share*100+0.5), 10), " %"...)
}

// topUsers returns the most active users known, the most active first.
func (s *State) topUsers() []UserActivity {
	if len(s.users) == 0 {
		return nil
	}
	order := slices.Clone(s.users)
	slices.SortFunc(order, func(a, b user) int {
		return cmp.Or(cmp.Compare(b.events, a.events), cmp.Compare(b.lastSeen, a.lastSeen), cmp.Compare(a.id, b.id))
	})
	out := make([]UserActivity, min(topUsers, len(order)))
	for i := range out {
		u := &order[i]
		out[i] = UserActivity{ID: u.id, Events: u.events, LastSeen: u.lastSeen}
		for j := range s.done {
			if s.done[j].user == u.id {
				out[i].StepsDone++
			}
		}
	}
	return out
}

func (s *State) activeUsers(since int64) (n int) {
	for i := range s.users {
		if s.users[i].lastSeen > since {
			n++
		}
	}
	return n
}

// singleUser says whether everything was done by one user: of those tracked or, where none are, by the evidence.
func (s *State) singleUser() bool {
	if s.engine.users > 0 {
		return len(s.users) == 1 && !s.has(severalUsers)
	}
	for i := range s.done {
		if s.done[i].user == "" || s.done[i].user != s.done[0].user {
			return false
		}
	}
	return len(s.done) > 0
}
