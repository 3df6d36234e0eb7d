package stream

import "github.com/bits-and-blooms/bloom/v3"

const (
	firstKeys = 1 << 14 // keys that the first filter of a keySet is made for; each further for twice as many
	mostKeys  = 1 << 22 // keys of a keySet at most, which take about 6 MB
	wrongKeys = 0.01    // share of other keys that a filter takes for its own
)

// keySet is a set of keys that takes some bits for each. It may take another key for one of its own, and never forgets
// one. It is several Bloom filters, each larger than the one before, since nobody knows how many keys will come.
type keySet struct {
	filters []*bloom.BloomFilter
	n       int // keys
	room    int // keys that the newest filter has room for
}

// add puts a key in. It says whether there was room.
func (s *keySet) add(key string) bool {
	switch {
	case s.has(bytesOf(key)):
		return true
	case s.n >= mostKeys:
		return false
	case s.room == 0:
		s.room = firstKeys << len(s.filters)
		s.filters = append(s.filters, bloom.NewWithEstimates(uint(s.room), wrongKeys))
	}
	s.filters[len(s.filters)-1].AddString(key)
	s.n++
	s.room--
	return true
}

// has says whether a key may be in.
func (s *keySet) has(key []byte) bool {
	for _, f := range s.filters {
		if f.Test(key) {
			return true
		}
	}
	return false
}
