package account

import (
	"bytes"
	"slices"
)

// Held is a record that waits for the account's time. A stage that reads several partitions behind another one may meet an
// event before the watermark, the least of them all, has passed what time is to do to the account before: folded at
// once, it would put an end to a silence that nobody has noticed, as it does not where the events lie in one partition. So it is kept with the
// account until the watermark has come so far. See rule 8 of DESIGN.md.
type Held struct {
	Until  int64  // the watermark of the partition that it came from, when it was read there; ms since the Unix epoch, UTC
	Lane   string // that partition; of those of one lane none overtakes another
	Record []byte
}

// maxHeld is how many bytes of records are held at most, and heldBeside what the rest of such a state may take. An account
// that has more to wait for goes on without waiting.
const (
	maxHeld    = 256 << 10
	heldBeside = 256 << 10
)

// Early says whether a record is to be held: something is due before it, or one of its lane is held.
func (s *State) Early(until int64, lane func() string) bool {
	if s.Due(until) {
		return true
	}
	if !s.Holds() {
		return false
	}
	of := lane()
	for r := s.heldItems(); r.more(); {
		if h := r.held(); h.Lane == of {
			return true
		}
	}
	return false
}

// Hold holds a record. It says whether there was room.
func (s *State) Hold(h *Held) bool {
	item := appendLong(nil, h.Until)
	item = appendText(item, h.Lane)
	item = appendBytes(item, h.Record)
	if len(s.parts.items(held))+len(item) > maxHeld || s.bareSize() > heldBeside {
		return false
	}
	s.parts.add(held, item)
	return true
}

// Holds says whether records are held.
func (s *State) Holds() bool { return s.parts.count(held) > 0 }

// HeldUntil returns the watermark that the next of the held records waits for.
func (s *State) HeldUntil() (until int64, ok bool) {
	h, _, size := s.nextHeld()
	return h.Until, size > 0
}

// Release returns the next of the held records, which is held no longer, once nothing is due before it: of the first of each lane
// the one with the least Until. Overdue takes it however much is due. It is the caller's.
func (s *State) Release(overdue bool) (h Held, ok bool) {
	h, at, size := s.nextHeld()
	if size == 0 || !overdue && s.Due(h.Until) {
		return Held{}, false
	}
	h.Record = bytes.Clone(h.Record)
	s.parts.remove(held, at, size)
	return h, true
}

// nextHeld finds the record that is to be taken in next, and its item; the size is 0 where none is held.
func (s *State) nextHeld() (next Held, at, size int) {
	var lanes []string
	for r := s.heldItems(); r.more(); {
		from := r.at
		h := r.held()
		if slices.Contains(lanes, h.Lane) {
			continue
		}
		lanes = append(lanes, h.Lane)
		if size == 0 || h.Until < next.Until {
			next, at, size = h, from, r.at-from
		}
	}
	return next, at, size
}

// Due says whether time up to a moment changes the account, which it has not yet.
func (s *State) Due(at int64) bool { return !s.has(erased) && s.due <= at }

func (s *State) heldItems() reader { return reader{b: s.parts.items(held)} }

// held reads a held record, which aliases what is read.
func (r *reader) held() (h Held) {
	h.Until = r.long()
	h.Lane = alias(r.text())
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

func (s *State) keepHeld(items []byte, n int) {
	if n > 0 {
		s.parts.replace(held, 0, 0, items, n)
	}
}
