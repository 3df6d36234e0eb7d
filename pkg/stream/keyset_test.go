package stream

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKeySetForgetsNothing(t *testing.T) {
	t.Parallel()
	const n = 3 * firstKeys
	var s keySet
	require.False(t, s.has([]byte("0")))
	for i := range n {
		require.True(t, s.add(fmt.Sprint(i)))
	}
	wrong := 0
	for i := range n {
		require.True(t, s.has(fmt.Append(nil, i)))
		if s.has(fmt.Append(nil, n+i)) {
			wrong++
		}
	}
	require.Less(t, wrong, n/20, "it is of no use")
	s.n = mostKeys
	require.True(t, s.add("1"), "it is there")
	require.False(t, s.add("a new one"))
}

// A partition that began with nothing knows of each entity that is not in memory whether it has state, whatever was
// evicted; until there are too many to know.
func TestTableKnowsWhatItHasEvicted(t *testing.T) {
	t.Parallel()
	proc := &counter{every: 3}
	table := newTable(proc, "in", 0, checkpoint{})
	table.maxValue, table.evicted = 1<<20, &keySet{}
	fold := func(offset int64, key, value string) {
		t.Helper()
		r := &kgo.Record{Offset: offset, Key: []byte(key), Value: []byte(value)}
		route, err := proc.Decode(0, r)
		require.NoError(t, err)
		require.NoError(t, table.fold(0, r, route, nil, table.put(key)))
	}
	evict := func() {
		t.Helper()
		c, err := table.cut(true)
		require.NoError(t, err)
		table.mirrored(c.owners)
		require.True(t, table.evict(0, 1<<30))
	}
	require.False(t, table.mayExist([]byte("a")))
	fold(0, "a", "1")
	table.put("none") // asked for, and without state
	evict()
	require.True(t, table.mayExist([]byte("a")))
	require.False(t, table.mayExist([]byte("none")))
	require.False(t, table.mayExist([]byte("b")))

	table.evicted.n = mostKeys
	fold(1, "b", "1")
	evict()
	for _, key := range []string{"a", "b", "c"} {
		require.True(t, table.mayExist([]byte(key)), key)
	}
}
