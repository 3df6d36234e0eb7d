package oracle

import (
	"maps"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// mostLinks is how many accounts a user is known to belong to.
const mostLinks = 64

// Users says what becomes of events that name only a user, and of what is asked for of users. Link, Fold and Erase are to be
// called in the order of each partition, Settle in the end.
type Users struct {
	Attributed map[Position]string          // the accounts of events
	Dropped    map[Position]bool            // events that nobody's account was found for
	Erasures   map[Position]map[string]bool // the accounts that are to forget a user, by the event that asked for it

	hold  int64 // for how long events wait, ms
	most  int   // how many of one user
	times *Oracle
	users map[string]*user
}

// user is what is known of one.
type user struct {
	partition int32
	links     map[string]span // by account
	held      []held
}

// span is when a link was told for the first and the last time, by the events' times.
type span struct{ first, last int64 }

type held struct {
	source    Position
	at, until int64
}

// NewUsers returns Users of whom nothing is known.
func NewUsers(hold int64, most int) *Users {
	u := &Users{
		Attributed: map[Position]string{}, Dropped: map[Position]bool{}, Erasures: map[Position]map[string]bool{},
		hold: hold, most: most, times: New(), users: map[string]*user{},
	}
	u.times.ThroughIngest()
	return u
}

// Tell takes in a mark.
func (u *Users) Tell(partition int32, m Mark) { u.times.Tell(partition, m) }

// user returns a user, whose time has passed.
func (u *Users) user(id string, partition int32) *user {
	one := u.users[id]
	if one == nil {
		one = &user{partition: partition, links: map[string]span{}}
		u.users[id] = one
	}
	u.pass(one)
	return one
}

// pass gives up events that have waited for too long.
func (u *Users) pass(one *user) {
	one.held = slices.DeleteFunc(one.held, func(h held) bool {
		over := h.until <= u.times.watermark(one.partition)
		if over {
			u.Dropped[h.source] = true
		}
		return over
	})
}

// Settle lets the time pass that has been told.
func (u *Users) Settle() {
	for _, one := range u.users {
		u.pass(one)
	}
}

// Link takes in that a user belongs to an account, and since when.
func (u *Users) Link(id, account string, at int64, partition int32) {
	one := u.user(id, partition)
	s, known := one.links[account]
	if !known {
		s = span{at, at}
	}
	one.links[account] = span{min(s.first, at), max(s.last, at)}
	if len(one.links) > mostLinks {
		delete(one.links, one.leastRecent())
	}
	for _, h := range one.held {
		u.Attributed[h.source] = one.account(h.at)
	}
	one.held = nil
}

// leastRecent is the account that was told of least recently.
func (one *user) leastRecent() (found string) {
	for _, id := range slices.Sorted(maps.Keys(one.links)) {
		if found == "" || one.links[id].last < one.links[found].last {
			found = id
		}
	}
	return found
}

// Fold takes in an event.
func (u *Users) Fold(ev *usage.Event, source Position, partition int32) {
	one := u.user(ev.UserID, partition)
	if to := one.account(ev.OccurredAt); to != "" {
		u.Attributed[source] = to
		return
	}
	until := max(ev.OccurredAt, u.times.watermark(partition)) + u.hold
	if one.held = append(one.held, held{source, ev.OccurredAt, until}); len(one.held) > u.most {
		u.Dropped[one.held[0].source] = true
		one.held = one.held[1:]
	}
}

// Erase forgets a user, whose accounts are to do so, too; the event may name one.
func (u *Users) Erase(id, account string, source Position, partition int32) {
	one := u.user(id, partition)
	all := map[string]bool{}
	for known := range one.links {
		all[known] = true
	}
	if account != "" {
		all[account] = true
	}
	if len(all) > 0 {
		u.Erasures[source] = all
	}
	one.links, one.held = map[string]span{}, nil
}

// account is the one that was told last before a time, or else the one that was told first; of two the one whose id comes first.
func (one *user) account(at int64) (found string) {
	newest := int64(-1)
	for _, id := range slices.Sorted(maps.Keys(one.links)) {
		s := one.links[id]
		if s.last > at {
			s.last = s.first // of what was told in between nothing is known
		}
		if s.last <= at && s.last > newest {
			found, newest = id, s.last
		}
	}
	if found != "" {
		return found
	}
	for _, id := range slices.Sorted(maps.Keys(one.links)) {
		if found == "" || one.links[id].first < one.links[found].first {
			found = id
		}
	}
	return found
}

// Accounts are the accounts that users are found to belong to at a time, "" of those whose events are held.
func (u *Users) Accounts(at int64) map[string]string {
	all := map[string]string{}
	for id, one := range u.users {
		if len(one.links) > 0 || len(one.held) > 0 {
			all[id] = one.account(at)
		}
	}
	return all
}
