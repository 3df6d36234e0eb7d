package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/state"
)

var errStoreDown = errors.New("the store is down")

// restarted gives a process that has everything in the mirror and nothing in memory.
func (w *world) restarted(o Options) *process {
	w.t.Helper()
	w.ran("a=1", "a=2", "b=3", "c=4", "t=5,timer")
	p := w.start(o)
	p.awaitOwned(1)
	return p
}

// Part of the mirror is evicted while its position stays as it was: what is missing must not pass for new.
func TestAttack13EvictionWhileRunning(t *testing.T) {
	t.Parallel()
	for name, evict := range map[string]func(*world){
		"states":   func(w *world) { w.store.Evict(w.partitionOf(0), "a") },
		"timers":   func(w *world) { w.store.EvictTimers(w.partitionOf(0)) },
		"a list":   func(w *world) { w.store.EvictList(w.partitionOf(0), "some") },
		"position": func(w *world) { w.store.EvictPosition(w.partitionOf(0)) },
		"all":      func(w *world) { w.store.Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			p := w.restarted(w.options())
			evict(w)
			w.send(0, "c=4000000") // t's timer is due
			w.awaitCommitted()
			w.send(0, "a=4000000", "a=4000001", "b=4000002", "a=4000003")
			w.awaitCommitted()
			require.Positive(t, p.stats.Rebuilds.Load())
			require.NoError(t, p.stop())
			w.takenOver()
			w.requireExact()
		})
	}
}

// The same while nothing runs.
func TestAttack13EvictionWhileStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.NoError(t, w.restarted(w.options()).stop())
	w.store.Evict(w.partitionOf(0), "a")
	w.ran("a=6", "a=7", "b=8", "t=1000")
	w.requireExact()
}

// The store comes back with an old snapshot, under a live owner: it is noticed, and brought forward.
func TestAttack14OldSnapshotUnderLiveOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran("a=1", "b=1")
	old := w.store.Snapshot()
	p := w.restarted(w.options())
	w.store.Restore(old)
	w.send(0, "a=6", "b=7", "b=8", "a=9", "t=10")
	w.awaitCommitted()
	require.Positive(t, p.stats.Takeovers.Load())
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// The snapshot is older than tombstones are kept: of an entity that was erased since, the changelog says nothing any
// more, and a delta would let it rise again.
func TestAttack14SnapshotOlderThanTombstones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.NoError(t, w.restarted(w.options()).stop())
	ctx := context.Background()
	m := w.store.Open(w.partitionOf(0), 1<<40)
	status, err := m.Claim(ctx)
	require.NoError(t, err)
	ghost, err := (&count{n: 2}).AppendBinary(appendEnvelope(nil, 1))
	require.NoError(t, err)
	apply := func(at int64) {
		require.NoError(t, m.Rebuild(ctx, at, "", func(yield func([]state.Entry, error) bool) {
			yield([]state.Entry{{Key: "ghost", Value: ghost}}, nil)
		}))
	}
	apply(status.Position)
	w.store.Flush()
	m = w.store.Open(w.partitionOf(0), 1) // a token as of the snapshot's time
	apply(status.Position)
	o := w.options()
	o.TombstoneRetention = 24 * time.Hour
	w.store.Advance(o.TombstoneRetention)
	p := w.start(o)
	w.send(0, "ghost=6", "a=7")
	w.awaitCommitted()
	require.EqualValues(t, 1, p.stats.Rebuilds.Load())
	require.NoError(t, p.stop())
	w.requireExact()
}

// A young one is brought forward by the records since, without being built anew.
func TestAttack14YoungSnapshotNeedsNoRebuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran("a=1", "b=1")
	old := w.store.Snapshot()
	w.ran("a=2", "b=2", "c=3")
	w.store.Restore(old)
	p := w.start(w.options())
	w.send(0, "a=6", "b=7", "c=8", "c=9")
	w.awaitCommitted()
	require.Zero(t, p.stats.Rebuilds.Load())
	require.NoError(t, p.stop())
	w.requireExact()
}

// former is an owner that has been stopped between two records, with its partition taken over by another since.
func former(t *testing.T, w *world, protocol []kgo.Opt) (a, b *process, store *watchedStore, wake func()) {
	w.protocol = protocol
	store = watch(w.store)
	o := w.options()
	o.Store = store
	reached, released := make(chan struct{}), make(chan struct{})
	o.NewProcessor = func(string, int32) Processor {
		return &counter{every: 3, gate: func(r *kgo.Record) {
			if string(r.Key) == "stop" {
				select {
				case <-reached:
				default:
					close(reached)
				}
				<-released
			}
		}}
	}
	a = w.restarted(o)
	w.send(0, "a=6", "b=7", "stop=8", "b=9", "c=10")
	<-reached
	a.wire.stop()
	a.kick()
	b = w.start(w.options())
	w.awaitCommitted()
	return a, b, store, func() { close(released) }
}

// It sees that the mirror is not where it left it. It must not build it anew: only who has made a commit since may.
func TestAttack16FormerOwnerRebuildsToo(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol []kgo.Opt) {
		w := newWorld(t, 1)
		a, b, store, wake := former(t, w, protocol)
		rebuilds := store.count("rebuild")
		w.store.Flush() // as if for both
		wake()
		w.await("the former owner to see it", func() bool { return a.stats.Takeovers.Load() > 0 })
		w.send(0, "a=11", "a=12", "b=13", "c=14", "c=15")
		w.awaitCommitted()
		require.Equal(t, rebuilds, store.count("rebuild"))
		a.wire.release()
		w.send(0, "a=16", "b=17")
		w.awaitCommitted()
		require.NoError(t, b.stop())
		w.send(0, "a=18", "b=19", "a=20")
		w.awaitCommitted()
		require.NoError(t, a.stop())
		w.takenOver()
		w.requireExact()
	})
}

// A former owner, stopped after a confirmed commit, wakes up and finds its script refused: it leaves the mirror alone.
func TestAttack30FormerOwnerErasesTheMirror(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol []kgo.Opt) {
		w := newWorld(t, 1)
		w.protocol = protocol
		store := watch(w.store)
		o := w.options()
		o.Store = store
		a := w.restarted(o)
		stopped, wake := store.holdUp(func(op string, _ int32) bool { return op == "apply" })
		t.Cleanup(wake)
		w.send(0, "a=6", "b=7")
		<-stopped
		a.wire.stop()
		a.kick()
		b := w.start(w.options())
		w.send(0, "a=8", "b=9", "c=10")
		w.awaitCommitted()
		rebuilds, reborn := store.count("rebuild"), b.stats.Takeovers.Load()
		wake()
		w.await("the former owner to see it", func() bool { return a.stats.Takeovers.Load() > 0 })
		w.send(0, "a=11", "b=12", "c=13")
		w.awaitCommitted()
		require.Equal(t, rebuilds, store.count("rebuild"))
		require.Equal(t, reborn, b.stats.Takeovers.Load(), "the owner was not disturbed")
		a.wire.release()
		require.NoError(t, b.stop())
		w.send(0, "a=14", "b=15", "a=16")
		w.awaitCommitted()
		require.NoError(t, a.stop())
		w.takenOver()
		w.requireExact()
	})
}

// One version is committed and not mirrored, the next is in memory only; an abort drops both, and the mirror has
// neither.
func TestAttack17AbortWithUnmirroredState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	store := watch(w.store)
	o.Store = store
	p := w.restarted(o)
	w.send(0, "a=6") // loads it
	w.awaitCommitted()
	w.await("the mirror to follow", func() bool { return store.count("apply") > 0 })
	stopped, resume := store.holdUp(func(op string, _ int32) bool { return op == "apply" })
	t.Cleanup(resume)
	w.send(0, "a=7", "b=7")
	<-stopped
	w.awaitCommitted()
	w.store.Fail(errStoreDown)
	resume()
	aborts := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, TxnID: p.producer.txnID, Err: kerr.GroupAuthorizationFailed})
	w.send(0, "a=8", "b=9")
	w.await("the abort", func() bool { return aborts.Hits() > 0 && p.stats.Takeovers.Load() > 0 })
	w.store.Fail(nil)
	w.awaitCommitted()
	require.Zero(t, p.stats.Rebuilds.Load())
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// A script's answer is lost; it is sent again, and finds the mirror where it would bring it: that is success.
func TestAttack21LostReplyOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.restarted(w.options())
	for i := range 5 {
		w.store.LoseReply(errStoreDown)
		w.send(0, fmt.Sprintf("a=%d", 10+i), fmt.Sprintf("b=%d", 10+i))
		w.awaitCommitted()
	}
	require.NoError(t, p.stop())
	require.Zero(t, p.stats.Takeovers.Load())
	require.Zero(t, p.stats.Rebuilds.Load())
	w.requireExact()
}

// A checkpoint of more entities than one script takes reaches the mirror in parts; each may lose its answer.
func TestAttack21CommitLargerThanOneScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	o.CheckpointInterval = time.Hour
	p := w.restarted(o)
	var records []string
	for i := range 2*state.MaxChunk + 500 {
		records = append(records, fmt.Sprintf("k%d=%d", i, 10+i))
	}
	w.store.LoseReply(errStoreDown)
	w.send(0, records...)
	w.await("everything to be folded", func() bool { return p.stats.Records.Load() >= int64(len(records)) })
	require.NoError(t, p.stop())
	require.Zero(t, p.stats.Rebuilds.Load())
	w.requireExact()
}

// The store is down for a while: nothing is lost, nothing is taken over, and it heals by itself.
func TestStoreDownHealsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.restarted(w.options())
	w.store.Fail(errStoreDown)
	w.send(0, "a=6", "b=7", "c=8", "n=9")
	w.await("the process to say what it waits for", func() bool { return len(p.Waiting()) > 0 })
	w.store.Fail(nil)
	w.awaitCommitted()
	w.await("the process to be ready", func() bool { return len(p.Waiting()) == 0 })
	require.Zero(t, p.stats.Takeovers.Load())
	require.NoError(t, p.stop())
	w.requireExact()
}
