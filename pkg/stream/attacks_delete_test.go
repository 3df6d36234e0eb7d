package stream

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Between two checkpoints an account is erased, which publishes something: the tombstone must not go out with an
// emission. After a crash the records before it would be folded again, into an account that knows nothing.
func TestAttack06ErasedAfterTheCheckpoint(t *testing.T) {
	t.Parallel()
	for name, erasure := range map[string]struct {
		records []string
		outputs int
	}{
		"by a record": {[]string{"b=12,erase"}, 1},
		"by a timer":  {[]string{"b=12,stub", "c=500", "c=501", "c=502"}, 3},
		// The output is an earlier record's, the erasure publishes nothing.
		"after an output": {[]string{"b=12", "b=13,erase"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			o := w.options()
			o.CheckpointInterval = time.Hour
			p := w.start(o)
			p.awaitOwned(1)
			w.send(0, "a=1", "a=2", "x=3,unowned")
			w.awaitCommitted()
			w.send(0, append([]string{"b=10", "b=11"}, erasure.records...)...)
			w.await("what the erasure led to", func() bool { return len(w.read("out")) == 1+erasure.outputs })
			p.crash()

			p = w.start(w.options())
			w.send(0, "b=600", "b=601", "b=602", "a=603")
			w.awaitCommitted()
			require.NoError(t, p.stop())
			w.requireExact()
		})
	}
}

// A stub has become a tombstone and the account returns: it begins anew, and nothing that it is given may be what it had
// before. Its incarnation is the offset of the record that it returns with.
func TestAttack31AnErasedAccountReturns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	for life := range 3 {
		p := w.start(o)
		at := func(key string, ms int, command string) string {
			return fmt.Sprintf("%s=%d%s", key, 1000*(life+1)+ms, command)
		}
		w.send(0, at("a", 0, ""), at("b", 1, ""), at("a", 2, ""), at("b", 3, ""), at("a", 4, ""), at("b", 5, ""))
		w.awaitCommitted()
		p.crash()
		p = w.start(o)
		w.send(0, at("a", 20, ",stub"), at("c", 900, ""))
		w.awaitCommitted()
		w.send(0, at("b", 920, ",erase"))
		w.awaitCommitted()
		if life == 1 {
			w.store.Flush() // it comes back from the changelog alone
		}
		require.NoError(t, p.stop())
		require.NotContains(t, w.changelogStates(0), "a")
		require.NotContains(t, w.changelogStates(0), "b")
	}
	w.takenOver()
	w.requireExact()
	var lives []string
	for _, out := range w.read("out") {
		if out[0] == 'a' || out[0] == 'b' {
			lives = append(lives, out[:2]+incarnation.FindString(out))
		}
	}
	require.Len(t, lives, 6)
	slices.Sort(lives)
	require.Len(t, slices.Compact(lives), 6)
}

// The same as with the snapshot that has a ghost, with a real erasure: compaction has taken the tombstone away by the time
// that the old snapshot is back.
func TestAttack14TombstoneCleanedByCompaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.setConfigs("log", map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "0"})
	w.ran("a=1", "ghost=2", "ghost=3")
	old := w.store.Snapshot()
	w.ran("ghost=4,erase", "a=5")
	require.Contains(t, list(w.recordsOf("log", 0)), "ghost=")
	w.ran("b=6") // what was written last is not compacted
	w.compact("log")
	for _, r := range w.recordsOf("log", 0) {
		require.NotEqual(t, "ghost", string(r.Key), "the changelog says nothing of it any more")
	}
	w.store.Restore(old)
	o := w.options()
	o.TombstoneRetention = 24 * time.Hour
	w.store.Advance(o.TombstoneRetention)
	p := w.start(o)
	p.awaitOwned(1)
	require.EqualValues(t, 1, p.stats.Rebuilds.Load())
	w.send(0, "ghost=7", "ghost=8", "a=9")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// A mirror that is brought forward, and one that is built anew, hold nothing of what was erased meanwhile.
func TestDeletedStatesLeaveTheMirror(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := newWorld(t, 1)
		w.ran("a=1", "b=2", "b=3,stub")
		old := w.store.Snapshot()
		w.ran("a=4,erase", "c=500") // b's time has come
		w.store.Restore(old)
		if lost {
			w.store.Flush()
		}
		w.takenOver()
		due, err := w.store.Open(w.partitionOf(0), math.MaxInt64).Due(t.Context(), 0, 0, math.MaxInt64, 10)
		require.NoError(t, err)
		require.Empty(t, due)
		w.requireExact()
	}
}

// compact compacts, and has the broker answer who reads a topic from its start as Kafka does: there compaction leaves the
// start where it was.
func (w *world) compact(topic string) {
	w.cluster.Compact()
	_, topics, err := describeTopics(w.t.Context(), w.client, topic)
	require.NoError(w.t, err)
	start, err := listOffset(w.t.Context(), w.client, topic, 0, atStart)
	require.NoError(w.t, err)
	w.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		for _, t := range req.(*kmsg.FetchRequest).Topics {
			for i := range t.Partitions {
				if t.Topic == topic || t.TopicID == topics[topic].id {
					t.Partitions[i].FetchOffset = max(t.Partitions[i].FetchOffset, start)
				}
			}
		}
		return nil, nil, false
	})
}

// setConfigs sets a topic's configs.
func (w *world) setConfigs(topic string, configs map[string]string) {
	var alter []kadm.AlterConfig
	for name, value := range configs {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	_, err := w.adm.AlterTopicConfigs(context.Background(), alter, topic)
	require.NoError(w.t, err)
}
