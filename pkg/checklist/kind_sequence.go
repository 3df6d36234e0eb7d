package checklist

import (
	"encoding/binary"
	"slices"
)

var sequenceKind = Kind{
	Name: "sequence",
	Doc: "Done when one event has followed another within a length of time, strictly later, by the times at which they " +
		"happened: whichever of the two arrives last makes it so. Other events of either kind may lie between. The order of " +
		"arrival does not matter up to a disorder of a day, or of 15 times `within` if that is less. It keeps the time of the " +
		"newest event, and the stretches of time, of a day back and of `within` ahead, in which either event would complete it: " +
		"at most 16 of each.",
	Fields: []Field{
		{Name: "first", Doc: "the event that comes first: `event` and `where`", Required: true},
		{Name: "then", Doc: "the event that has to follow: `event` and `where`", Required: true},
		{Name: "within", Doc: "the longest time between the two, measured exactly: `3d` are 72 hours; at most 366 days",
			Required: true}},
	Example: "{id: first_invite_worked, kind: sequence, first: {event: invite_sent}, then: {event: invite_accepted}, within: 3d}",
	build: func(b *builder) rule {
		b.onMoment("first", b.d.First)
		b.onMoment("then", b.d.Then)
		r := &sequenceRule{within: b.span("within", b.d.Within), first: b.d.First.events()}
		r.late = lateness(r.within)
		r.then = b.d.Then.events() + " within " + b.spanWords(b.d.Within)
		return r
	},
}

// spanWords is how an exact length of time reads in a sentence.
func (b *builder) spanWords(w *Window) string {
	if w == nil {
		return ""
	}
	return newWindow(*w, b.calendar).words
}

// sequenceRule keeps a sequenceWork.
type sequenceRule struct {
	within, late int64
	first, then  string
}

// sequenceWork is encoded as the newest time, how many bounds opens has, those, and then those of closes: both begin at most
// a day before the newest time, which is what their distances start from.
type sequenceWork struct {
	newest int64 // time of the newest event
	opens  cover // when a then completes it, for the sake of a first
	closes cover // when a first completes it, for the sake of a then
}

type sequenceRoom struct{ opens, closes [timeRoom]int64 }

const firstOf, thenOf = 0, 1 // its roles

func (r *sequenceRule) update(w *Work, in *Input) (changed, done bool) {
	var room sequenceRoom
	at := happened(in)
	s, ok := readSequence(*w, &room)
	if !ok {
		s = sequenceWork{newest: at, opens: room.opens[:0], closes: room.closes[:0]}
	}
	if in.Role == firstOf {
		done = s.closes.holds(at)
		s.opens = s.opens.add(at+1, at+r.within+1)
	} else {
		done = s.opens.holds(at)
		s.closes = s.closes.add(at-r.within, at)
	}
	s.newest = max(s.newest, at)
	s.opens, s.closes = s.opens.since(s.newest-r.late), s.closes.since(s.newest-r.late)
	var out [sequenceMost]byte
	return keep(w, s.append(out[:0])) || done, done
}

// merge takes the stretches of both together. If some first of one and some then of the other complete the step, the set is
// only what says so.
func (r *sequenceRule) merge(w *Work, other Work) {
	var room, others sequenceRoom
	s, _ := readSequence(*w, &room)
	o, ok := readSequence(other, &others)
	if !ok {
		return
	}
	done := s.met() || o.met()
	s.newest, s.opens, s.closes = max(s.newest, o.newest), s.opens.union(o.opens), s.closes.union(o.closes)
	if done || r.meets(&s) {
		s.opens, s.closes = cover{s.newest, s.newest + 1}, nil
	}
	s.opens, s.closes = s.opens.since(s.newest-r.late), s.closes.since(s.newest-r.late)
	*w = s.append((*w)[:0])
}

// meets says whether some then has followed some first in time. Of a stretch it knows the last event only, which is enough: if
// the last first is earlier than the last then, it lies behind where closes began for the sake of the then that followed;
// otherwise the last then lies behind where opens began. That is so for stretches of the rule's length.
func (r *sequenceRule) meets(s *sequenceWork) bool {
	for i := 1; i < len(s.closes); i += 2 {
		if s.opens.holds(s.closes[i]) {
			return true
		}
	}
	for i := 1; i < len(s.opens); i += 2 {
		if lastFirst := s.opens[i] - 1 - r.within; s.closes.holds(lastFirst) {
			return true
		}
	}
	return false
}

// met says whether merging has completed the step: no update leaves a stretch that begins with the newest event and is so short.
func (s *sequenceWork) met() bool { return slices.Equal(s.opens, cover{s.newest, s.newest + 1}) }

func (r *sequenceRule) reached(w Work, _ *Moment) bool {
	var room sequenceRoom
	s, ok := readSequence(w, &room)
	return ok && s.met()
}

// sequenceMost is the most bytes of a working set. Stretches of opens are at least within long and end at most that much
// after the newest time, those of closes end at most there: there can be one less of them.
const sequenceMost = timeBound + 1 + maxTimes*nearBound + (maxTimes-2)*nearBound

func (s *sequenceWork) append(w Work) Work {
	from := s.newest - dayMillis - 1
	w = append(binary.AppendVarint(w, s.newest), byte(len(s.opens)))
	return appendTimes(appendTimes(w, from, s.opens), from, s.closes)
}

// readSequence reads a working set; it is not ok if that is empty or malformed.
func readSequence(w Work, room *sequenceRoom) (s sequenceWork, ok bool) {
	if s.newest, w, ok = readTime(w); !ok {
		return s, false
	}
	from, n := s.newest-dayMillis-1, 0
	if n, w, ok = readNumber(w); !ok {
		return s, false
	}
	if s.opens, w, ok = readCover(room.opens[:0], w, n, from, s.newest+maxWithin*dayMillis+1); !ok || len(s.opens) < n {
		return s, false
	}
	s.closes, w, ok = readCover(room.closes[:0], w, maxTimes, from, s.newest)
	return s, ok && len(w) == 0 && (s.waits() || s.closed())
}

// waits says whether a then to come may complete it.
func (s *sequenceWork) waits() bool { return len(s.opens) > 0 && s.opens[len(s.opens)-1] > s.newest }

// closed says whether the newest event is a then.
func (s *sequenceWork) closed() bool {
	return len(s.closes) > 0 && s.closes[len(s.closes)-1] == s.newest
}

func (r *sequenceRule) valid(w Work) bool {
	var room sequenceRoom
	_, ok := readSequence(w, &room)
	return ok || len(w) == 0
}

func (r *sequenceRule) count(w Work, _ *Moment) float64 {
	var room sequenceRoom
	if s, ok := readSequence(w, &room); ok && s.waits() {
		return 1
	}
	return 0
}

func (r *sequenceRule) appendNeed(b []byte, have float64) []byte {
	if have < 1 {
		return append(append(append(b, r.first...), ", then "...), r.then...)
	}
	return append(append(append(b, r.then...), " after "...), r.first...)
}

func (r *sequenceRule) traits() traits {
	return traits{target: 2, shape: "sequence", bound: workBound + sequenceMost, milestones: true}
}
