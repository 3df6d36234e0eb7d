package account

import (
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// State is what is known of one account. There are many at a time, so it keeps small slices and shares what it can;
// strings in it are its own or shared, never an event's.
type State struct {
	engine      *Engine
	id          string
	incarnation int64
	ordinal     int64 // of the newest fact
	signedUpAt  int64 // ms; holds when signedUp
	qualifiedAt int64 // ms; of the newest qualification, 0 before the first
	rate        float64
	standing    standing
	flags       flags
	isDone      [2]uint64 // a bit for each step of the checklist

	properties []usage.Value // declared ones; the checklist's defaults, shared, until told is there
	told       []int64       // event time that each was told at; notTold: it is the default
	done       []evidence    // in the order that they were done
	work       []work        // in the order that they were begun
	users      []user
	seen       seen
	history    []moment // the oldest first
}

type flags uint8

const (
	signedUp     flags = 1 << iota
	qualified          // is a PQL now
	wasQualified       // was one before or is now
	escalated          // since the newest qualification
	converted
	severalUsers // more than one user was seen
	allFlags     = severalUsers<<1 - 1
)

func (s *State) has(f flags) bool { return s.flags&f != 0 }

// evidence is a step done.
type evidence struct {
	step      uint16
	partition int32
	at        int64
	offset    int64
	count     float64
	user      string
	event     string
	topic     string
}

// work is a step begun.
type work struct {
	step uint16
	checklist.Work
}

// user is how active one user was.
type user struct {
	id       string
	events   int64
	lastSeen int64
}

// moment is a transition of the past.
type moment struct {
	at   int64
	kind uint8 // index in types
	step int16 // none: noStep
}

const noStep = -1

// types are those of moments, in the order of the encoding: only append.
var types = []Type{SignedUp, StepDone, Qualified, Requalified, Escalated, Disqualified, Converted, Churned}

// AccountID is the account's id.
func (s *State) AccountID() string { return s.id }

// Incarnation is the input offset of the account's first record.
func (s *State) Incarnation() int64 { return s.incarnation }

// Current says whether the account is a PQL.
func (s *State) Current() bool { return s.has(qualified) }

func (s *State) stepDone(step int) bool { return s.isDone[step>>6]&(1<<(step&63)) != 0 }

func (s *State) setDone(step int) { s.isDone[step>>6] |= 1 << (step & 63) }

// recompute brings the activation rate up to date: in the checklist's order, so that the order of events can't show
// in its last digit.
func (s *State) recompute() {
	var done float64
	steps := s.engine.checklist.Steps()
	for i := range steps {
		if s.stepDone(i) {
			done += steps[i].Weight
		}
	}
	s.rate = done / s.engine.checklist.TotalWeight()
}

// set takes over a property's value, whose text is the state's own, told at a time.
func (s *State) set(property int, v usage.Value, at int64) {
	if s.told == nil {
		s.properties = slices.Clone(s.properties)
		s.told = make([]int64, len(s.properties))
		for i := range s.told {
			s.told[i] = notTold
		}
	}
	s.properties[property], s.told[property] = v, at
}

// userID returns a copy of a user's id that the state's parts share.
func (s *State) userID(id string) string {
	for i := range s.users {
		if s.users[i].id == id {
			return s.users[i].id
		}
	}
	for i := range s.done {
		if s.done[i].user == id {
			return s.done[i].user
		}
	}
	return clip(id)
}

// maxID is the longest id that is kept, in bytes.
const maxID = 256

// clip clones an id; what is over maxID is cut off.
func clip(id string) string {
	if len(id) > maxID {
		n := maxID
		for n > 0 && !utf8.RuneStart(id[n]) {
			n--
		}
		id = id[:n]
	}
	return strings.Clone(id)
}

// Size is an estimate of the memory that the state takes, in bytes.
func (s *State) Size() int {
	const perString = 24 // what the allocator rounds up and the account's id takes, about
	n := int(unsafe.Sizeof(*s)) + len(s.id) + perString +
		cap(s.done)*int(unsafe.Sizeof(evidence{})) + cap(s.work)*int(unsafe.Sizeof(work{})) +
		cap(s.users)*int(unsafe.Sizeof(user{})) + cap(s.history)*int(unsafe.Sizeof(moment{})) +
		cap(s.seen.events)*int(unsafe.Sizeof(seenEvent{})) + cap(s.told)*(8+int(unsafe.Sizeof(usage.Value{})))
	for i := range s.done {
		n += len(s.done[i].user) + len(s.done[i].event) + perString
	}
	for i := range s.users {
		n += len(s.users[i].id) + perString
	}
	for i := range s.work {
		w := &s.work[i]
		n += cap(w.Days) * int(unsafe.Sizeof(checklist.Day{}))
		n += cap(w.IDs)*int(unsafe.Sizeof("")) + len(w.IDs)*perString
	}
	return n
}
