package app

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/deadletter"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// twice is a checklist that tells whether one event has counted once or twice.
const twice = `
version: 1
name: twice
inactivity: {days: 0}
tiers: [{name: all, threshold: 1.0}]
steps: [{id: two, kind: count, event: made, at_least: 2}]
`

func produced(id, accountID string) *kgo.Record {
	r := jsonOf(&usage.Event{ID: id, AccountID: accountID, UserID: "user", Name: "made", OccurredAt: time.Now().Add(-time.Hour).UnixMilli()})
	r.Headers = []kgo.RecordHeader{{Key: "made-by", Value: []byte("test")}}
	return r
}

// prepare finds what a query asks for.
func (w *world) prepare(c *config.Config, q deadletter.Query) *deadletter.Replay {
	w.t.Helper()
	replay, err := deadletter.Prepare(w.t.Context(), w.plain, c, q, "", func(int) {})
	require.NoError(w.t, err)
	return replay
}

// replay sends what a query asks for again, and waits until it has been used.
func (w *world) replay(c *config.Config, q deadletter.Query, records int) {
	w.t.Helper()
	sent, err := w.prepare(c, q).Send(w.t.Context(), func(int, int) {})
	require.NoError(w.t, err)
	require.Equal(w.t, records, sent)
	w.awaitUsed(c)
}

func (w *world) awaitUsed(c *config.Config) {
	w.t.Helper()
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Activation), "pql.usage")
}

// Events that a wrong mapping has made dead letters of count, once it is right and they are sent again; those with an id once, however often
// they are.
func TestWhatIsSentAgainCounts(t *testing.T) {
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(twice), 0o600))
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	c.Input.Sources[0].Fields.AccountID = "organisation"
	sent := []*kgo.Record{produced("first", "acme"), produced("", "nameless")}
	p := start(t, c).awaitReady()
	w.send(sent...)
	w.awaitUsed(c)
	require.Len(t, w.read("pql.dead-letters"), 2)
	all := deadletter.Query{Codes: []string{usage.CodeAccountIDMissing}}
	w.replay(c, all, 2)
	again := w.prepare(c, all)
	require.Len(t, again.Letters(), 2, "they have failed again, and are sent once")
	require.Len(t, again.Refused, 2)
	assert.Contains(t, again.Refused[0].Why.Error(), "failed again: "+again.Letters()[0].ID()+" is the letter now")
	assert.Equal(t, again.Refused[0].Letter.ID(), again.Letters()[0].Replays())
	p.stop()

	c.Input.Sources[0].Fields.AccountID = ""
	p = start(t, c).awaitReady()
	w.replay(c, all, 2)
	w.requireQualified()
	w.replay(c, all, 2)
	w.requireQualified("nameless") // nobody knows that it is the same
	w.send(produced("second", "acme"))
	w.awaitUsed(c)
	w.requireQualified("nameless", "acme")
	p.stop()
	assert.Len(t, w.read("pql.dead-letters"), 4)
	w.requireAsTheyWere(sent)
}

// requireAsTheyWere checks that all records of usage that were sent again are as they were but for the header that says so.
func (w *world) requireAsTheyWere(sent []*kgo.Record) {
	w.t.Helper()
	times := 0
	for _, r := range w.read("usage") {
		was := sent[0]
		if string(r.Key) == string(sent[1].Key) {
			was = sent[1]
		}
		if len(r.Headers) < 2 {
			continue
		}
		times++
		id := (&deadletter.Letter{DeadLetter: codec.DeadLetter{Topic: "usage", Partition: was.Partition, Offset: was.Offset}}).ID()
		require.Equal(w.t, append(was.Headers[:1:1], kgo.RecordHeader{Key: deadletter.HeaderReplayed, Value: []byte(id)}), r.Headers)
		require.Equal(w.t, was.Value, r.Value)
		require.Equal(w.t, was.Partition, r.Partition)
		require.Equal(w.t, was.Timestamp.UnixMilli(), r.Timestamp.UnixMilli())
	}
	require.Equal(w.t, 6, times)
}

// What lay in another partition than its account's goes to where its key belongs.
func TestWhatLayInTheWrongPartitionIsSentToTheRightOne(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	p := start(t, c).awaitReady()
	var sent []*kgo.Record
	for _, name := range []string{"one", "two"} {
		r := usageOf("acme", name)
		r.Partition = (kafka.Partition(r.Key, partitions) + 1) % partitions
		sent = append(sent, r)
	}
	require.NoError(t, w.plain.ProduceSync(t.Context(), sent...).FirstErr())
	w.awaitCommitted(c.Group(config.Activation), "usage")
	w.requireQualified()
	q := deadletter.Query{Codes: []string{pipeline.CodeWrongPartition}}
	replayed, err := w.prepare(c, q).Send(t.Context(), func(int, int) {})
	require.NoError(t, err)
	require.Equal(t, 2, replayed)
	w.awaitCommitted(c.Group(config.Activation), "usage")
	w.requireQualified("acme")
	p.stop()
}
