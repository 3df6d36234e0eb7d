package state

import (
	"fmt"
	"slices"
)

// Fitting returns how many of the first entries a Chunk may hold.
func Fitting(entries []Entry) int {
	size, most := 0, min(len(entries), MaxChunk)
	for i := range most {
		if size += entries[i].Size(); size > MaxChunkBytes && i > 0 {
			return i
		}
	}
	return most
}

// CheckEntries says what makes a slice of entries unfit for a store of certain lists: more than a Chunk may hold, one without
// a key, or a place that there is not. It is for stores; an owner never gets this error unless its own code is wrong.
func CheckEntries(entries []Entry, lists []string) error {
	if most := Fitting(entries); most < len(entries) {
		return fmt.Errorf("%d entries at once, of these at most %d are allowed", len(entries), most)
	}
	for i := range entries {
		e := &entries[i]
		if e.Key == "" {
			return fmt.Errorf("entry %d has no key", i)
		}
		if !e.Relisted {
			continue
		}
		for _, l := range e.Index {
			if !slices.Contains(lists, l.List) {
				return fmt.Errorf("entry %d is on the list %q, which the store does not have", i, l.List)
			}
			if l.Score < -MaxScore || l.Score > MaxScore {
				return fmt.Errorf("entry %d is on the list %q with the score %d, which is too large", i, l.List, l.Score)
			}
		}
	}
	return nil
}
