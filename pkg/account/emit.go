package account

import (
	"crypto/sha1" //nolint:gosec // of UUIDs v5
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// factIDs is the namespace of the ids of facts. Each is the UUID v5 of the account's id, a zero byte, and the account's
// incarnation and the fact's ordinal as 8 bytes each, big-endian.
var factIDs = uuid.MustParse("6f0a3c52-8d1e-4f57-9a64-c1d7e2b85b90")

// emit makes a fact of what has just become of the state, or of a step, if somebody wants it. It has its ordinal either
// way, so that ids don't depend on who wants what.
func (t *turn) emit(kind uint8, step int) {
	s, e := t.state, t.engine
	t.changed = true
	s.ordinal++
	if !e.wanted[kind] && !(e.pqls && s.has(wasQualified)) {
		t.unwanted(kind, step)
		return
	}
	var f Fact
	if t.bare {
		f = e.bareFact(s, kind)
	} else if toldBefore[kind] && !s.has(qualified) {
		f = e.progressOf(s, t.at)
	} else {
		f = e.standingOf(s, t.at)
	}
	f.ID, f.Type = s.factID(), types[kind]
	if kind == kindStepDone && f.StepsDone == nil {
		f.StepsDone = e.evidenceOf(s, true)
	}
	if step >= 0 {
		f.Step = e.checklist.Steps()[step].ID
	}
	f.Reason, f.Detail, f.Related = t.reason, t.detail, t.related
	t.attribute(&f)
	t.locate(&f)
	t.facts = append(t.facts, f)
	if e.telling {
		s.toldLast = t.whereabouts(f.Segments, true)
	}
}

// unwanted makes a fact in outline, or none.
func (t *turn) unwanted(kind uint8, step int) {
	s, e := t.state, t.engine
	if !e.outlines {
		if e.telling {
			s.toldLast = t.whereabouts(nil, false)
		}
		return
	}
	var f Fact
	if t.bare {
		f = e.bareFact(s, kind)
	} else {
		f = e.progressOf(s, t.at)
	}
	f.Type, f.Reason = types[kind], t.reason
	if step >= 0 {
		f.Step = e.checklist.Steps()[step].ID
	}
	t.attribute(&f)
	t.facts = append(t.facts, f)
	if e.telling {
		s.toldLast = t.whereabouts(f.Segments, true)
	}
}

// toldBefore are the transitions of which facts leave out what facts before have told, unless the account is a PQL.
var toldBefore = [len(types)]bool{kindSignedUp: true, kindActive: true, kindStepDone: true, kindStepUndone: true, kindSegmentChanged: true}

// attribute says what made a fact: an event, a control, time or the definition.
func (t *turn) attribute(f *Fact) {
	f.OccurredAt, f.Cause = t.at, ByTime
	switch {
	case t.cause == ByDefinition:
		f.Cause = ByDefinition
	case t.control != nil:
		f.Cause, f.Late = t.cause, t.late()
	case t.ev != nil:
		f.Cause, f.Late = ByEvent, t.late()
	}
}

// locate says which event made a fact, if one did, and where that lies.
func (t *turn) locate(f *Fact) {
	switch {
	case t.cause == ByDefinition:
		return
	case t.control != nil:
		f.EventID, f.EventName, f.Position = own(t.control.EventID), own(t.control.EventName), t.control.Position
	case t.ev != nil:
		f.EventID, f.EventName, f.UserID = own(t.ev.ID), t.eventName(), own(t.ev.UserID)
		f.Position = t.position()
	}
	f.Position.Topic = own(f.Position.Topic)
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
func (e *Engine) progressOf(s *State, at int64) Fact {
	return e.outline(s, at, e.properties(nil, s), nil)
}

// outline returns what all facts tell; activity is the users', if it is known already.
func (e *Engine) outline(s *State, at int64, account []usage.Value, activity []UserActivity) Fact {
	tier := &e.checklist.Tiers()[s.standing.tier]
	f := Fact{
		AccountID: s.id, Tier: tier.Name, Rate: e.rate(s), Threshold: tier.Threshold, Checklist: e.ref,
		Properties: e.told(account), Current: s.has(qualified), Excluded: s.standing.excluded, HoldOut: e.checklist.HeldOut(s.id),
		PartlyErased: s.has(partlyErased),
	}
	f.SignedUpAt, f.QualifiedAt = s.times()
	var b *checklist.Behaviour
	if e.checklist.Behaves() && (e.segmented || f.Current) {
		if activity == nil {
			activity = e.activity(s)
		}
		b = e.behaviour(s, at, &f, activity)
	}
	f.Segments = e.checklist.Segments(account, b)
	if f.Current {
		f.Playbook = e.playbook(s, &f, tier.Advise(account, b))
	}
	return f
}

// standingOf returns the standing of an account at a time: a Fact without what made it one.
func (e *Engine) standingOf(s *State, at int64) Fact {
	activity := e.activity(s)
	f := e.outline(s, at, e.properties(nil, s), activity)
	f.StepsDone, f.StepsMissing = e.evidenceOf(s, false), e.stepsMissing(s, at)
	f.ActiveUsers7d, f.Activated = activeUsers(activity, at-activeMillis), activated(activity)
	f.SingleUser = e.singleUser(s, len(activity))
	if c := champion(activity); c != nil {
		f.Champion = c.ID
	}
	f.Users = topUsers(activity)
	return f
}

// behaviour returns what expressions over behaviour see of an account.
func (e *Engine) behaviour(s *State, at int64, f *Fact, activity []UserActivity) *checklist.Behaviour {
	b := &checklist.Behaviour{
		Done: s.isDone, Rate: f.Rate, Tier: f.Tier, Users: len(activity), ActiveUsers: activeUsers(activity, at-activeMillis),
		SingleUser: e.singleUser(s, len(activity)), SignedUp: s.has(signedUp), PQL: s.has(qualified), Converted: s.has(converted),
	}
	if c := champion(activity); c != nil {
		b.ChampionRole = c.Role
	}
	return b
}

// told returns the account's properties as facts tell them.
func (e *Engine) told(account []usage.Value) []usage.Property {
	declared := e.checklist.Properties()
	if len(declared) == 0 {
		return nil
	}
	out := make([]usage.Property, len(declared))
	for i, v := range account {
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
		done := Evidence{Step: e.checklist.Steps()[e.stepOf(d.key)].ID, DoneAt: d.at, Count: d.count}
		if !d.timed {
			done.UserID, done.EventID = names[d.user], d.event.own()
			done.Position = Position{topicNames[d.topic], d.partition, d.offset}
		}
		out = append(out, done)
	}
	return out
}

// stepsMissing returns what is missing at a time.
func (e *Engine) stepsMissing(s *State, at int64) []Missing {
	steps := e.checklist.Steps()
	n := len(steps) - s.stepsDone()
	if n == 0 {
		return nil
	}
	out, now := make([]Missing, 0, n), &checklist.Moment{Watermark: at, Account: e.properties(nil, s)}
	for i := range steps {
		if s.stepDone(i) {
			continue
		}
		m := Missing{Step: steps[i].ID}
		m.Progress, m.Need = steps[i].Missing(e.counted(s, i, now))
		out = append(out, m)
	}
	return out
}

// counted is what a step that is not done has counted, in its own unit.
func (e *Engine) counted(s *State, i int, now *checklist.Moment) float64 {
	step := &e.checklist.Steps()[i]
	if _, need := step.Members(); need > 0 {
		return float64(s.membersDone(step))
	}
	set, _, _ := s.working(step.WorkKey)
	if len(set) == 0 {
		return 0
	}
	return step.Count(set, now, false)
}

// playbook returns advice with the arithmetic that it rests on among its reasons.
func (e *Engine) playbook(s *State, f *Fact, advice checklist.Playbook) Playbook {
	p := Playbook(advice)
	if p.Name == "" {
		return Playbook{}
	}
	b := make([]byte, 0, len(p.Reason)+96)
	if reason := strings.TrimSuffix(p.Reason, "."); reason != "" {
		b = append(append(b, reason...), ": "...)
	}
	done, all := e.weighing(s)
	b = append(strconv.AppendInt(b, int64(done), 10), " of "...)
	b = append(strconv.AppendInt(b, int64(all), 10), " steps done ("...)
	b = append(appendPercent(b, f.Rate), "; tier "...)
	b = append(append(b, f.Tier...), " asks for "...)
	p.Reason = string(append(appendPercent(b, f.Threshold), ')'))
	return p
}

// weighing is how many steps make up the rate, those that weigh something, and how many of them are done.
func (e *Engine) weighing(s *State) (done, all int) {
	steps := e.checklist.Steps()
	for i := range steps {
		if steps[i].Weight == 0 {
			continue
		}
		if all++; s.stepDone(i) {
			done++
		}
	}
	return done, all
}

func appendPercent(b []byte, share float64) []byte {
	return append(strconv.AppendInt(b, int64(share*100+0.5), 10), " %"...)
}
