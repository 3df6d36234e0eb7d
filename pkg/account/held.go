package account

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
)

// Held is a record that waits for the account's time. A stage that reads several partitions behind another one may meet an
// event before the watermark, the least of them all, has passed what time is to do to the account before: folded at
// once, it would put an end to a silence that nobody has noticed, as it does not where the events lie in one partition. So it is kept with the
// account until the watermark has come so far. See rule 8 of DESIGN.md.
type Held struct {
	Until  int64  // the watermark of the partition that it came from, when it was read there; ms since the Unix epoch, UTC
	Lane   string // where it comes from; of those of one lane none overtakes another
	Last   bool   // nor does it overtake any of those that were held before: it is to erase what they say
	Record []byte
}

// What is held at most: records, their bytes, and what the rest of such a state may take. An account that has more to wait for goes
// on without waiting.
const (
	maxHeld      = 4000
	maxHeldBytes = 512 << 10
	heldBeside   = 256 << 10
)

// Early says whether a record is to be held: something is due before it, or it is not to overtake one that is held.
func (s *State) Early(h *Held) bool {
	if _, due := s.DueBy(h.Until); due || !s.Holds() {
		return due
	}
	for r := s.heldItems(); r.more(); {
		if before := r.held(); h.Last || before.Lane == h.Lane {
			return true
		}
	}
	return false
}

// Hold holds a record. It says whether there was room.
func (s *State) Hold(h *Held) bool {
	item := appendHeld(nil, h)
	if s.parts.count(held) >= maxHeld || len(s.parts.items(held))+len(item) > maxHeldBytes || s.bareSize() > heldBeside {
		return false
	}
	s.parts.add(held, item)
	return true
}

// Holds says whether records are held.
func (s *State) Holds() bool { return s.parts.count(held) > 0 }

// Crowded says whether a record might not fit beside those that are held.
func (s *State) Crowded(record int) bool { return s.Holds() && s.bareSize()+record > heldBeside }

// TakeHeld takes out all that is held, for the caller to do with it what is to be done, and to give the rest back with HoldAgain.
func (s *State) TakeHeld() *Queue {
	q := queueOf(bytes.Clone(s.parts.items(held)))
	s.dropHeld()
	return q
}

// HoldAgain gives back what is left of what TakeHeld has taken out.
func (s *State) HoldAgain(q *Queue) {
	var rest []queued
	for _, lane := range q.lanes {
		rest = append(rest, lane...)
	}
	slices.SortFunc(rest, func(a, b queued) int { return a.place - b.place })
	var items []byte
	for i := range rest {
		items = appendHeld(items, &rest[i].Held)
	}
	s.keepHeld(items, len(rest))
}

// Queue is records that were held.
type Queue struct{ lanes [][]queued }

type queued struct {
	Held
	place int // in the order in which they came
}

// queueOf takes the items of the part held apart, which it aliases.
func queueOf(items []byte) *Queue {
	q, at := &Queue{}, map[string]int{}
	r := reader{b: items}
	for place := 0; r.more(); place++ {
		h := r.held()
		i, known := at[h.Lane]
		if !known {
			i = len(q.lanes)
			at[h.Lane] = i
			q.lanes = append(q.lanes, nil)
		}
		q.lanes[i] = append(q.lanes[i], queued{h, place})
	}
	return q
}

// Next is the one that is to be taken in next: of the first of each lane the one with the least Until, and of those the one that came first;
// nil when there is none.
func (q *Queue) Next() *Held {
	if i := q.next(); i >= 0 {
		return &q.lanes[i][0].Held
	}
	return nil
}

// Take takes the next one out; nil when there is none.
func (q *Queue) Take() *Held {
	i := q.next()
	if i < 0 {
		return nil
	}
	h := &q.lanes[i][0].Held
	q.lanes[i] = q.lanes[i][1:]
	return h
}

// next is the lane of the next one, -1 when there is none.
func (q *Queue) next() int {
	next, oldest := -1, math.MaxInt
	for _, lane := range q.lanes {
		if len(lane) > 0 {
			oldest = min(oldest, lane[0].place)
		}
	}
	for i, lane := range q.lanes {
		if len(lane) == 0 || lane[0].Last && lane[0].place > oldest {
			continue
		}
		if next < 0 || cmp.Or(cmp.Compare(lane[0].Until, q.lanes[next][0].Until), lane[0].place-q.lanes[next][0].place) < 0 {
			next = i
		}
	}
	return next
}

// DueBy says whether time up to a moment changes the account, which it has not yet, and when it does first.
func (s *State) DueBy(at int64) (due int64, is bool) {
	if s.has(erased) || s.due > at {
		return 0, false
	}
	if s.due == atOnce {
		return at, true
	}
	return s.due, true
}

// overdue has time look at an account that was loaded, if what its records have waited for is due no more.
func (s *State) overdue() {
	if !s.Holds() || s.has(aliased|erased) {
		return
	}
	if q := queueOf(s.parts.items(held)); s.due > q.Next().Until {
		s.due = atOnce
	}
}

func appendHeld(b []byte, h *Held) []byte {
	b = appendText(appendLong(b, h.Until), h.Lane)
	if h.Last {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return appendBytes(b, h.Record)
}

// holdsText says whether a text is in what is held, as it is or as JSON has it.
func (s *State) holdsText(text string) bool {
	items := s.parts.items(held)
	if bytes.Contains(items, []byte(text)) {
		return true
	}
	escaped, err := json.Marshal(text)
	return err == nil && bytes.Contains(items, escaped[1:len(escaped)-1])
}

func (s *State) heldItems() reader { return reader{b: s.parts.items(held)} }

// held reads a held record, which aliases what is read.
func (r *reader) held() (h Held) {
	h.Until = r.long()
	h.Lane = alias(r.text())
	if b := r.take(1); len(b) == 1 {
		if b[0] > 1 {
			r.fail()
		}
		h.Last = b[0] == 1
	}
	h.Record = r.text()
	return h
}

// heldSize is how many bytes the part held takes more than an empty one.
func (s *State) heldSize() int {
	begin, _, to := s.parts.span(held)
	return to - begin
}

// bareSize is the size of the parts without what is held.
func (s *State) bareSize() int { return len(s.parts.b) - s.heldSize() }

// heldPart returns the part held, for keepHeld to put into another state.
func (s *State) heldPart() (items []byte, n int) {
	return bytes.Clone(s.parts.items(held)), s.parts.count(held)
}

func (s *State) dropHeld() {
	s.parts.replace(held, 0, len(s.parts.items(held)), nil, -s.parts.count(held))
}

func (s *State) keepHeld(items []byte, n int) {
	if n > 0 {
		s.parts.replace(held, 0, 0, items, n)
	}
}
