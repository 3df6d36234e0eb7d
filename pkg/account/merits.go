package account

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// merits are the steps that a user took part in: whose events a step accepted, also once it was done. There is a bit for
// each step of the checklist, at its rank. A state says in its part merited which steps the bits stand for, by their keys,
// so that merits outlast a change of the definition.
type merits [2]uint64

// maxMerits is how many bytes merits take at most when encoded.
const maxMerits = (checklist.MaxSteps + 7) / 8

func (m *merits) has(rank uint8) bool { return m[rank>>6]&(1<<(rank&63)) != 0 }

func (m *merits) add(rank uint8) { m[rank>>6] |= 1 << (rank & 63) }

// next returns the first rank from one on that is among the merits, -1 when there is none.
func (m *merits) next(from int) int {
	for ; from < 128; from = (from>>6 + 1) << 6 {
		if rest := m[from>>6] >> (from & 63); rest != 0 {
			return from + bits.TrailingZeros64(rest)
		}
	}
	return -1
}

// appendMerits appends the bits, rank 0 the lowest, after the number of bytes that it takes.
func appendMerits(b []byte, m *merits) []byte {
	var room [16]byte
	binary.LittleEndian.PutUint64(room[:], m[0])
	binary.LittleEndian.PutUint64(room[8:], m[1])
	n := 16
	for n > 0 && room[n-1] == 0 {
		n--
	}
	return appendBytes(b, room[:n])
}

func decodeMerits(b []byte) (m merits) {
	var room [16]byte
	copy(room[:], b)
	m[0], m[1] = binary.LittleEndian.Uint64(room[:]), binary.LittleEndian.Uint64(room[8:])
	return m
}

func (s *State) userAt(place int) (u user) {
	for r := s.users(); place > 0 && r.next(&u); place-- {
	}
	return u
}

// credit writes the merits of the user at a place.
func (t *turn) credit(place int, have *merits) {
	s := t.state
	if s.parts.count(merited) == 0 {
		s.parts.replace(merited, 0, 0, t.engine.stepKeys, len(t.engine.ranked))
	}
	u := s.userAt(place)
	u.merits = *have
	s.setUser(&u, u.events, u.lastSeen)
	t.changed = true
}

// rankSteps gives each step its rank: that of its key, whatever the order in the definition.
func (e *Engine) rankSteps() {
	steps := e.checklist.Steps()
	e.rank, e.ranked = make([]uint8, len(steps)), make([]int, len(steps))
	for i := range e.ranked {
		e.ranked[i] = i
	}
	slices.SortFunc(e.ranked, func(a, b int) int { return cmp.Compare(steps[a].Key, steps[b].Key) })
	for rank, i := range e.ranked {
		e.rank[i] = uint8(rank)
		e.stepKeys = appendKey(e.stepKeys, steps[i].Key)
	}
}

// adoptMerits brings the users' merits under the engine's definition, and says whether they can be merits.
func (e *Engine) adoptMerits(s *State) bool {
	keys, n := s.parts.items(merited), s.parts.count(merited)
	var now [checklist.MaxSteps]int // ranks by what they were; below 0: the step is gone
	for i := range n {
		step := e.stepOf(binary.BigEndian.Uint32(keys[4*i:]))
		if now[i] = -1; step >= 0 && e.checklist.Steps()[step].Credits() {
			now[i] = int(e.rank[step])
		}
	}
	for r, u := s.users(), (user{}); r.next(&u); {
		var kept merits
		for i := u.merits.next(0); i >= 0; i = u.merits.next(i + 1) {
			if i >= n {
				return false
			}
			if now[i] >= 0 {
				kept.add(uint8(now[i]))
			}
		}
		if kept != u.merits {
			u.merits = kept
			s.setUser(&u, u.events, u.lastSeen)
			r = userReader{reader{b: s.parts.items(users), at: u.numbers}}
			r.rest(&u)
		}
	}
	if n > 0 && string(s.parts.items(merited)) != string(e.stepKeys) {
		s.parts.replace(merited, 0, len(s.parts.items(merited)), e.stepKeys, len(e.ranked)-n)
	}
	return true
}
