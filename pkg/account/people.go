package account

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// testimony is an entry of a log that stands by itself: with what it refers to in memory of its own.
type testimony struct {
	entry
	user      string
	topicName string
}

// testimonies returns the entries of the log.
func (s *State) testimonies() (all []testimony) {
	names, topicNames := s.userNames(), s.topicNames()
	for r, e := s.log(), (entry{}); r.next(&e); {
		one := testimony{entry: e}
		if e.kind == kindStepDone && !e.timed {
			one.user, one.topicName = names[e.user], topicNames[e.topic]
			one.event.text = strings.Clone(e.event.text)
		}
		all = append(all, one)
	}
	return all
}

// evidence returns the entries of the steps done, by step.
func (e *Engine) evidence(s *State) map[int]testimony {
	done := map[int]testimony{}
	for _, one := range s.testimonies() {
		if one.kind == kindStepDone {
			done[e.stepOf(one.key)] = one
		}
	}
	return done
}

// person is a user whose activity is kept, in memory of its own.
type person struct {
	id, role         string
	events, lastSeen int64
	merits           merits
}

// people returns the users whose activity is kept.
func (s *State) people() (all []person) {
	for r, u := s.users(), (user{}); r.next(&u); {
		if u.events > 0 {
			all = append(all, person{string(u.id), string(u.role), u.events, u.lastSeen, u.merits})
		}
	}
	return all
}

// mergePeople joins the users of both accounts, and takes of the steps that both have done the earlier evidence, of two
// sign-ups the earlier one.
func (t *turn) mergePeople(o *State, theirs map[int]testimony) {
	s, e := t.state, t.engine
	all := s.people()
	for _, p := range o.people() {
		i := slices.IndexFunc(all, func(q person) bool { return q.id == p.id })
		if i < 0 {
			all = append(all, p)
			continue
		}
		all[i].join(&p)
	}
	if len(all) > 1 || o.has(severalUsers) {
		s.flags |= severalUsers
	}
	entries := s.testimonies()
	signedUpAt, _ := o.times()
	for i := range entries {
		switch one := &entries[i]; one.kind {
		case kindStepDone:
			if their, both := theirs[e.stepOf(one.key)]; both && their.at < one.at {
				*one = their
			}
		case kindSignedUp:
			if o.has(signedUp) {
				one.at = min(one.at, signedUpAt)
			}
		}
	}
	e.rewrite(s, all, entries)
}

// join makes a user of one account and of another one what the user is for both.
func (p *person) join(q *person) {
	if q.role != "" && (p.role == "" || q.lastSeen > p.lastSeen) {
		p.role = q.role
	}
	p.events, p.lastSeen = p.events+q.events, max(p.lastSeen, q.lastSeen)
	p.merits[0] |= q.merits[0]
	p.merits[1] |= q.merits[1]
}

// rewrite gives a state other users and another log. Of the users those seen last stay, as many as are kept.
func (e *Engine) rewrite(s *State, all []person, entries []testimony) {
	for _, which := range []part{topics, users, log} {
		s.parts.replace(which, 0, len(s.parts.items(which)), nil, -s.parts.count(which))
	}
	if len(all) > e.users {
		newest := slices.Clone(all)
		slices.SortFunc(newest, func(a, b person) int { return cmp.Or(cmp.Compare(b.lastSeen, a.lastSeen), strings.Compare(a.id, b.id)) })
		all = newest[:e.users]
	}
	known := false
	for i := range all {
		p := &all[i]
		item := appendLong(appendLong(appendText(nil, p.id), p.events), p.lastSeen)
		s.parts.add(users, appendMerits(appendText(item, p.role), &p.merits))
		known = known || p.merits != merits{}
	}
	if known && s.parts.count(merited) == 0 {
		s.parts.replace(merited, 0, 0, e.stepKeys, len(e.ranked))
	}
	for i := range entries {
		s.enter(&entries[i])
	}
}

// enter adds an entry to the log, and what it refers to.
func (s *State) enter(one *testimony) {
	if one.kind == kindStepDone && !one.timed {
		one.entry.user, one.topic = s.userPlace(one.user), s.topic(one.topicName)
	}
	s.parts.add(log, appendEntry(nil, &one.entry, one.at-s.lastAt()))
}

// mergeSeen joins the ids that the accounts remember: an event of either that comes again counts once. Of those as new as each
// other, as late events leave them, the account's own and those that came last are the newest.
func (t *turn) mergeSeen(o *State) {
	s, e := t.state, t.engine
	theirs := o.parts.items(seen)
	if e.limit == 0 || len(theirs) == 0 {
		return
	}
	all, hashes := slices.Collect(slices.Chunk(append(slices.Clone(theirs), s.parts.items(seen)...), seenSize)), map[string]bool{}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b []byte) int { return cmp.Compare(seenAt(b), seenAt(a)) }) // the newest first
	newest := seenAt(all[0])
	var kept [][]byte
	for _, item := range all {
		id := string(item[:seenHash])
		if len(kept) < e.limit && !hashes[id] && seenAt(item) >= newest-e.horizon {
			hashes[id] = true
			kept = append(kept, item)
		}
	}
	slices.Reverse(kept)
	s.parts.replace(seen, 0, len(s.parts.items(seen)), bytes.Join(kept, nil), len(kept)-s.parts.count(seen))
}
