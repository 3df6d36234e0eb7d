package bench

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"testing"

	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
)

// BenchmarkCatchUp measures how fast each peer works off a backlog, and at what cost: from the moment at which it is shown
// the backlog, being ready, until its group has committed the whole input and its store has what became of it. The peers
// take turns.
func BenchmarkCatchUp(b *testing.B) {
	events, accounts, seed := env(b, "EVENTS", 2_000_000), env(b, "ACCOUNTS", 100_000), env(b, "SEED", 1)
	s := newSetup(b)
	peers := append(s.contenders(), s.everything(), s.limit())
	t := newTable("catch-up", "bench")
	t.Title = fmt.Sprintf("Catching up with %s events of %s accounts on %d partitions: medians of %d rounds, in one run; %s (%s writes all).",
		count(events), count(accounts), partitions, env(b, "RUNS", 3), outputs(), results.AllOutputs)
	t.Of = "peer"
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "events/s", Spread: true}}, costColumns("event"), writtenColumns, []results.Column{
		{Key: "internal", Name: "to its internal topics", Decimals: 1},
		{Key: "pqls", Name: "PQLs checked"}})
	for round := range env(b, "RUNS", 3) {
		for _, c := range peers {
			t.Add(c.name, s.catchUp(c, fmt.Sprintf("%s-%d", c.name, round), job.Stream(uint64(seed), events, accounts), events)...)
			rate := t.Rows[slices.IndexFunc(t.Rows, func(r results.Row) bool { return r.Name == c.name })].Runs[round][0]
			fmt.Printf("round %d: %s: %s events/s\n", round+1, c.name, results.Number(rate, 0))
		}
	}
	publish(b, t)
	fmt.Println()
	t.Aims(os.Stdout)
}

// catchUp has a peer work off the input and returns a row.
func (s *setup) catchUp(c contender, name string, events iter.Seq[*usage.Event], total int) []float64 {
	s.tb.Helper()
	s.createTopic(input)
	defer s.deleteTopics(input)
	want, show := s.hiddenBacklog(events, total)
	s.awaitQuiet()
	internal, n := s.internalBytes(), float64(total)
	p := c.start(name)
	m := p.meter()
	show()
	p.await("it to be done", either(p.every, poll), func() bool { return p.finished(int64(total) + p.marks) })
	used := m.read()
	p.stop()
	row := append([]float64{n / used.wall.Seconds()}, used.figures(n)...)
	if p.output == "" {
		return append(row, 0, 0, 0, 0)
	}
	row = append(append(row, p.written(n)...), float64(s.internalBytes()-internal)/n, float64(len(want)))
	p.requirePQLs(want)
	p.remove()
	return row
}

func count(n int) string { return results.Number(float64(n), 0) }
