package account

import (
	"encoding/binary"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// entry is one of a state's log: a transition, which for a step done is the evidence for it. Its encoding tells its time as
// the distance from the entry before: entries follow one another in the order of arrival, mostly closely.
type entry struct {
	kind uint8 // index in types
	at   int64 // event time, ms

	key   uint32  // of a step done or undone: the step's
	count float64 // of a step done
	timed bool    // of a step done: no event did it, but time

	// of a step that an event did:
	user      int // place among the users, counted from 1; 0: unknown
	event     eventID
	topic     int // place among the topics
	partition int32
	offset    int64

	from, distanceFrom, distanceTo, to int // where it and its distance lie among the part's items
	distance                           int64
}

// types are those of transitions, in the order of the encoding: only append.
var types = [...]Type{SignedUp, StepDone, Qualified, Requalified, Escalated, Disqualified, Converted, Churned, StepUndone, Active, NearMiss,
	ShutOut, LetIn, LeadAccepted, LeadRejected, MeetingBooked, LeadWon, LeadLost, Merged, Absorbed, Erased, UserErased, SegmentChanged}

// Places in types.
const (
	kindSignedUp uint8 = iota
	kindStepDone
	kindQualified
	kindRequalified
	kindEscalated
	kindDisqualified
	kindConverted
	kindChurned
	kindStepUndone
	kindActive
	kindNearMiss
	kindShutOut
	kindLetIn
	kindFeedback // and those that follow, in the order of checklist.Feedback
)

// Places in types after feedback.
const (
	kindMerged = kindFeedback + uint8(checklist.Lost) + 1 + iota
	kindAbsorbed
	kindErased
	kindUserErased
	kindSegmentChanged
)

// logReader walks through a log, the oldest entry first.
type logReader struct {
	reader
	time int64 // of the entry read last
}

func (s *State) log() logReader {
	return logReader{reader: reader{b: s.parts.items(log)}}
}

// next reads an entry; there is none after the last.
func (r *logReader) next(e *entry) bool {
	if !r.more() {
		return false
	}
	*e = entry{kind: kindStepDone, from: r.at}
	branch := r.long()
	switch branch {
	case branchTransition:
		e.kind = uint8(r.long())
	case branchUndone:
		e.kind = kindStepUndone
	}
	e.distanceFrom = r.at
	e.distance = r.long()
	e.distanceTo = r.at
	r.time += e.distance
	e.at = r.time
	if branch != branchTransition {
		e.key = r.key()
	}
	switch e.timed = branch == branchTimed; branch {
	case branchTimed:
		e.count = r.number()
	case branchDone:
		e.user, e.event = int(r.long()), r.eventID()
		e.topic, e.partition, e.offset, e.count = int(r.long()), int32(r.long()), r.long(), r.number()
	}
	e.to = r.at
	return true
}

// lastAt is the time of the newest entry, 0 when there is none.
func (s *State) lastAt() int64 {
	r, e := s.log(), entry{}
	for r.next(&e) {
	}
	return r.time
}

// remember notes a transition, other than a step done. Of those beyond checklist.History the oldest goes. Steps done stay,
// they are the evidence, and so do the sign-up and the newest qualification, whose times facts tell.
func (s *State) remember(transition *entry) {
	var room [transitionBound]byte
	s.parts.add(log, appendEntry(room[:0], transition, transition.at-s.lastAt()))
	if s.parts.count(log) <= checklist.History {
		return
	}
	var oldest, second entry // the second is the oldest where the newest qualification comes before it
	r, e, transitions, newest := s.log(), entry{}, 0, 0
	for r.next(&e) {
		if e.kind == kindStepDone || e.kind == kindSignedUp {
			continue
		}
		switch transitions++; transitions {
		case 1:
			oldest = e
		case 2:
			second = e
		}
		if e.kind == kindQualified || e.kind == kindRequalified {
			newest = transitions
		}
	}
	switch {
	case transitions <= checklist.History:
	case newest == 1:
		s.forget(&second)
	default:
		s.forget(&oldest)
	}
}

// forget drops an entry. The one after it takes over its distance.
func (s *State) forget(e *entry) {
	r, after := s.log(), entry{}
	for r.next(&after) && after.from != e.to {
	}
	if after.from == e.to {
		var room [binary.MaxVarintLen64]byte
		s.parts.replace(log, after.distanceFrom, after.distanceTo-after.distanceFrom, appendLong(room[:0], e.distance+after.distance), 0)
	}
	s.parts.remove(log, e.from, e.to-e.from)
}

// times returns the event times of sign-up and newest qualification; 0: there was none.
func (s *State) times() (signedUpAt, qualifiedAt int64) {
	for r, e := s.log(), (entry{}); r.next(&e); {
		switch e.kind {
		case kindSignedUp:
			signedUpAt = e.at
		case kindQualified, kindRequalified:
			qualifiedAt = e.at
		}
	}
	return signedUpAt, qualifiedAt
}
