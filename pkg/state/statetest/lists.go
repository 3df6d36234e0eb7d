package statetest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// on is an entry of an entity that is on lists, each with its score.
func on(key string, index ...state.Listing) state.Entry {
	return state.Entry{Key: key, Value: []byte("state"), Relisted: true, Index: index}
}

func at(list string, score int64) state.Listing { return state.Listing{List: list, Score: score} }

// lists checks who is on the lists: for each all keys with their scores, in order.
func (f *fixture) lists(want map[string]string) {
	f.Helper()
	for _, list := range Lists {
		require.Equal(f, want[list], f.list(list), list)
	}
}

func (f *fixture) list(list string) string {
	f.Helper()
	places, total, err := f.Reader.Range(f.ctx, partition, whole(list))
	require.NoError(f, err)
	require.EqualValues(f, len(places), total)
	return written(places)
}

func whole(list string) state.Slice {
	return state.Slice{List: list, From: -state.MaxScore, To: state.MaxScore, Limit: math.MaxInt32}
}

func written(places []state.Place) string {
	var s []string
	for _, p := range places {
		s = append(s, fmt.Sprintf("%s=%d", p.Key, p.Score))
	}
	return strings.Join(s, " ")
}

// noLists checks that a reader of any list has to wait.
func (f *fixture) noLists(lists ...string) {
	f.Helper()
	for _, list := range lists {
		_, _, err := f.Reader.Range(f.ctx, partition, whole(list))
		require.ErrorIs(f, err, state.ErrMismatch, list)
	}
}

func listsInOrder(f *fixture) {
	now := int64(1_764_000_000_123)
	f.noLists(Lists...)
	m := f.owned(5, 7, on("b", at(every, now), at(some, 3)), on("a", at(every, now)), on("c", at(every, now-1)),
		on("least", at(few, -state.MaxScore)), on("most", at(few, state.MaxScore)))
	f.lists(map[string]string{
		every: fmt.Sprintf("c=%d a=%d b=%d", now-1, now, now), some: "b=3",
		few: fmt.Sprintf("least=%d most=%d", -state.MaxScore, state.MaxScore),
	})
	f.apply(m, 7, 8, on("d", at(some, 1)), on("e", at(some, 2)), on("f", at(some, 3)), on("g", at(some, 4)))

	// Of some: d=1 e=2 b=3 f=3 g=4.
	for _, c := range []struct {
		slice state.Slice
		want  string
		total int64
	}{
		{state.Slice{From: 2, To: 3, Limit: 9}, "e=2 b=3 f=3", 3},
		{state.Slice{From: 2, To: 3, Limit: 2}, "e=2 b=3", 3},
		{state.Slice{From: 2, To: 3, Limit: 2, Reverse: true}, "f=3 b=3", 3},
		{state.Slice{From: 2, To: 3, Limit: 0}, "", 3},
		{state.Slice{From: 3, To: 2, Limit: 9}, "", 0},
		{state.Slice{From: 5, To: 9, Limit: 9}, "", 0},
		{state.Slice{From: 0, To: 9, Limit: 2, After: &state.Place{Key: "e", Score: 2}}, "b=3 f=3", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, After: &state.Place{Key: "b", Score: 3}}, "f=3 g=4", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, After: &state.Place{Key: "bb", Score: 3}}, "f=3 g=4", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, After: &state.Place{Key: "a", Score: 3}}, "b=3 f=3 g=4", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, After: &state.Place{Key: "g", Score: 4}}, "", 5},
		{state.Slice{From: 3, To: 9, Limit: 9, After: &state.Place{Key: "d", Score: 1}}, "b=3 f=3 g=4", 3},
		{state.Slice{From: 0, To: 9, Limit: 2, Reverse: true, After: &state.Place{Key: "g", Score: 4}}, "f=3 b=3", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, Reverse: true, After: &state.Place{Key: "f", Score: 3}}, "b=3 e=2 d=1", 5},
		{state.Slice{From: 0, To: 9, Limit: 9, Reverse: true, After: &state.Place{Key: "bb", Score: 3}}, "b=3 e=2 d=1", 5},
		{state.Slice{From: 0, To: 2, Limit: 9, Reverse: true, After: &state.Place{Key: "g", Score: 4}}, "e=2 d=1", 2},
		{state.Slice{From: 0, To: 9, Limit: 9, Reverse: true, After: &state.Place{Key: "d", Score: 1}}, "", 5},
	} {
		c.slice.List = some
		places, total, err := f.Reader.Range(f.ctx, partition, c.slice)
		require.NoError(f, err)
		require.Equal(f, c.want, written(places), "%+v", c.slice)
		require.Equal(f, c.total, total, "%+v", c.slice)
	}
}

// Pages of a list of which many have the same score, and from which the last one of a page is taken before the next is asked for.
func listsByPages(f *fixture) {
	const entities = 900
	var entries []state.Entry
	var places []state.Place
	for i := range entities {
		p := state.Place{Key: fmt.Sprintf("account-%d", i), Score: int64(i%2) * 100}
		places = append(places, p)
		entries = append(entries, on(p.Key, at(every, p.Score)))
	}
	slices.SortFunc(places, func(a, b state.Place) int {
		if a.Score != b.Score {
			return int(a.Score - b.Score)
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, reverse := range []bool{false, true} {
		m := f.owned(5, 7, entries...)
		position := int64(7)
		var met []state.Place
		for s := whole(every); ; {
			s.Limit, s.Reverse = 70, reverse
			page, _, err := f.Reader.Range(f.ctx, partition, s)
			require.NoError(f, err)
			if len(page) == 0 {
				break
			}
			met = append(met, page...)
			s.After = &met[len(met)-1]
			f.apply(m, position, position+1, state.Entry{Key: s.After.Key})
			position++
		}
		require.Equal(f, places, met)
		slices.Reverse(places)
	}
}

func listsKept(f *fixture) {
	m := f.owned(5, 7, on("a", at(every, 1), at(some, 10)), on("b", at(every, 2)), put("c", "on none"), on("d", at(few, 4)))
	f.lists(map[string]string{every: "a=1 b=2", some: "a=10", few: "d=4"})
	f.apply(m, 7, 8, put("a", "2"), timer("b", 5), put("c", "2"), put("e", "1"))
	f.lists(map[string]string{every: "a=1 b=2", some: "a=10", few: "d=4"})
	f.apply(m, 8, 9, on("a", at(every, 3)), on("c", at(some, 7)), on("d"), timer("b", 6))
	f.lists(map[string]string{every: "b=2 a=3", some: "c=7"})
	f.apply(m, 9, 10, on("a", at(some, 3)), state.Entry{Key: "b"}, state.Entry{Key: "nobody"})
	f.lists(map[string]string{some: "a=3 c=7"})
	f.apply(m, 10, 11, put("b", "anew"))
	f.lists(map[string]string{some: "a=3 c=7"})
	f.apply(m, 11, 12, state.Entry{Key: "c", Relisted: true, Index: []state.Listing{at(every, 1)}}, on("b", at(every, 9)))
	f.lists(map[string]string{every: "b=9", some: "a=3"})
}

// Of a key that comes twice in a chunk the later state counts, and of its lists what is said last: a later entry may say nothing.
func listsSaidLast(f *fixture) {
	gone := func(key string) state.Entry { return state.Entry{Key: key} }
	entries := []state.Entry{
		on("a", at(every, 1)), put("a", "later"),
		on("b", at(every, 1)), on("b", at(some, 2)), put("b", "later"),
		on("c", at(every, 1)), gone("c"),
		on("d", at(every, 1)), gone("d"), put("d", "anew"),
		gone("e"), on("e", at(some, 5)), put("e", "later"),
		on("f", at(every, 1)), on("f"), put("f", "later"),
	}
	want := map[string]string{every: "a=1", some: "b=2 e=5"}
	m := f.owned(5, 7, entries...)
	f.lists(want)
	f.rebuild(m, 8, on("a", at(few, 9)), on("b", at(few, 9)), on("c", at(few, 9)), on("d", at(few, 9)), on("e", at(few, 9)), on("f", at(few, 9)))
	f.apply(m, 8, 9, entries...)
	f.lists(want)
	f.holds(m, 9, map[string]string{"a": "later", "c": "-", "d": "anew", "e": "later"})
}

func listsOfBytes(f *fixture) {
	keys := []string{"\x00", "\n", " ", "0", "A", "a", "a\x00", "aa", "z", "{a}", "é", "ключ", "世界", strings.Repeat("é", 128)}
	var entries []state.Entry
	for _, key := range keys {
		entries = append(entries, on(key, at(every, 1)))
	}
	slices.Sort(keys)
	f.owned(5, 7, entries...)
	for i := range keys {
		s := whole(every)
		s.After = &state.Place{Key: keys[i], Score: 1}
		places, _, err := f.Reader.Range(f.ctx, partition, s)
		require.NoError(f, err)
		var after []string
		for _, p := range places {
			after = append(after, p.Key)
		}
		require.Equal(f, keys[i+1:], append([]string{}, after...))
	}
}

func listsUnknown(f *fixture) {
	m := f.owned(5, 7, on("a", at(every, 1)))
	f.noLists("another")
	for _, listing := range []state.Listing{at("another", 1), at(every, state.MaxScore+1), at(every, -state.MaxScore-1)} {
		plain(f.T, m.Apply(f.ctx, state.Chunk{From: 7, To: 8, Entries: []state.Entry{on("a", listing)}}))
		plain(f.T, m.Rebuild(f.ctx, 8, "", inSlices([]state.Entry{on("a", listing)})))
		f.rebuild(m, 7, on("a", at(every, 1)))
	}
	f.lists(map[string]string{every: "a=1"})
	other := partition
	other.Number++
	_, _, err := f.Reader.Range(f.ctx, other, whole(every))
	require.ErrorIs(f, err, state.ErrMismatch)
}
