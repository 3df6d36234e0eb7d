package state

// Refused says that a store can't be relied on until somebody changes it: repeating the call doesn't help. An error of
// Check that is not Refused means that the store is out of reach for now.
type Refused struct {
	Reason string // what is wrong, with the address
	Remedy string // what to change
}

func (r *Refused) Error() string { return r.Reason + ": " + r.Remedy }
