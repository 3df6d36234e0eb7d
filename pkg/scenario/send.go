package scenario

import (
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// What follows does what ingest, resolve and activation do with one another in package pipeline; what one of them sends is
// answered right after.

// event takes in an event: its account does, or its user's. One that names both tells that they belong together.
func (w *world) event(ev *usage.Event) error {
	if err := w.arrive(ev.OccurredAt); err != nil {
		return err
	}
	if ev.AccountID == "" {
		w.resolve(ev)
	} else {
		w.send(account.Message{To: ev.AccountID, Event: ev})
		if ev.UserID != "" {
			w.link(ev)
		}
	}
	return w.fire()
}

// ask takes in what is asked for.
func (w *world) ask(m account.Message) error {
	if err := w.arrive(m.At); err != nil {
		return err
	}
	if m.Asks == account.ToEraseUser {
		w.eraseUser(m)
	} else {
		w.send(m)
	}
	return w.fire()
}

// send has an account answer a message, and those to which it goes on from there.
func (w *world) send(m account.Message) {
	for next := &m; next != nil; {
		next = w.answer(next)
	}
}

// answer returns the message that goes on; nil: none does.
func (w *world) answer(m *account.Message) (on *account.Message) {
	w.offset++
	m.Position = account.Position{Topic: topic, Offset: w.offset}
	if m.Asks == account.ToFold {
		if m.Listener = w.engine.Checklist().Listener(m.Event.Name); m.Listener == nil {
			return nil
		}
		m.Source = source(m.Position)
	}
	m.Watermark, m.Expires = w.watermark, w.now+w.file.limits.Retention
	s := w.state(m.To)
	a, err := w.folder.Answer(s, m)
	if err != nil {
		w.unanswerable(m)
		return nil
	}
	if a.Changed {
		w.accounts[m.To] = s // as in the runtime, an account begins with what first changes it
		w.touched(s)
	}
	w.tell(a.Facts)
	return a.Send
}

// source is where an event's record lies.
type source account.Position

func (s source) Position() account.Position { return account.Position(s) }
func (s source) Watermark() int64           { return 0 }

// letter takes down a dead letter.
func (w *world) letter(f account.Fact) {
	f.Type = deadLetter
	w.facts = append(w.facts, f)
}

// unanswerable makes a message that no account can answer a dead letter.
func (w *world) unanswerable(m *account.Message) {
	f := account.Fact{Reason: unanswerable, EventID: m.EventID, UserID: m.User, Cause: account.ByEvent, OccurredAt: w.now}
	if ev := m.Event; ev != nil {
		f.EventID, f.UserID = ev.ID, ev.UserID
	}
	w.letter(f)
}

// user returns what is known of a user.
func (w *world) user(id string) *identity.User {
	if w.users[id] == nil {
		w.users[id] = &identity.User{}
	}
	return w.users[id]
}

// resolve sends an event that names only a user to the user's account, or holds it while none is known.
func (w *world) resolve(ev *usage.Event) {
	u := w.user(ev.UserID)
	if id := u.Account(ev.OccurredAt); id != "" {
		w.attribute(ev, id)
		return
	}
	w.waiting = append(w.waiting, ev)
	held := identity.Held{OccurredAt: ev.OccurredAt, Event: strconv.AppendInt(nil, int64(len(w.waiting)-1), 10)}
	w.giveUp(u.Hold(held, w.watermark, w.now, &w.file.limits), account.ByEvent, w.now)
	w.touched(u)
}

// attribute sends an event to the account that its user belongs to.
func (w *world) attribute(ev *usage.Event, id string) {
	of := *ev
	of.AccountID = id
	w.send(account.Message{To: id, Event: &of})
}

// link takes in that an event's user belongs to its account, and sends on what has waited for that.
func (w *world) link(ev *usage.Event) {
	u := w.user(ev.UserID)
	_, released := u.Link(ev.AccountID, ev.OccurredAt)
	for i := range released {
		w.attribute(w.held(&released[i]), u.Account(released[i].OccurredAt))
	}
}

// held is an event that was held.
func (w *world) held(h *identity.Held) *usage.Event {
	i, _ := strconv.Atoi(string(h.Event))
	return w.waiting[i]
}

// eraseUser tells the accounts of a user that they are to forget them.
func (w *world) eraseUser(m account.Message) {
	u := w.user(m.User)
	if !u.Known() && !u.Waiting() {
		return
	}
	accounts, _ := u.Erase(w.now, &w.file.limits)
	w.touched(u)
	for _, m.To = range accounts {
		w.send(m)
	}
}

// fireUser does what is due of a user, and returns when more is.
func (w *world) fireUser(id string, due int64) int64 {
	u := w.users[id]
	w.giveUp(u.Expire(due), account.ByTime, due)
	if u.Gone(due) {
		delete(w.users, id)
		return 0
	}
	return u.NextTimer()
}

// giveUp makes events that are held no longer dead letters.
func (w *world) giveUp(dropped []identity.Dropped, cause account.Cause, at int64) {
	for i := range dropped {
		detail := "hold_events"
		if dropped[i].Why == identity.TooLong {
			detail = "hold"
		}
		ev := w.held(&dropped[i].Held)
		w.letter(account.Fact{
			Reason: userWithoutAccount, Detail: detail, UserID: ev.UserID, EventID: ev.ID, Cause: cause, OccurredAt: at,
		})
	}
}
