// Package memstate keeps mirrors in the memory of the process: for tests, and as the plainest statement of what a
// store does. Several owners may share one Store, as several processes share a Redis.
package memstate

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"sync"
	"time"

	"github.com/pqlstream/pqlstream/pkg/state"
)

var (
	_ state.Store  = (*Store)(nil)
	_ state.Reader = (*Store)(nil)
)

// buckets is how many parts a mirror is lost in.
const buckets = 64

// Store holds mirrors. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	mirrors map[name]*contents
	builds  int64 // generations given out

	fail      error
	loseReply error
	refused   error
	skew      time.Duration
}

// name is a partition's without its identity: two deployments can meet under it.
type name struct {
	stage, topic string
	number       int32
}

func nameOf(p state.Partition) name { return name{p.Stage, p.Topic, p.Number} }

// contents is what the store knows of one partition.
type contents struct {
	identity   string
	token      int64
	ready      bool
	generation int64 // names the rebuild that made it, or makes it
	position   int64 // while not ready: of no meaning
	updated    time.Time
	values     [buckets]map[string][]byte // nil: lost
	timers     map[string]int64           // nil: lost
}

// New returns an empty store.
func New() *Store { return &Store{mirrors: map[name]*contents{}} }

// Open implements state.Store.
func (s *Store) Open(p state.Partition, token int64) state.Mirror {
	return &mirror{store: s, partition: p, token: token}
}

// Check implements state.Store.
func (s *Store) Check(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reachable(ctx); err != nil {
		return fmt.Errorf("checking the memory store: %w", err)
	}
	return s.refused
}

// Get implements state.Reader.
func (s *Store) Get(ctx context.Context, p state.Partition, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reachable(ctx); err != nil {
		return nil, fmt.Errorf("getting a value of %s: %w", describe(p), err)
	}
	c := s.mirrors[nameOf(p)]
	if c != nil && c.identity != p.Identity {
		return nil, fmt.Errorf("getting a value of %s: %w", describe(p), state.ErrForeign)
	}
	if c == nil || !c.ready || c.values[bucketOf(key)] == nil {
		return nil, fmt.Errorf("getting a value of %s: %w", describe(p), state.ErrMismatch)
	}
	return bytes.Clone(c.values[bucketOf(key)][key]), nil
}

// Each implements state.Reader: all as of one moment.
func (s *Store) Each(ctx context.Context, p state.Partition, visit func([]state.Entry) error) error {
	entries, err := s.all(ctx, p)
	if err != nil {
		return fmt.Errorf("reading all of %s: %w", describe(p), err)
	}
	return visit(entries)
}

func (s *Store) all(ctx context.Context, p state.Partition) (entries []state.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reachable(ctx); err != nil {
		return nil, err
	}
	c := s.mirrors[nameOf(p)]
	if c != nil && c.identity != p.Identity {
		return nil, state.ErrForeign
	}
	if c == nil || !c.ready || !c.whole() {
		return nil, state.ErrMismatch
	}
	for _, b := range c.values {
		for key, value := range b {
			entries = append(entries, state.Entry{Key: key, Value: bytes.Clone(value)})
		}
	}
	return entries, nil
}

// reachable says whether a call reaches the store at all.
func (s *Store) reachable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fail
}

func (s *Store) now() time.Time { return time.Now().Add(s.skew) }

func describe(p state.Partition) string {
	return fmt.Sprintf("the mirror of %s, %s partition %d", p.Stage, p.Topic, p.Number)
}

func bucketOf(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return int(h.Sum32() % buckets)
}

// clone copies all that can change; values are never changed in place.
func (c *contents) clone() *contents {
	d := *c
	for i, b := range c.values {
		d.values[i] = maps.Clone(b)
	}
	d.timers = maps.Clone(c.timers)
	return &d
}

// whole says whether nothing has been lost.
func (c *contents) whole() bool {
	for _, b := range c.values {
		if b == nil {
			return false
		}
	}
	return c.timers != nil
}

// holds says whether the parts that the entries lie in are still there.
func (c *contents) holds(entries []state.Entry) bool {
	for _, e := range entries {
		if c.values[bucketOf(e.Key)] == nil {
			return false
		}
	}
	return c.timers != nil
}

func (c *contents) put(entries []state.Entry) {
	for _, e := range entries {
		b := c.values[bucketOf(e.Key)]
		if e.Value == nil {
			delete(b, e.Key)
		} else {
			b[e.Key] = append([]byte{}, e.Value...)
		}
		if e.Value == nil || e.Timer == 0 {
			delete(c.timers, e.Key)
		} else {
			c.timers[e.Key] = e.Timer
		}
	}
}
