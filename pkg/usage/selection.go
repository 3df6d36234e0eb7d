package usage

import "slices"

// Selection is a choice of an event's properties, by their keys. The zero Selection is none of them.
type Selection struct {
	All  bool // whatever the key
	Keys []string
}

// Empty says whether no property is chosen.
func (s *Selection) Empty() bool { return !s.All && len(s.Keys) == 0 }

// Has says whether the property of a key is chosen.
func (s *Selection) Has(key string) bool {
	if s.All {
		return true
	}
	for i := range s.Keys {
		if s.Keys[i] == key {
			return true
		}
	}
	return false
}

// Add chooses the property of one more key.
func (s *Selection) Add(key string) {
	if !slices.Contains(s.Keys, key) {
		s.Keys = append(s.Keys, key)
	}
}
