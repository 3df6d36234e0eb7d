package app

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// trialRules qualify an account whose trial is over.
const trialRules = `
version: 1
name: trials
signup: {event: signed_up}
trial: {days: 14}
tiers: [{name: all, threshold: 1.0}]
steps:
  - {id: trial_over, kind: trial, finished: true}
`

// Timers fire for accounts that are long out of memory, in another process than set them, each once, whatever other
// account's event moves time on; and they are as of when they were due, not of when that was noticed.
func TestTimersFireOnceAsOfWhenTheyWereDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(trialRules), 0o600))
	c := w.settings()
	c.Runtime.CacheAccounts = 100 // fewer than there are
	const day, minute = int64(86_400_000), int64(60_000)
	// By the clock the trials end in three minutes, less the disorder.
	now := time.Now().UnixMilli()
	begun := now - 14*day - c.Runtime.AllowedDisorder.Milliseconds() + 3*minute
	ids := accounts(3000)
	run := func(qualified int, records ...*kgo.Record) {
		p := start(t, c).awaitReady()
		w.send(records...)
		w.awaitCommitted("pql.activation", "usage")
		// What is due fires in slices, between which commits are made: a stop leaves the rest to the next owner.
		require.Eventually(t, func() bool { return len(w.qualified()) >= qualified }, patience, 20*time.Millisecond)
		p.stop()
	}
	var signUps, later []*kgo.Record
	for i, id := range ids {
		signUps = append(signUps, jsonOf(&usage.Event{AccountID: id, Name: "signed_up", OccurredAt: begun + int64(i)}))
	}
	run(0, signUps...)
	require.Empty(t, w.qualified())

	for clocks, i := map[int32]bool{}, 0; len(clocks) < partitions; i++ { // time moves partition by partition
		id := fmt.Sprint("clock-", i)
		if p := kafka.Partition([]byte(id), partitions); !clocks[p] {
			clocks[p] = true
			later = append(later, written(now+9*minute, id))
		}
	}
	run(len(ids), later...)
	requireOnce(t, ids, w.qualified())
	for _, r := range w.read("pql.events") {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		assert.Equal(t, account.ByTime, f.Cause)
		assert.Equal(t, f.SignedUpAt+14*day, f.OccurredAt)
	}
	run(len(ids), written(now+9*minute, ids[0]))
	requireOnce(t, ids, w.qualified())
}

// written is a sign-up that happens when its record is written.
func written(at int64, id string) *kgo.Record {
	r := jsonOf(&usage.Event{AccountID: id, Name: "signed_up", OccurredAt: at})
	r.Timestamp = time.UnixMilli(at)
	return r
}

// requireOnce names the accounts that have not qualified exactly once.
func requireOnce(t *testing.T, ids []string, qualified map[string]int) {
	t.Helper()
	var wrong []string
	for _, id := range ids {
		if qualified[id] != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: %d", id, qualified[id]))
		}
	}
	require.Empty(t, wrong)
	require.Len(t, qualified, len(ids), "others have qualified")
}

// Timers fire on time where nothing happens any more: the first stage has read all there is, so time passes by the clock. A
// stage behind it is told.
func TestTimersFireWhereNothingComes(t *testing.T) {
	for name, stages := range map[string][]config.Stage{
		"read directly": {config.Activation}, "through ingest": {config.Ingest, config.Activation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).up()
			require.NoError(t, os.WriteFile(w.checklist, []byte(trialRules), 0o600))
			c := w.settings()
			c.Stages, c.Input.UsagePartitions = stages, partitions
			begun := time.Now().Add(-14*24*time.Hour - c.Runtime.AllowedDisorder)
			over := begun.Add(time.Minute).UnixMilli() // is past
			notOver := begun.Add(-c.Runtime.AllowedDisorder).Add(time.Hour).UnixMilli()
			ids := accounts(20)
			var signUps []*kgo.Record
			for _, id := range ids {
				signUps = append(signUps, jsonOf(&usage.Event{AccountID: id, Name: "signed_up", OccurredAt: over - int64(time.Hour/time.Millisecond)}),
					jsonOf(&usage.Event{AccountID: id + "-later", Name: "signed_up", OccurredAt: notOver}))
			}
			w.send(signUps...)
			start(t, c).awaitReady()
			require.Eventually(t, func() bool { return len(w.qualified()) >= len(ids) }, patience, 20*time.Millisecond)
			requireOnce(t, ids, w.qualified())
		})
	}
}

// Devices whose clocks are ahead, by less than is refused, keep nothing waiting.
func TestADeviceWhoseClockIsAheadHoldsNoTimeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(trialRules), 0o600))
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	c.Runtime.AllowedDisorder = time.Second
	start(t, c).awaitReady()
	for i := range 2 * partitions { // one in each partition of the source, at least
		w.send(jsonOf(&usage.Event{AccountID: fmt.Sprint("device-", i), Name: "signed_up", OccurredAt: time.Now().Add(c.Runtime.FutureTolerance - time.Minute).UnixMilli()}))
	}
	w.awaitCommitted("pql.ingest", "usage")
	over := time.Now().Add(-14*24*time.Hour + 2*time.Second)
	w.send(jsonOf(&usage.Event{AccountID: "acme", Name: "signed_up", OccurredAt: over.UnixMilli()}))
	require.Eventually(t, func() bool { return len(w.qualified()) > 0 }, patience, 20*time.Millisecond)
	requireOnce(t, []string{"acme"}, w.qualified())
}

// While history is replayed no clock passes time. Partitions of a source that hold nothing don't keep that of the other from passing.
func TestAnEmptyPartitionHoldsNoReplayBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	w.createTopic("clicks", 3)
	require.NoError(t, os.WriteFile(w.checklist, []byte(trialRules), 0o600))
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	c.Input.Sources = []config.Source{{Topic: "clicks", Format: config.JSON}}
	c.Runtime.Replay = true
	at := time.Date(2025, 6, 2, 10, 0, 0, 0, time.UTC)
	for account, at := range map[string]time.Time{"acme": at, "later": at.AddDate(0, 2, 0)} {
		r := written(at.UnixMilli(), account)
		r.Topic, r.Partition = "clicks", 1
		require.NoError(t, w.plain.ProduceSync(t.Context(), r).FirstErr())
	}
	start(t, c).awaitReady()
	require.Eventually(t, func() bool { return len(w.qualified()) > 0 }, patience, 20*time.Millisecond)
	requireOnce(t, []string{"acme"}, w.qualified())
}
