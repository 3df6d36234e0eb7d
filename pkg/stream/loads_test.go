package stream

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// weighingStore notes how many bytes of states each call moves at most.
type weighingStore struct {
	state.Store
	refuses atomic.Bool // to take anything
	mu      sync.Mutex
	most    map[string]int
}

func (s *weighingStore) note(op string, size int) {
	s.mu.Lock()
	s.most[op] = max(s.most[op], size)
	s.mu.Unlock()
}

func (s *weighingStore) Open(p state.Partition, token int64) state.Mirror {
	return &weighingMirror{s.Store.Open(p, token), s}
}

type weighingMirror struct {
	state.Mirror
	store *weighingStore
}

func weigh(entries []state.Entry) (size int) {
	for i := range entries {
		size += entries[i].Size()
	}
	return size
}

func (m *weighingMirror) Load(ctx context.Context, position int64, keys []string) ([][]byte, error) {
	values, err := m.Mirror.Load(ctx, position, keys)
	size := 0
	for _, v := range values {
		size += len(v)
	}
	m.store.note("load", size)
	return values, err
}

func (m *weighingMirror) Apply(ctx context.Context, c state.Chunk) error {
	if m.store.refuses.Load() {
		return errStoreDown
	}
	m.store.note("apply", weigh(c.Entries))
	return m.Mirror.Apply(ctx, c)
}

func (m *weighingMirror) Rebuild(ctx context.Context, position int64, definition string, entries iter.Seq2[[]state.Entry, error]) error {
	return m.Mirror.Rebuild(ctx, position, definition, func(yield func([]state.Entry, error) bool) {
		for slice, err := range entries {
			m.store.note("rebuild", weigh(slice))
			if !yield(slice, err) {
				return
			}
		}
	})
}

// large are records that make as many states of 400 kB each.
func large(n int) (records []string) {
	pad := strings.Repeat("x", 400_000)
	for i := range n {
		records = append(records, fmt.Sprintf("k%d=%d,pad,%s", i, 10+i, pad))
	}
	return records
}

// The mirror takes many large states in more than one call, however they get there: one could be too much for Redis, and would hold up its readers.
func TestLargeStatesReachTheMirrorInBoundedChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	s := &weighingStore{Store: w.store, most: map[string]int{}}
	o := w.options()
	o.Store = s
	p := w.start(o)
	p.awaitOwned(1)
	s.refuses.Store(true)
	w.send(0, large(30)...)
	w.awaitCommitted()
	p.crash()
	s.refuses.Store(false)

	p = w.start(o) // which applies what the changelog has more
	p.awaitOwned(1)
	require.Zero(t, p.stats.Rebuilds.Load())
	require.NoError(t, p.stop())
	w.requireExact()
	delta := s.most["apply"]
	assert.Greater(t, delta, state.MaxChunkBytes/2)

	w.store.Flush()
	p = w.start(o)
	p.awaitOwned(1)
	require.EqualValues(t, 1, p.stats.Rebuilds.Load())
	var again []string
	for i := range 30 {
		again = append(again, fmt.Sprintf("k%d=%d", i, 100+i))
	}
	w.send(0, again...)
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
	for _, op := range []string{"apply", "rebuild"} {
		assert.Greater(t, s.most[op], state.MaxChunkBytes/2)
		assert.LessOrEqual(t, s.most[op], state.MaxChunkBytes)
	}
}

// Once it is known that states are large, few of them are loaded at once.
func TestLargeStatesAreLoadedAFewAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran(large(30)...)
	s := &weighingStore{Store: w.store, most: map[string]int{}}
	o := w.options()
	o.Store = s
	p := w.start(o)
	p.awaitOwned(1)
	w.send(0, "k0=100")
	w.awaitCommitted()
	var rest []string
	for i := range 30 {
		rest = append(rest, fmt.Sprintf("k%d=%d", i, 101+i))
	}
	w.send(0, rest...)
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
	assert.Greater(t, s.most["load"], state.MaxChunkBytes/2)
	assert.LessOrEqual(t, s.most["load"], state.MaxChunkBytes)
}

func TestLoadsLearnHowLargeStatesAre(t *testing.T) {
	t.Parallel()
	values := func(n, size int) (list [][]byte) {
		for range n {
			list = append(list, make([]byte, size))
		}
		return list
	}
	var l loads
	assert.Equal(t, firstLoad, l.atOnce())
	assert.Equal(t, chunkRecords, l.inMemory(1), "nothing is known, and nothing may ever be loaded")
	l.learn(values(100, 500))
	assert.Equal(t, state.MaxChunk, l.atOnce())
	assert.Equal(t, chunkRecords, l.inMemory(64<<20))
	l.learn(values(2, 900_000))
	assert.Equal(t, 9, l.atOnce())
	assert.Equal(t, 37, l.inMemory(64<<20))
	assert.Equal(t, 1, l.inMemory(1000))
	l.learn(values(1000, 500))
	assert.Equal(t, 12, l.atOnce(), "slowly")
	for range 40 {
		l.learn([][]byte{nil})
	}
	assert.Equal(t, state.MaxChunk, l.atOnce())
	l.learn(nil)
}
