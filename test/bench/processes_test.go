package bench

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
)

// BenchmarkProcesses measures what is lost when the work is shared by several processes that have the same two cores.
func BenchmarkProcesses(b *testing.B) {
	events, accounts := env(b, "EVENTS", 4_000_000), env(b, "ACCOUNTS", 100_000)
	s := newSetup(b)
	t := newTable("processes", "bench-processes")
	t.Title = fmt.Sprintf("%s events of %s accounts on %d partitions, medians of %d rounds. The processes of a row have the same two cores, "+
		"and each its share of the partitions before the first event; %s.", count(events), count(accounts), partitions, env(b, "RUNS", 3), outputs())
	t.Of = "processes"
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "events/s", Spread: true}}, costColumns("event"),
		[]results.Column{{Key: "pqls", Name: "PQLs checked"}})
	for round := range env(b, "RUNS", 3) {
		for _, n := range envList(b, "PROCESSES", 1, 2, 4) {
			t.Add(fmt.Sprint(n), s.shared(fmt.Sprintf("shared%d-%d", n, round), n, events, accounts)...)
		}
	}
	publish(b, t)
}

// shared has processes work off a backlog together and returns a row.
func (s *setup) shared(name string, processes, events, accounts int) []float64 {
	s.tb.Helper()
	s.createTopic(input)
	defer s.deleteTopics(input)
	a := s.launchApp(appOptions{prefix: name, processes: processes, cores: max(1, cores/processes),
		program: []string{"taskset", "--cpu-list", fmt.Sprintf("0-%d", cores-1), s.binary, "run", "--print-ready"}})
	a.await("each to have its share", poll, a.balanced)
	want, show := s.hiddenBacklog(job.Stream(uint64(env(s.tb, "SEED", 1)), events, accounts), events)
	s.awaitQuiet()
	m := a.meter()
	show()
	a.await("it to be done", poll, func() bool { return a.finished(int64(events) + a.marks) })
	used := m.read()
	require.True(s.tb, a.balanced(), "partitions have moved meanwhile")
	a.stop()
	a.requirePQLs(want)
	a.remove()
	n := float64(events)
	return append(append([]float64{n / used.wall.Seconds()}, used.figures(n)...), float64(len(want)))
}

// hiddenBacklog puts events onto the input that nobody who reads committed records sees before show is called: they are in
// one transaction.
func (s *setup) hiddenBacklog(events iter.Seq[*usage.Event], total int) (want map[string]bool, show func()) {
	s.tb.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(50*time.Millisecond),
		kgo.TransactionalID("backlog"), kgo.TransactionTimeout(patience))
	require.NoError(s.tb, err)
	require.NoError(s.tb, client.BeginTransaction())
	want, rules := map[string]bool{}, rules{}
	sent, err := simulate.Run(s.tb.Context(), client, events, simulate.Load{Topic: input, Append: rules.append(want)})
	require.NoError(s.tb, err)
	require.Equal(s.tb, total, sent)
	return want, func() {
		require.NoError(s.tb, client.EndTransaction(s.tb.Context(), kgo.TryCommit))
		client.Close()
	}
}
