package account

import (
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Asks is what a Message asks an account to do.
type Asks uint8

// What messages ask for.
const (
	ToFold      Asks = iota // an event
	ToMerge                 // itself into the account Other
	ToAbsorb                // the account Other, which was merged into it
	ToErase                 // itself
	ToEraseUser             // a user
)

// Message is what reaches an account that is more than an event of its own: a request, or an event that has come along an
// alias. Which account it is for, the sender says: there is one that takes it in or sends it on, never both, but for an alias
// that is to be erased.
type Message struct {
	Asks    Asks
	To      string // the account that it is for
	Via     identity.Via
	Control // of all but an event

	Other   string // of ToMerge and ToAbsorb
	Carried []byte // of ToAbsorb: what was known of Other
	User    string // of ToEraseUser
	Expires int64  // of ToErase: how long a stub is to be kept, ms since the Unix epoch

	Event    *usage.Event        // of ToFold
	Listener *checklist.Listener // of ToFold: the checklist's for the event's name; nil: nothing listens to it
	Source   Source              // of ToFold
}

// Answer is what an account has made of a Message.
type Answer struct {
	Changed bool
	Facts   []Fact
	Send    *Message // what goes on to another account, or to the one that this was merged into
}

// Answer does what a message asks for, or sends it on where the account is an alias. Errors say what is wrong with the
// message; the state is then as it was.
func (f *Folder) Answer(s *State, m *Message) (a Answer, err error) {
	hop, err := identity.Next(s.id, s.Alias(), &m.Via)
	if err != nil {
		return a, err
	}
	if hop.To != "" {
		on := *m
		on.To, on.Via = hop.To, hop.Via
		if a.Send = &on; m.Asks == ToErase { // the alias itself is personal, too
			a.Facts, a.Changed = f.Erase(s, m.Expires, &m.Control), true
		}
		return a, nil
	}
	before := *s
	if hop.Reopen {
		f.Reopen(s)
		a.Changed = true
	}
	switch m.Asks {
	case ToFold:
		a.fold(f, s, m)
	case ToMerge:
		a.merge(f, s, m)
	case ToAbsorb:
		if a.Facts, err = f.Absorb(s, m.Other, m.Carried, &m.Control); err != nil {
			*s = before
			return Answer{}, err
		}
		a.Changed = true
	case ToErase:
		a.Facts, a.Changed = f.Erase(s, m.Expires, &m.Control), true
	case ToEraseUser:
		changed, facts := f.EraseUser(s, m.User, &m.Control)
		a.Facts, a.Changed = facts, a.Changed || changed
	}
	return a, nil
}

func (a *Answer) fold(f *Folder, s *State, m *Message) {
	if m.Listener == nil || m.Event.OccurredAt <= s.erasedAt() && len(m.Via.Visited) > 0 {
		return // of one that has come along an alias, an erasure may have come the shorter way
	}
	changed, facts := f.Fold(s, m.Listener, m.Event, m.Source, m.Watermark)
	a.Facts, a.Changed = facts, a.Changed || changed
}

// merge makes the account an alias and sends what was known of it on its way.
func (a *Answer) merge(f *Folder, s *State, m *Message) {
	if m.Other == s.id {
		return // it is there already
	}
	carried, facts := f.Merge(s, m.Other, &m.Control)
	a.Facts, a.Changed = facts, true
	if carried == nil {
		return
	}
	a.Send = &Message{
		Asks: ToAbsorb, To: m.Other, Via: identity.Via{Visited: []string{s.id}}, Control: m.Control, Other: s.id, Carried: carried,
	}
}
