package oracle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Control is a record that is no event of the account that it lies with.
type Control struct {
	Kind      string // merge, absorb, event, erase-account, erase-user
	To        string // the account that it is for
	Other     string // of a merge, the account that To becomes part of; of an absorb, the one that To takes in
	User      string // of an erase-user
	At        int64  // of the event that asked for it, ms; 0 of an event
	EventID   string // the same
	EventName string // the same
	Visited   []string
	Canonical string
	Event     *usage.Event // of an event
	Partition int32
	Offset    int64
	Source    Position
	Until     int64 // as of a Record
}

// message is what reaches an account.
type message struct {
	kind      string
	to        string
	other     string
	user      string
	at        int64
	eventID   string
	eventName string
	visited   []string
	canonical string
	event     *usage.Event
	source    Position
	carried   *known // of an absorb
	until     int64  // how far time had come where the message comes from; 0: nobody knows
}

// key tells messages apart that accounts send one another.
func (m *message) key() string {
	return fmt.Sprintf("%s to %q of %q %q at %v, via %q %q", m.kind, m.to, m.other, m.user, m.source, m.visited, m.canonical)
}

// Take takes in a control. It says whether it could: what an account has to have sent may have been read before that
// was seen, and has to wait.
func (o *Oracle) Take(c *Control) bool {
	m := &message{
		kind: c.Kind, to: c.To, other: c.Other, user: c.User, at: c.At, eventID: c.EventID, eventName: c.EventName,
		visited: c.Visited, canonical: c.Canonical, event: c.Event, source: c.Source, until: c.Until,
	}
	if len(c.Visited) > 0 {
		sent := o.sent[m.key()]
		if len(sent) == 0 {
			return false
		}
		m.carried = sent[0].carried
		if o.sent[m.key()] = sent[1:]; len(sent) == 1 {
			delete(o.sent, m.key())
		}
	}
	o.deliver(m, c.Partition, c.Offset)
	return true
}

// Unread are the messages that accounts have sent one another, and that have not been read.
func (o *Oracle) Unread() []string { return slices.Sorted(maps.Keys(o.sent)) }

func (o *Oracle) send(m *message) { o.sent[m.key()] = append(o.sent[m.key()], m) }

// answer has an account answer a message at a watermark, or sends it on where that is an alias.
func (o *Oracle) answer(a *account, m *message, watermark int64) {
	if a.aliasOf != "" {
		if on := m.along(a); on != nil {
			o.send(on)
			if m.kind == "erase-account" {
				o.erase(a, m, watermark)
			}
			return
		}
		o.begin(a, m.turn("merge", watermark))
		a.forgetAll()
		a.changed = true
		o.end(a)
		a.heardOf = false
	}
	switch m.kind {
	case "event":
		if m.event.OccurredAt > a.erasedAt || !a.stub && len(m.visited) == 0 {
			o.fold(a, m, watermark)
		}
	case "merge":
		o.merge(a, m, watermark)
	case "absorb":
		o.absorb(a, m, watermark)
	case "erase-account":
		o.erase(a, m, watermark)
	case "erase-user":
		o.eraseUser(a, m, watermark)
	}
}

// along is the message as an alias sends it on; nil: the alias is to be an account again, and to take it in.
func (m *message) along(a *account) *message {
	on := *m
	on.to, on.visited, on.canonical = a.aliasOf, append(slices.Clone(m.visited), a.id), ""
	since := slices.Index(m.visited, a.id)
	switch {
	case m.canonical == a.id && slices.Contains(m.visited, a.aliasOf):
		return nil
	case m.canonical == a.id:
		on.visited = []string{a.id}
	case since >= 0 && !slices.Contains(m.visited[since:], a.aliasOf):
		on.visited = []string{a.id}
	case since >= 0:
		round := m.visited[since:]
		if on.to = slices.Min(round); on.to == a.id {
			return nil
		}
		on.visited, on.canonical = round, on.to
	}
	return &on
}

func (m *message) turn(cause string, watermark int64) turn {
	return turn{at: m.at, watermark: watermark, read: m.until, cause: cause, eventID: m.eventID, eventName: m.eventName, source: m.source}
}

// forgetAll leaves nothing of an account but what its facts' ids are made of.
func (a *account) forgetAll() {
	a.known, a.aliasOf, a.stub = newKnown(), "", false
}

// merge makes an account an alias, and sends what is known of it to the other one.
func (o *Oracle) merge(a *account, m *message, watermark int64) {
	if m.other == a.id {
		return
	}
	o.begin(a, m.turn("merge", watermark))
	if a.heardOf {
		o.send(&message{
			kind: "absorb", to: m.other, other: a.id, at: m.at, eventID: m.eventID, eventName: m.eventName, source: m.source,
			visited: []string{a.id}, carried: a.known.clone(),
		})
	}
	if a.current {
		a.leave("merged")
	}
	a.say("merged").Related = m.other
	a.forgetAll()
	a.aliasOf = m.other
	o.end(a)
	a.heardOf = false
}

func (k *known) clone() *known {
	c := *k
	c.seen, c.moments, c.done, c.users = slices.Clone(k.seen), slices.Clone(k.moments), slices.Clone(k.done), maps.Clone(k.users)
	c.work = map[string]*tally{}
	for id, t := range k.work {
		c.work[id] = t.clone()
	}
	return &c
}

// absorb makes one account of two, unless that was before the one was erased.
func (o *Oracle) absorb(a *account, m *message, watermark int64) {
	if m.at <= a.erasedAt {
		return
	}
	o.begin(a, m.turn("merge", watermark))
	a.stub = false
	b := &account{wholeLife: a.wholeLife, known: *m.carried.clone()}
	a.partlyErased = a.partlyErased || b.partlyErased
	a.joinProperties(b)
	a.joinPeople(b)
	a.joinSeen(b)
	a.joinWork(b)
	a.joinLiveliness(b)
	a.mark("absorbed").Related = m.other
	a.moments = a.moments[:len(a.moments)-1] // it is not the account's doing

	if b.signedUp && !a.signedUp {
		a.signedUp, a.signedUpAt = true, b.signedUpAt
		a.say("signed_up")
	}
	if b.active && !a.active {
		a.active = true
		a.mark("active")
	}
	for i := range a.steps() {
		a.joinStep(&a.steps()[i], b)
	}
	if b.barred && !slices.ContainsFunc(a.done, func(d Done) bool { return !b.isDone(d.Step) }) {
		a.barred = true
	}
	a.decide(b.converted, a.trialEnds())
	a.tellTier()
	if a.lastHour == 0 {
		a.liven("")
	}
	o.end(a)
}

func (a *account) joinProperties(b *account) {
	for mine, theirs := range map[*told]*told{&a.size: &b.size, &a.domain: &b.domain, &a.plan: &b.plan, &a.beta: &b.beta} {
		if theirs.once && (!mine.once || theirs.at > mine.at) {
			a.news = a.news || mine.value != theirs.value
			*mine = *theirs
		}
	}
}

func (a *account) joinPeople(b *account) {
	for id, u := range b.users {
		v := a.users[id]
		a.users[id] = User{v.Events + u.Events, max(v.LastSeen, u.LastSeen)}
	}
	a.several = a.several || b.several || len(a.users) > 1
	for i := range a.done {
		if theirs := b.evidence(a.done[i].Step); theirs != nil && theirs.DoneAt < a.done[i].DoneAt {
			a.done[i] = *theirs
		}
	}
	if a.signedUp && b.signedUp {
		a.signedUpAt = min(a.signedUpAt, b.signedUpAt)
	}
}

// joinSeen remembers the newest ids of both.
func (a *account) joinSeen(b *account) {
	if len(b.seen) == 0 {
		return
	}
	all := append(slices.Clone(b.seen), a.seen...)
	slices.SortStableFunc(all, func(x, y seenID) int { return int(x.clock - y.clock) })
	newest := all[len(all)-1].clock
	a.seen = nil
	for _, s := range slices.Backward(all) {
		again := slices.ContainsFunc(a.seen, func(k seenID) bool { return k.id == s.id })
		if len(a.seen) < dedupeLimit && !again && s.clock >= newest-dedupeHorizon {
			a.seen = append(a.seen, s)
		}
	}
	slices.Reverse(a.seen)
}

// joinWork adds up what both have counted for steps that neither has done.
func (a *account) joinWork(b *account) {
	for _, s := range a.steps() {
		if t := b.work[s.id]; t != nil && (s.live || !a.isDone(s.id) && !b.isDone(s.id)) {
			s.join(a.tally(s.id), t)
		}
	}
	if a.trialOver {
		return
	}
	if b.trialOver && !a.begun && !a.ended {
		a.trialOver = true
	}
	if b.begun && !(a.begun && a.trialBegan <= b.trialBegan) {
		a.begun, a.trialBegan = true, b.trialBegan
	}
	if b.ended && !(a.ended && a.trialCancelled >= b.trialCancelled) {
		a.ended, a.trialCancelled = true, b.trialCancelled
	}
}

func (a *account) joinLiveliness(b *account) {
	newest := b.newestKnown()
	if newest == 0 || !a.wholeLife {
		return
	}
	if a.current && a.lastHour > 0 {
		a.lastHour = max(a.lastHour, hourAfter(newest))
	}
	if a.silent && !b.silent && hourAfter(newest)*hour+inactivity > a.readAt() {
		a.silent = false
	}
}

// joinStep does a step that the other account has done, or that both have done together.
func (a *account) joinStep(s *step, b *account) {
	theirs := b.evidence(s.id)
	if s.live {
		if theirs != nil && !a.isDone(s.id) && a.holdsLately() {
			a.adopt(s, *theirs)
		} else if t := a.tally(s.id); !t.empty() {
			a.lookLately()
		}
		return
	}
	if a.isDone(s.id) {
		return
	}
	if theirs != nil {
		a.adopt(s, *theirs)
	} else if t := a.work[s.id]; t != nil && s.reached(t) {
		a.finish(s, s.counted(t, 0))
	}
}

// erase leaves a stub. What it says tells nothing of the account.
func (o *Oracle) erase(a *account, m *message, watermark int64) {
	erasedAt := max(m.at, a.erasedAt)
	if a.stub {
		a.erasedAt = erasedAt
		return
	}
	o.begin(a, m.turn("erasure", watermark))
	qualifiedAt := a.pqlSince
	if a.current {
		f := a.say("disqualified")
		*f = a.bare(f)
		f.Reason, f.QualifiedAt = "erased", qualifiedAt
	}
	f := a.say("erased")
	*f = a.bare(f)
	a.forgetAll()
	a.stub, a.erasedAt = true, erasedAt
	o.end(a)
	a.heardOf = false
}

func (a *account) bare(f *Fact) Fact {
	return Fact{
		ID: f.ID, Type: f.Type, AccountID: f.AccountID, Cause: f.Cause, EventID: f.EventID, EventName: f.EventName, Position: f.Position,
		Late: f.Late, OccurredAt: f.OccurredAt, HoldOut: f.HoldOut,
	}
}

// eraseUser takes a user out of an account.
func (o *Oracle) eraseUser(a *account, m *message, watermark int64) {
	o.begin(a, m.turn("erasure", watermark))
	if a.stub {
		return
	}
	_, known := a.users[m.user]
	left := false
	for i := range a.done {
		d := &a.done[i]
		s := a.step(d.Step)
		left = left || !s.live && (d.UserID == m.user || s.measure != once) // what was counted may have been the user's
		if d.UserID == m.user {
			known, d.UserID = true, ""
		}
	}
	delete(a.users, m.user)
	for id, t := range a.work {
		switch {
		case t.empty():
		case id != "invited_team":
			left = true
		case t.values[m.user]:
			delete(t.values, m.user)
			known = true
		}
	}
	if left && !a.partlyErased {
		a.partlyErased, known = true, true
	}
	if !known {
		return
	}
	a.say("user_erased")
	a.decide(false, false)
	a.tellTier()
	o.end(a)
}
