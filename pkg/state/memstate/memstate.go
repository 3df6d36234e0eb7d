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
	*data
	lists []string
}

// data is what several stores may share.
type data struct {
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
	definition string
	updated    time.Time
	values     [buckets]map[string][]byte // nil: lost
	timers     map[string]int64           // nil: lost
	lists      map[string]map[string]int64
}

// New returns an empty store of certain lists.
func New(lists ...string) *Store { return &Store{&data{mirrors: map[name]*contents{}}, lists} }

// With returns a store of the same mirrors and other lists, as a process that is configured otherwise has it.
func (s *Store) With(lists ...string) *Store { return &Store{s.data, lists} }

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
func (s *Store) Get(ctx context.Context, p state.Partition, keys ...string) (values [][]byte, err error) {
	err = s.read(ctx, p, "getting values of", func(c *contents) error {
		values, err = c.get(keys)
		return err
	})
	return values, err
}

// Each implements state.Reader: all as of one moment.
func (s *Store) Each(ctx context.Context, p state.Partition, visit func([]state.Entry) error) error {
	var entries []state.Entry
	err := s.read(ctx, p, "reading all of", func(c *contents) error {
		for _, b := range c.values {
			if b == nil {
				return state.ErrMismatch
			}
			for key, value := range b {
				entries = append(entries, state.Entry{Key: key, Value: bytes.Clone(value)})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return visit(entries)
}

// read does something with the contents of a mirror that is ready, as of one moment.
func (s *Store) read(ctx context.Context, p state.Partition, doing string, do func(*contents) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.reachable(ctx)
	c := s.mirrors[nameOf(p)]
	switch {
	case err != nil:
	case c != nil && c.identity != p.Identity:
		err = state.ErrForeign
	case c == nil || !c.ready:
		err = state.ErrMismatch
	default:
		err = do(c)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, describe(p), err)
	}
	return nil
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
	d.lists = make(map[string]map[string]int64, len(c.lists))
	for name, list := range c.lists {
		d.lists[name] = maps.Clone(list)
	}
	return &d
}

// get returns the values of keys, nil for those that have none.
func (c *contents) get(keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		b := c.values[bucketOf(key)]
		if b == nil {
			return nil, state.ErrMismatch
		}
		values[i] = bytes.Clone(b[key])
	}
	return values, nil
}

// whole says whether nothing has been lost.
func (c *contents) whole() bool {
	for _, b := range c.values {
		if b == nil {
			return false
		}
	}
	return c.timers != nil && c.listsWhole()
}

// holds says whether the parts that the entries lie in are still there.
func (c *contents) holds(entries []state.Entry) bool {
	for _, e := range entries {
		if c.values[bucketOf(e.Key)] == nil || (e.Relisted || e.Value == nil) && !c.listsWhole() {
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
		c.relist(e)
	}
}
