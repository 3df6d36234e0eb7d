package account

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // of UUIDs v5
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// factIDs is the namespace of the ids of facts. Each is the UUID v5 of the account's id, a zero byte, and the account's
// incarnation and the fact's ordinal as 8 bytes each, big-endian.
var factIDs = uuid.MustParse("6f0a3c52-8d1e-4f57-9a64-c1d7e2b85b90")

const (
	mostUsers    = 5
	activeMillis = 7 * 86_400_000
)

// emit makes a fact of what has just become of the state, if somebody wants it. It has its ordinal either way, so that ids
// don't depend on who wants what.
func (t *turn) emit(kind uint8) {
	s, e := t.state, t.engine
	t.changed = true
	s.ordinal++
	if !e.wanted[kind] && !(e.pqls && s.has(wasQualified)) {
		return
	}
	var f Fact
	if (kind == kindSignedUp || kind == kindStepDone) && !s.has(qualified) {
		f = e.progressOf(s)
	} else {
		f = e.standingOf(s, t.ev.OccurredAt)
	}
	switch f.ID, f.Type = s.factID(), types[kind]; kind {
	case kindStepDone:
		if f.StepsDone == nil {
			f.StepsDone = e.evidenceOf(s, true)
		}
		f.Step = f.StepsDone[len(f.StepsDone)-1].Step
	case kindDisqualified:
		f.Reason = Excluded
	}
	f.EventID, f.EventName, f.UserID = own(t.ev.ID), t.eventName(), own(t.ev.UserID)
	f.Position = t.position()
	f.Position.Topic = own(f.Position.Topic)
	f.Late, f.OccurredAt = t.late, t.ev.OccurredAt
	t.facts = append(t.facts, f)
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
	return own(t.ev.Name)
}

// progressOf returns how far an account has come that is no PQL: a Fact without the evidence, which the facts before
// it have told, and which would be most of what all accounts together make known.
func (e *Engine) progressOf(s *State) Fact {
	tier := &e.checklist.Tiers()[s.standing.tier]
	f := Fact{
		AccountID: s.id, Tier: tier.Name, Rate: e.rate(s), Threshold: tier.Threshold, Checklist: e.ref,
		Properties: e.told(s), Current: s.has(qualified),
	}
	f.SignedUpAt, f.QualifiedAt = s.times()
	return f
}

// standingOf returns the standing of an account at a time: a Fact without what made it one.
func (e *Engine) standingOf(s *State, at int64) Fact {
	f := e.progressOf(s)
	f.StepsDone, f.StepsMissing = e.evidenceOf(s, false), e.stepsMissing(s)
	activity := s.activity()
	f.Users, f.ActiveUsers7d = topUsers(activity), activeUsers(activity, at-activeMillis)
	f.SingleUser = e.singleUser(s, len(activity), f.StepsDone)
	if f.Current {
		f.Playbook = e.playbook(&f, &e.checklist.Tiers()[s.standing.tier])
	}
	return f
}

// told returns the account's properties as facts tell them.
func (e *Engine) told(s *State) []usage.Property {
	declared := e.checklist.Properties()
	if len(declared) == 0 {
		return nil
	}
	out := make([]usage.Property, len(declared))
	for i, v := range e.properties(nil, s) {
		if v.Kind() == usage.String {
			v = usage.StringValue(strings.Clone(v.Str()))
		}
		out[i] = usage.Property{Key: declared[i].Name, Value: v}
	}
	return out
}

// evidenceOf returns the steps done as facts tell them, or only the newest.
func (e *Engine) evidenceOf(s *State, newest bool) []Evidence {
	n := s.stepsDone()
	if n == 0 {
		return nil
	}
	names, topicNames := s.userNames(), s.topicNames()
	out := make([]Evidence, 0, n)
	for r, d := s.log(), (entry{}); r.next(&d); {
		if d.kind != kindStepDone {
			continue
		}
		if n--; newest && n > 0 {
			continue
		}
		out = append(out, Evidence{
			Step: e.checklist.Steps()[e.stepOf(d.key)].ID, DoneAt: d.at, UserID: names[d.user], EventID: d.event.own(),
			Position: Position{topicNames[d.topic], d.partition, d.offset}, Count: d.count,
		})
	}
	return out
}

func (e *Engine) stepsMissing(s *State) []Missing {
	steps := e.checklist.Steps()
	n := len(steps) - s.stepsDone()
	if n == 0 {
		return nil
	}
	out := make([]Missing, 0, n)
	for i := range steps {
		if s.stepDone(i) {
			continue
		}
		set, _, _ := s.working(steps[i].WorkKey)
		m := Missing{Step: steps[i].ID}
		m.Progress, m.Need = steps[i].Missing(steps[i].Count(set, nil, false))
		out = append(out, m)
	}
	return out
}

func (e *Engine) playbook(f *Fact, tier *checklist.Tier) Playbook {
	p := tier.Playbook
	if p.Name == "" {
		return Playbook{}
	}
	b := make([]byte, 0, len(p.Reason)+96)
	if p.Reason != "" {
		b = append(append(b, p.Reason...), ": "...)
	}
	b = append(strconv.AppendInt(b, int64(len(f.StepsDone)), 10), " of "...)
	b = append(strconv.AppendInt(b, int64(len(e.checklist.Steps())), 10), " steps done ("...)
	b = append(appendPercent(b, f.Rate), "; tier "...)
	b = append(append(b, tier.Name...), " asks for "...)
	b = append(appendPercent(b, tier.Threshold), ')')
	return Playbook{Name: p.Name, Action: p.Action, Queue: p.Queue, Reason: string(b)}
}

func appendPercent(b []byte, share float64) []byte {
	return append(strconv.AppendInt(b, int64(share*100+0.5), 10), " %"...)
}

// activity returns what the users tracked have done.
func (s *State) activity() (out []UserActivity) {
	var stepsDone [maxUsers]int // by place
	for r, e := s.log(), (entry{}); r.next(&e); {
		stepsDone[e.user]++
	}
	names := s.userNames()
	for r, u, place := s.users(), (user{}), 1; r.next(&u); place++ {
		if u.events > 0 {
			out = append(out, UserActivity{ID: names[place], Events: u.events, LastSeen: u.lastSeen, StepsDone: stepsDone[place]})
		}
	}
	return out
}

// topUsers returns the most active users, the most active first. It changes their order.
func topUsers(of []UserActivity) []UserActivity {
	slices.SortFunc(of, func(a, b UserActivity) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(b.LastSeen, a.LastSeen), cmp.Compare(a.ID, b.ID))
	})
	return of[:min(mostUsers, len(of)):min(mostUsers, len(of))]
}

func activeUsers(of []UserActivity, since int64) (n int) {
	for i := range of {
		if of[i].LastSeen > since {
			n++
		}
	}
	return n
}

// singleUser says whether everything was done by one user: of those tracked or, where none are, by the evidence.
func (e *Engine) singleUser(s *State, tracked int, done []Evidence) bool {
	if e.users > 0 {
		return tracked == 1 && !s.has(severalUsers)
	}
	return len(done) > 0 && !slices.ContainsFunc(done, func(d Evidence) bool {
		return d.UserID == "" || d.UserID != done[0].UserID
	})
}

// userNames returns the ids of the users by their place in one piece of memory, of which 0 is nobody.
func (s *State) userNames() []string {
	names, all := make([]string, 1, 1+s.parts.count(users)), string(s.parts.items(users))
	for r, u := s.users(), (user{}); r.next(&u); {
		names = append(names, all[u.numbers-len(u.id):u.numbers])
	}
	return names
}

// topicNames returns the names of the topics by their place in one piece of memory.
func (s *State) topicNames() []string {
	items := s.parts.items(topics)
	names, all := make([]string, 0, s.parts.count(topics)), string(items)
	for r := (reader{b: items}); r.more(); {
		n := len(r.text())
		names = append(names, all[r.at-n:r.at])
	}
	return names
}
