package memstate

import (
	"time"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Flush loses everything, as FLUSHALL and a restart without persistence do.
func (s *Store) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mirrors)
}

// Fail makes every call fail with err, without effect, until it is called with nil.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// LoseReply makes the next Apply that succeeds return err nevertheless.
func (s *Store) LoseReply(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loseReply = err
}

// Refuse makes Check return err, such as a *state.Refused, until it is called with nil.
func (s *Store) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// Evict loses the part of a partition's states that the key lies in.
func (s *Store) Evict(p state.Partition, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.mirrors[nameOf(p)]; c != nil {
		c.values[bucketOf(key)] = nil
	}
}

// EvictTimers loses a partition's timers.
func (s *Store) EvictTimers(p state.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.mirrors[nameOf(p)]; c != nil {
		c.timers = nil
	}
}

// EvictList loses one of a partition's lists.
func (s *Store) EvictList(p state.Partition, list string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.mirrors[nameOf(p)]; c != nil {
		c.lists[list] = nil
	}
}

// EvictPosition loses what the store knows of a partition beside its states.
func (s *Store) EvictPosition(p state.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mirrors, nameOf(p))
}

// Advance moves the store's clock on.
func (s *Store) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += d
}

// Snapshot is a copy of everything at a moment.
type Snapshot struct{ mirrors map[name]*contents }

// Snapshot copies everything.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{copyOf(s.mirrors)}
}

// Restore brings a snapshot back, as a restart from a file or a failover does. It can be brought back repeatedly.
func (s *Store) Restore(old Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mirrors = copyOf(old.mirrors)
}

func copyOf(mirrors map[name]*contents) map[name]*contents {
	d := make(map[name]*contents, len(mirrors))
	for n, c := range mirrors {
		d[n] = c.clone()
	}
	return d
}
