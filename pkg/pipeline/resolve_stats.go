package pipeline

import "sync/atomic"

// ResolveStats counts what became of events that name only a user. What is folded again after a crash counts again.
type ResolveStats struct {
	Attributed atomic.Int64 // went to an account, at once or after they were held
	Held       atomic.Int64 // had to wait
	Dropped    atomic.Int64 // became dead letters
	Erased     atomic.Int64 // went with their user
}
