package statetest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Rule 6: an old snapshot has the timers and lists of the definition that it was built under, and says so. Chunks since don't mend
// those whom they don't name.
func attack14Definition(f *fixture) {
	m := f.claimed(5)
	f.rebuildUnder(m, 7, "one", on("a", at(every, 1)), on("b", at(every, 2)))
	f.apply(m, 7, 8, on("b", at(every, 3)))
	restore := f.Snapshot()
	m = f.claimed(9)
	f.rebuildUnder(m, 10, "two", on("a", at(some, 1)), on("b", at(some, 3)))
	require.Equal(f, "two", f.claim(m).Definition)
	restore()

	f.mismatch(m, 10, "a")
	owner := f.Store.Open(partition, 11)
	for range 2 {
		status := f.claim(owner)
		require.True(f, status.Exists)
		require.Equal(f, int64(8), status.Position)
		require.Equal(f, "one", status.Definition)
	}
	f.apply(owner, 8, 12, on("b", at(some, 3)))
	require.Equal(f, "one", f.claim(owner).Definition)
	f.lists(map[string]string{every: "a=1", some: "b=3"})
}

// Rule 6: what a mirror was built under is known with the build, however soon its owner is gone, and not before: of half a build
// nothing is known.
func attack16Definition(f *fixture) {
	require.Empty(f, f.claim(f.Store.Open(partition, 4)).Definition)
	f.rebuildUnder(f.claimed(5), 7, "two", timer("a", 2))
	former := f.Store.Open(partition, 8)
	require.Equal(f, "two", f.claim(former).Definition, "a claim leaves it as it is")
	crash := errors.New("crash")
	half := func(yield func([]state.Entry, error) bool) {
		_ = yield([]state.Entry{timer("a", 1)}, nil) && yield(nil, crash)
	}
	require.ErrorIs(f, former.Rebuild(f.ctx, 9, "one", half), crash)
	require.Equal(f, state.Status{}, f.claim(f.Store.Open(partition, 10)))

	former = f.claimed(11)
	f.rebuildUnder(former, 12, "one", timer("a", 1))
	owner := f.Store.Open(partition, 13)
	require.Equal(f, "one", f.claim(owner).Definition)
	require.ErrorIs(f, former.Rebuild(f.ctx, 12, "former", inSlices(nil)), state.ErrFenced)
	require.Equal(f, "one", f.claim(owner).Definition)
	f.rebuildUnder(owner, 14, "", timer("a", 2))
	require.Empty(f, f.claim(owner).Definition)
}
