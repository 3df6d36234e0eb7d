package account

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// State is what is known of one account. There are many at a time: all that varies in size lies in parts. It belongs to
// no Engine, but to a definition: that of the Engine that made or loaded it.
type State struct {
	id          string
	parts       parts
	incarnation int64
	due         int64     // when time alone changes the account next; checklist.Never: never
	isDone      [2]uint64 // a bit for each step of the checklist
	ordinal     uint32    // of the newest fact
	lastHour    int32     // while it is a PQL, the hour (since the Unix epoch) after the one of its newest event; 0 before; of a stub when it goes
	toldLast    uint32    // hash of the tier, segments and dimensions that facts told last; 0: none has, or there are none
	standing    standing
	flags       flags
}

type flags uint16

const (
	signedUp     flags = 1 << iota
	qualified          // is a PQL now
	wasQualified       // was one before or is now
	escalated          // since the newest qualification
	converted
	severalUsers // more than one user was seen
	active       // some step has accepted an event
	barred       // left for good reason: it takes another step done to qualify again
	silent       // left because nothing happened: the next event decides anew
	near         // has been told to be one step short
	shutOut      // has been told to be excluded
	trialOver
	partlyErased // a step done or a count still holds what an erased user did
	aliased      // it was merged into another account: that is all there is, beside incarnation and ordinal
	erased       // a stub is left: incarnation, ordinal and when it goes, so that no id of a fact comes again
	allFlags     = erased<<1 - 1
	unjudged     = erased << 1 // not encoded: it is new or was loaded, maybe under another definition than it was folded by, and no event came since
)

func (s *State) has(f flags) bool { return s.flags&f != 0 }

// AccountID is the account's id.
func (s *State) AccountID() string { return s.id }

// Incarnation is the input offset of the account's first record.
func (s *State) Incarnation() int64 { return s.incarnation }

// Current says whether the account is a PQL.
func (s *State) Current() bool { return s.has(qualified) }

// Size is the memory that the state takes, in bytes, without the account's id, which its owner shares with it.
func (s *State) Size() int { return int(unsafe.Sizeof(*s)) + cap(s.parts.b) }

// Touch reads a little of the state's memory, so that it is at hand for a Fold soon after.
func (s *State) Touch() int { return int(s.parts.b[0]) + int(s.parts.b[len(s.parts.b)-1]) }

func (s *State) stepDone(step int) bool { return s.isDone[step>>6]&(1<<(step&63)) != 0 }

func (s *State) setDone(step int) { s.isDone[step>>6] |= 1 << (step & 63) }

func (s *State) clearDone(step int) { s.isDone[step>>6] &^= 1 << (step & 63) }

func (s *State) stepsDone() int { return bits.OnesCount64(s.isDone[0]) + bits.OnesCount64(s.isDone[1]) }

// rate is the activation rate: in the checklist's order, so that the order of events can't show in its last digit.
func (e *Engine) rate(s *State) float64 {
	var done float64
	steps := e.checklist.Steps()
	for i := range steps {
		if s.stepDone(i) {
			done += steps[i].Weight
		}
	}
	return done / e.checklist.TotalWeight()
}

// working returns a step's working set, which is empty when there is none, and where its item lies in its part; the
// item's size is 0 when there is none.
func (s *State) working(key uint32) (set []byte, at, size int) {
	items := s.parts.items(work)
	for at < len(items) {
		length, n := binary.Varint(items[at+4:])
		from := at + 4 + n
		to := from + int(length)
		if binary.BigEndian.Uint32(items[at:]) == key {
			return items[from:to:to], at, to - at
		}
		at = to
	}
	return nil, at, 0
}

// topic returns the place of a topic's name, which is added where it is new.
func (s *State) topic(name string) int {
	name = clip(name)
	r := reader{b: s.parts.items(topics)}
	n := 0
	for ; r.more(); n++ {
		if string(r.text()) == name {
			return n
		}
	}
	s.parts.add(topics, appendText(nil, name))
	return n
}

// maxID is the longest id that is kept, in bytes.
const maxID = 256

// clip cuts off what is over maxID.
func clip(id string) string {
	if len(id) <= maxID {
		return id
	}
	n := maxID
	for n > 0 && !utf8.RuneStart(id[n]) {
		n--
	}
	return id[:n]
}

// own returns a copy of an id, for what outlives the event.
func own(id string) string { return strings.Clone(clip(id)) }
