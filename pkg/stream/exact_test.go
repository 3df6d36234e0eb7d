package stream

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requireExact checks that what was published and what is stored is what the input leads to: every output once and in
// order, in the changelog and in the mirror every state.
func (w *world) requireExact() {
	w.t.Helper()
	w.requireExactOutputs()
	for p := range w.partitions {
		want := truthOf(w.recordsOf("in", p), 3, 0, defaultMaxRecord)
		require.Equal(w.t, describe(want.states), describe(w.changelogStates(p)), "changelog of partition %d", p)
		require.Equal(w.t, describe(want.states), describe(w.mirrorStates(p, want)), "mirror of partition %d", p)
		require.Equal(w.t, listsOf(0, want.states), listsIn(w.store, w.partitionOf(p)), "lists of partition %d", p)
	}
}

func (w *world) requireExactOutputs() {
	w.t.Helper()
	for p := range w.partitions {
		want := truthOf(w.recordsOf("in", p), 3, 0, defaultMaxRecord)
		require.Equal(w.t, byEntity(want.out), byEntity(list(w.recordsOf("out", p))), "outputs of partition %d", p)
		require.Equal(w.t, want.dead, list(w.recordsOf("dead", p)), "dead letters of partition %d", p)
	}
}

func list(records []*kgo.Record) (l []string) {
	for _, r := range records {
		l = append(l, fmt.Sprintf("%s=%s", r.Key, r.Value))
	}
	return l
}

// changelogStates are the newest states that the changelog holds.
func (w *world) changelogStates(partition int32) map[string]count {
	states := map[string]count{}
	for _, r := range w.recordsOf("log", partition) {
		switch {
		case isCommitKey(r.Key):
		case r.Value == nil:
			delete(states, string(r.Key))
		default:
			states[string(r.Key)] = w.stateOf(r.Value)
		}
	}
	return states
}

// mirrorStates are the states that a reader of the store finds, asked for every key of the truth and of the changelog.
func (w *world) mirrorStates(partition int32, want truth) map[string]count {
	states, name := map[string]count{}, w.partitionOf(partition)
	keys := w.changelogStates(partition)
	for key := range want.states {
		keys[key] = count{}
	}
	for key := range keys {
		values, err := w.store.Get(context.Background(), name, key)
		require.NoError(w.t, err)
		if values[0] != nil {
			states[key] = w.stateOf(values[0])
		}
	}
	return states
}

func (w *world) stateOf(value []byte) count {
	_, encoded, err := Unwrap(value)
	require.NoError(w.t, err)
	s, err := new(counter).LoadState("", encoded)
	require.NoError(w.t, err)
	return *s.(*count)
}

// read returns everything committed in a topic, as "key=value" sorted.
func (w *world) read(topic string) (out []string) {
	for p := range w.partitions {
		out = append(out, list(w.recordsOf(topic, p))...)
	}
	slices.Sort(out)
	return out
}

// recordsOf returns everything committed in a partition.
func (w *world) recordsOf(topic string, partition int32) (out []*kgo.Record) {
	ctx := context.Background()
	_, topics, err := describeTopics(ctx, w.client, topic)
	require.NoError(w.t, err)
	start, err := listOffset(ctx, w.client, topic, partition, atStart)
	require.NoError(w.t, err)
	told := topics[topic]
	l := &logReader{client: w.client, topic: &told, partition: partition, position: start, maxWait: time.Millisecond}
	for {
		records, err := l.fetch(ctx)
		require.NoError(w.t, err)
		for _, r := range records {
			out = append(out, &kgo.Record{Offset: r.Offset, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		}
		if l.position >= l.stable {
			return out
		}
	}
}

// fetch returns what a broker answers for the first partition of a topic.
func (w *world) fetch(topic string, from int64) *kmsg.FetchResponseTopicPartition {
	_, topics, err := describeTopics(context.Background(), w.client, topic)
	require.NoError(w.t, err)
	c := &cursor{topic: topics[topic], tp: topicPartition{topic, 0}}
	raw, err := w.client.Broker(int(topics[topic].leaders[0])).Request(context.Background(), fetchRequest([]question{{cursor: c, from: from, epoch: -1, term: -1}}, 0))
	require.NoError(w.t, err)
	return &raw.(*kmsg.FetchResponse).Topics[0].Partitions[0]
}
