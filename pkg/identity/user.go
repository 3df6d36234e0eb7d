// Package identity knows who is who: which account an event belongs to that names only a user, and where to go on to from an
// account that was merged into another. Pure: no Kafka, no clock; what it knows is what was folded into it.
package identity

import (
	"slices"
	"strings"
)

// What is kept of one user at most.
const (
	MaxLinks     = 64        // accounts that a user is known to belong to
	MaxHeldBytes = 256 << 10 // of held events
)

// User is what is known of one user: the accounts that they belong to, or else their events that wait for that to be
// known. There are never both. It is a value of event times and ids: whoever folds into it says what time it is.
type User struct {
	links   []Link // by account
	held    []Held // in the order in which they came
	bytes   int    // that the held ones take
	expires int64  // when nothing is left to remember of a user without links and held events, ms since the Unix epoch
}

// Link says that a user belongs to an account, and when that was told: by an event of the user that names the account.
type Link struct {
	Account     string
	First, Last int64 // event times of the earliest and the latest telling, ms since the Unix epoch
}

// Held is an event that names a user of whom no account is known. Its bytes are whoever's it holds them for.
type Held struct {
	OccurredAt  int64 // ms since the Unix epoch
	Until       int64 // the watermark with which it has waited long enough, ms since the Unix epoch
	Event       []byte
	Position    []byte // of the source's record
	TraceParent []byte
	TraceState  []byte
}

func (h *Held) size() int {
	return len(h.Event) + len(h.Position) + len(h.TraceParent) + len(h.TraceState)
}

// Limits bound for how long and how much of a user is kept.
type Limits struct {
	Hold      int64 // for how long an event waits for its user's account, ms of event time
	Events    int   // how many of one user
	Retention int64 // for how long records of a user may lie in the topic that they come from, ms
}

// Dropped is an event that waits no longer.
type Dropped struct {
	Held
	Why Why
}

// Why is the reason for which an event is not held.
type Why uint8

// The reasons.
const (
	TooLong Why = iota // it has waited for as long as events do
	TooMany            // more of the user's events came behind it
	TooMuch            // they took too much room
)

// Account returns the account that an event of the user belongs to which happened at a time: the one that was told last at
// that time, or, where none had been told by then, the first that was. It is empty while none is known. Of what was told of an account
// between the first and the last time nothing is known any more. Which of two that were told at the same time it is follows
// from their ids, not from the order in which that was heard.
func (u *User) Account(at int64) string {
	var newest, first *Link
	newestAt := int64(-1)
	for i := range u.links {
		l := &u.links[i]
		if told := l.asOf(at); told > newestAt {
			newest, newestAt = l, told
		}
		if first == nil || l.First < first.First {
			first = l
		}
	}
	switch {
	case newest != nil:
		return newest.Account
	case first != nil:
		return first.Account
	}
	return ""
}

// asOf returns the latest telling that is known of at a time, -1 when there is none.
func (l *Link) asOf(at int64) int64 {
	switch {
	case l.Last <= at:
		return l.Last
	case l.First <= at:
		return l.First
	}
	return -1
}

// Link takes in that the user belongs to an account, as an event at a time told, and returns the events that have waited for that, in
// their order. Of more accounts than there may be the one that was told of least recently is forgotten.
func (u *User) Link(account string, at int64) (changed bool, released []Held) {
	i, known := slices.BinarySearchFunc(u.links, account, func(l Link, account string) int { return strings.Compare(l.Account, account) })
	if known {
		l := &u.links[i]
		if l.First <= at && at <= l.Last {
			return false, nil
		}
		l.First, l.Last = min(l.First, at), max(l.Last, at)
		return true, nil
	}
	u.links = slices.Insert(u.links, i, Link{Account: account, First: at, Last: at})
	released = u.held
	u.held, u.bytes, u.expires = nil, 0, 0
	if len(u.links) > MaxLinks {
		oldest := u.leastRecent()
		u.links = slices.Delete(u.links, oldest, oldest+1)
		return oldest != i, released
	}
	return true, released
}

func (u *User) leastRecent() (oldest int) {
	for i := range u.links {
		if u.links[i].Last < u.links[oldest].Last {
			oldest = i
		}
	}
	return oldest
}

// Hold takes in an event of a user without links, at a watermark, and returns the events that there is no room for any more: the
// oldest, or this one if it alone takes too much. received is when the record that has it was written to the topic, ms since the Unix
// epoch.
func (u *User) Hold(h Held, watermark, received int64, limits *Limits) (dropped []Dropped) {
	u.remember(received, limits)
	if h.size() > MaxHeldBytes {
		return []Dropped{{h, TooMuch}}
	}
	h.Until = max(h.OccurredAt, watermark) + limits.Hold
	u.held = append(u.held, h)
	u.bytes += h.size()
	for len(u.held) > limits.Events || u.bytes > MaxHeldBytes {
		why := TooMany
		if u.bytes > MaxHeldBytes {
			why = TooMuch
		}
		dropped = append(dropped, Dropped{u.held[0], why})
		u.bytes -= u.held[0].size()
		u.held[0] = Held{}
		u.held = u.held[1:]
	}
	return dropped
}

// remember notes until when a record of the user may come again.
func (u *User) remember(received int64, limits *Limits) {
	u.expires = max(u.expires, max(received, 0)+limits.Retention)
}

// Expire returns the events that have waited long enough at a watermark, in the order in which they came.
func (u *User) Expire(watermark int64) (dropped []Dropped) {
	kept := u.held[:0]
	for _, h := range u.held {
		if h.Until > watermark {
			kept = append(kept, h)
			continue
		}
		dropped = append(dropped, Dropped{h, TooLong})
		u.bytes -= h.size()
	}
	clear(u.held[len(kept):])
	u.held = kept
	return dropped
}

// Erase forgets the user, and returns the accounts that they belonged to and how many events were held. What is left says
// that there was a user, for as long as records of them may come again; later ones begin anew.
func (u *User) Erase(received int64, limits *Limits) (accounts []string, held int) {
	accounts, held = u.Accounts(), len(u.held)
	*u = User{expires: u.expires}
	u.remember(received, limits)
	return accounts, held
}

// NextTimer is when Expire or Gone has something to say, ms since the Unix epoch; 0: never.
func (u *User) NextTimer() int64 {
	switch {
	case len(u.links) > 0:
		return 0
	case len(u.held) == 0:
		return u.expires
	}
	next := u.held[0].Until
	for i := range u.held {
		next = min(next, u.held[i].Until)
	}
	return next
}

// Gone says whether nothing is known of the user that has to be kept at a watermark.
func (u *User) Gone(watermark int64) bool {
	return len(u.links) == 0 && len(u.held) == 0 && u.expires <= watermark
}

// Accounts are those that the user is known to belong to, ascending.
func (u *User) Accounts() (ids []string) {
	for i := range u.links {
		ids = append(ids, u.links[i].Account)
	}
	return ids
}

// Known says whether an account of the user is known.
func (u *User) Known() bool { return len(u.links) > 0 }

// Waiting says whether events of the user are held.
func (u *User) Waiting() bool { return len(u.held) > 0 }

// Size estimates the memory that the user takes, in bytes.
func (u *User) Size() int {
	const user, link, held = 88, 56, 112
	size := user + link*len(u.links) + held*len(u.held) + u.bytes
	for i := range u.links {
		size += len(u.links[i].Account)
	}
	return size
}

// Touch reads a little of the user's memory.
func (u *User) Touch() int {
	if len(u.links) > 0 {
		return len(u.links[0].Account)
	}
	return len(u.held)
}
