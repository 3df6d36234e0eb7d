package app

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// resolving are the settings of a process that finds the accounts of users.
func (w *world) resolving(stages ...config.Stage) *config.Config {
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = stages, partitions
	c.Input.Identity.UsersWithoutAccount = config.ResolveUsers
	return c
}

var allStages = []config.Stage{config.Ingest, config.Resolve, config.Activation}

// did is an event some time ago, in the partition of its user. Without an account it names the user alone.
func did(user, accountID, name string, ago time.Duration) *kgo.Record {
	r := jsonOf(&usage.Event{ID: user + accountID + name, AccountID: accountID, UserID: user, Name: name, OccurredAt: time.Now().Add(-ago).UnixMilli()})
	r.Key = []byte(user)
	return r
}

// awaitPassed waits until all that is there has passed through all stages.
func (w *world) awaitPassed(c *config.Config) {
	w.t.Helper()
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Resolve), "pql.unresolved")
	w.awaitCommitted(c.Group(config.Activation), "pql.usage")
}

// usageEvents counts the events that activation reads: ACCOUNT:USER:EVENT.
func (w *world) usageEvents() map[string]int {
	w.t.Helper()
	times := map[string]int{}
	for _, r := range w.read("pql.usage") {
		if len(r.Key) == 0 {
			continue // a mark
		}
		var ev struct {
			Account string `json:"account_id"`
			User    string `json:"user_id"`
			Event   string `json:"event"`
		}
		require.NoError(w.t, json.Unmarshal(r.Value, &ev))
		require.Equal(w.t, string(r.Key), ev.Account)
		times[ev.Account+":"+ev.User+":"+ev.Event]++
	}
	return times
}

// unresolved counts the dead letters of events whose users nobody knows: USER:EVENT.
func (w *world) unresolved() map[string]int {
	w.t.Helper()
	times := map[string]int{}
	for _, r := range w.read("pql.dead-letters") {
		letter, err := codec.DecodeDeadLetter(r.Value)
		require.NoError(w.t, err)
		require.Equal(w.t, "user_without_account", letter.Reason, letter.Message)
		require.Equal(w.t, "usage", letter.Topic, "where the source's record is")
		var ev struct{ Event string }
		require.NoError(w.t, json.Unmarshal(letter.Value, &ev))
		times[string(letter.Key)+":"+ev.Event]++
	}
	return times
}

// Events that name only a user, before and after it is known whose they are, by users of one account, of several, of none.
func TestUsersFindTheirAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.resolving(allStages...)
	c.Input.Identity.Hold = time.Hour
	var want []string
	events, dead := map[string]int{}, map[string]int{}
	var records []*kgo.Record
	add := func(user, accountID, name, belongs string, ago time.Duration) {
		records = append(records, did(user, accountID, name, ago))
		if belongs == "" {
			dead[user+":"+name]++
			return
		}
		events[belongs+":"+user+":"+name]++
	}
	for i, id := range accounts(40) {
		user := fmt.Sprint("user-", i)
		add(user, "", "one", id, 5*time.Hour)       // waits
		add(user, id, "signed_up", id, 4*time.Hour) // the link
		add(user, "", "two", id, 3*time.Hour)       // is known
		add(fmt.Sprint("stranger-", i), "", "one", "", 5*time.Hour)
		want = append(want, id)
	}
	add("both", "first", "signed_up", "first", 6*time.Hour)
	add("both", "", "one", "first", 5*time.Hour)
	add("both", "second", "signed_up", "second", 4*time.Hour)
	add("both", "", "two", "second", 3*time.Hour)
	add("both", "first", "came_back", "first", 2*time.Hour)
	add("both", "", "two", "first", time.Hour)
	want = append(want, "first")

	w.send(records...)
	p := start(t, c).awaitReady()
	// Strangers' events are given up as time passes by the clock.
	require.Eventually(t, func() bool { return len(w.unresolved()) == len(dead) }, patience, 50*time.Millisecond)
	w.awaitPassed(c)
	for _, outcome := range []string{`"attributed"} 83`, `"held"} 80`, `"dropped"} 40`, `"erased"} 0`} {
		p.awaitMetric("pqlstream_user_events_total{outcome=" + outcome)
	}
	p.awaitMetric(`pqlstream_partitions_owned{stage="resolve"} 4`)
	p.stop()
	w.requireQualified(want...)
	require.Equal(t, events, w.usageEvents())
	require.Equal(t, dead, w.unresolved())
}

// What waits outlasts processes, and the loss of Redis.
func TestHeldEventsOutlastTheirProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.resolving(allStages...)
	run := func(records ...*kgo.Record) {
		p := start(t, c).awaitReady()
		w.send(records...)
		w.awaitPassed(c)
		p.stop()
	}
	var waiting, links, later []*kgo.Record
	events := map[string]int{}
	for i, id := range accounts(30) {
		user := fmt.Sprint("user-", i)
		waiting = append(waiting, did(user, "", "one", 3*time.Hour))
		links = append(links, did(user, id, "signed_up", 2*time.Hour))
		later = append(later, did(user, "", "two", time.Hour))
		for _, name := range []string{"one", "signed_up", "two"} {
			events[id+":"+user+":"+name] = 1
		}
	}
	run(waiting...)
	require.Empty(t, w.usageEvents())
	w.redis.FlushAll()
	run(links...)
	w.redis.FlushAll()
	run(later...)
	require.Equal(t, events, w.usageEvents())
	w.requireQualified(accounts(30)...)
	require.Empty(t, w.unresolved())
}

// Time does not pass in activation while an event waits in front of a resolve stage that stands still: it would be late, and
// what time does would have been done before it.
func TestActivationWaitsForResolve(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(trialRules+"  - {id: one, kind: event, event: one}\n"), 0o600))
	const fortnight = 14 * 24 * time.Hour
	w.send(did("ana", "acme", "signed_up", fortnight+time.Hour), did("ana", "", "one", 2*time.Hour))

	others := w.resolving(config.Ingest, config.Activation)
	start(t, others).awaitReady()
	over := time.Now().Add(-30 * time.Minute).UnixMilli() // the trial has ended by then
	require.Eventually(t, func() bool { return w.toldOf("usage", over) == partitions }, patience, 50*time.Millisecond, "ingest has told so")
	w.awaitCommitted(others.Group(config.Activation), "pql.usage")
	for _, r := range w.read("pql.lifecycle") {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		require.NotEqual(t, account.ByTime, f.Cause, "time has passed already")
	}

	start(t, w.resolving(config.Resolve)).awaitReady()
	require.Eventually(t, func() bool { return len(w.qualified()) > 0 }, patience, 20*time.Millisecond, "time goes on now")
	w.requireQualified("acme")
	for _, r := range w.read("pql.lifecycle") {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		assert.False(t, f.Late, f.Type)
		if f.Type == account.Qualified {
			assert.Equal(t, account.ByTime, f.Cause, "the trial's end came last")
		}
	}
}

// toldOf counts the partitions of a source of which activation's topic says that time has come so far.
func (w *world) toldOf(source string, watermark int64) int {
	w.t.Helper()
	told := map[int32]bool{}
	for _, r := range w.read("pql.usage") {
		var m stream.Mark
		if len(r.Key) > 0 || json.Unmarshal(r.Value, &m) != nil || m.Topic != source || m.Watermark < watermark {
			continue
		}
		told[m.Partition] = true
	}
	return len(told)
}

// Requests go to those who can answer them, in order with the events; until then nothing of them is usage.
func TestRequestsTravelWithTheEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.resolving(config.Ingest, config.Resolve)
	c.Input.Identity.Merge = config.MergeEvent{Event: "account_merged", From: "properties.old"}
	c.Input.Identity.EraseAccount.Event, c.Input.Identity.EraseUser.Event = "account_erased", "user_erased"
	merge := jsonOf(&usage.Event{AccountID: "acme", Name: "account_merged", OccurredAt: time.Now().UnixMilli(), Properties: []usage.Property{{Key: "old", Value: usage.StringValue("beta")}}})
	w.send(did("ana", "acme", "one", time.Hour), did("ana", "beta", "one", time.Hour), did("ana", "", "user_erased", time.Minute), merge, did("", "acme", "account_erased", 0))
	p := start(t, c).awaitReady()
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Resolve), "pql.unresolved")
	p.stop()
	kinds := map[string]int{}
	for _, r := range w.read("pql.usage") {
		if i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "pqlstream-control" }); i >= 0 {
			var request struct{ Account, Into, User string }
			require.NoError(t, json.Unmarshal(r.Value, &request))
			kinds[string(r.Headers[i].Value)+":"+request.Account+":"+request.Into+request.User]++
		}
	}
	delete(kinds, "mark::")
	require.Equal(t, map[string]int{"merge:beta:acme": 1, "erase-account:acme:": 1, "erase-user:acme:ana": 1, "erase-user:beta:ana": 1}, kinds)
	require.Equal(t, map[string]int{"acme:ana:one": 1, "beta:ana:one": 1}, w.usageEvents())
}

// An event that was held by another process can be read once its user is known, though the registry is out of reach by then:
// nothing can wait for that in the middle of a fold.
func TestHeldEventsNeedNoRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	registry := newBreakable(t)
	c := w.resolving(allStages...)
	c.Registry.URL, c.Output.Format = registry.URL(), config.Avro
	p := start(t, c).awaitReady()
	w.send(did("ana", "", "one", 3*time.Hour))
	w.awaitPassed(c)
	p.stop()
	p = start(t, c).awaitReady()
	registry.down.Store(true)
	w.send(did("ana", "acme", "two", 2*time.Hour))
	w.awaitPassed(c)
	p.stop()
	w.requireQualified("acme")
}
