package bench

import (
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
)

func TestTheStreamIsTheSameEachTime(t *testing.T) {
	const events, accounts = 20_000, 1_000
	next, stop := iter.Pull(job.Stream(1, events, accounts))
	defer stop()
	n, ids := 0, map[string]bool{}
	for e := range job.Stream(1, events, accounts) {
		again, ok := next()
		require.True(t, ok)
		require.Equal(t, e, again)
		require.NoError(t, usage.Validate(e, job.End, 0))
		ids[e.AccountID] = true
		n++
	}
	require.Equal(t, events, n)
	require.Len(t, ids, accounts)
}

func TestAsManyEventsAsAccountsAreSignUps(t *testing.T) {
	for e := range job.Stream(1, 1_000, 1_000) {
		require.Equal(t, "signed_up", e.Name)
	}
	for e := range job.Established(1, 1_000, 1_000) {
		require.NotEqual(t, "signed_up", e.Name)
	}
}

func TestEveryAccountQualifiesOnTheLastOfItsDays(t *testing.T) {
	const accounts = 300
	byHand, last, qualified := map[string]*job.Account{}, int64(0), 0
	for e := range job.Qualifying(1, accounts, job.End) {
		require.NoError(t, usage.Validate(e, job.End, 0))
		require.GreaterOrEqual(t, e.OccurredAt, last)
		last = e.OccurredAt
		if byHand[e.AccountID] == nil {
			byHand[e.AccountID] = &job.Account{}
		}
		if _, qualifies := byHand[e.AccountID].Apply(e); qualifies {
			number, err := strconv.Atoi(strings.TrimPrefix(e.AccountID, "acct-"))
			require.NoError(t, err)
			require.Equal(t, int64(number%job.QualifyingDays), (job.End-e.OccurredAt)/86_400_000)
			qualified++
		}
	}
	require.Len(t, byHand, accounts)
	require.Equal(t, accounts, qualified)
	require.Less(t, job.End-last, int64(60_000))
}

func TestEventsAreOfTheSchema(t *testing.T) {
	reader, err := goavro.NewCodec(job.Schema)
	require.NoError(t, err)
	for e := range job.Stream(1, 2_000, 100) {
		native, rest, err := reader.NativeFromBinary(job.Append(nil, e)[job.HeaderSize:])
		require.NoError(t, err)
		require.Empty(t, rest)
		fields := native.(map[string]any)
		require.Equal(t, []any{e.ID, e.AccountID, e.UserID, e.Name, e.Quantity},
			[]any{fields["event_id"], fields["account_id"], fields["user_id"], fields["event"], fields["quantity"]})
		require.Len(t, fields["properties"], len(e.Properties))
	}
}

// What the benchmarks take for right is what the engine finds, and survives being written to Redis by the hand-written
// peer.
func TestTheJobByHandAgreesWithTheEngine(t *testing.T) {
	compiled, err := app.LoadChecklist(checklistFile)
	require.NoError(t, err)
	engine, states, blobs := account.NewEngine(compiled), map[string]*account.State{}, map[string][]byte{}
	pqls := 0
	for e := range job.Stream(1, 60_000, 3_000) {
		var byHand job.Account
		if blob := blobs[e.AccountID]; blob != nil {
			require.NoError(t, byHand.Load(blob))
		}
		_, qualifies := byHand.Apply(e)
		blobs[e.AccountID] = byHand.Append(nil)
		if states[e.AccountID] == nil {
			states[e.AccountID] = engine.New(e.AccountID, 0)
		}
		_, facts := engine.Folder().Apply(states[e.AccountID], e, account.Position{}, 0)
		found := false
		for i := range facts {
			found = found || facts[i].Type == account.Qualified
		}
		require.Equal(t, found, qualifies, "%+v", e)
		if qualifies {
			pqls++
		}
	}
	require.Greater(t, pqls, 50, "hardly any account qualified: the test shows nothing")
}
