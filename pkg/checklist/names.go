package checklist

// names finds the listener of an event's name. It is asked for every event that there is, and a map takes almost twice
// as long: this one is made once, has few entries, short keys and much room.
type names struct {
	slots []namedListener // a power of two of them; the free ones have no listener
}

type namedListener struct {
	hash     uint64
	listener *Listener
}

func newNames(listeners map[string]*Listener) names {
	size := 8
	for size < 8*len(listeners) {
		size *= 2
	}
	n := names{make([]namedListener, size)}
	for name, l := range listeners {
		h := hashName(name)
		at := h
		for n.slot(at).listener != nil {
			at++
		}
		*n.slot(at) = namedListener{h, l}
	}
	return n
}

func (n *names) slot(at uint64) *namedListener { return &n.slots[at&uint64(len(n.slots)-1)] }

// listener returns the listener of a name, nil when it has none of its own.
func (n *names) listener(name string) *Listener {
	h := hashName(name)
	for at := h; ; at++ {
		s := n.slot(at)
		if s.listener == nil {
			return nil
		}
		if s.hash == h && s.listener.Event == name {
			return s.listener
		}
	}
}

// hashName mixes all bytes of a name. It need not withstand an attacker: only names of the checklist are entered.
func hashName(name string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h, n := uint64(len(name)), len(name)
	if n < 8 {
		for i := range n {
			h = h<<8 ^ h>>56 ^ uint64(name[i])
		}
	} else {
		for i := 0; i < n-8; i += 8 {
			h = (h ^ eightBytes(name, i)) * odd
			h ^= h >> 32
		}
		h ^= eightBytes(name, n-8)
	}
	h *= odd
	return h ^ h>>32
}

// eightBytes returns 8 bytes of s; the compiler makes it one load.
func eightBytes(s string, at int) uint64 {
	b := s[at : at+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
