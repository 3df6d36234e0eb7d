package statetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Rule 6: a missing sentinel means that something was evicted. Without it the evicted account would be a new one, whose
// state then overwrites the truth.
func attack13Bucket(f *fixture) {
	m := f.owned(5, 7, numbered(500, "state")...)
	f.Evict(partition, "account-3")
	f.mismatch(m, 7, "account-3")
	f.notReady("account-3")
	require.False(f, f.claim(m).Exists, "a claim looks at everything")
	f.rebuild(f.claimed(8), 9, numbered(500, "state")...)
	f.reads("account-3", "state")
}

// Rule 6: the timers are a key of their own; without a sentinel a trial would never end.
func attack13Timers(f *fixture) {
	m := f.owned(5, 7, timer("a", 10))
	f.EvictTimers(partition)
	_, err := m.Due(f.ctx, 7, 0, 100, 10)
	require.ErrorIs(f, err, state.ErrMismatch)
	err = m.Apply(f.ctx, state.Chunk{From: 7, To: 8, Entries: []state.Entry{timer("b", 10)}})
	require.ErrorIs(f, err, state.ErrMismatch)
	require.False(f, f.claim(m).Exists)
}

// Rule 6: states without a position are none.
func attack13Position(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	f.EvictPosition(partition)
	f.mismatch(m, 7, "a")
	f.notReady("a")
	require.False(f, f.claim(m).Exists)
	f.rebuild(m, 8, put("b", "1"))
	f.holds(m, 8, map[string]string{"a": "-", "b": "1"})
}

// Rule 6: what is evicted while the mirror is rebuilt must not count as rebuilt.
func attack13Rebuild(f *fixture) {
	for name, evict := range map[string]func(){
		"bucket":     func() { f.Evict(partition, "a") },
		"timers":     func() { f.EvictTimers(partition) },
		"list":       func() { f.EvictList(partition, some) },
		"position":   func() { f.EvictPosition(partition) },
		"everything": func() { f.Flush() },
	} {
		m := f.claimed(5)
		entries := func(yield func([]state.Entry, error) bool) {
			if yield([]state.Entry{put("a", "1")}, nil) {
				evict()
			}
		}
		plain(f.T, m.Rebuild(f.ctx, 7, "", entries))
		f.notReady("a")
		require.False(f, f.claim(m).Exists, name)
		f.rebuild(m, 7, put("a", "1"))
		f.reads("a", "1")
	}
}

// Rule 6: after a flush the owner, and only it, rebuilds.
func attack13Flush(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	f.Flush()
	f.mismatch(m, 7, "a")
	f.notReady("a")
	_, err := m.Due(f.ctx, 7, 0, 1, 1)
	require.ErrorIs(f, err, state.ErrMismatch)
	f.rebuild(m, 7, put("a", "1"))
	f.apply(m, 7, 8, put("a", "2"))
	f.reads("a", "2")
}

// Rule 6: an old snapshot that comes back shows an older position, and at a claim how old it is: older than the
// changelog keeps tombstones, no delta can bring it forward.
func attack14(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	f.apply(m, 7, 8, put("a", "2"))
	f.Age(partition, 30*time.Hour)
	restore := f.Snapshot()
	f.apply(m, 8, 9, state.Entry{Key: "a"})
	require.Less(f, f.claim(m).Age, time.Hour, "an applied chunk makes it young")
	restore()

	f.mismatch(m, 9, "a")
	status := f.claim(f.Store.Open(partition, 9))
	require.True(f, status.Exists)
	require.Equal(f, int64(8), status.Position)
	require.GreaterOrEqual(f, status.Age, 30*time.Hour)
	require.Less(f, status.Age, 31*time.Hour)
	again := f.claim(f.Store.Open(partition, 10))
	require.GreaterOrEqual(f, again.Age, 30*time.Hour, "a claim doesn't make it younger")
}

// Rule 6: position and readiness come last; half a rebuild is invisible, and stays so when it is given up.
func attack16Half(f *fixture) {
	m := f.owned(5, 7, put("a", "old"), put("gone", "old"))
	reader := f.Store.Open(partition, 5)
	crash := errors.New("crash")
	half := func(yield func([]state.Entry, error) bool) {
		f.notReady("a")
		if yield([]state.Entry{put("a", "half"), timer("b", 1)}, nil) {
			f.notReady("a")
			f.notReady("gone")
			f.mismatch(reader, 7, "a")
			f.mismatch(reader, 1, "a")
			f.mismatch(reader, 0, "a")
			_, err := reader.Due(f.ctx, 0, 0, 100, 10)
			require.ErrorIs(f, err, state.ErrMismatch)
			yield(nil, crash)
		}
	}
	require.ErrorIs(f, m.Rebuild(f.ctx, 9, "", half), crash)
	f.notReady("a")
	f.mismatch(m, 9, "a")
	require.False(f, f.claim(m).Exists)

	f.rebuild(m, 9, put("c", "new"))
	f.holds(m, 9, map[string]string{"a": "-", "b": "-", "c": "new", "gone": "-"})
	due, err := m.Due(f.ctx, 9, 0, 100, 10)
	require.NoError(f, err)
	require.Empty(f, due)
}

// Rule 6: only the owner rebuilds. A former owner that is rebuilding when the next one claims is stopped, wherever it is.
func attack16Two(f *fixture) {
	f.owned(5, 7, put("a", "old"))
	former, owner := f.Store.Open(partition, 5), f.Store.Open(partition, 8)
	slow := func(yield func([]state.Entry, error) bool) {
		if yield([]state.Entry{put("a", "former")}, nil) {
			require.False(f, f.claim(owner).Exists)
			f.rebuild(owner, 9, put("a", "owner"))
			yield([]state.Entry{put("a", "former"), put("b", "former")}, nil)
		}
	}
	require.ErrorIs(f, former.Rebuild(f.ctx, 7, "", slow), state.ErrFenced)
	f.holds(owner, 9, map[string]string{"a": "owner", "b": "-"})

	atTheEnd := func(yield func([]state.Entry, error) bool) {
		if yield([]state.Entry{put("a", "owner")}, nil) {
			f.claim(f.Store.Open(partition, 12))
		}
	}
	require.ErrorIs(f, owner.Rebuild(f.ctx, 10, "", atTheEnd), state.ErrFenced)
	f.notReady("a")
}

// Rule 6: one owner's rebuild that is repeated before the first try has ended: the generation tells them apart.
func attack16Same(f *fixture) {
	m := f.claimed(5)
	overtaken := func(yield func([]state.Entry, error) bool) {
		if yield([]state.Entry{put("a", "first")}, nil) {
			f.rebuild(m, 9, put("a", "second"))
			f.apply(m, 9, 10, put("a", "third"))
		}
	}
	plain(f.T, m.Rebuild(f.ctx, 9, "", overtaken))
	f.holds(m, 10, map[string]string{"a": "third"})

	mixed := func(yieldFirst func([]state.Entry, error) bool) {
		if !yieldFirst([]state.Entry{put("a", "first")}, nil) {
			return
		}
		second := func(yield func([]state.Entry, error) bool) {
			if yield([]state.Entry{put("a", "second")}, nil) {
				yieldFirst([]state.Entry{put("a", "first"), put("b", "first")}, nil)
			}
		}
		require.NoError(f, m.Rebuild(f.ctx, 11, "", second))
	}
	plain(f.T, m.Rebuild(f.ctx, 9, "", mixed))
	f.holds(m, 11, map[string]string{"a": "second", "b": "-"})
}

// Rules 4 and 7: a version is committed but not mirrored and the cache was dropped: loading at the committed position
// must not answer with the version before.
func attack17(f *fixture) {
	m := f.owned(5, 7, put("a", "version 0"))
	committed := state.Chunk{From: 7, To: 8, Entries: []state.Entry{put("a", "version 1")}}
	_, err := m.Load(f.ctx, committed.To, []string{"a"})
	require.ErrorIs(f, err, state.ErrMismatch)
	f.apply(m, committed.From, committed.To, committed.Entries...)
	f.holds(m, 8, map[string]string{"a": "version 1"})
}

// Rule 6: where the mirror stands already where the chunk ends, that is success: the reply to the first was lost.
func attack21Repeat(f *fixture) {
	m := f.owned(5, 7, put("a", "0"), put("b", "0"))
	c := state.Chunk{From: 7, To: 8, Entries: []state.Entry{timer("a", 10), {Key: "b"}}}
	for range 3 {
		require.NoError(f, m.Apply(f.ctx, c))
		f.holds(m, 8, map[string]string{"a": "state", "b": "-"})
	}
	f.apply(m, 8, 9, put("a", "2"), put("b", "2"))
	require.ErrorIs(f, m.Apply(f.ctx, c), state.ErrMismatch, "resent much later it must not go back")
	f.holds(m, 9, map[string]string{"a": "2", "b": "2"})
}

// Rule 6: a chunk of 1,000 accounts is within every limit, as large as it may be.
func attack21Large(f *fixture) {
	value := strings.Repeat("v", state.MaxChunkBytes/state.MaxChunk-256)
	m := f.owned(5, 7)
	var entries []state.Entry
	var keys []string
	for i := range state.MaxChunk {
		keys = append(keys, fmt.Sprintf("%0256d", i))
		entries = append(entries, state.Entry{Key: keys[i], Value: []byte(value), Timer: int64(i + 1)})
	}
	f.apply(m, 7, 8, entries...)
	for part := keys; len(part) > 0; part = part[100:] {
		values, err := m.Load(f.ctx, 8, part[:100])
		require.NoError(f, err)
		for _, v := range values {
			require.Len(f, v, len(value))
		}
	}
	for i := range entries {
		entries[i].Value = nil
	}
	f.apply(m, 8, 9, entries...)
	values, err := m.Load(f.ctx, 9, keys)
	require.NoError(f, err)
	require.Equal(f, make([][]byte, len(keys)), values)
}

// Two deployments share a prefix: the second is refused whatever it tries, even with a higher token, and changes nothing.
func attack26Foreign(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	foreign := partition
	foreign.Identity = "cluster-2"
	f.refused(f.Store.Open(foreign, 100), 7, state.ErrForeign)
	_, err := f.Reader.Get(f.ctx, foreign, "a")
	require.ErrorIs(f, err, state.ErrForeign)
	f.holds(m, 7, map[string]string{"a": "1"})
	f.apply(m, 7, 8, put("a", "2"))

	f.Flush()
	f.claim(f.Store.Open(foreign, 100))
	_, err = m.Claim(f.ctx)
	require.ErrorIs(f, err, state.ErrForeign, "a claim alone takes the keys")
}

// Two databases are swapped under live owners: even where the positions are the same by chance.
func attack26Swapped(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	f.Flush()
	other := partition
	other.Identity = "cluster-2"
	f.rebuild(f.Store.Open(other, 5), 7, put("a", "other's"))
	f.refused(m, 7, state.ErrForeign)
	_, err := f.Reader.Get(f.ctx, partition, "a")
	require.ErrorIs(f, err, state.ErrForeign)
	values, err := f.Reader.Get(f.ctx, other, "a")
	require.NoError(f, err)
	require.Equal(f, []string{"other's"}, texts(values))
}

// Rule 6: a woken former owner can neither write nor erase nor read.
func attack30(f *fixture) {
	former := f.owned(5, 7, put("a", "1"))
	owner := f.Store.Open(partition, 8)
	require.Equal(f, int64(7), f.claim(owner).Position)
	f.refused(former, 7, state.ErrFenced)
	f.apply(owner, 7, 9, put("a", "owner"))
	f.refused(former, 7, state.ErrFenced)
	f.refused(former, 9, state.ErrFenced)
	f.holds(owner, 9, map[string]string{"a": "owner"})
	f.reads("a", "owner")

	// The owner doesn't know yet that everything is lost; the former one must not be the one to rebuild it.
	f.Flush()
	f.claim(f.Store.Open(partition, 11))
	f.refused(former, 7, state.ErrFenced)
	f.refused(owner, 9, state.ErrFenced)
}

// refused checks that an owner gets an error from everything that it can do at a position.
func (f *fixture) refused(m state.Mirror, position int64, want error) {
	f.Helper()
	_, err := m.Claim(f.ctx)
	require.ErrorIs(f, err, want)
	_, err = m.Load(f.ctx, position, []string{"a"})
	require.ErrorIs(f, err, want)
	_, err = m.Due(f.ctx, position, 0, 100, 10)
	require.ErrorIs(f, err, want)
	c := state.Chunk{From: position, To: position + 1, Entries: []state.Entry{put("a", "wrong")}}
	require.ErrorIs(f, m.Apply(f.ctx, c), want)
	require.ErrorIs(f, m.Rebuild(f.ctx, position, "", inSlices([]state.Entry{put("a", "wrong")})), want)
}
