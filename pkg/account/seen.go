package account

import (
	"encoding/binary"
	"math/bits"
)

// The part seen remembers the newest events' ids, the oldest first, to count a repeated event once. An item is a hash of
// the id and, in 6 bytes, the account's clock when the event was folded, both big-endian.
//
// The account's clock is the highest event time remembered. Ages are measured on it, so that an event that came late is
// remembered as long as any other.
const (
	seenHash = 8
	seenSize = seenHash + 6
)

// clock returns the account's clock at an event's time, which is bounded to what 6 bytes hold: some 4,000 years.
func clock(seen []byte, at int64) int64 {
	const most = 1<<47 - 1
	at = min(max(at, -most), most)
	if len(seen) > 0 {
		at = max(at, seenAt(seen[len(seen)-seenSize:]))
	}
	return at
}

func seenAt(item []byte) int64 {
	return int64(binary.BigEndian.Uint64(item[seenSize-8:])<<16) >> 16
}

// hasSeen says whether an id is among the newest of a limit, and from within the horizon.
func (s *State) hasSeen(id uint64, at, horizon int64, limit int) bool {
	items := s.parts.items(seen)
	hash := bits.ReverseBytes64(id) // as it reads in little-endian order, which costs nothing
	for rest := items[max(0, len(items)-limit*seenSize):]; len(rest) >= seenSize; rest = rest[seenSize:] {
		if binary.LittleEndian.Uint64(rest) == hash && seenAt(rest) >= clock(items, at)-horizon {
			return true
		}
	}
	return false
}

// see remembers an id. Those beyond the horizon and those over the limit are forgotten, some at a time: what is left has to
// be moved for that.
func (s *State) see(id uint64, at, horizon int64, limit int) {
	items := s.parts.items(seen)
	now, n, stale := clock(items, at), len(items)/seenSize, 0
	for stale < n && (n-stale >= limit || seenAt(items[stale*seenSize:]) < now-horizon) {
		stale++
	}
	if stale > (n-stale)/seenSlack {
		s.parts.replace(seen, 0, stale*seenSize, nil, -stale)
	}
	var room [seenSize + 2]byte
	item := binary.BigEndian.AppendUint64(room[:0], id)
	item = binary.BigEndian.AppendUint64(item, uint64(now)<<16)[:seenSize]
	s.parts.add(seen, item)
}

// seenSlack bounds those that wait to be forgotten: there is at most one for each eight that are remembered.
const seenSlack = 8
