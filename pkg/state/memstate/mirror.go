package memstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// mirror is one owner's handle.
type mirror struct {
	store     *Store
	partition state.Partition
	token     int64
}

// Claim implements state.Mirror.
func (m *mirror) Claim(ctx context.Context) (status state.Status, err error) {
	err = m.call(ctx, "claiming", func(c *contents) error {
		c.token = m.token
		if c.ready && c.whole() && c.hasLists(m.store.lists) {
			status = state.Status{Exists: true, Position: c.position, Age: m.store.now().Sub(c.updated), Definition: c.definition}
		}
		return nil
	})
	return status, err
}

// Load implements state.Mirror.
func (m *mirror) Load(ctx context.Context, position int64, keys []string) (values [][]byte, err error) {
	err = m.call(ctx, "loading from", func(c *contents) error {
		if !c.ready || c.position < position {
			return state.ErrMismatch
		}
		values, err = c.get(keys)
		return err
	})
	return values, err
}

// Apply implements state.Mirror.
func (m *mirror) Apply(ctx context.Context, chunk state.Chunk) error {
	if err := state.CheckEntries(chunk.Entries, m.store.lists); err != nil {
		return m.wrap("applying a chunk to", err)
	}
	err := m.call(ctx, "applying a chunk to", func(c *contents) error {
		switch {
		case !c.ready:
			return state.ErrMismatch
		case c.position == chunk.To:
			return nil
		case c.position != chunk.From || !c.holds(chunk.Entries):
			return state.ErrMismatch
		}
		c.put(chunk.Entries)
		c.token, c.position, c.updated = m.token, chunk.To, m.store.now()
		return nil
	})
	if err != nil {
		return err
	}
	return m.lostReply("applying a chunk to")
}

// errInterrupted is temporary: repeating the rebuild helps.
var errInterrupted = errors.New("it was lost while being rebuilt")

// Rebuild implements state.Mirror.
func (m *mirror) Rebuild(ctx context.Context, position int64, definition string, entries iter.Seq2[[]state.Entry, error]) error {
	const doing = "rebuilding"
	var generation int64
	begin := func(c *contents) error {
		m.store.builds++
		generation = m.store.builds
		*c = contents{identity: c.identity, token: m.token, generation: generation, timers: map[string]int64{}}
		for i := range c.values {
			c.values[i] = map[string][]byte{}
		}
		c.lists = map[string]map[string]int64{}
		for _, list := range m.store.lists {
			c.lists[list] = map[string]int64{}
		}
		return nil
	}
	if err := m.call(ctx, doing, begin); err != nil {
		return err
	}
	for slice, err := range entries {
		if err == nil {
			err = state.CheckEntries(slice, m.store.lists)
		}
		if err != nil {
			return m.wrap(doing, err)
		}
		fill := func(c *contents) error {
			if c.ready || c.generation != generation || !c.holds(slice) {
				return errInterrupted
			}
			c.put(slice)
			return nil
		}
		if err := m.call(ctx, doing, fill); err != nil {
			return err
		}
	}
	return m.call(ctx, doing, func(c *contents) error {
		if c.generation != generation || !c.whole() {
			return errInterrupted
		}
		c.ready, c.position, c.definition, c.updated = true, position, definition, m.store.now()
		return nil
	})
}

// Due implements state.Mirror.
func (m *mirror) Due(ctx context.Context, position, after, before int64, limit int) (due []state.Entry, err error) {
	err = m.call(ctx, "reading timers of", func(c *contents) error {
		if !c.ready || c.position < position || c.timers == nil {
			return state.ErrMismatch
		}
		for key, timer := range c.timers {
			if timer > after && timer <= before {
				due = append(due, state.Entry{Key: key, Timer: timer})
			}
		}
		return nil
	})
	slices.SortFunc(due, func(a, b state.Entry) int {
		return cmp.Or(cmp.Compare(a.Timer, b.Timer), cmp.Compare(a.Key, b.Key))
	})
	return due[:min(len(due), max(limit, 0))], err
}

// call does something to the partition's contents as one moment, unless they are another's or a newer owner's.
func (m *mirror) call(ctx context.Context, doing string, do func(*contents) error) error {
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reachable(ctx); err != nil {
		return m.wrap(doing, err)
	}
	c := s.mirrors[nameOf(m.partition)]
	if c == nil {
		c = &contents{identity: m.partition.Identity}
		s.mirrors[nameOf(m.partition)] = c
	}
	switch {
	case c.identity != m.partition.Identity:
		return m.wrap(doing, state.ErrForeign)
	case c.token > m.token:
		return m.wrap(doing, state.ErrFenced)
	}
	if err := do(c); err != nil {
		return m.wrap(doing, err)
	}
	return nil
}

// lostReply is the error of a call that has had its effect, see Store.LoseReply.
func (m *mirror) lostReply(doing string) error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	err := m.store.loseReply
	m.store.loseReply = nil
	if err == nil {
		return nil
	}
	return m.wrap(doing, err)
}

func (m *mirror) wrap(doing string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, describe(m.partition), err)
}
