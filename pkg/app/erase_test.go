package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// teamRules keep something of users in every way that there is.
const teamRules = `
version: 1
name: team
tiers: [{name: all, threshold: 0.5}]
properties: [{name: owner, type: string, from: [{event: one, property: owner}]}]
steps:
  - {id: one, kind: event, event: one}
  - {id: team, kind: distinct, event: joined, of: user_id, at_least: 3}
  - {id: reports, kind: count, event: report, at_least: 5}
`

func (w *world) eraser(c *config.Config) *Eraser {
	w.t.Helper()
	e, err := OpenEraser(w.t.Context(), c, slog.New(slog.NewTextHandler(w.t.Output(), nil)))
	require.NoError(w.t, err)
	w.t.Cleanup(e.Close)
	return e
}

// erase asks for what was found and waits.
func (w *world) erase(x *Erasure, err error) *EraseReport {
	w.t.Helper()
	require.NoError(w.t, err)
	require.NoError(w.t, x.Ask(w.t.Context()))
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, x.Await(ctx, func(int, int) {}))
	report, err := x.Report(w.t.Context())
	require.NoError(w.t, err)
	require.True(w.t, report.Done)
	return report
}

// roles are the targets of an erasure: ROLE:ACCOUNT.
func roles(x *Erasure, err error) (list []string) {
	if err != nil {
		return []string{err.Error()}
	}
	for _, t := range x.Targets {
		list = append(list, string(t.Is)+":"+t.Account)
	}
	return list
}

// holding lists where a text can still be found of all that is newest: in Redis, and in compacted topics by key.
func (w *world) holding(text string) (places []string) {
	w.t.Helper()
	for _, key := range w.redis.Keys() {
		if w.redis.Type(key) != "hash" {
			continue
		}
		fields, err := w.redis.HKeys(key)
		require.NoError(w.t, err)
		for _, field := range fields {
			if strings.Contains(w.redis.HGet(key, field), text) {
				places = append(places, key+" "+field)
			}
		}
	}
	for _, topic := range []string{"pql.activation.changelog", "pql.current", "pql.resolve.changelog", "pql.ingest.usage.changelog"} {
		newest := map[string]*kgo.Record{}
		for _, r := range w.read(topic) {
			newest[fmt.Sprint(r.Partition, ":", string(r.Key))] = r
		}
		for _, r := range newest {
			if strings.Contains(string(r.Value), text) {
				places = append(places, topic+" "+string(r.Key))
			}
		}
	}
	return places
}

func told(accountID, user, name string, ago time.Duration, properties ...usage.Property) *kgo.Record {
	r := jsonOf(&usage.Event{ID: uuid.NewString(), AccountID: accountID, UserID: user, Name: name, OccurredAt: time.Now().Add(-ago).UnixMilli(), Properties: properties})
	r.Key = []byte(user)
	return r
}

func TestErasingByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(teamRules), 0o600))
	c := w.resolving(allStages...)
	c.Input.Identity.Merge = config.MergeEvent{Event: "account_merged", From: "properties.old"}
	const ana, bob = "ana-5ecret", "bob-0ther"
	property := func(key, value string) usage.Property {
		return usage.Property{Key: key, Value: usage.StringValue(value)}
	}
	p := start(t, c).awaitReady()
	w.send(
		told("acme", ana, "one", 9*time.Hour), told("acme", ana, "joined", 8*time.Hour), told("acme", bob, "joined", 7*time.Hour),
		told("acme", "cleo", "joined", 6*time.Hour), told("beta", bob, "one", 5*time.Hour, property("owner", ana)),
		told("counts", ana, "report", 5*time.Hour), told("knows-not", bob, "report", 5*time.Hour),
		told("old", bob, "report", 5*time.Hour), told("", ana, "report", 4*time.Hour), told("", "stranger", "report", 4*time.Hour))
	w.awaitPassed(c)
	w.send(told("acme", "", "account_merged", time.Hour, property("old", "old")))
	w.awaitPassed(c)
	require.NotEmpty(t, w.holding(ana))

	e := w.eraser(c)
	require.Equal(t, []string{"resolving:", "knows:acme", "knows:beta", "knows:counts", "named:knows-not"}, roles(e.FindUser(t.Context(), ana, []string{"old", "knows-not"})))
	report := w.erase(e.FindUser(t.Context(), ana, nil))
	require.Empty(t, w.holding(ana))
	partly := map[string]bool{}
	for _, target := range report.Asked {
		require.True(t, target.Done)
		partly[target.Account] = target.PartlyErased
	}
	require.Equal(t, map[string]bool{"": false, "acme": true, "beta": false, "counts": true}, partly)
	report = w.erase(e.FindUser(t.Context(), "stranger", nil))
	require.Len(t, report.Asked, 1, "an event waits for an account of this one")
	require.Empty(t, w.holding("stranger"))
	w.erase(e.FindUser(t.Context(), "nobody", []string{"beta"})) // and who is unknown changes nothing

	// An account is one with those that were merged into it.
	want := []string{"account:acme", "merged:old"}
	require.Equal(t, want, roles(e.FindAccount(t.Context(), "acme")))
	x, err := e.FindAccount(t.Context(), "old")
	require.Equal(t, want, roles(x, err))
	require.Equal(t, 2, x.Linked)
	report = w.erase(x, err)
	require.Equal(t, "old", report.Account)
	for _, id := range []string{"acme", "old"} {
		s, _, err := e.accounts.State(t.Context(), id)
		require.NoError(t, err)
		require.True(t, e.accounts.Engine().View(s, 0).Erased)
	}
	var row *kgo.Record
	for _, r := range w.read("pql.current") {
		if string(r.Key) == "acme" {
			row = r
		}
	}
	require.NotNil(t, row)
	require.Nil(t, row.Value)

	// What happens later starts from nothing.
	w.send(told("acme", "dora", "one", -time.Minute), told("old", "dora", "report", -time.Minute), told("beta", ana, "joined", time.Minute))
	w.awaitPassed(c)
	p.stop()
	v, err := e.accounts.Get(t.Context(), "acme", time.Now().UnixMilli())
	require.NoError(t, err)
	require.Len(t, v.StepsDone, 1)
	require.Len(t, v.Users, 1)
	require.False(t, v.PartlyErased)
	v, err = e.accounts.Get(t.Context(), "old", 0)
	require.NoError(t, err)
	require.Empty(t, v.MergedInto)
	require.Equal(t, []string{"resolving:", "knows:beta"}, roles(e.FindUser(t.Context(), ana, nil)), "and is erased only when asked again")
}

// Accounts that come to know the user while it is found are asked as well; who knows the user by what came after the request is not.
func TestErasingWhileEventsCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	start(t, c).awaitReady()
	passed := func(records ...*kgo.Record) {
		w.send(records...)
		w.awaitCommitted(c.Group(config.Ingest), "usage")
		w.awaitCommitted(c.Group(config.Activation), "pql.usage")
	}
	passed(told("acme", "ana", "one", 5*time.Hour))
	e := w.eraser(c)
	x, err := e.FindUser(t.Context(), "ana", nil)
	require.Equal(t, []string{"knows:acme"}, roles(x, err))
	passed(told("beta", "ana", "one", 4*time.Hour))
	require.NoError(t, x.Ask(t.Context()))
	passed()
	passed(told("acme", "ana", "two", 3*time.Hour))
	progress := 0
	require.NoError(t, x.Await(t.Context(), func(_, of int) { progress = of }))
	require.Equal(t, []string{"knows:acme", "knows:beta"}, roles(x, nil))
	require.Equal(t, 2, progress)
	require.Equal(t, []bool{true, false}, []bool{x.Targets[0].Again, x.Targets[1].Again})
	require.Equal(t, []string{"knows:acme"}, roles(e.FindUser(t.Context(), "ana", nil)))
}

// Nobody answers while no process runs; what was asked for is done when one does.
func TestAnErasureOutlastsThatNobodyRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	p := start(t, c).awaitReady()
	w.sendAll([]string{"acme", "beta"}, "one")
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Activation), "pql.usage")
	p.stop()

	e := w.eraser(c)
	x, err := e.FindUser(t.Context(), "user", nil)
	require.Equal(t, []string{"knows:acme", "knows:beta"}, roles(x, err))
	require.NoError(t, x.Ask(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	err = x.Await(ctx, func(int, int) { cancel() })
	var left *NotDone
	require.ErrorAs(t, err, &left)
	require.Equal(t, []string{`account "acme"`, `account "beta"`}, left.Left)
	require.ErrorContains(t, err, "are the processes of the deployment that run activation and resolve up")
	report, err := x.Report(t.Context())
	require.NoError(t, err)
	require.False(t, report.Done)
	require.Equal(t, Pending, report.Places[0].Outcome)

	unknown, err := e.FindAccount(t.Context(), "nobody") // events may be on their way
	require.NoError(t, err)
	require.NoError(t, unknown.Ask(t.Context()))
	ctx, cancel = context.WithCancel(t.Context())
	require.ErrorAs(t, unknown.Await(ctx, func(int, int) { cancel() }), &left)

	start(t, c).awaitReady()
	require.NoError(t, unknown.Await(t.Context(), func(int, int) {}))
	require.NoError(t, x.Await(t.Context(), func(int, int) {}))
	require.Empty(t, w.holding("user\""))
	known, _, err := e.knowing(t.Context(), "user")
	require.NoError(t, err)
	require.Empty(t, known)
}

func TestErasingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	log := slog.New(slog.DiscardHandler)
	direct := w.settings()
	_, err := OpenEraser(t.Context(), direct, log)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.ErrorContains(t, err, "input.mode: erasing needs the ingest stage")

	c := w.resolving(allStages...)
	_, err = OpenEraser(t.Context(), c, log)
	require.ErrorContains(t, err, "Without topics there is nothing to erase")

	p := start(t, c).awaitReady()
	e := w.eraser(c)
	_, err = e.FindUser(t.Context(), "ana", []string{"nobody"})
	require.ErrorIs(t, err, inspect.ErrNoAccount)
	_, err = e.FindUser(t.Context(), "", nil)
	require.ErrorContains(t, err, "an id is missing")
	_, err = e.FindAccount(t.Context(), strings.Repeat("x", 257))
	require.ErrorContains(t, err, "256 bytes")
	p.stop()
	w.redis.FlushAll()
	_, err = e.FindAccount(t.Context(), "acme")
	require.ErrorIs(t, err, inspect.ErrNotReady)
	_, err = e.FindUser(t.Context(), "ana", nil)
	require.ErrorIs(t, err, inspect.ErrNotReady)
}

func TestWhereAliasesLead(t *testing.T) {
	a := aliases{"c": "b", "b": "a", "x": "z", "z": "y", "y": "x", "w": "z"}
	for id, root := range map[string]string{"a": "a", "b": "a", "c": "a", "other": "other", "x": "x", "y": "x", "z": "x", "w": "x"} {
		assert.Equal(t, root, a.root(id), id)
	}

}
