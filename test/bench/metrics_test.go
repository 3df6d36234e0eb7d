package bench

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
)

// BenchmarkMetrics measures what metrics add to the job: one process works off the same backlog without them and with them, in turns. With them
// it is done when the last row is published.
func BenchmarkMetrics(b *testing.B) {
	events, accounts, seed := env(b, "EVENTS", 2_000_000), env(b, "ACCOUNTS", 100_000), env(b, "SEED", 1)
	s := newSetup(b)
	t := newTable("metrics", "bench-metrics")
	t.Title = fmt.Sprintf("Catching up with %s events of %s accounts on %d partitions, by one process with all stages: medians of %d rounds, in one run; %s. "+
		"Metrics are the defaults: days, weeks and months in one zone, all accounts and by tier; in the last row of hours, too.",
		count(events), count(accounts), partitions, env(b, "RUNS", 3), outputs())
	t.Of = "metrics"
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "events/s", Spread: true}}, costColumns("event"), writtenColumns, []results.Column{
		{Key: "internal", Name: "to its internal topics", Decimals: 1},
		{Key: "pqls", Name: "PQLs checked"},
		{Key: "ratio", Name: "CPU, times that without", Decimals: 2, Spread: true}})
	for round := range env(b, "RUNS", 3) {
		without := 0.0
		for _, name := range []string{"off", "on", "on-with-hours"} {
			row := s.catchUp(s.withMetrics(name), fmt.Sprintf("%s-%d", name, round), job.Stream(uint64(seed), events, accounts), events)
			if name == "off" {
				without = row[1]
			}
			t.Add(name, append(row, row[1]/without)...)
			fmt.Printf("round %d: metrics %s: %.2f us of CPU an event\n", round+1, name, row[1])
		}
	}
	publish(b, t)
}

// withMetrics is the program without metrics or with them.
func (s *setup) withMetrics(name string) contender {
	return contender{name: name, start: func(prefix string) *peer {
		return &s.startApp(appOptions{prefix: prefix, history: true, metrics: name != "off", hours: name == "on-with-hours"}).peer
	}}
}

// BenchmarkMetricsLive measures the same while events come in at a fixed rate.
func BenchmarkMetricsLive(b *testing.B) {
	rate, runs := env(b, "RATE", 20_000), env(b, "LIVE_RUNS", 2)
	s := newSetup(b)
	t := liveTable(b, "metrics-live", "bench-metrics", "metrics", fmt.Sprintf("Live at %s events/s, medians of %d rounds", count(rate), runs))
	for round := range runs {
		for _, name := range []string{"off", "on"} {
			t.Add(name, s.live(s.withMetrics(name), fmt.Sprintf("%s-live%d", name, round), rate)...)
		}
	}
	publish(b, t)
}

// measured says whether all is in the rows that has become of accounts.
func (a *deployment) measured() bool {
	return a.passed("measure", "facts") && a.passed("rollup", "rollup") && a.passed("rollup", "rollup") // which it writes itself
}

// passed says whether a stage has committed everything of a topic of its own.
func (a *deployment) passed(stage, topic string) bool {
	offsets, err := a.s.admin.FetchOffsets(a.s.tb.Context(), a.name+"."+stage)
	if err != nil {
		return false
	}
	ends, err := a.s.admin.ListEndOffsets(a.s.tb.Context(), a.name+"."+topic)
	if err != nil || ends.Error() != nil {
		return false
	}
	all := true
	ends.Each(func(end kadm.ListedOffset) {
		at, known := offsets.Lookup(end.Topic, end.Partition)
		all = all && known && at.At >= end.Offset
	})
	return all
}
