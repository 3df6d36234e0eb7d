package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// What one commit writes is bounded in bytes too, outputs and states: a commit that takes longer than a transaction may
// is taken over, and the next is as large.
func TestCommitIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	proc := &counter{every: 3}
	table := newTable(proc, "in", 0, checkpoint{})
	table.maxValue = 1 << 20
	fold := func(offset int64, key, value string) {
		t.Helper()
		r := &kgo.Record{Offset: offset, Key: []byte(key), Value: []byte(value)}
		route, err := proc.Decode(0, r)
		require.NoError(t, err)
		e := table.get(route.Key)
		if e == nil {
			e = table.put(key)
		}
		require.NoError(t, table.fold(0, r, route, nil, e))
	}
	full := func(records, bytes int) bool { return table.full(bounds{records, bytes}, bounds{records, bytes}) }
	pad := "1,pad," + string(make([]byte, 1000))
	fold(0, "a", pad)
	require.False(t, full(10, 2000))
	fold(1, "a", pad) // it grows while it is dirty
	require.True(t, full(10, 2000))
	fold(2, "a", pad) // the third: an output
	fold(3, "b", pad)
	_, err := table.cut(false)
	require.NoError(t, err)
	require.False(t, full(10, 2000), "a is written")
	require.True(t, full(10, 1000), "b is not yet")
	_, err = table.cut(true)
	require.NoError(t, err)
	require.False(t, full(1, 1))
}

// Commits wait for the mirror in memory, apart from the cache. Hot states come again in each of them.
func TestMirrorBacklogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	w := newMirrorWriter(nil, 0, nil, nil)
	require.False(t, w.full(2, 1000))
	require.Zero(t, w.fill(2, 1000))
	w.add(mirrorJob{to: 1, entries: []state.Entry{{Key: "a", Value: make([]byte, 999)}}})
	require.True(t, w.full(2, 1000))
	require.False(t, w.full(2, 1001))
	require.InDelta(t, 0.5, w.fill(2, 4000), 0, "by commits")
	require.InDelta(t, 0.5, w.fill(64, 2000), 0, "by bytes")
	require.InDelta(t, 1, w.fill(64, 500), 0, "it is not more than full")
	w.add(mirrorJob{to: 2})
	require.True(t, w.full(2, 1001))
}

// A partition of large records is paused long before it has fetched as many as of small ones.
func TestQueueIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	task := &task{r: &Runtime{}, wake: make(chan struct{}, 1)}
	task.r.fetcher = newFetcher(nil, 0, nil, nil)
	large := recordSet{batches: make([]byte, queuedBytes/2), records: 1}
	task.offer(large)
	require.False(t, task.full())
	task.offer(large)
	require.True(t, task.full())
	_, err := task.next(t.Context())
	require.NoError(t, err)
	require.False(t, task.full())
}

// One commit takes the checkpoints of as many tasks as there is room for, and of one at least.
func TestRoomOfACommit(t *testing.T) {
	t.Parallel()
	r := &room{bounds: bounds{10, 100}}
	require.True(t, r.take(11, 1000), "the first")
	require.False(t, r.lacked)
	require.False(t, r.take(1, 1))
	require.True(t, r.lacked)
	r = &room{bounds: bounds{10, 100}}
	require.True(t, r.take(4, 99))
	require.True(t, r.take(6, 1))
	require.False(t, r.take(1, 0))
	r = &room{bounds: bounds{10, 100}}
	require.True(t, r.take(1, 60))
	require.False(t, r.take(1, 60))
	require.True(t, r.take(1, 40), "a smaller one")
}
