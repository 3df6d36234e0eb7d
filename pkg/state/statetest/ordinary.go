package statetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

func fresh(f *fixture) {
	require.NoError(f, f.Store.Check(f.ctx))
	m := f.Store.Open(partition, 5)
	require.Equal(f, state.Status{}, f.claim(m))
	f.mismatch(m, 0, "a")
	f.notReady("a")
	_, err := m.Due(f.ctx, 0, 0, 100, 10)
	require.ErrorIs(f, err, state.ErrMismatch)
	require.Equal(f, state.Status{}, f.claim(m), "claiming makes no mirror")
}

func rebuilt(f *fixture) {
	entries := numbered(2500, "state")
	m := f.owned(5, 7, entries...)
	status := f.claim(m)
	require.True(f, status.Exists)
	require.Equal(f, int64(7), status.Position)
	require.Less(f, status.Age, time.Hour)
	for part := entries; len(part) > 0; part = part[min(900, len(part)):] {
		var keys []string
		for _, e := range part[:min(900, len(part))] {
			keys = append(keys, e.Key)
		}
		values, err := m.Load(f.ctx, 7, keys)
		require.NoError(f, err)
		for i, v := range values {
			require.Equal(f, "state", text(v), keys[i])
		}
	}
	f.holds(m, 7, map[string]string{"account-0": "state", "nobody": "-", "account-2499": "state"})
	f.reads("account-77", "state")
	f.reads("nobody", "-")

	many := make([]string, 0, 4*len(entries)) // more than a script can unpack
	for range 4 {
		for _, e := range entries {
			many = append(many, e.Key)
		}
	}
	all, err := m.Load(f.ctx, 7, many)
	require.NoError(f, err)
	require.Len(f, all, len(many))
	require.NotContains(f, texts(all), "-")

	none, err := m.Load(f.ctx, 7, nil)
	require.NoError(f, err)
	require.Empty(f, none)
	twice, err := m.Load(f.ctx, 7, []string{"account-1", "nobody", "account-1"})
	require.NoError(f, err)
	require.Equal(f, []string{"state", "-", "state"}, texts(twice))
}

func rebuildReplaces(f *fixture) {
	m := f.owned(5, 7, put("a", "1"), timer("b", 10))
	f.apply(m, 7, 8, put("c", "1"))
	f.rebuild(m, 9)
	f.holds(m, 9, map[string]string{"a": "-", "b": "-", "c": "-"})
	due, err := m.Due(f.ctx, 9, 0, 100, 10)
	require.NoError(f, err)
	require.Empty(f, due)

	unclaimed := f.Store.Open(partition, 10)
	f.rebuild(unclaimed, 11)
	f.holds(unclaimed, 11, map[string]string{"a": "-"})
	_, err = m.Claim(f.ctx)
	require.ErrorIs(f, err, state.ErrFenced, "a rebuild shows its token")
}

func chain(f *fixture) {
	m := f.owned(5, 7, put("a", "0"))
	f.apply(m, 7, 8, put("a", "1"), put("b", "1"))
	f.apply(m, 8, 12, put("b", "2"))
	f.apply(m, 12, 13)
	want := map[string]string{"a": "1", "b": "2"}
	f.holds(m, 13, want)
	f.holds(m, 7, want)
	f.mismatch(m, 14, "a")

	for _, from := range []int64{0, 7, 12, 14} {
		err := m.Apply(f.ctx, state.Chunk{From: from, To: 20, Entries: []state.Entry{put("a", "wrong")}})
		require.ErrorIs(f, err, state.ErrMismatch, "from %d", from)
	}
	f.holds(m, 13, want)
	require.Equal(f, int64(13), f.claim(m).Position)
}

func deleted(f *fixture) {
	m := f.owned(5, 7, put("a", "1"), put("b", ""), state.Entry{Key: "never"})
	f.holds(m, 7, map[string]string{"a": "1", "b": "", "never": "-"})
	f.reads("b", "")
	f.apply(m, 7, 8, state.Entry{Key: "a"}, state.Entry{Key: "c"}, put("d", ""))
	f.holds(m, 8, map[string]string{"a": "-", "b": "", "c": "-", "d": ""})
	f.reads("a", "-")
	f.apply(m, 8, 9, state.Entry{Key: "b"}, state.Entry{Key: "d"})
	f.holds(m, 9, map[string]string{"a": "-", "b": "-", "d": "-"})
	require.True(f, f.claim(m).Exists, "a mirror without entries is one")
}

func lastCounts(f *fixture) {
	first := numbered(state.MaxChunk, "first")
	m := f.owned(5, 7, append(first, put("account-3", "second"), state.Entry{Key: "account-4"})...)
	f.holds(m, 7, map[string]string{"account-3": "second", "account-4": "-", "account-5": "first"})
	f.apply(m, 7, 8, put("a", "1"), state.Entry{Key: "b"}, put("c", "1"), put("d", "1"),
		state.Entry{Key: "a"}, put("b", "2"), put("c", "2"), timer("d", 5), put("d", "3"))
	f.holds(m, 8, map[string]string{"a": "-", "b": "2", "c": "2", "d": "3"})
	due, err := m.Due(f.ctx, 8, 0, 100, 10)
	require.NoError(f, err)
	require.Empty(f, due)
}

func timers(f *fixture) {
	now := int64(1_764_000_000_123) // as large as a moment is: ms of the year 2025
	due := func(m state.Mirror, position, before int64, limit int) []string {
		f.Helper()
		entries, err := m.Due(f.ctx, position, 0, before, limit)
		require.NoError(f, err)
		s := []string{}
		for _, e := range entries {
			s = append(s, fmt.Sprintf("%s%+d", e.Key, e.Timer-now))
		}
		return s
	}
	m := f.owned(5, 7, timer("late", now+300), timer("early", now-100), put("none", "x"), timer("now", now))
	require.Equal(f, []string{"early-100", "now+0"}, due(m, 7, now, 10))
	require.Equal(f, []string{"early-100"}, due(m, 7, now, 1))
	after, err := m.Due(f.ctx, 7, now-100, now, 10)
	require.NoError(f, err)
	require.Equal(f, []state.Entry{{Key: "now", Timer: now}}, after)
	require.Equal(f, []string{"early-100"}, due(m, 7, now-1, 10))
	require.Empty(f, due(m, 7, now-101, 10))
	require.Empty(f, due(m, 7, now, 0))

	f.apply(m, 7, 8, put("early", "its timer is off"), state.Entry{Key: "now", Timer: now}, timer("late", now+1), timer("none", now+2))
	require.Equal(f, []string{"late+1", "none+2"}, due(m, 8, now+1000, 10))
	_, err = m.Due(f.ctx, 9, 0, now, 10)
	require.ErrorIs(f, err, state.ErrMismatch)

	var many []state.Entry
	for i := range state.MaxChunk {
		many = append(many, timer(fmt.Sprintf("account-%d", i), int64(i+1)))
	}
	f.apply(m, 8, 9, many...)
	require.Len(f, due(m, 9, 1000, 2000), 1000)
	f.apply(m, 9, 10, numbered(state.MaxChunk, "no timer")...)
	require.Empty(f, due(m, 10, 1000, 2000))
}

func bytesOfEveryKind(f *fixture) {
	value := string([]byte{0, 1, '\r', '\n', 0xff, 0xfe, '"', '{', '%'})
	keys := []string{" ", "\n", "0", "1024", "{a}", "ключ", "世界", "a:b", "generation", "\x00", strings.Repeat("é", 128), "-inf", "%d"}
	var entries []state.Entry
	want := map[string]string{}
	for i, key := range keys {
		entries = append(entries, timer(key, int64(i+1)))
		entries[i].Value = []byte(value + key)
		want[key] = value + key
	}
	m := f.owned(5, 7, entries[:6]...)
	f.apply(m, 7, 8, entries[6:]...)
	f.holds(m, 8, want)
	due, err := m.Due(f.ctx, 8, 0, 1000, 1000)
	require.NoError(f, err)
	require.Len(f, due, len(keys))
	for i, e := range due {
		require.Equal(f, keys[i], e.Key)
		f.reads(e.Key, want[e.Key])
	}
}

func buffers(f *fixture) {
	value := []byte("rebuilt")
	entries := []state.Entry{{Key: "a", Value: value}}
	m := f.claimed(5)
	reuse := func(yield func([]state.Entry, error) bool) {
		if yield(entries, nil) {
			copy(value, "another")
			entries[0].Key = "b"
			yield(entries, nil)
		}
	}
	require.NoError(f, m.Rebuild(f.ctx, 7, "", reuse))
	f.holds(m, 7, map[string]string{"a": "rebuilt", "b": "another"})
	entries[0].Key = "c"
	f.apply(m, 7, 8, entries...)
	copy(value, "changed")
	loaded, err := m.Load(f.ctx, 8, []string{"c"})
	require.NoError(f, err)
	copy(loaded[0], "changed")
	f.holds(m, 8, map[string]string{"c": "another"})
}

func apart(f *fixture) {
	others := []state.Partition{partition, partition, partition, partition}
	others[1].Number = 30
	others[2].Topic = "usage"
	others[3].Stage = "rollup"
	var mirrors []state.Mirror
	for i, p := range others {
		m := f.Store.Open(p, int64(i))
		status, err := m.Claim(f.ctx)
		require.NoError(f, err)
		require.False(f, status.Exists)
		f.rebuild(m, int64(10*i), timer("a", int64(i+1)))
		mirrors = append(mirrors, m)
	}
	f.rebuild(mirrors[3], 35, put("b", "x"))
	for i, m := range mirrors[:3] {
		f.holds(m, int64(10*i), map[string]string{"a": "state", "b": "-"})
		due, err := m.Due(f.ctx, int64(10*i), 0, 100, 10)
		require.NoError(f, err)
		require.Equal(f, []state.Entry{{Key: "a", Timer: int64(i + 1)}}, due)
	}
	f.holds(mirrors[3], 35, map[string]string{"a": "-", "b": "x"})
}

func limited(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	half := strings.Repeat("x", state.MaxChunkBytes/2)
	for _, entries := range [][]state.Entry{numbered(state.MaxChunk+1, "x"), {put("", "x")}, {put("account-1", half), put("account-2", half)}} {
		plain(f.T, m.Apply(f.ctx, state.Chunk{From: 7, To: 8, Entries: entries}))
	}
	require.Equal(f, int64(7), f.claim(m).Position)
	f.holds(m, 7, map[string]string{"a": "1", "account-1": "-"})

	whole := func(yield func([]state.Entry, error) bool) { yield(numbered(state.MaxChunk+1, "x"), nil) }
	plain(f.T, m.Rebuild(f.ctx, 8, "", whole))
}

func endedContext(f *fixture) {
	m := f.owned(5, 7, put("a", "1"))
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	_, err := m.Claim(ctx)
	plain(f.T, err)
	_, err = m.Load(ctx, 7, []string{"a"})
	plain(f.T, err)
	plain(f.T, m.Apply(ctx, state.Chunk{From: 7, To: 8}))
	plain(f.T, m.Rebuild(ctx, 8, "", inSlices(nil)))
	_, err = m.Due(ctx, 7, 0, 1, 1)
	plain(f.T, err)
	_, err = f.Reader.Get(ctx, partition, "a")
	plain(f.T, err)
	plain(f.T, f.Store.Check(ctx))
	f.holds(m, 7, map[string]string{"a": "1"})
}
