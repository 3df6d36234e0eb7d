package account

import (
	"slices"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// Erase leaves a stub of an account, for about an hour after expires (ms since the Unix epoch): no id of a fact comes again
// then, and an event begins anew. What happened up to the request changes nothing as long as there is a stub, nor later what
// comes along an alias. If the account is a PQL it leaves. The facts tell nothing but that. Erasing a stub again puts off when
// it goes.
func (f *Folder) Erase(s *State, expires int64, c *Control) (facts []Fact) {
	at := max(c.At, s.erasedAt())
	if s.has(erased) {
		f.turn.engine.erase(s, at, max(expires, int64(s.lastHour-1)*hourMillis))
		return nil
	}
	t := &f.turn
	t.begin(s, c, ByErasure)
	t.bare = true
	if s.has(qualified) {
		t.leave(ReasonErased)
	}
	t.emit(kindErased, -1)
	t.bare = false
	facts = t.facts
	t.release()
	t.engine.erase(s, at, expires)
	return facts
}

// erase makes a state a stub of an account that was erased at a time.
func (e *Engine) erase(s *State, at, expires int64) {
	e.wipe(s, 0)
	s.remember(&entry{kind: kindErased, at: at})
	s.expire(expires)
}

// bareFact returns a fact that tells of an account what its id does; of one that leaves also when it came.
func (e *Engine) bareFact(s *State, kind uint8) Fact {
	f := Fact{AccountID: s.id, Checklist: e.ref, HoldOut: e.checklist.HeldOut(s.id)}
	if kind == kindDisqualified {
		_, f.QualifiedAt = s.times()
	}
	return f
}

// EraseUser takes a user out of an account: from the users, the evidence and what steps keep of users. A step that counts
// users counts without this one; of one that is done already, and of one that does not tell users apart, what the user did
// stays, which the account's facts tell from then on (PartlyErased). Facts come in the order: user erased, steps undone, then
// as of a Fold. If nothing of the user can be there, nothing changes.
func (f *Folder) EraseUser(s *State, user string, c *Control) (changed bool, facts []Fact) {
	if user = clip(user); user == "" || s.has(aliased|erased) {
		return false, nil
	}
	if !f.mayKnow(s, user) {
		return false, nil
	}
	t := &f.turn
	t.begin(s, c, ByErasure)
	t.catchUpOnce()
	t.forget(user)
	t.emit(kindUserErased, -1)
	t.reviewAll()
	t.judge = true
	t.conclude(nil, false)
	t.tellChange()
	if t.engine.timed {
		s.due = t.engine.nextDue(s, t.properties(), &t.moment)
	}
	facts = t.facts
	t.release()
	return true, facts
}

// Knows says whether a user is told apart in what is known of an account: among its users, in the evidence, in what steps keep
// of users, as a property, or in a record that is held. EraseUser leaves nothing of that. Of an account that does not know the user it may still say that
// what the user did is part of a count (PartlyErased).
func (f *Folder) Knows(s *State, user string) bool {
	if user = clip(user); user == "" || s.has(aliased|erased) {
		return false
	}
	if _, place := s.user(user); place > 0 || s.isTold(user) || s.holdsText(user) {
		return true
	}
	t, steps := &f.turn, f.turn.engine.checklist.Steps()
	for i := range steps {
		set, _, _ := s.working(steps[i].WorkKey)
		t.work = append(t.work[:0], set...)
		if changed, _ := steps[i].Forget(&t.work, user); changed {
			return true
		}
	}
	return false
}

// isTold says whether an account property is a user's id.
func (s *State) isTold(user string) bool {
	for r := (reader{b: s.parts.items(told)}); r.more(); {
		if p := nextProperty(&r); p.isUser(user) {
			return true
		}
	}
	return false
}

// mayKnow says whether there is anything to forget of a user, or may be. It tries that with a copy.
func (f *Folder) mayKnow(s *State, user string) bool {
	t, try := &f.turn, *s
	try.parts.b = slices.Clone(s.parts.b)
	t.begin(&try, &Control{}, ByErasure)
	t.forget(user)
	defer t.release()
	return t.changed
}

// forget takes all that is known to be a user's out of the state, without drawing anything from it.
func (t *turn) forget(user string) {
	s := t.state
	left := t.forgetPerson(user)
	t.unlearn(user)
	steps := t.engine.checklist.Steps()
	for i := range steps {
		if changed, exact := t.forgetWork(&steps[i], user); changed || !exact {
			t.changed, left = t.changed || changed, left || !exact
		}
	}
	if left && !s.has(partlyErased) {
		s.flags |= partlyErased
		t.changed = true
	}
}

// forgetPerson takes a user out of users and evidence, and says whether steps done may hold what the user did.
func (t *turn) forgetPerson(user string) (left bool) {
	s, steps := t.state, t.engine.checklist.Steps()
	entries := s.testimonies()
	_, place := s.user(user)
	for i := range entries {
		one := &entries[i]
		if one.kind != kindStepDone {
			continue
		}
		step := &steps[t.engine.stepOf(one.key)]
		left = left || step.Credits() && !step.Live && (one.user == user || step.Kind != "event")
		if one.user == user {
			one.user = ""
		}
	}
	if place == 0 {
		return left
	}
	var others []person
	for _, p := range s.people() {
		if p.id != user {
			others = append(others, p)
		}
	}
	t.engine.rewrite(s, others, entries)
	t.changed = true
	return left
}

// unlearn takes account properties back that are the user's id.
func (t *turn) unlearn(user string) {
	s := t.state
	for at := 0; at < len(s.parts.items(told)); {
		r := reader{b: s.parts.items(told), at: at}
		p := nextProperty(&r)
		if !p.isUser(user) {
			at = r.at
			continue
		}
		s.parts.remove(told, at, p.size)
		t.read, t.changed, t.news = false, true, true
	}
	if t.news {
		t.restand()
	}
}

// forgetWork takes a user out of a step's working set; it is exact when nothing of the user is left there.
func (t *turn) forgetWork(step *checklist.Step, user string) (changed, exact bool) {
	s := t.state
	set, at, size := s.working(step.WorkKey)
	if size == 0 {
		return false, true
	}
	t.work = append(t.work[:0], set...)
	if changed, exact = step.Forget(&t.work, user); !changed {
		return false, exact || !step.Credits()
	}
	if len(t.work) == 0 {
		s.parts.remove(work, at, size)
	} else {
		t.keep(step.WorkKey, set, at, size)
	}
	return true, exact
}
