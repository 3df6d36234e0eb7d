package stream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ran has a process fold some records and stop.
func (w *world) ran(records ...string) {
	w.t.Helper()
	w.send(0, records...)
	p := w.start(w.options())
	w.awaitCommitted()
	require.NoError(w.t, p.stop())
}

// refused starts a process that must end by itself with a refusal.
func (w *world) refused(o Options, parts ...string) {
	w.t.Helper()
	p, err := w.tryStart(o)
	if err == nil {
		err = p.ended()
	}
	requireRefusal(w.t, err, parts...)
}

// commitByHand sets the group's offset from outside, as an administrator's tool does.
func (w *world) commitByHand(offset int64, metadata string) {
	w.t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: offset, LeaderEpoch: -1, Metadata: metadata})
	require.NoError(w.t, w.adm.CommitAllOffsets(context.Background(), "counters", offsets))
}

// Partitions are added to the input and to the changelog: keys would start afresh elsewhere.
func TestAttack07PartitionsAddedToKeyedTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran("a=1", "a=2", "a=3")
	_, err := w.adm.CreatePartitions(context.Background(), 1, "in")
	require.NoError(t, err)
	w.refused(w.options(), "topic in has 2 partitions and its changelog log has 1")
	_, err = w.adm.CreatePartitions(context.Background(), 1, "log")
	require.NoError(t, err)
	w.refused(w.options(), "the input's partition count is 2, was 1", "migration")
}

// The input is deleted and created again while everything is stopped, and its offsets start anew. A broker may have
// forgotten the group's offset or not.
func TestAttack08InputDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	for _, keeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("offset kept %v", keeps), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.ran("a=1", "a=2", "b=3")
			offset, metadata := w.committed(0)
			ctx := context.Background()
			_, err := w.adm.DeleteTopics(ctx, "in")
			require.NoError(t, err)
			_, err = w.adm.CreateTopics(ctx, 1, 1, nil, "in")
			require.NoError(t, err)
			w.connect()
			w.send(0, "a=1", "b=2", "b=3", "b=4")
			if !keeps {
				w.refused(w.options(), "holds state", "no offset committed")
				return
			}
			w.commitByHand(offset, metadata)
			w.refused(w.options(), "the input topic's id is", "deleted and created again")
		})
	}
}

// The group's offsets are deleted, expire or are set from outside: the state does not agree with them any more.
func TestAttack09OffsetsDeletedOrSet(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, spoil := range map[string]struct {
		do  func(*world)
		say []string
	}{
		"offsets deleted": {func(w *world) {
			_, err := w.adm.DeleteOffsets(ctx, "counters", kadm.TopicsSet{"in": {0: {}}})
			require.NoError(w.t, err)
		}, []string{"holds state", "no offset committed", "written by group counters"}},
		"group deleted": {func(w *world) {
			_, err := w.adm.DeleteGroups(ctx, "counters")
			require.NoError(w.t, err)
		}, []string{"holds state", "no offset committed"}},
		"reset to the start":     {func(w *world) { w.commitByHand(0, "") }, []string{"offset 0 committed without a position"}},
		"set by another program": {func(w *world) { w.commitByHand(1, "some metadata") }, []string{"offset 1 committed without a position"}},
		"set with our metadata": {func(w *world) {
			_, metadata := w.committed(0)
			w.commitByHand(1, metadata)
		}, []string{"has offset 1 committed, but the state", "belongs to offset 3"}},
		"set to an older position": {func(w *world) {
			w.commitByHand(0, offsetMetadata(w.firstCommit()))
		}, []string{"holds a committed record", "no offset commit of group counters covers"}},
		"set to a position without a commit record": {func(w *world) {
			offset, _ := w.committed(0)
			w.commitByHand(offset, offsetMetadata(1))
		}, []string{"has no commit record at offset 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.ran("a=1", "a=2", "a=3")
			out := w.read("out")
			spoil.do(w)
			w.refused(w.options(), spoil.say...)
			require.Equal(t, out, w.read("out"))
		})
	}
}

// firstCommit is the position of the changelog's first commit record.
func (w *world) firstCommit() int64 {
	for _, r := range w.recordsOf("log", 0) {
		if isCommitKey(r.Key) {
			return r.Offset
		}
	}
	return -1
}

// A second group works on the same changelog, unfenced by the first.
func TestAttack09SecondGroupOnTheSameChangelog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "a=2", "a=3")
	p := w.start(w.options())
	w.awaitCommitted()
	second := w.options()
	second.Group, second.Store = "others", watch(w.store)
	w.refused(second, "holds state", "no offset committed", "written by group counters")
	w.send(0, "a=4", "a=5", "a=6")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// Both start on an empty changelog at once: the one that commits later finds the other's record before its own.
func TestAttack09SecondGroupStartsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	second := w.options()
	second.Group = "others"
	b := w.start(second)
	held := b.wire.trap(trap{key: kmsg.Produce, do: hold}) // it has seen the changelog empty
	held.await(t)
	w.send(0, "a=1", "a=2", "a=3")
	a := w.start(w.options())
	w.awaitCommitted()
	b.wire.release()
	// Where its transaction has timed out meanwhile, it finds the same as it begins anew.
	requireRefusal(t, b.ended(), "holds", "no offset", "group others", "written by group counters")
	require.Len(t, w.read("out"), 1)
	require.NoError(t, a.stop())
}

// Records beyond the committed offset have expired: going on would leave a gap.
func TestAttack11CommittedOffsetBelowTheLogsStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran("a=1", "a=2")
	w.send(0, "a=3", "a=4", "a=5")
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 4})
	_, err := w.adm.DeleteRecords(context.Background(), offsets)
	require.NoError(t, err)
	w.refused(w.options(), "is offset 2, but the log starts at 4: 2 records have expired unread", "retention")
	require.Empty(t, w.read("out"))
}

// The same under a live owner that has not read them yet.
func TestAttack11RecordsExpireUnderLiveOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "a=2")
	p := w.start(w.options())
	w.awaitCommitted()
	held := p.wire.trap(trap{key: kmsg.Fetch, do: hold})
	held.await(t)
	w.send(0, "a=3", "a=4", "a=5")
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 4})
	_, err := w.adm.DeleteRecords(context.Background(), offsets)
	require.NoError(t, err)
	p.wire.release()
	requireRefusal(t, p.ended(), "is offset 2, but the log starts at 4")
	require.Empty(t, w.read("out"))
}

// The input ends below the committed offset.
func TestAttack11CommittedOffsetBeyondTheLogsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.ran("a=1", "a=2")
	o := w.options()
	o.NewProcessor = func(string, int32) Processor { return &counter{every: 3} }
	r, err := New(context.Background(), func() Options { o.Client = w.build; return o }())
	require.NoError(t, err)
	defer r.plain.Close()
	x := &task{r: r, input: r.inputs["in"]}
	requireRefusal(t, x.checkInput(context.Background(), checkpoint{next: 3}), "is offset 3, but the log ends at 2")
	require.NoError(t, x.checkInput(context.Background(), checkpoint{next: 2}))
}

// Behind the position that the offset names there are only aborted transactions, and before it only what compaction has
// left: a record that a reader would wait for never comes.
func TestAttack15NothingToReadAtThePosition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	ctx := context.Background()
	value := "compact"
	_, err := w.adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}}, "log")
	require.NoError(t, err)
	w.ran("a=1", "a=2", "b=3", "a=4")
	w.ran("a=5", "b=6", "c=7")
	for i := range 3 {
		w.abortedOn("log", fmt.Sprint("aborted-", i))
	}
	w.store.Flush() // so that all of the changelog is read
	w.ran("a=8", "b=9", "c=10", "c=11")
	w.abortedOn("log", "aborted-after")
	w.cluster.Compact() // leaves the commit record at the position, and holes
	w.abortedOn("log", "aborted-last")
	w.ran("a=12", "b=13")
	w.requireExact()
}

// abortedOn leaves a record of an aborted transaction in a topic.
func (w *world) abortedOn(topic, id string) {
	w.t.Helper()
	ctx := context.Background()
	c, err := w.build(kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
	defer c.Close()
	require.NoError(w.t, c.BeginTransaction())
	require.NoError(w.t, c.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("a"), Value: []byte("aborted")}).FirstErr())
	require.NoError(w.t, c.EndTransaction(ctx, kgo.TryAbort))
}

// The changelog loses its end under a live owner, whose cache would hide it until somebody takes over.
func TestAttack22ChangelogTruncatedUnderLiveOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	_, topics, err := describeTopics(context.Background(), w.client, "log")
	require.NoError(t, err)
	w.send(0, "a=1", "a=2", "a=3")
	p := w.start(w.options())
	w.awaitCommitted()
	p.wire.trap(trap{key: kmsg.Produce, do: alterAnswer, alter: alterProduced(func(x *kmsg.ProduceResponseTopic, p *kmsg.ProduceResponseTopicPartition) {
		if x.Topic == "log" || x.TopicID == topics["log"].id {
			p.BaseOffset = 0
		}
	})})
	w.send(0, "b=4", "a=5")
	requireRefusal(t, p.ended(), "the changelog log-0 has lost records", "unclean leader election")
	offset, _ := w.committed(0)
	require.EqualValues(t, 3, offset, "nothing is committed on top of the loss")
}

// A crashed owner leaves its transaction open. Who takes over waits for the broker to end it, and for nothing more.
func TestAttack23OpenTransactionOfCrashedOwner(t *testing.T) {
	t.Parallel()
	for _, at := range []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		t.Run(at.Name(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			o := w.options()
			o.TransactionTimeout = time.Second
			a := w.start(o)
			w.send(0, "a=1", "a=2")
			w.awaitCommitted()
			dies := a.wire.trap(trap{key: at, do: kill})
			w.send(0, "a=3", "b=4", "a=5", "a=6", "b=7")
			dies.await(t)
			a.crash()
			b := w.start(w.options())
			w.awaitCommitted()
			require.Zero(t, b.stats.Takeovers.Load(), "the first takeover waits long enough")
			require.NoError(t, b.stop())
			w.requireExact()
		})
	}
}

// A store that does not answer holds no transaction open.
func TestAttack23HungStoreTimesNoTransactionOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	store := watch(w.store)
	o.Store = store
	p := w.start(o)
	p.awaitOwned(1)
	hangs, release := store.holdUp(func(op string, _ int32) bool { return op == "apply" })
	t.Cleanup(release)
	w.send(0, "a=1")
	<-hangs
	for i := range 10 {
		w.send(0, fmt.Sprintf("a=%d", i), fmt.Sprintf("b=%d", i))
		w.awaitCommitted()
	}
	require.Zero(t, p.stats.Unconfirmed.Load())
	require.Zero(t, p.stats.Takeovers.Load())
	release()
	require.NoError(t, p.stop())
	w.requireExact()
}

// State of another cluster lies in the store under the same keys, two deployments use one store, or their stores were
// swapped.
func TestAttack26StoreOfAnotherDeployment(t *testing.T) {
	t.Parallel()
	one, other := newWorld(t, 1, kfake.ClusterID("one")), newWorld(t, 1, kfake.ClusterID("other"))
	one.ran("a=1", "a=2", "a=3")
	other.ran("a=1")
	one.store, other.store = other.store, one.store
	one.send(0, "a=4")
	one.refused(one.options(), "the store holds the state of another deployment", "delete those keys")
	other.refused(other.options(), "the store holds the state of another deployment", "delete those keys")
	one.store, other.store = other.store, one.store
	one.ran("a=5", "a=6")
	one.requireExact()
	other.ran("a=2", "a=3")
	other.requireExact()
}

// A changelog of another deployment lies under the same prefix, and even the group and offset fit.
func TestAttack26ChangelogOfAnotherDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	ctx := context.Background()
	w.ran("a=1", "a=2", "b=3")
	// The log's records under another topic id, as a copy of the topic has it.
	old := w.recordsOf("log", 0)
	_, err := w.adm.DeleteTopics(ctx, "log")
	require.NoError(t, err)
	_, err = w.adm.CreateTopics(ctx, 1, 1, nil, "log")
	require.NoError(t, err)
	last := old[len(old)-1]
	require.True(t, isCommitKey(last.Key))
	require.NoError(t, w.client.ProduceSync(ctx, &kgo.Record{Topic: "log", Key: last.Key, Value: last.Value}).FirstErr())
	offset, _ := w.committed(0)
	w.commitByHand(offset, offsetMetadata(0))
	w.refused(w.options(), "belongs to another deployment", "the changelog topic's id is")
}
