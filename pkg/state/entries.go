package state

import (
	"fmt"
	"slices"
)

// CheckEntries says what makes a slice of entries unfit for a store of certain lists: more than MaxChunk of them, one without
// a key, or a place that there is not. It is for stores; an owner never gets this error unless its own code is wrong.
func CheckEntries(entries []Entry, lists []string) error {
	if len(entries) > MaxChunk {
		return fmt.Errorf("%d entries at once, at most %d are allowed", len(entries), MaxChunk)
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
