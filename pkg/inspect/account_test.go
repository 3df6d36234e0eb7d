package inspect

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// filled is a View whose every field is set, apart from what an Account leaves out.
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

func TestAnAccountForProgramsHasEverything(t *testing.T) {
	for name, v := range map[string]*account.View{"account.json": filled(), "account-empty.json": {}} {
		got, err := json.MarshalIndent(NewAccount(v), "", "  ")
		require.NoError(t, err)
		got = append(got, '\n')
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "programs that read it see a change")
	}
}

// Whatever the schema tells of an account that is no part of a single transition or publication, an Account tells too.
func TestAnAccountHasTheNamesOfTheSchema(t *testing.T) {
	var schema struct{ Fields []struct{ Name string } }
	require.NoError(t, json.Unmarshal([]byte(schemas.PQLEvent.Text), &schema))
	var is map[string]any
	text, err := json.Marshal(NewAccount(filled()))
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
