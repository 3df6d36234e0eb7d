package simulate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func sample(t testing.TB, o simulate.Options) *simulate.Sample {
	t.Helper()
	s, err := simulate.New(o)
	require.NoError(t, err)
	return s
}

// digest sums up a stream's bytes.
func digest(t *testing.T, events iter.Seq[*usage.Event]) string {
	t.Helper()
	enc, err := codec.NewEventEncoder(codec.Avro, 1)
	require.NoError(t, err)
	sum := sha256.New()
	var b []byte
	for e := range events {
		b = enc.AppendUsage(b[:0], e)
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	o := simulate.Options{Seed: 7, Accounts: 40, Days: 20}
	s := sample(t, o)
	first := digest(t, s.Events())
	require.Equal(t, first, digest(t, s.Events()), "a second pass over the same sample")
	require.Equal(t, first, digest(t, sample(t, o).Events()))
	o.Seed = 8
	require.NotEqual(t, first, digest(t, sample(t, o).Events()))
}

func TestAnAccountDoesTheSameWhateverTheOthers(t *testing.T) {
	of := func(accounts int) iter.Seq[*usage.Event] {
		return func(yield func(*usage.Event) bool) {
			for e := range sample(t, simulate.Options{Accounts: accounts}).Events() {
				if e.AccountID == "acct-00003" && !yield(e) {
					return
				}
			}
		}
	}
	require.Equal(t, digest(t, of(5)), digest(t, of(50)))
}

func TestANewEpochShiftsTheSample(t *testing.T) {
	epoch := time.Date(2026, time.March, 2, 15, 0, 0, 0, time.UTC)
	shift := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC).Sub(simulate.DefaultEpoch).Milliseconds()
	want := sample(t, simulate.Options{Accounts: 20}).Events()
	next, stop := iter.Pull(sample(t, simulate.Options{Accounts: 20, Epoch: epoch}).Events())
	defer stop()
	for e := range want {
		got, ok := next()
		require.True(t, ok)
		e.OccurredAt, e.ReceivedAt = e.OccurredAt+shift, e.ReceivedAt+shift
		require.Equal(t, e, got)
	}
}

func TestASampleEndsWhereItIsToldTo(t *testing.T) {
	end := time.Date(2026, time.March, 2, 15, 30, 0, 0, time.UTC)
	s := sample(t, simulate.Options{Accounts: 30, Days: 20, End: end})
	require.Equal(t, time.Date(2026, time.February, 10, 0, 0, 0, 0, time.UTC), s.Options().Epoch)
	longer := sample(t, simulate.Options{Accounts: 30, Days: 20, Epoch: s.Options().Epoch, End: end.Add(time.Hour)})
	next, stop := iter.Pull(longer.Events())
	defer stop()
	last := int64(0)
	for e := range s.Events() {
		got, _ := next()
		require.Equal(t, got, e, "a later end changes nothing of what was before")
		last = e.ReceivedAt
	}
	require.Less(t, last, end.UnixMilli())
	require.Greater(t, last, end.Add(-time.Hour).UnixMilli(), "on a Monday afternoon somebody works")
	more, ok := next()
	require.True(t, ok)
	require.GreaterOrEqual(t, more.ReceivedAt, end.UnixMilli())
}

func TestTheSampleGoesOnWhereItEnds(t *testing.T) {
	s := sample(t, simulate.Options{Accounts: 30, Days: 20})
	end := s.Options().Epoch.AddDate(0, 0, 20).UnixMilli()
	require.Equal(t, end, s.Options().End.UnixMilli())
	known := map[string]bool{}
	for e := range s.Events() {
		require.Less(t, e.ReceivedAt, end)
		known[e.AccountID] = true
	}
	next, stop := iter.Pull(s.After())
	defer stop()
	newcomers, goingOn := map[string]bool{}, map[string]bool{}
	for e, _ := next(); e.ReceivedAt < end+20*86_400_000; e, _ = next() {
		require.GreaterOrEqual(t, e.ReceivedAt, end)
		if known[e.AccountID] {
			goingOn[e.AccountID] = true
			continue
		}
		newcomers[e.AccountID] = newcomers[e.AccountID] || e.Name == "account_created"
	}
	require.NotEmpty(t, goingOn)
	require.InDelta(t, 30, len(newcomers), 2, "as many a day as before")
	for id, signedUp := range newcomers {
		require.True(t, signedUp, id)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	_, err := simulate.New(simulate.Options{Accounts: -1, Days: -2, Epoch: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.ErrorContains(t, err, "accounts: -1")
	require.ErrorContains(t, err, "days: -2")
	require.ErrorContains(t, err, "epoch: 1969")
}

// checkArrival fails unless the events come in order of arrival and none of them late.
func checkArrival(t *testing.T, events iter.Seq[*usage.Event]) (outOfOrder int) {
	t.Helper()
	var arrived, newest int64
	for e := range events {
		if e.ReceivedAt < arrived || e.ReceivedAt < e.OccurredAt || newest-e.OccurredAt >= simulate.Disorder.Milliseconds() {
			t.Fatalf("after one that arrived at %d, with event times up to %d, came %+v", arrived, newest, e)
		}
		arrived = e.ReceivedAt
		if e.OccurredAt < newest {
			outOfOrder++
		}
		newest = max(newest, e.OccurredAt)
	}
	return outOfOrder
}

func TestTheSampleIsNearlyInOrder(t *testing.T) {
	s := sample(t, simulate.Options{})
	n, first, last := 0, int64(math.MaxInt64), int64(0)
	for e := range s.Events() {
		first, last = min(first, e.OccurredAt), max(last, e.OccurredAt)
		n++
	}
	begin := s.Options().Epoch.UnixMilli()
	require.GreaterOrEqual(t, first, begin)
	require.Less(t, last, begin+60*86_400_000)
	outOfOrder := checkArrival(t, s.Events())
	require.Greater(t, outOfOrder, n/100)
	require.Less(t, outOfOrder, n/5)
}

// tally is a naive count of the demo's checklist for one account: its whole life, no windows, duplicates counted.
type tally struct {
	employees int64
	events    map[string]int
	joined    map[string]bool
	days      map[int64]bool
	gb        float64
}

func (a *tally) steps() (n int) {
	for _, done := range []bool{
		a.events["project_created"] > 0, len(a.joined) >= 3, len(a.days) >= 3,
		a.events["report_run"] >= 5, a.gb >= 40, a.events["premium_viewed"]+a.events["upgrade_clicked"] > 0,
	} {
		if done {
			n++
		}
	}
	return n
}

func tallies(s *simulate.Sample) map[string]*tally {
	accounts := map[string]*tally{}
	for e := range s.Events() {
		a := accounts[e.AccountID]
		if a == nil {
			a = &tally{events: map[string]int{}, joined: map[string]bool{}, days: map[int64]bool{}}
			accounts[e.AccountID] = a
		}
		a.events[e.Name]++
		switch e.Name {
		case "account_created":
			a.employees = e.Property("company_size").Long()
		case "invite_accepted":
			a.joined[e.UserID] = true
		case "session_started":
			a.days[e.OccurredAt/86_400_000] = true
		case "storage_used":
			a.gb += e.Quantity
		}
	}
	return accounts
}

func TestTheProductIsBelievable(t *testing.T) {
	for seed := range uint64(3) {
		accounts := tallies(sample(t, simulate.Options{Seed: seed, Accounts: 500}))
		require.Len(t, accounts, 500, "every account signs up")
		var small, large, active, activeBought, bought float64
		for id, a := range accounts {
			require.Positive(t, a.employees, id)
			if a.employees < 50 {
				small++
			}
			if a.employees >= 500 {
				large++
			}
			buys := min(1, float64(a.events["subscription_started"]))
			bought += buys
			if float64(a.steps())/6 >= 0.75 {
				active++
				activeBought += buys
			}
		}
		require.InDelta(t, 0.70, small/500, 0.07)
		require.InDelta(t, 0.05, large/500, 0.03)
		require.Greater(t, active/500, 0.10)
		require.Less(t, active/500, 0.40)
		require.Greater(t, bought/500, 0.02)
		require.Less(t, bought/500, 0.20)
		require.Greater(t, activeBought/active, 2*(bought-activeBought)/(500-active), "active accounts buy more often than the others")
	}
}

func TestAllKindsOfEventsOccur(t *testing.T) {
	kinds := map[string]int{}
	seen := map[string]bool{}
	duplicates, n := 0, 0
	var weekend float64
	for e := range sample(t, simulate.Options{Days: 120}).Events() {
		kinds[e.Name]++
		if seen[e.ID] {
			duplicates++
		}
		seen[e.ID] = true
		n++
		if day := time.UnixMilli(e.OccurredAt).UTC().Weekday(); day == time.Saturday || day == time.Sunday {
			weekend++
		}
	}
	for _, name := range []string{
		"account_created", "project_created", "invite_sent", "invite_accepted", "session_started", "report_run", "storage_used",
		"premium_viewed", "upgrade_clicked", "subscription_started", "subscription_cancelled", "page_viewed", "integration_connected",
	} {
		require.Positive(t, kinds[name], name)
	}
	require.InDelta(t, 0.01, float64(duplicates)/float64(n), 0.005)
	require.Less(t, weekend/float64(n), 0.1)
}

func TestStoppingEarlyIsHarmless(t *testing.T) {
	s := sample(t, simulate.Options{Accounts: 20})
	var first []string
	for e := range s.Events() {
		if first = append(first, e.ID); len(first) == 100 {
			break
		}
	}
	require.Len(t, first, 100)
}

func BenchmarkSample(b *testing.B) {
	s := sample(b, simulate.Options{})
	n := 0
	for b.Loop() {
		for range s.Events() {
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	b.ReportMetric(float64(n)/float64(b.N), "events")
}
