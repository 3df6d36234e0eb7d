package account

import "encoding/binary"

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

// hasSeen says whether an id is remembered from within the horizon.
func (s *State) hasSeen(id uint64, at, horizon int64) bool {
	items := s.parts.items(seen)
	for i := 0; i+seenSize <= len(items); i += seenSize {
		if binary.BigEndian.Uint64(items[i:]) == id && seenAt(items[i:i+seenSize]) >= clock(items, at)-horizon {
			return true
		}
	}
	return false
}

// see remembers an id. Those beyond the horizon and those over the limit are forgotten.
func (s *State) see(id uint64, at, horizon int64, limit int) {
	items := s.parts.items(seen)
	now, forgotten := clock(items, at), 0
	for stale := items; len(stale) >= limit*seenSize || len(stale) > 0 && seenAt(stale) < now-horizon; stale = stale[seenSize:] {
		forgotten++
	}
	var room [seenSize + 2]byte
	item := binary.BigEndian.AppendUint64(room[:0], id)
	item = binary.BigEndian.AppendUint64(item, uint64(now)<<16)[:seenSize]
	if forgotten == 0 {
		s.parts.add(seen, item)
		return
	}
	if forgotten > 1 {
		s.parts.replace(seen, 0, (forgotten-1)*seenSize, nil, 1-forgotten)
		items = s.parts.items(seen)
	}
	copy(items, items[seenSize:])
	copy(items[len(items)-seenSize:], item)
}
