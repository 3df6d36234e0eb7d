// Package statetest is the behaviour that every store has to show: one suite, run against each of them.
package statetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Lists are those that the stores have.
var Lists = []string{every, some, few}

const every, some, few = "every", "some", "few.of them"

// Harness is a store of Lists without contents and the faults that can befall it.
type Harness struct {
	Store  state.Store
	Reader state.Reader
	With   func(lists ...string) state.Store // a store of the same contents and other lists

	Flush         func()                                   // loses everything
	Evict         func(p state.Partition, key string)      // loses the part that the key lies in
	EvictTimers   func(p state.Partition)                  // loses the timers
	EvictList     func(p state.Partition, list string)     // loses a list
	EvictPosition func(p state.Partition)                  // loses the position and what lies with it
	Snapshot      func() (restore func())                  // copies everything; restore brings the copy back in place of all there is
	Age           func(p state.Partition, d time.Duration) // makes the last write d longer ago
}

// Run runs the suite; newHarness is called for each of its tests.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"FreshMirrorHoldsNothing", fresh},
		{"RebuiltMirrorHoldsAllEntries", rebuilt},
		{"RebuildReplacesWhatWasThere", rebuildReplaces},
		{"ChunksFormAChain", chain},
		{"DeletedAndEmptyAreDifferent", deleted},
		{"OfAKeyThatComesTwiceTheLaterCounts", lastCounts},
		{"TimersAreDueInOrder", timers},
		{"AllEntriesCanBeRead", each},
		{"ListsAreInOrder", listsInOrder},
		{"ListsAreReadByPages", listsByPages},
		{"AnEntityStaysOnItsListsUntilToldOtherwise", listsKept},
		{"OfListsWhatIsSaidLastCounts", listsSaidLast},
		{"ListsOfKeysThatAreBytes", listsOfBytes},
		{"ListsThatThereAreNot", listsUnknown},
		{"KeysAndValuesAreBytes", bytesOfEveryKind},
		{"BuffersStayTheCallers", buffers},
		{"PartitionsAreApart", apart},
		{"ChunksAreLimited", limited},
		{"EndedContextIsNoMismatch", endedContext},
		{"ReadersNeverSeeHalfAChunk", neverHalf},
		{"Attack13EvictedBucket", attack13Bucket},
		{"Attack13EvictedTimers", attack13Timers},
		{"Attack13EvictedList", attack13List},
		{"Attack13EvictedPosition", attack13Position},
		{"Attack13EvictedWhileBeingRebuilt", attack13Rebuild},
		{"Attack13Flush", attack13Flush},
		{"Attack14OldSnapshot", attack14},
		{"Attack14OldSnapshotOfLists", attack14Lists},
		{"Attack14OldSnapshotOfAnotherDefinition", attack14Definition},
		{"Attack16HalfARebuildIsInvisible", attack16Half},
		{"Attack16RebuildErasesLists", attack16Lists},
		{"Attack16OtherLists", attack16OtherLists},
		{"Attack16RebuiltUnderAnotherDefinition", attack16Definition},
		{"Attack16TwoRebuildEachOther", attack16Two},
		{"Attack16RebuildRacesItself", attack16Same},
		{"Attack17CommittedButNotMirrored", attack17},
		{"Attack21RepeatedChunk", attack21Repeat},
		{"Attack21RepeatedChunkOfLists", attack21Lists},
		{"Attack21ManyLargeEntries", attack21Large},
		{"Attack26ForeignMirror", attack26Foreign},
		{"Attack26SwappedDatabases", attack26Swapped},
		{"Attack30WokenFormerOwner", attack30},
		{"Attack30FormerOwnerAndLists", attack30Lists},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.run(&fixture{T: t, Harness: newHarness(t), ctx: t.Context()})
		})
	}
}

// fixture is one test.
type fixture struct {
	*testing.T
	Harness
	ctx context.Context
}

var partition = state.Partition{Stage: "activation", Topic: "usage.events", Number: 3, Identity: "cluster-1"}

// owned returns a mirror of the partition, claimed and rebuilt at a position.
func (f *fixture) owned(token, position int64, entries ...state.Entry) state.Mirror {
	f.Helper()
	m := f.claimed(token)
	f.rebuild(m, position, entries...)
	return m
}

func (f *fixture) claimed(token int64) state.Mirror {
	f.Helper()
	m := f.Store.Open(partition, token)
	f.claim(m)
	return m
}

func (f *fixture) claim(m state.Mirror) state.Status {
	f.Helper()
	status, err := m.Claim(f.ctx)
	require.NoError(f, err)
	return status
}

func (f *fixture) rebuild(m state.Mirror, position int64, entries ...state.Entry) {
	f.Helper()
	f.rebuildUnder(m, position, "one", entries...)
}

func (f *fixture) rebuildUnder(m state.Mirror, position int64, definition string, entries ...state.Entry) {
	f.Helper()
	require.NoError(f, m.Rebuild(f.ctx, position, definition, inSlices(entries)))
}

func (f *fixture) apply(m state.Mirror, from, to int64, entries ...state.Entry) {
	f.Helper()
	require.NoError(f, m.Apply(f.ctx, state.Chunk{From: from, To: to, Entries: entries}))
}

// holds checks what is loaded for keys at a position; values are strings, "-" for none.
func (f *fixture) holds(m state.Mirror, position int64, want map[string]string) {
	f.Helper()
	var keys, values []string
	for key, value := range want {
		keys, values = append(keys, key), append(values, value)
	}
	loaded, err := m.Load(f.ctx, position, keys)
	require.NoError(f, err)
	require.Equal(f, values, texts(loaded))
}

// mismatch checks that the mirror admits to being at no known position, to the owner in every way.
func (f *fixture) mismatch(m state.Mirror, position int64, key string) {
	f.Helper()
	_, err := m.Load(f.ctx, position, []string{key})
	require.ErrorIs(f, err, state.ErrMismatch)
	err = m.Apply(f.ctx, state.Chunk{From: position, To: position + 1, Entries: []state.Entry{put(key, "new")}})
	require.ErrorIs(f, err, state.ErrMismatch)
}

// notReady checks that a reader has to wait.
func (f *fixture) notReady(key string) {
	f.Helper()
	_, err := f.Reader.Get(f.ctx, partition, key)
	require.ErrorIs(f, err, state.ErrMismatch)
}

func (f *fixture) reads(key, want string) {
	f.Helper()
	values, err := f.Reader.Get(f.ctx, partition, key)
	require.NoError(f, err)
	require.Equal(f, []string{want}, texts(values))
}

func put(key, value string) state.Entry { return state.Entry{Key: key, Value: []byte(value)} }

func timer(key string, at int64) state.Entry {
	return state.Entry{Key: key, Value: []byte("state"), Timer: at}
}

// inSlices hands entries out in pieces of a chunk's size.
func inSlices(entries []state.Entry) iter.Seq2[[]state.Entry, error] {
	return func(yield func([]state.Entry, error) bool) {
		for len(entries) > 0 {
			n := min(len(entries), state.MaxChunk)
			if !yield(entries[:n], nil) {
				return
			}
			entries = entries[n:]
		}
	}
}

func texts(values [][]byte) []string {
	var s []string
	for _, v := range values {
		s = append(s, text(v))
	}
	return s
}

func text(value []byte) string {
	if value == nil {
		return "-"
	}
	return string(value)
}

func numbered(n int, value string) []state.Entry {
	entries := make([]state.Entry, n)
	for i := range entries {
		entries[i] = put(fmt.Sprintf("account-%d", i), value)
	}
	return entries
}

// plain says that an error is none of the package's: the call can be repeated.
func plain(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, special := range []error{state.ErrMismatch, state.ErrFenced, state.ErrForeign} {
		require.False(t, errors.Is(err, special), "%v", err)
	}
}
