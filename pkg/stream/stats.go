package stream

import (
	"sync/atomic"
	"time"
)

// Stats counts what a Runtime has done since it was made.
type Stats struct {
	Records     atomic.Int64 // folded, skipped ones included
	Rejected    atomic.Int64 // records that became dead letters
	Late        atomic.Int64 // records folded with an event time before the watermark
	Loaded      atomic.Int64 // states read from the store
	Emissions   atomic.Int64 // commits that did not move the offset
	Checkpoints atomic.Int64 // commits that did
	Unconfirmed atomic.Int64 // commits whose outcome is not known
	Takeovers   atomic.Int64 // partitions taken over again
	Rebuilds    atomic.Int64 // mirrors filled anew
	Commits     Durations    // of confirmed commits
	// From a record's timestamp to the confirmed commit of what it led to: of each partition's part of a commit with outputs, the
	// longest. Lazy outputs don't count. What time leads to, or a Flusher publishes, has no record.
	Published Durations
}

// DurationBounds are the upper bounds by which Durations counts, rising.
var DurationBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute,
}

// Durations counts how long things took. All methods may be called concurrently.
type Durations struct {
	counts [len(DurationBounds) + 1]atomic.Int64 // up to each bound and above the one before; the last: longer than all
	nanos  atomic.Int64
}

// Observe counts one; less than nothing, as clocks that differ make it, counts as nothing.
func (d *Durations) Observe(took time.Duration) {
	took = max(took, 0)
	at := 0
	for at < len(DurationBounds) && took > DurationBounds[at] {
		at++
	}
	d.nanos.Add(took.Nanoseconds())
	d.counts[at].Add(1)
}

// Read returns how many were counted, what they took together, and how many took at most as long as each of DurationBounds.
func (d *Durations) Read() (n int64, all time.Duration, within [len(DurationBounds)]int64) {
	for i := range d.counts {
		n += d.counts[i].Load()
		if i < len(within) {
			within[i] = n
		}
	}
	return n, time.Duration(d.nanos.Load()), within
}
