package account_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func described(s *scenario) string {
	v := s.engine.View(s.state, s.hour*hour)
	return v.Describe()
}

// requireText compares with a file in testdata/describe; UPDATE_GOLDEN=1 writes it instead.
func requireText(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "describe", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// start is 2025-07-01 in ms since the Unix epoch.
const start = int64(1_751_328_000_000)

// lead is a PQL with everything that a View can hold.
func lead() *account.View {
	at := func(hours int64) int64 { return start + hours*hour }
	from := func(offset int64) account.Position {
		return account.Position{Topic: "usage", Partition: 3, Offset: offset}
	}
	return &account.View{
		Fact: account.Fact{
			AccountID: "acme", Tier: "medium", Rate: 0.7, Threshold: 0.6, Current: true, OccurredAt: at(20 * 24),
			SignedUpAt: at(1), QualifiedAt: at(60), Segments: []string{"growing", "eu"},
			Checklist: account.ChecklistRef{Name: "life", Version: 3},
			Properties: []usage.Property{
				{Key: "company_size", Value: usage.LongValue(60)}, {Key: "domain", Value: usage.StringValue("acme.example")}, {Key: "industry"}},
			StepsDone: []account.Evidence{
				{Step: "first_project", DoneAt: at(10), UserID: "bob", EventID: "e-10", Position: from(41), Count: 1},
				{Step: "heavy_reports", DoneAt: at(60), UserID: "ana", EventID: "e-60", Position: from(977), Count: 5},
				{Step: "much_storage", DoneAt: at(61), Position: from(978), Count: 40.125},
				{Step: "quiet", DoneAt: at(90), Count: 1},
			},
			StepsMissing: []account.Missing{
				{Step: "invited_team", Progress: 2.0 / 3, Need: "1 more user with invite_accepted (2 of 3)"},
				{Step: "helper", Progress: 0, Need: "viewed"},
			},
			Playbook: account.Playbook{Name: "find-colleagues", Action: "Write to the champion.\nOffer a workshop.\n", Queue: "success",
				Owner: "eve@ourcompany.example", Message: "guide.team", Reason: "It grows: 4 of 6 steps done"},
			Users: []account.UserActivity{
				{ID: "ana", Events: 41, LastSeen: at(19 * 24), StepsDone: 1, Rate: 0.8, Activated: true, Role: "admin"},
				{ID: "bob", Events: 1, LastSeen: at(10), StepsDone: 1, Rate: 0.2},
			},
			ActiveUsers7d: 1, Activated: 1, Champion: "ana",
		},
		Weights: map[string]float64{"first_project": 1, "heavy_reports": 1.5, "much_storage": 0.5, "quiet": 0.5, "invited_team": 1.5, "helper": 0},
		TierBy:  []usage.Property{{Key: "company_size", Value: usage.LongValue(60)}}, Refines: "guided-trial",
		History: []account.Moment{
			{Type: account.SignedUp, OccurredAt: at(1)}, {Type: account.StepDone, Step: "first_project", OccurredAt: at(10)},
			{Type: account.StepUndone, Step: "quiet", OccurredAt: at(50)}, {Type: account.Qualified, OccurredAt: at(60)},
		},
	}
}

// notYet is an account that has only begun.
func notYet() *account.View {
	v := lead()
	v.StepsMissing = append(v.StepsMissing, account.Missing{Step: "heavy_reports", Progress: 0.2, Need: "4 more report_run (1 of 5)"},
		account.Missing{Step: "much_storage", Progress: 0, Need: "40 more of storage_used (0 of 40)"},
		account.Missing{Step: "quiet", Progress: 0, Need: "no ticket_opened for 14 days"})
	v.StepsDone, v.Rate, v.Current, v.QualifiedAt, v.Playbook, v.Refines = v.StepsDone[:1], 0.2, false, 0, account.Playbook{}, ""
	v.Users, v.Champion, v.Activated, v.Segments, v.History = v.Users[1:], "bob", 0, nil, v.History[:2]
	v.ActiveUsers7d = 0
	v.Threshold, v.Nearest = 0.5, []string{"invited_team"}
	return v
}

func TestAccountsAreExplained(t *testing.T) {
	excluded := notYet()
	excluded.Excluded = true
	excluded.Properties[1].Value = usage.StringValue("ourcompany.example")

	converted := lead()
	converted.Converted, converted.Current, converted.Playbook, converted.Refines = true, false, account.Playbook{}, ""

	lone := lead()
	lone.Tier, lone.Threshold, lone.Escalated, lone.SingleUser, lone.LoneUser = "large", 0.35, true, true, true
	lone.Users, lone.SignedUpAt = lone.Users[:1], 0
	lone.TierBy[0].Value, lone.Properties[0].Value = usage.LongValue(900), usage.LongValue(900)

	for name, v := range map[string]*account.View{
		"pql": lead(), "not-yet": notYet(), "excluded": excluded, "converted": converted, "large-by-one-user": lone,
	} {
		t.Run(name, func(t *testing.T) { requireText(t, name, v.Describe()) })
	}
}

func TestTheVerdictNamesTheStanding(t *testing.T) {
	for events, want := range map[string]string{
		"b":                                "is no PQL yet: steps done weigh 0 of 4 = 0 %, tier all asks for 70 %.",
		"a b b c":                          "is a PQL since 1970-01-01 04:00: steps done weigh 3 of 4 = 75 %, tier all asks for 70 %.",
		"a b b c d/x d/y":                  "is a PQL since 1970-01-01 04:00, and has escalated: steps done weigh 4 of 4 = 100 %, tier all asks for 70 %.",
		"enriched?domain=ourcompany.com a": "is no PQL, because the checklist excludes it: steps done weigh 1 of 4 = 25 %, tier all asks for 70 %.",
		"a b b c bought?plan=team":         "has converted, it is a customer: steps done weigh 3 of 4 = 75 %, tier all asks for 70 %.",
		"a b b c enriched?domain=ourcompany.com enriched?domain=acme.com bought?plan=free": "is a PQL since 1970-01-01 06:00: " +
			"steps done weigh 3 of 4 = 75 %, tier all asks for 70 %.",
	} {
		s := begin(t, strings.Replace(life, "preset: simple", tiersOfOne, 1))
		s.fold(events)
		first, _, _ := strings.Cut(described(s), "\n")
		assert.Equal(t, "Account acme "+want, first, events)
	}
}

const tiersOfOne = `tiers: [{name: all, threshold: 0.7, escalate_at: 0.9}]`

func TestTheVerdictExplainsWhatTheArithmeticDoesNot(t *testing.T) {
	v := notYet()
	verdict := func() string {
		first, _, _ := strings.Cut(v.Describe(), "\n")
		_, arithmetic, _ := strings.Cut(first, ": ")
		return arithmetic
	}
	v.Rate, v.Threshold = 0.5996, 0.6
	assert.Equal(t, "steps done weigh 1 of 5 = 59.96 %, tier medium (company_size 60) asks for 60 %.", verdict(), "it is just missed")
	v.Current = true
	assert.Contains(t, verdict(), "; a bar that rises takes nothing away.")
	v.Rate, v.Current = 0.75, false
	assert.Contains(t, verdict(), "; the next event of the account decides.", "the checklist has just changed")
	v.QualifiedAt = start
	assert.Contains(t, v.Describe(), "is no PQL any more, it last qualified on 2025-07-01 00:00: ")

	v.TierBy = nil
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		v.TierBy = append(v.TierBy, usage.Property{Key: key})
	}
	assert.Contains(t, verdict(), "tier medium (a unknown, b unknown, c unknown, d unknown, e unknown, 2 more) asks")
}

func TestTheShortestWayIsTold(t *testing.T) {
	v := notYet()
	assert.Contains(t, v.Describe(), "\nOne more step of weight 1.5 is enough. Nearest is invited_team: 1 more user with invite_accepted (2 of 3).\n")
	v.Nearest = []string{"invited_team", "heavy_reports"}
	assert.Contains(t, v.Describe(), "\n2 more steps that weigh 3 are enough. Nearest are invited_team, heavy_reports.\n")
	v.Completes = []string{"set_up"}
	v.Weights["set_up"] = 2
	assert.Contains(t, v.Describe(), "\n2 more steps are enough: with set_up, which they complete, they weigh 5. Nearest are invited_team, heavy_reports.\n")
	v.Nearest = v.Nearest[:1]
	assert.Contains(t, v.Describe(), "\nOne more step is enough: with set_up, which it completes, it weighs 3.5. Nearest is invited_team: 1 more user")
	v.Excluded = true
	assert.NotContains(t, v.Describe(), "enough", "no step helps an account that is excluded")
}

func TestAReasonEndsWithOneFullStop(t *testing.T) {
	v := lead()
	v.Playbook.Reason = "They pay already."
	assert.Contains(t, v.Describe(), "\n  Why: They pay already.\n")

	s := begin(t, life+"playbooks: [{name: in-app-nudge, reason: They pay already.}]\n")
	s.fold("a b b c")
	assert.Contains(t, described(s), "\n  Why: They pay already: 3 of 4 steps done (75 %; tier small asks for 75 %).\n")
}

func TestOneUserIsNoted(t *testing.T) {
	v := lead()
	assert.NotContains(t, v.Describe(), "one user")
	v.SingleUser = true
	assert.Contains(t, v.Describe(), "\n  Everything was done by one user.\n")
	v.Users = nil
	assert.Contains(t, v.Describe(), "\n  Everything was done by one user.\n", "users are not kept")
}

// A user's text stands wherever the View holds one from outside.
func TestTextFromOutsideCannotDriveATerminal(t *testing.T) {
	for _, evil := range []string{"x\x1b[2J", "x\x9b2J", "x\u202ey"} {
		v := lead()
		v.AccountID, v.Champion, v.Users[0].ID, v.Users[0].Role = evil, evil, evil, evil
		v.StepsDone[0].UserID, v.StepsDone[0].EventID, v.StepsDone[0].Position.Topic = evil, evil, evil
		v.Properties[1].Value, v.TierBy[0].Value, v.Playbook.Owner = usage.StringValue(evil), usage.StringValue(evil), evil
		v.Segments[0], v.StepsMissing[0].Need, v.Playbook.Action, v.Playbook.Reason = evil, evil, evil, evil
		v.Playbook.Name, v.Playbook.Queue, v.Playbook.Message, v.Tier, v.Checklist.Name = evil, evil, evil, evil, evil
		v.History[0].Step, v.StepsMissing[0].Step, v.Refines = evil, evil, evil
		assert.NotContains(t, v.Describe(), evil[:2])
	}
	s := begin(t, life)
	s.fold("a/x\x1b[2J")
	assert.Contains(t, described(s), `by "x\x1b[2J"`)
}
