package telemetry

import (
	"maps"
	"slices"
	"sync"
)

// Readiness knows what a process waits for before it does its work. A process is ready when it waits for nothing. The
// zero Readiness is ready; all methods may be called concurrently.
type Readiness struct {
	mu      sync.Mutex
	waiting map[string]string
}

// Condition is something that a process waits for.
type Condition struct {
	Name       string `json:"name"`        // such as redis or activation/3
	WaitingFor string `json:"waiting_for"` // in words
}

// Set says that the process waits for something until Clear is called with the same name. The newest words count.
func (r *Readiness) Set(name, waitingFor string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = map[string]string{}
	}
	r.waiting[name] = waitingFor
}

// Clear says that the process waits for it no longer.
func (r *Readiness) Clear(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, name)
}

// Waiting returns what the process waits for, by name. None: it is ready.
func (r *Readiness) Waiting() []Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Condition, 0, len(r.waiting))
	for _, name := range slices.Sorted(maps.Keys(r.waiting)) {
		list = append(list, Condition{Name: name, WaitingFor: r.waiting[name]})
	}
	return list
}
