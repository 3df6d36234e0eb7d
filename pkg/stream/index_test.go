package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// countLists are the lists of counters: all are on the first, some of the time on the second; every fourth record moves them.
var countLists = []string{"all", "some"}

// AppendIndex implements Indexer.
func (c *counter) AppendIndex(index []state.Listing, s State) []state.Listing {
	n := s.(*count).n
	index = append(index, state.Listing{List: "all", Score: n/4 + c.shift})
	if n/2%2 == 1 {
		index = append(index, state.Listing{List: "some", Score: n})
	}
	return index
}

// IndexKey implements Indexer.
func (c *counter) IndexKey(s State) uint64 {
	n := s.(*count).n
	if n/2%2 == 0 {
		n -= n % 2
	}
	return uint64(n + 1)
}

// listsOf returns who is on the lists of counters that have states, under a definition that shifts them.
func listsOf(shift int64, states map[string]count) map[string]string {
	lists := map[string][]state.Place{}
	for key, s := range states {
		for _, l := range (&counter{shift: shift}).AppendIndex(nil, &s) {
			lists[l.List] = append(lists[l.List], state.Place{Key: key, Score: l.Score})
		}
	}
	return written(func(list string) []state.Place { return lists[list] })
}

// listsIn returns who is on the lists of a mirror.
func listsIn(store state.Reader, p state.Partition) map[string]string {
	return written(func(list string) []state.Place {
		places, _, err := store.Range(context.Background(), p, state.Slice{List: list, To: state.MaxScore, Limit: 1 << 20})
		if err != nil {
			return []state.Place{{Key: err.Error()}}
		}
		return places
	})
}

func written(placesOf func(list string) []state.Place) map[string]string {
	lists := map[string]string{}
	for _, list := range countLists {
		var s []string
		for _, p := range placesOf(list) {
			s = append(s, fmt.Sprintf("%q=%d", p.Key, p.Score))
		}
		slices.Sort(s)
		lists[list] = strings.Join(s, " ")
	}
	return lists
}

// What a commit says of lists is what has changed since the entity's last one, by whatever way it came into memory.
func TestListsAreToldWhenTheyChange(t *testing.T) {
	proc := &counter{every: 1 << 30}
	table := modelTask(proc, "in", 0, checkpoint{}).table
	offset := int64(0)
	fold := func(n int) {
		for range n {
			r := &kgo.Record{Offset: offset, Key: []byte("a"), Value: []byte("1")}
			offset++
			_, err := proc.Decode(0, r)
			require.NoError(t, err)
			e := table.get(r.Key)
			if e == nil {
				e = table.put("a")
			}
			require.NoError(t, table.fold(0, r, Route{Key: r.Key, EventTime: 1}, nil, e))
		}
	}
	var last state.Entry
	told := func() string {
		c, err := table.cut(true)
		require.NoError(t, err)
		require.Len(t, c.entries, 1)
		table.mirrored(c.owners)
		if last = c.entries[0]; !last.Relisted {
			require.Nil(t, last.Index)
			return "nothing"
		}
		return fmt.Sprint(last.Index)
	}
	fold(1)
	assert.Equal(t, "[{all 0}]", told())
	fold(1)
	first := told()
	assert.Equal(t, "[{all 0} {some 2}]", first)
	kept := last.Index
	fold(2)
	assert.Equal(t, "[{all 1}]", told())
	assert.Equal(t, first, fmt.Sprint(kept), "what a commit holds is its own")
	fold(1)
	assert.Equal(t, "nothing", told())

	encoded := last.Value
	table.get([]byte("a")).used = false
	require.True(t, table.evict(0, 1<<30))
	table.put("a")
	require.NoError(t, table.fill("a", encoded))
	offset = 5
	fold(0)
	table.get([]byte("a")).dirty = true
	table.dirty = append(table.dirty, table.get([]byte("a")))
	assert.Equal(t, "nothing", told(), "it was loaded with them")
	fold(1)
	assert.Equal(t, "[{all 1} {some 6}]", told())
}

// onlyIndexed has no timers, on which account the mirror would be built anew as well.
type onlyIndexed struct{ Indexer }

// Who is on a list, and where, is a matter of the definition: under another one the mirror is built anew, and not again. So it is
// where the store has other lists.
func TestANewDefinitionMakesListsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	under := func(definition string, shift int64, lists ...string) *process {
		o := w.options()
		o.Definition, o.Store = definition, w.store.With(lists...)
		o.NewProcessor = func(string, int32) Processor { return onlyIndexed{&counter{every: 3, shift: shift}} }
		p := w.start(o)
		p.awaitOwned(1)
		return p
	}
	p := under("one", 0, "all", "some")
	w.send(0, "a=1", "a=2", "b=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	for _, c := range []struct {
		definition string
		shift      int64
		lists      []string
		rebuilds   uint64
		want       map[string]string
	}{
		{"one", 0, []string{"all", "some"}, 0, map[string]string{"all": `"a"=0 "b"=0`, "some": `"a"=2`}},
		{"two", 7, []string{"all", "some"}, 1, map[string]string{"all": `"a"=7 "b"=7`, "some": `"a"=2`}},
		{"two", 7, []string{"all", "some"}, 0, map[string]string{"all": `"a"=7 "b"=7`, "some": `"a"=2`}},
		{"two", 7, []string{"some", "all", "more"}, 1, map[string]string{"all": `"a"=7 "b"=7`, "some": `"a"=2`}},
	} {
		p = under(c.definition, c.shift, c.lists...)
		assert.EqualValues(t, c.rebuilds, p.stats.Rebuilds.Load(), c)
		require.NoError(t, p.stop())
		require.True(t, maps.Equal(c.want, listsIn(w.store, w.partitionOf(0))), "%v", listsIn(w.store, w.partitionOf(0)))
	}
	w.takenOver()
}
