package app

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// usageOf is a record with an event in canonical JSON.
func usageOf(accountID, name string) *kgo.Record {
	return jsonOf(&usage.Event{AccountID: accountID, UserID: "user", Name: name, OccurredAt: time.Now().Add(-time.Hour).UnixMilli()})
}

func jsonOf(ev *usage.Event) *kgo.Record {
	encoder, err := codec.NewEventEncoder(codec.JSON, 0)
	if err != nil {
		panic(err)
	}
	return &kgo.Record{Topic: "usage", Key: []byte(ev.AccountID), Value: encoder.AppendUsage(nil, ev)}
}

// send appends records to their topics, each to the partition of its key.
func (w *world) send(records ...*kgo.Record) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...))
	require.NoError(w.t, err)
	defer client.Close()
	require.NoError(w.t, client.ProduceSync(w.t.Context(), records...).FirstErr())
}

// awaitCommitted waits until a group has committed all of a topic.
func (w *world) awaitCommitted(group, topic string) {
	w.t.Helper()
	state := ""
	require.Eventually(w.t, func() bool {
		ends, err := w.admin().ListEndOffsets(w.t.Context(), topic)
		if err != nil {
			return false
		}
		committed, err := w.admin().FetchOffsets(w.t.Context(), group)
		if err != nil {
			return false
		}
		done := len(ends[topic]) > 0
		state = ""
		ends.Each(func(o kadm.ListedOffset) {
			c, ok := committed.Lookup(topic, o.Partition)
			done = done && (ok && c.At >= o.Offset || o.Offset == 0)
			state += fmt.Sprintf("%d: %d of %d; ", o.Partition, c.At, o.Offset)
		})
		return done
	}, patience, poll, "%s of %s: %s", group, topic, lazy(func() string { return state }))
}

// read returns what is committed in a topic now.
func (w *world) read(topic string) (out []*kgo.Record) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	require.NoError(w.t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(w.t.Context())
		require.NoError(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
		})
	}
	return out
}

// qualified counts by account how often it is said to have qualified.
func (w *world) qualified() map[string]int {
	w.t.Helper()
	times := map[string]int{}
	for _, r := range w.read("pql.events") {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(w.t, err)
		if f.Type == account.Qualified {
			times[f.AccountID]++
		}
	}
	return times
}

// accounts are n accounts' ids.
func accounts(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("account-%d", i))
	}
	return ids
}

// sendAll sends one event of each account.
func (w *world) sendAll(ids []string, name string) {
	w.t.Helper()
	var records []*kgo.Record
	for _, id := range ids {
		records = append(records, usageOf(id, name))
	}
	w.send(records...)
}

// requireQualified checks that exactly these accounts have qualified, each once.
func (w *world) requireQualified(ids ...string) {
	w.t.Helper()
	want := map[string]int{}
	for _, id := range ids {
		want[id] = 1
	}
	require.Equal(w.t, want, w.qualified())
}
