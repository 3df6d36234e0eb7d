package account

import (
	"encoding/binary"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// user is one of a state's users: tracked, or there because an entry of the log refers to it.
type user struct {
	id       []byte // aliases the state
	events   int64  // 0: not tracked
	lastSeen int64
	role     []byte // aliases the state
	merits   merits

	at, numbers, traits, end int // among the part's items: where it begins, where events and role do, and where it ends
}

// userReader walks through a state's users.
type userReader struct{ reader }

func (s *State) users() userReader {
	return userReader{reader{b: s.parts.items(users)}}
}

// next reads a user; there is none after the last.
func (r *userReader) next(u *user) bool {
	if !r.more() {
		return false
	}
	u.at = r.at
	u.id = r.text()
	r.rest(u)
	return true
}

// rest reads what follows a user's id.
func (r *reader) rest(u *user) {
	u.numbers = r.at
	u.events, u.lastSeen = r.long(), r.long()
	u.traits = r.at
	u.role, u.merits = r.text(), decodeMerits(r.text())
	u.end = r.at
}

// track counts an event of a user, which may tell the user's role. It returns the user's place and merits. When there are
// too many, who was not seen for the longest time goes.
func (s *State) track(id string, at int64, role string, limit int) (place int, have merits) {
	id = clip(id)
	u, place := s.user(id)
	if place == 0 || u.events == 0 {
		if tracked := s.untrack(limit - 1); tracked > 0 {
			s.flags |= severalUsers
		}
		place = s.userPlace(id)
		u, _ = s.user(id)
		u.lastSeen = at
	}
	if role != "" && at >= u.lastSeen && role != string(u.role) {
		u.role = []byte(role)
		s.setUser(&u, u.events+1, at)
		return place, u.merits
	}
	var room [2 * binary.MaxVarintLen64]byte
	s.parts.replace(users, u.numbers, u.traits-u.numbers, appendLong(appendLong(room[:0], u.events+1), max(u.lastSeen, at)), 0)
	return place, u.merits
}

// user returns the user with an id and its place, counted from 1; 0: there is none. Every event of a user looks here: what
// is not the id of others is passed over.
func (s *State) user(id string) (u user, place int) {
	items := s.parts.items(users)
	for at := 0; at < len(items); {
		length, size := binary.Varint(items[at:])
		from, to := at+size, at+size+int(length)
		place++
		if string(items[from:to]) == id {
			u = user{id: items[from:to], at: at}
			(&reader{b: items, at: to}).rest(&u)
			return u, place
		}
		for range 2 {
			for items[to] >= 0x80 {
				to++
			}
			to++
		}
		for range 2 { // role and merits are short: a byte tells their length
			to += 1 + int(items[to]>>1)
		}
		at = to
	}
	return user{}, 0
}

// setUser writes what follows a user's id.
func (s *State) setUser(u *user, events, lastSeen int64) {
	var room [2*binary.MaxVarintLen64 + 1 + checklist.MaxRole + 1 + maxMerits]byte
	b := appendText(appendLong(appendLong(room[:0], events), lastSeen), alias(u.role))
	s.parts.replace(users, u.numbers, u.end-u.numbers, appendMerits(b, &u.merits), 0)
}

// untrack leaves at most so many users tracked, and returns how many were.
func (s *State) untrack(limit int) (before int) {
	for {
		tracked, oldest := 0, user{}
		for r, u := s.users(), (user{}); r.next(&u); {
			if u.events == 0 {
				continue
			}
			if tracked++; tracked == 1 || u.lastSeen < oldest.lastSeen {
				oldest = u
			}
		}
		before = max(before, tracked)
		if tracked <= limit {
			return before
		}
		oldest.role, oldest.merits = nil, merits{}
		s.setUser(&oldest, 0, 0)
	}
}

// userPlace returns the place of a user, counted from 1; 0 is nobody's. One that is new is added, untracked, in the place of
// one that is neither tracked nor referred to, if there is one.
func (s *State) userPlace(id string) int {
	if id = clip(id); id == "" {
		return 0
	}
	if _, place := s.user(id); place > 0 {
		return place
	}
	var room [2 + maxID + 4]byte
	item := append(appendText(room[:0], id), 0, 0, 0, 0) // no events, never seen, no role, no merits
	if free, place := s.freeUser(); place > 0 {
		s.parts.replace(users, free.at, free.end-free.at, item, 0)
		return place
	}
	s.parts.add(users, item)
	return s.parts.count(users)
}

// freeUser returns a user that is neither tracked nor referred to, and its place; 0: there is none.
func (s *State) freeUser() (u user, place int) {
	var needed [maxUsers/64 + 1]uint64
	for r, e := s.log(), (entry{}); r.next(&e); {
		needed[e.user>>6] |= 1 << (e.user & 63)
	}
	for r := s.users(); r.next(&u); {
		if place++; u.events == 0 && needed[place>>6]&(1<<(place&63)) == 0 {
			return u, place
		}
	}
	return u, 0
}

// maxUsers is above the number of users that a state can have: those tracked, and one for each step done.
const maxUsers = 512
