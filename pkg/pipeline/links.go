package pipeline

import "github.com/cespare/xxhash/v2"

// links remembers which account a user was told to belong to last, and on which day: a task need not tell it with each of
// the user's events. What has been forgotten is told again, which does no harm.
type links struct{ slots []toldLink }

type toldLink struct {
	user, account uint64 // hashes
	day           int64  // since the Unix epoch
}

// toldLinks is how many users a task remembers; each takes 24 bytes. Of two whose hashes lead to the same place it is the last.
const toldLinks = 1 << 15

const millisPerDay = 86_400_000

// add says whether it is to be told that a user belongs to an account, as of an event's time, and takes it for told then.
func (l *links) add(user, account string, at int64) bool {
	if l.slots == nil {
		l.slots = make([]toldLink, toldLinks)
	}
	link := toldLink{xxhash.Sum64String(user), xxhash.Sum64String(account), at / millisPerDay}
	slot := &l.slots[link.user%toldLinks]
	if *slot == link {
		return false
	}
	*slot = link
	return true
}

// forget has the next link of a user told, whatever it is.
func (l *links) forget(user string) {
	if hash := xxhash.Sum64String(user); l.slots != nil && l.slots[hash%toldLinks].user == hash {
		l.slots[hash%toldLinks] = toldLink{}
	}
}
