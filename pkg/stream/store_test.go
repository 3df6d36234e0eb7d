package stream

import (
	"context"
	"iter"
	"sync"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// watchedStore is one process's way to the store that all share: it sees every call and can hold it up.
type watchedStore struct {
	state.Store

	mu     sync.Mutex
	before func(op string, partition int32) // called before each call; nil: nothing
	calls  map[string]int
}

func watch(s state.Store) *watchedStore { return &watchedStore{Store: s, calls: map[string]int{}} }

// holdUp makes calls wait that an op and partition are chosen by, until release is called. The channel tells of the
// first that waits.
func (s *watchedStore) holdUp(chosen func(op string, partition int32) bool) (waits <-chan struct{}, release func()) {
	first, released := make(chan struct{}), make(chan struct{})
	var once, end sync.Once
	s.mu.Lock()
	s.before = func(op string, partition int32) {
		if chosen(op, partition) {
			once.Do(func() { close(first) })
			<-released
		}
	}
	s.mu.Unlock()
	return first, func() { end.Do(func() { close(released) }) }
}

// count says how often an op was called.
func (s *watchedStore) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

func (s *watchedStore) called(op string, partition int32) {
	s.mu.Lock()
	s.calls[op]++
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(op, partition)
	}
}

// Open implements state.Store.
func (s *watchedStore) Open(p state.Partition, token int64) state.Mirror {
	return &watchedMirror{s.Store.Open(p, token), s, p.Number}
}

type watchedMirror struct {
	mirror    state.Mirror
	store     *watchedStore
	partition int32
}

func (m *watchedMirror) Claim(ctx context.Context) (state.Status, error) {
	m.store.called("claim", m.partition)
	return m.mirror.Claim(ctx)
}

func (m *watchedMirror) Load(ctx context.Context, position int64, keys []string) ([][]byte, error) {
	m.store.called("load", m.partition)
	return m.mirror.Load(ctx, position, keys)
}

func (m *watchedMirror) Apply(ctx context.Context, c state.Chunk) error {
	m.store.called("apply", m.partition)
	return m.mirror.Apply(ctx, c)
}

func (m *watchedMirror) Rebuild(ctx context.Context, position int64, definition string, entries iter.Seq2[[]state.Entry, error]) error {
	m.store.called("rebuild", m.partition)
	return m.mirror.Rebuild(ctx, position, definition, entries)
}

func (m *watchedMirror) Due(ctx context.Context, position, after, before int64, limit int) ([]state.Entry, error) {
	m.store.called("due", m.partition)
	return m.mirror.Due(ctx, position, after, before, limit)
}
