package account

import "slices"

// seen remembers the newest events' ids, to count a repeated event once. It is a ring: events[first] is the oldest.
//
// Ages are measured on the account's own clock, the highest event time remembered, so that an event that came late is
// remembered as long as any other.
type seen struct {
	events []seenEvent
	first  int
}

type seenEvent struct {
	id uint64 // hash of the event's id
	at int64  // the account's clock when it was folded, ms
}

func (r *seen) newest() *seenEvent {
	if len(r.events) == 0 {
		return nil
	}
	return &r.events[(r.first+len(r.events)-1)%len(r.events)]
}

// clock returns the account's clock at an event's time.
func (r *seen) clock(at int64) int64 {
	if n := r.newest(); n != nil {
		return max(at, n.at)
	}
	return at
}

// holds says whether an id is remembered from within the horizon.
func (r *seen) holds(id uint64, at, horizon int64) bool {
	for i := range r.events {
		if r.events[i].id == id {
			if r.events[i].at >= r.clock(at)-horizon {
				return true
			}
		}
	}
	return false
}

// add remembers an id. It takes the place of the oldest when that is beyond the horizon or there are limit already.
func (r *seen) add(id uint64, at, horizon int64, limit int) {
	at = r.clock(at)
	if n := len(r.events); n >= limit || n > 0 && r.events[r.first].at < at-horizon {
		r.events[r.first] = seenEvent{id, at}
		r.first = (r.first + 1) % n
		return
	}
	r.unroll()
	r.events = append(r.events, seenEvent{id, at})
}

// unroll puts the oldest first.
func (r *seen) unroll() {
	if r.first == 0 {
		return
	}
	slices.Reverse(r.events[:r.first])
	slices.Reverse(r.events[r.first:])
	slices.Reverse(r.events)
	r.first = 0
}

// fresh returns those within the horizon, the oldest first.
func (r *seen) fresh(horizon int64) []seenEvent {
	r.unroll()
	for i := range r.events {
		if r.events[i].at >= r.newest().at-horizon {
			return r.events[i:]
		}
	}
	return nil
}
