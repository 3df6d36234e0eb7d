package e2e

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/test/oracle"
)

// plainFact is a published fact in the oracle's words.
func plainFact(f *account.Fact) oracle.Fact {
	return oracle.Fact{
		ID: f.ID, Type: string(f.Type), AccountID: f.AccountID, Step: f.Step, Tier: f.Tier, Rate: f.Rate, Threshold: f.Threshold,
		StepsDone: plainDone(f.StepsDone), StepsMissing: plainMissing(f.StepsMissing),
		Cause: string(f.Cause), Related: f.Related, Detail: f.Detail, PartlyErased: f.PartlyErased, EventID: f.EventID, EventName: f.EventName, UserID: f.UserID, Position: oracle.Position(f.Position),
		Late: f.Late, Reason: string(f.Reason), OccurredAt: f.OccurredAt, SignedUpAt: f.SignedUpAt, QualifiedAt: f.QualifiedAt,
		Current: f.Current, SingleUser: f.SingleUser, Excluded: f.Excluded, HoldOut: f.HoldOut,
	}
}

func plainDone(all []account.Evidence) (done []oracle.Done) {
	for _, e := range all {
		done = append(done, oracle.Done{
			Step: e.Step, DoneAt: e.DoneAt, UserID: e.UserID, EventID: e.EventID, Position: oracle.Position(e.Position), Count: e.Count,
		})
	}
	return done
}

func plainMissing(all []account.Missing) (missing []oracle.Missing) {
	for _, m := range all {
		missing = append(missing, oracle.Missing{Step: m.Step, Progress: m.Progress})
	}
	return missing
}

// plainState is an account's state in the oracle's words. A Fact names five users at most, an account here has up to
// seven: they are compared as far as they are named.
func plainState(v *account.View) oracle.Summary {
	s := oracle.Summary{
		AccountID: v.AccountID, Incarnation: v.Incarnation, Ordinal: v.Ordinal, Tier: v.Tier, Rate: v.Rate,
		StepsDone: plainDone(v.StepsDone), StepsMissing: plainMissing(v.StepsMissing), Users: map[string]oracle.User{},
		SignedUpAt: v.SignedUpAt, QualifiedAt: v.QualifiedAt, Current: v.Current, Excluded: v.Excluded,
		Converted: v.Converted, Escalated: v.Escalated, Silent: v.Silent, Barred: v.Barred, SingleUser: v.SingleUser,
		PartlyErased: v.PartlyErased, MergedInto: v.MergedInto, Erased: v.Erased,
	}
	for _, u := range v.Users {
		s.Users[u.ID] = oracle.User{Events: u.Events, LastSeen: u.LastSeen}
	}
	for _, p := range v.Properties {
		switch p.Key {
		case "company_size":
			s.CompanySize = p.Value
		case "domain":
			s.Domain = p.Value
		case "plan":
			s.Plan = p.Value
		case "beta":
			s.Beta = p.Value
		}
	}
	return s
}

// requireFacts compares facts account by account: only within an account, which is within a partition, there is an
// order. It shows the first difference only, with what came before.
func requireFacts(t *testing.T, what string, want, got []oracle.Fact) {
	t.Helper()
	published := map[string]bool{}
	for i := range got {
		require.False(t, published[got[i].ID], "%s: published twice: %+v", what, got[i])
		published[got[i].ID] = true
	}
	theirs, ours := byAccount(got), byAccount(want)
	for _, id := range slices.Sorted(maps.Keys(ours)) {
		for i := range ours[id] {
			before := ours[id][max(0, i-3):i]
			require.Less(t, i, len(theirs[id]), "%s: of %d facts, %d were published: missing is %+v, after %+v", what, len(want), len(got), ours[id][i], before)
			require.Equal(t, ours[id][i], theirs[id][i], "%s: after %+v", what, before)
		}
		require.Len(t, theirs[id], len(ours[id]), "%s: more of %q was published than there is to publish", what, id)
	}
	require.Len(t, got, len(want), "%s: facts of accounts that have none", what)
}

func byAccount(facts []oracle.Fact) map[string][]oracle.Fact {
	by := map[string][]oracle.Fact{}
	for _, f := range facts {
		by[f.AccountID] = append(by[f.AccountID], f)
	}
	return by
}

// requireState compares an account's state with what the oracle knows of it.
func requireState(t *testing.T, want oracle.Summary, v *account.View) {
	t.Helper()
	got := plainState(v)
	if len(want.Users) > len(got.Users) {
		named := map[string]oracle.User{}
		for id := range got.Users {
			named[id] = want.Users[id]
		}
		require.Len(t, got.Users, 5)
		want.Users = named
	}
	require.Equal(t, want, got)
}

func newEngine(t *testing.T, file string) *account.Engine {
	rules, err := app.LoadChecklist(file)
	require.NoError(t, err)
	return account.NewEngine(rules)
}

// TestEngineAgreesWithOracle compares the rules alone, without anything around them: where it fails, all the others of
// this package do.
func TestEngineAgreesWithOracle(t *testing.T) {
	for seed := range uint64(5) {
		e, judge := newEngine(t, checklistFile), oracle.New()
		states := map[string]*account.State{}
		var facts []oracle.Fact
		var newest, offset int64
		for in := range inputs(seed, 20_000, 150) {
			offset++
			if in.reason != "" {
				continue
			}
			ev := in.event
			judge.Fold(oracle.Record{Event: ev, Offset: offset})
			newest = max(newest, ev.OccurredAt)
			s := states[ev.AccountID]
			if s == nil {
				s = e.New(ev.AccountID, offset)
			}
			changed, made := e.Folder().Apply(s, ev, account.Position{}, newest-300_000)
			if changed {
				states[ev.AccountID] = s
			}
			for i := range made {
				facts = append(facts, plainFact(&made[i]))
			}
		}
		requireFacts(t, "facts", judge.Facts, facts)
		accounts := judge.Accounts(newest)
		require.Len(t, states, len(accounts))
		for id, want := range accounts {
			v := e.View(states[id], newest)
			requireState(t, want, &v)
		}
		requireVariety(t, judge)
	}
}

// requireVariety makes sure that a stream is worth judging: every type of fact, every step and every tier are in it.
func requireVariety(t *testing.T, judge *oracle.Oracle) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range judge.Facts {
		seen[f.Type], seen[f.Step], seen[f.Tier] = true, true, true
		seen["late"] = seen["late"] || f.Late
	}
	for _, what := range []string{
		"signed_up", "step_done", "qualified", "requalified", "escalated", "disqualified", "converted", "segment_changed", "late",
		"large", "medium", "small", "first_project", "saw_premium", "many_reports", "heavy_week", "invited_team", "plans_tried",
		"weekly_habit", "many_days", "much_storage", "big_invites",
	} {
		require.True(t, seen[what], "the stream has no %s", what)
	}
	require.NotEmpty(t, judge.Current)
}
