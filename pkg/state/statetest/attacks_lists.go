package statetest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Rule 6: a list is a key of its own; one that was lost must not pass for one that nobody is on. Whoever reads it notices, and so does
// the owner with what it next has to say about any list.
func attack13List(f *fixture) {
	for _, list := range Lists {
		for _, e := range []state.Entry{on("b", at(every, 1)), on("a"), {Key: "a"}} {
			m := f.owned(5, 7, on("a", at(every, 1), at(some, 2), at(few, 3)))
			f.EvictList(partition, list)
			f.noLists(list)
			err := m.Apply(f.ctx, state.Chunk{From: 7, To: 8, Entries: []state.Entry{e}})
			require.ErrorIs(f, err, state.ErrMismatch)
			f.noLists(list)
			require.False(f, f.claim(m).Exists, "a claim looks at everything")
			f.rebuild(f.claimed(8), 9, on("a", at(every, 1), at(some, 2), at(few, 3)))
			f.lists(map[string]string{every: "a=1", some: "a=2", few: "a=3"})
			f.Flush()
			f.noLists(Lists...)
		}
	}
}

// Rule 6: an old snapshot has the lists of its position, and the chunks since bring them forward.
func attack14Lists(f *fixture) {
	m := f.owned(5, 7, on("a", at(every, 1)), on("b", at(every, 2)))
	restore := f.Snapshot()
	f.apply(m, 7, 8, on("a", at(some, 1)), state.Entry{Key: "b"})
	restore()
	f.lists(map[string]string{every: "a=1 b=2"})
	owner := f.Store.Open(partition, 9)
	require.Equal(f, int64(7), f.claim(owner).Position)
	f.apply(owner, 7, 9, on("a", at(some, 1)), state.Entry{Key: "b"})
	f.lists(map[string]string{some: "a=1"})
}

// Rule 6: a rebuild leaves nothing on a list that was there before, and none of it is seen before all of it.
func attack16Lists(f *fixture) {
	m := f.owned(5, 7, on("a", at(every, 1), at(some, 2)), on("gone", at(every, 3), at(few, 3)))
	crash := errors.New("crash")
	half := func(yield func([]state.Entry, error) bool) {
		f.noLists(Lists...)
		if yield([]state.Entry{on("a", at(few, 1))}, nil) {
			f.noLists(Lists...)
			yield(nil, crash)
		}
	}
	require.ErrorIs(f, m.Rebuild(f.ctx, 9, "", half), crash)
	f.noLists(Lists...)
	f.rebuild(m, 9, on("b", at(every, 5)), put("a", "on none"))
	f.lists(map[string]string{every: "b=5"})

	// Of one that comes in two slices the later counts.
	slices := func(yield func([]state.Entry, error) bool) {
		_ = yield([]state.Entry{on("a", at(every, 1), at(some, 2)), on("b", at(every, 1)), on("c", at(some, 1))}, nil) &&
			yield([]state.Entry{on("a", at(some, 3)), {Key: "b"}, put("c", "later")}, nil)
	}
	require.NoError(f, m.Rebuild(f.ctx, 10, "", slices))
	f.lists(map[string]string{some: "c=1 a=3"})
}

// Rule 6: a mirror that was built for other lists is none: who is on a new one is not known, and nobody keeps a former one.
func attack16OtherLists(f *fixture) {
	f.owned(5, 7, on("a", at(every, 1), at(some, 2)))
	require.False(f, f.claim(f.With(every, some).Open(partition, 6)).Exists, "nobody would take anybody off the third")
	require.True(f, f.claim(f.Store.Open(partition, 7)).Exists)
	m := f.With(every, "new").Open(partition, 8)
	require.False(f, f.claim(m).Exists)
	crash := errors.New("crash")
	require.ErrorIs(f, m.Rebuild(f.ctx, 8, "", func(yield func([]state.Entry, error) bool) { yield(nil, crash) }), crash)

	last := f.With(few, every).Open(partition, 9)
	require.False(f, f.claim(last).Exists)
	f.rebuild(last, 9, on("a", at(every, 3)))
	require.True(f, f.claim(last).Exists)
	f.noLists(some, "new")
	require.Equal(f, "a=3", f.list(every))
	require.Empty(f, f.list(few))

	again := f.Store.Open(partition, 10)
	require.False(f, f.claim(again).Exists)
	f.rebuild(again, 10, on("b", at(every, 1)))
	f.lists(map[string]string{every: "b=1"})
}

// Rule 6: a chunk that is done again changes lists once, and resent much later not at all.
func attack21Lists(f *fixture) {
	m := f.owned(5, 7, on("a", at(every, 0)), on("b", at(every, 0)))
	c := state.Chunk{From: 7, To: 8, Entries: []state.Entry{on("a", at(some, 1)), {Key: "b"}}}
	for range 3 {
		require.NoError(f, m.Apply(f.ctx, c))
		f.lists(map[string]string{some: "a=1"})
	}
	f.apply(m, 8, 9, on("a", at(every, 2)), on("b", at(every, 3)))
	require.ErrorIs(f, m.Apply(f.ctx, c), state.ErrMismatch)
	f.lists(map[string]string{every: "a=2 b=3"})
}

// Rule 6: a former owner writes no list, nor does another deployment, which reads none either.
func attack30Lists(f *fixture) {
	former := f.owned(5, 7, on("a", at(every, 1)))
	owner := f.claimed(8)
	c := state.Chunk{From: 7, To: 9, Entries: []state.Entry{on("a", at(some, 1)), on("b", at(every, 1))}}
	require.ErrorIs(f, former.Apply(f.ctx, c), state.ErrFenced)
	require.ErrorIs(f, former.Rebuild(f.ctx, 9, "", inSlices(c.Entries)), state.ErrFenced)
	f.lists(map[string]string{every: "a=1"})
	f.apply(owner, 7, 9, on("a", at(few, 1)))
	require.ErrorIs(f, former.Apply(f.ctx, state.Chunk{From: 9, To: 10, Entries: c.Entries}), state.ErrFenced)
	f.lists(map[string]string{few: "a=1"})

	foreign := partition
	foreign.Identity = "cluster-2"
	intruder := f.Store.Open(foreign, 100)
	require.ErrorIs(f, intruder.Apply(f.ctx, state.Chunk{From: 9, To: 10, Entries: c.Entries}), state.ErrForeign)
	require.ErrorIs(f, intruder.Rebuild(f.ctx, 9, "", inSlices(c.Entries)), state.ErrForeign)
	_, _, err := f.Reader.Range(f.ctx, foreign, whole(every))
	require.ErrorIs(f, err, state.ErrForeign)
	f.lists(map[string]string{few: "a=1"})
}
