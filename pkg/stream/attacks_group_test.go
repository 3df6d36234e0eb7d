package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member loses first one partition and then another, each in a rebalance of its own, without a commit in between.
// Others move on from there. What it commits afterwards touches neither.
func TestAttack01IdleMemberLosesPartitionsBetweenCommits(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol []kgo.Opt) {
		w := newWorld(t, 3)
		w.protocol = protocol
		idle := w.options()
		idle.CheckpointInterval = time.Hour
		a := w.start(idle)
		a.awaitOwned(3)
		for p := range int32(3) {
			w.send(p, "a=1", "b=2")
		}
		w.await("the first member to fold", func() bool { return a.stats.Records.Load() >= 6 })
		b := w.start(w.options())
		w.await("two to share", func() bool { return b.ownsNow() > 0 })
		c := w.start(w.options())
		w.await("three to share", func() bool { return b.ownsNow() == 1 && c.ownsNow() == 1 })
		for p := range int32(3) {
			w.send(p, "a=3", "a=4", "b=5")
		}
		w.await("the others to commit", func() bool {
			done := 0
			for p := range int32(3) {
				if offset, _ := w.committed(p); offset >= 5 {
					done++
				}
			}
			return done >= 2
		})
		require.NoError(t, a.stop())
		w.awaitCommitted()
		require.NoError(t, b.stop())
		require.NoError(t, c.stop())
		w.takenOver()
		w.requireExact()
	})
}

// The takeover of one partition takes long. The others of the process are committed meanwhile, and the member stays
// in its group.
func TestAttack18SlowRestoreBlocksNobody(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol []kgo.Opt) {
		w := newWorld(t, 2)
		w.protocol = protocol
		o := w.options()
		store := watch(w.store)
		o.Store = store
		waits, release := store.holdUp(func(op string, partition int32) bool { return partition == 0 && (op == "claim" || op == "rebuild") })
		t.Cleanup(release)
		p := w.start(o)
		<-waits
		id := p.member()
		w.send(0, "a=1", "a=2", "a=3")
		for i := range 20 {
			w.send(1, fmt.Sprintf("b=%d", i))
			w.await("the healthy partition's commit", func() bool { offset, _ := w.committed(1); return offset == int64(i+1) })
		}
		require.Equal(t, id, p.member())
		require.NotEmpty(t, p.Waiting())
		release()
		w.awaitCommitted()
		require.Zero(t, p.stats.Takeovers.Load())
		require.NoError(t, p.stop())
		w.requireExact()
	})
}

// An owner is stopped before its offset commit, or before the end of its transaction, and continued while or after
// another takes over.
func TestAttack24OwnerStoppedWithinItsTransaction(t *testing.T) {
	t.Parallel()
	for _, at := range []kmsg.Key{kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		for _, late := range []bool{false, true} {
			when := "during the takeover"
			if late {
				when = "after the takeover"
			}
			t.Run(at.Name()+", continued "+when, func(t *testing.T) {
				t.Parallel()
				for _, protocol := range protocols[:2] {
					t.Run(protocol.name, func(t *testing.T) {
						t.Parallel()
						ownerStopped(t, protocol.opts, at, late)
					})
				}
			})
		}
	}
}

func ownerStopped(t *testing.T, protocol []kgo.Opt, at kmsg.Key, late bool) {
	w := newWorld(t, 1)
	w.protocol = protocol
	if at == kmsg.AddOffsetsToTxn {
		w.transactionsV1()
	}
	o := w.options()
	if late {
		o.TransactionTimeout = time.Second // after which the other can go on
	}
	a := w.start(o)
	w.send(0, "a=1", "a=2", "a=3")
	w.awaitCommitted()
	stopped := a.wire.trap(trap{key: at, do: hold})
	w.send(0, "a=4", "b=5", "a=6", "b=7", "a=8")
	stopped.await(t)
	a.kick()
	b := w.start(w.options())
	if late {
		w.send(0, "a=9", "a=10", "a=11", "b=12")
		w.awaitCommitted()
	} else {
		w.await("the other's claim", func() bool {
			for _, x := range *b.assignment.Load() {
				x.mu.Lock()
				defer x.mu.Unlock()
				claimed := x.phase == running || x.phase == claiming && x.claim == nil
				return claimed || at == kmsg.EndTxn // before that it waits for the pending offset
			}
			return false
		})
	}
	a.wire.release()
	w.send(0, "a=13", "b=14", "a=15", "b=16")
	w.awaitCommitted()
	// It goes on as an ordinary member.
	require.NoError(t, b.stop())
	w.send(0, "a=17", "a=18", "a=19")
	w.awaitCommitted()
	require.NoError(t, a.stop())
	w.takenOver()
	w.requireExact()
}

// A batch that was polled before the partition was rewound lies beyond records that are to be folded again: folding
// it would skip those for good.
func TestAttack27BatchPolledBeforeRewind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	p := w.start(o)
	p.awaitOwned(1)
	w.send(0, "a=1", "a=2", "b=3")
	w.awaitCommitted()

	cursor := func() *cursor {
		p.fetcher.mu.Lock()
		defer p.fetcher.mu.Unlock()
		return p.fetcher.cursors[topicPartition{"in", 0}]
	}
	before := cursor()
	before.task.fail(errNotConfirmed)
	w.await("the rewind", func() bool {
		now := cursor()
		return now != nil && now != before && p.ownsNow() == 1
	})
	// What was asked for before comes first: nothing else is fetched meanwhile.
	held := p.wire.trap(trap{key: kmsg.Fetch, do: hold})
	held.await(t)
	w.send(0, "a=4", "a=5", "a=6", "a=7")
	before.offset = 5 // as far as it had come
	p.fetcher.take(question{cursor: before, from: 5, epoch: -1, term: -1}, w.fetch("in", 5))
	p.wire.release()
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// A task is to be taken over again while a commit that holds its records is under way: the takeover must see what comes
// of that, or the commit's records are a foreign writer's to it.
func TestAttack27TakeoverDuringCommitOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.start(w.options())
	p.awaitOwned(1)
	w.send(0, "a=1", "b=2")
	w.awaitCommitted()
	reached, released := make(chan struct{}), make(chan struct{})
	w.cluster.ControlKey(kmsg.TxnOffsetCommit.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.DropControl()
		close(reached)
		w.cluster.SleepControl(func() { <-released })
		return nil, nil, false
	})
	asked := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, Count: -1})
	w.send(0, "a=3", "a=4", "b=5")
	<-reached
	(*p.assignment.Load())[topicPartition{"in", 0}].fail(errNotConfirmed)
	w.await("the takeover to begin", func() bool { return p.stats.Takeovers.Load() > 0 })
	// A takeover that does not wait for the commit asks for the offset now; one that does has nothing to show.
	ctx, cancel := context.WithTimeout(context.Background(), 5*retryPause)
	defer cancel()
	_ = asked.Wait(ctx, 1)
	close(released)
	w.send(0, "a=6", "b=7", "a=8")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// The same under load: the partition is taken over again at any moment while records flow.
func TestAttack27RewindsUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	p := w.start(w.options())
	p.awaitOwned(2)
	for i := range 40 {
		for n := range int32(2) {
			var records []string
			for j := range 50 {
				records = append(records, fmt.Sprintf("k%d=%d", (i*7+j)%11, i*50+j))
			}
			w.send(n, records...)
		}
		for _, x := range *p.assignment.Load() {
			if i%4 == 0 {
				x.fail(fmt.Errorf("%w: %w", errNotConfirmed, errors.New("as told")))
			}
		}
	}
	w.awaitCommitted()
	require.Positive(t, p.stats.Takeovers.Load())
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}
