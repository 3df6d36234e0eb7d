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
	const begun, day = int64(1_750_000_000_000), int64(86_400_000)
	ids := accounts(3000)
	run := func(records ...*kgo.Record) {
		p := start(t, c).awaitReady()
		w.send(records...)
		w.awaitCommitted("pql.activation", "usage")
		p.stop()
	}
	var signUps, later []*kgo.Record
	for i, id := range ids {
		signUps = append(signUps, jsonOf(&usage.Event{AccountID: id, Name: "signed_up", OccurredAt: begun + int64(i)}))
	}
	run(signUps...)
	require.Empty(t, w.qualified())

	for clocks, i := map[int32]bool{}, 0; len(clocks) < partitions; i++ { // time moves partition by partition
		id := fmt.Sprint("clock-", i)
		if p := kafka.Partition([]byte(id), partitions); !clocks[p] {
			clocks[p] = true
			later = append(later, jsonOf(&usage.Event{AccountID: id, Name: "signed_up", OccurredAt: begun + 20*day}))
		}
	}
	run(later...)
	requireOnce(t, ids, w.qualified())
	for _, r := range w.read("pql.events") {
		f, detected, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		assert.Equal(t, account.ByTime, f.Cause)
		assert.Equal(t, f.SignedUpAt+14*day, f.OccurredAt)
		assert.True(t, detected.Backfill)
		assert.WithinDuration(t, time.Now(), time.UnixMilli(detected.DetectedAt), time.Hour)
	}
	run(jsonOf(&usage.Event{AccountID: ids[0], Name: "signed_up", OccurredAt: begun + 30*day}))
	requireOnce(t, ids, w.qualified())
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
