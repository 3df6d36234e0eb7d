package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The input's leader goes away for good while it is read; another broker leads then.
func TestFetchingFollowsTheInputsLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, kfake.NumBrokers(3))
	p := w.start(w.options())
	w.send(0, "a=1", "a=2", "b=3")
	w.send(1, "c=1")
	w.awaitCommitted()
	for partition := range int32(2) {
		before := w.cluster.LeaderFor("in", partition)
		require.NoError(t, w.cluster.MoveTopicPartition("in", partition, (before+1)%3))
	}
	w.send(0, "a=4", "b=5", "b=6")
	w.send(1, "c=2", "c=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// The leader was replaced by one that lacks what has been read, and other records have taken its place: folding on would
// mix two histories.
func TestInputThatWasRewrittenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.start(w.options())
	w.send(0, "a=1", "a=2", "b=3")
	w.awaitCommitted()
	w.cluster.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		f := req.(*kmsg.FetchRequest)
		if len(f.Topics) == 0 || f.Topics[0].TopicID != p.inputs["in"].id || f.Topics[0].Partitions[0].LastFetchedEpoch < 0 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		sp := kmsg.NewFetchResponseTopicPartition()
		sp.DivergingEpoch.Epoch, sp.DivergingEpoch.EndOffset = 0, 1
		st := kmsg.NewFetchResponseTopic()
		st.Topic, st.TopicID = f.Topics[0].Topic, f.Topics[0].TopicID
		st.Partitions = append(st.Partitions, sp)
		resp.Topics = append(resp.Topics, st)
		return resp, nil, true
	})
	requireRefusal(t, p.ended(), "in-0 has lost records")
}

// A partition whose task has no room is left out, and asked for again once there is.
func TestFetchingWaitsForRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	p := w.start(w.options())
	p.awaitOwned(2)
	a := *p.assignment.Load()
	busy := a[topicPartition{"in", 0}]
	busy.mu.Lock()
	busy.queued += queuedRecords
	busy.mu.Unlock()
	w.send(0, "a=1", "a=2", "a=3")
	w.send(1, "b=1", "b=2", "b=3")
	w.await("the other partition", func() bool { return w.committedOf(1) == 3 })
	asked, held, _ := p.fetcher.wanted(a[busy.tp()].input.leaders[0], 0)
	require.True(t, held)
	for _, q := range asked {
		require.NotEqual(t, busy.tp(), q.cursor.tp)
	}
	busy.mu.Lock()
	busy.queued -= queuedRecords
	busy.mu.Unlock()
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// What a task's share is depends on the assignment: one that had no room when nothing was asked for may have never been
// seen without, by the time that there is.
func TestFetchingGoesOnAfterTheShareHasGrown(t *testing.T) {
	t.Parallel()
	r := &Runtime{}
	r.fetcher = newFetcher(nil, time.Second, nil, nil)
	r.count.Store(4)
	busy := &task{r: r, input: topicInfo{name: "in", leaders: []int32{7}, epochs: []int32{0}}, wake: make(chan struct{}, 1)}
	r.fetcher.add(busy, 0)
	wake := r.fetcher.brokers[7]
	for range 3 {
		busy.offer(recordSet{batches: make([]byte, queuedBytes/8), records: 1})
	}
	asked, held, _ := r.fetcher.wanted(7, 0)
	require.Empty(t, asked)
	require.True(t, held)
	r.count.Store(2)
	_, err := busy.next(t.Context())
	require.NoError(t, err)
	select {
	case <-wake:
	default:
		require.Fail(t, "nobody looks again")
	}
}

func (w *world) committedOf(partition int32) int64 {
	offsets, err := w.adm.FetchOffsets(context.Background(), "counters")
	require.NoError(w.t, err)
	o, _ := offsets.Lookup("in", partition)
	return o.At
}

// Of many partitions that never get into one answer together, each has its turn.
func TestFetchingTakesTurns(t *testing.T) {
	t.Parallel()
	f := newFetcher(nil, time.Second, nil, nil)
	for i := range int32(5) {
		f.cursors[topicPartition{"in", i}] = &cursor{tp: topicPartition{"in", i}, task: &task{r: &Runtime{}}}
	}
	first := map[int32]bool{}
	for turn := range 5 {
		asked, _, _ := f.wanted(0, turn)
		require.Len(t, asked, 5)
		first[asked[0].cursor.tp.partition] = true
	}
	require.Len(t, first, 5)
}
