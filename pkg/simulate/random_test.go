package simulate_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestTheSameSeedGivesTheSameRandomStream(t *testing.T) {
	require.Equal(t, digest(t, simulate.Random(3, 5000, 50)), digest(t, simulate.Random(3, 5000, 50)))
	require.NotEqual(t, digest(t, simulate.Random(3, 5000, 50)), digest(t, simulate.Random(4, 5000, 50)))
}

func TestRandomStreamsHaveTheSizeAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 9, 1000} {
		got := 0
		for range simulate.Random(1, n, 3) {
			got++
		}
		require.Equal(t, n, got)
	}
	for range simulate.Random(1, 10, 0) {
		t.Fatal("no accounts, no events")
	}
}

func TestRandomStreamsAreNearlyInOrder(t *testing.T) {
	require.Greater(t, checkArrival(t, simulate.Random(1, 20_000, 100)), 5000)
}

func TestRandomStreamsExerciseEverything(t *testing.T) {
	names, kinds, accounts := map[string]int{}, map[usage.Kind]int{}, map[string]bool{}
	first := map[string]string{} // account -> its first event's name
	seen := map[string]*usage.Event{}
	var repeats, noID, noUser, noSize, signedUp, longest, foreign int
	var from, to int64
	for e := range simulate.Random(1, 50_000, 200) {
		require.True(t, utf8.ValidString(e.AccountID) && len(e.AccountID) >= 1 && len(e.AccountID) <= 256)
		names[e.Name]++
		accounts[e.AccountID] = true
		if _, ok := first[e.AccountID]; !ok {
			first[e.AccountID] = e.Name
		}
		for _, p := range e.Properties {
			kinds[p.Value.Kind()]++
		}
		if before := seen[e.ID]; e.ID != "" && before != nil {
			repeats++
			same := *before
			same.ReceivedAt = e.ReceivedAt
			require.Equal(t, same, *e)
		} else if e.ID != "" {
			seen[e.ID] = e
			if e.Name == "account_created" {
				signedUp++
				if e.Property("company_size").Kind() == usage.Null {
					noSize++
				}
			}
		}
		if e.ID == "" {
			noID++
		}
		if e.UserID == "" {
			noUser++
		}
		longest = max(longest, len(e.AccountID))
		if len(e.AccountID) > utf8.RuneCountInString(e.AccountID) {
			foreign++
		}
		if from == 0 {
			from = e.ReceivedAt
		}
		to = e.ReceivedAt
	}
	for _, k := range []usage.Kind{usage.Null, usage.Bool, usage.Long, usage.Double, usage.String} {
		require.Greater(t, kinds[k], 100)
	}
	require.Greater(t, names["unknown_event"], 100)
	require.Greater(t, repeats, 500)
	require.Greater(t, noID, 100)
	require.Greater(t, noUser, 100)
	require.Greater(t, foreign, 100)
	require.Equal(t, 256, longest)
	require.Len(t, accounts, 200)
	require.Greater(t, signedUp, 150)
	require.Less(t, signedUp, 200, "some never sign up")
	require.Positive(t, noSize)
	early := 0
	for _, name := range first {
		if name != "account_created" {
			early++
		}
	}
	require.Greater(t, early, 100, "events before the sign-up")
	require.InDelta(t, 30, float64(to-from)/86_400_000, 5)
}

func BenchmarkRandom(b *testing.B) {
	n := 0
	for b.Loop() {
		for range simulate.Random(1, 100_000, 1000) {
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}
