package bench

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
)

// accountsCached is for how many accounts the cache has room, in BenchmarkAccounts.
const accountsCached = 200_000

// BenchmarkAccounts measures what an event costs when there are more accounts than the cache has room for: all have signed
// up, and then the same number of events is spread over them.
func BenchmarkAccounts(b *testing.B) {
	events, seed := env(b, "EVENTS", 4_000_000), uint64(env(b, "SEED", 1))
	s := newSetup(b)
	t := newTable("accounts", "bench-accounts")
	t.Title = fmt.Sprintf("%s events of accounts that have signed up before, a cache for %s of them, medians of %d runs; %s.",
		count(events), count(accountsCached), env(b, "RUNS", 3), outputs())
	t.Of = "accounts"
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "events/s", Spread: true}}, costColumns("event"),
		[]results.Column{{Key: "loaded", Name: "states read from Redis an event", Decimals: 2}, {Key: "pqls", Name: "PQLs checked"}})
	for _, accounts := range envList(b, "ACCOUNT_COUNTS", 100_000, 1_000_000, 5_000_000) {
		s.createTopic(input)
		want, total := s.backlog(input, job.Stream(seed, accounts, accounts), job.Established(seed, events, accounts))
		for run := range env(b, "RUNS", 3) {
			t.Add(count(accounts), s.afterSignUps(fmt.Sprintf("accounts%d-%d", accounts, run), accounts, total, want)...)
		}
		s.deleteTopics(input)
	}
	publish(b, t)
}

// afterSignUps has the program work off the input and returns a row of what followed the sign-ups.
func (s *setup) afterSignUps(name string, accounts, total int, want map[string]bool) []float64 {
	s.tb.Helper()
	s.awaitQuiet()
	a := s.startApp(appOptions{prefix: name, cache: accountsCached})
	var folded float64
	a.await("the sign-ups to be folded", poll, func() bool {
		folded = a.metric(recordsFolded)
		return folded >= float64(accounts)
	})
	m := a.meter()
	before := a.metric(statesLoaded)
	a.await("it to be done", poll, func() bool { return a.finished(int64(total)) })
	used := m.read()
	loaded := a.metric(statesLoaded)
	a.stop()
	a.requirePQLs(want)
	a.remove()
	n := float64(total) - folded
	require.Positive(s.tb, n, "nothing was left to measure: EVENTS is too small")
	return append(append([]float64{n / used.wall.Seconds()}, used.figures(n)...), (loaded-before)/n, float64(len(want)))
}
