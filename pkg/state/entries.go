package state

import "fmt"

// CheckEntries says what makes a slice of entries unfit for a store: more than MaxChunk of them, or one without a key.
// It is for stores; an owner never gets this error unless its own code is wrong.
func CheckEntries(entries []Entry) error {
	if len(entries) > MaxChunk {
		return fmt.Errorf("%d entries at once, at most %d are allowed", len(entries), MaxChunk)
	}
	for i := range entries {
		if entries[i].Key == "" {
			return fmt.Errorf("entry %d has no key", i)
		}
	}
	return nil
}
