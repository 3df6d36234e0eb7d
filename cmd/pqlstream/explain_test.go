package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// An account is not ready before anybody runs, then either unknown or explained, and not ready again once Redis has lost
// it.
func TestAccountsAreExplained(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "5", "--days", "10")
	require.NoError(t, err)
	flags := flagsFor(t, servers.Brokers(), servers.RedisAddr())
	explain := func(args ...string) result {
		return pqlstream(t, append(append([]string{"explain"}, args...), flags...)...)
	}

	require.Equal(t, exitDone, pqlstream(t, append([]string{"topics", "create"}, flags...)...).code)
	r := explain("acct-00001")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	require.Eventually(t, func() bool { r = explain("acct-00001"); return r.code == exitDone }, time.Minute, 50*time.Millisecond)
	assert.Contains(t, r.stdout, "Account acct-00001 is ")
	assert.Contains(t, r.stdout, ": steps done weigh ")
	assert.Contains(t, r.stdout, "\nHistory\n")

	r = explain("acct-00001", "-o", "json")
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &shown), r.stdout)
	assert.Equal(t, "acct-00001", shown["account_id"])
	assert.NotNil(t, shown["signed_up_at"])
	assert.NotEmpty(t, shown["history"])
	properties := shown["account_properties"].(map[string]any)
	assert.Equal(t, "free", properties["plan"])
	assert.Equal(t, false, properties["is_test"])
	assert.Contains(t, shown["tier_by"], "company_size")

	r = explain("nobody")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: no such account: ")
	r = explain("acct-00001", "--output", "xml")
	assert.Equal(t, "pqlstream: --output xml: it is text or json\n", r.stderr)

	stop()
	assert.Equal(t, exitDone, <-running)
	r = explain("acct-00001")
	assert.Equal(t, exitDone, r.code, "states can be read while nobody runs")
	require.NoError(t, redis.NewClient(&redis.Options{Addr: servers.RedisAddr()}).FlushAll(t.Context()).Err())
	r = explain("acct-00001")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")
}

// filled is a View whose every field is set, apart from what an explanation leaves out.
func filled() *account.View {
	return &account.View{
		Fact: account.Fact{
			AccountID: "acme", Tier: "large", Rate: 0.75, Threshold: 0.35, Current: true, SignedUpAt: 1000, QualifiedAt: 5000,
			Segments: []string{"growing"}, Checklist: account.ChecklistRef{Name: "life", Version: 3, Hash: "00ff"},
			Properties: []usage.Property{
				{Key: "beta", Value: usage.BoolValue(true)}, {Key: "company_size", Value: usage.LongValue(600)}, {Key: "domain"},
				{Key: "industry", Value: usage.StringValue("steel")}, {Key: "mrr", Value: usage.DoubleValue(9.5)},
				{Key: "ratio", Value: usage.DoubleValue(math.Inf(1))},
			},
			StepsDone: []account.Evidence{{Step: "a", DoneAt: 5000, UserID: "ana", EventID: "e-5",
				Position: account.Position{Topic: "usage", Partition: 3, Offset: 41}, Count: 2}},
			StepsMissing: []account.Missing{{Step: "b", Progress: 0.5, Need: "1 more b (1 of 2)"}},
			Playbook: account.Playbook{Name: "find-colleagues", Action: "write", Queue: "sales", Owner: "eve", Message: "outreach.large",
				Reason: "it is large"},
			Users:         []account.UserActivity{{ID: "ana", Events: 4, LastSeen: 5000, StepsDone: 1, Rate: 0.5, Activated: true, Role: "admin"}},
			ActiveUsers7d: 1, Activated: 2, Champion: "ana", SingleUser: true, Excluded: true, HoldOut: true, PartlyErased: true,
		},
		MergedInto: "acme-new", Erased: true, Converted: true, Silent: true, Barred: true, Escalated: true, Weights: map[string]float64{"a": 3, "b": 1}, Nearest: []string{"b"},
		TierBy: []usage.Property{{Key: "company_size", Value: usage.LongValue(600)}}, Refines: "manual-outreach", LoneUser: true,
		History: []account.Moment{{Type: account.SignedUp, OccurredAt: 1000}, {Type: account.StepDone, Step: "a", OccurredAt: 5000}},
	}
}

func TestAnExplanationForProgramsHasEverything(t *testing.T) {
	for name, v := range map[string]*account.View{"explanation.json": filled(), "explanation-empty.json": {}} {
		write, err := explanationWriter("json")
		require.NoError(t, err)
		var got bytes.Buffer
		require.NoError(t, write(&got, v))
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), got.String(), "programs that read it see a change")
	}
}

// Whatever the schema tells of an account that is no part of a single transition or publication, an explanation tells too.
func TestAnExplanationHasTheNamesOfTheSchema(t *testing.T) {
	var schema struct{ Fields []struct{ Name string } }
	require.NoError(t, json.Unmarshal([]byte(schemas.PQLEvent.Text), &schema))
	var is map[string]any
	text, err := json.Marshal(newExplanation(filled()))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &is))
	transition := []string{"pql_id", "type", "occurred_at", "detected_at", "reason", "step", "cause", "event_id", "event", "user_id",
		"source_topic", "source_partition", "source_offset", "late", "replay", "backfill", "detail", "related"}
	for _, f := range schema.Fields {
		if !slices.Contains(transition, f.Name) {
			assert.Contains(t, is, f.Name)
		}
	}
}
