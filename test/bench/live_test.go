package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
)

// BenchmarkLive measures, while events come in at a fixed rate, how long after the event that qualifies an account its
// PQL can be read: from handing the event to its producer, which waits 5 ms for more, until a read-committed consumer
// has it. The peers take turns.
func BenchmarkLive(b *testing.B) {
	rate, runs := env(b, "RATE", 20_000), env(b, "LIVE_RUNS", 2)
	s := newSetup(b)
	peers := s.contenders()
	t := liveTable(b, "live", "bench", "peer", fmt.Sprintf("Live at %s events/s, medians of %d rounds", count(rate), runs))
	for round := range runs {
		for _, c := range peers {
			t.Add(c.name, s.live(c, fmt.Sprintf("%s-live%d", c.name, round), rate)...)
		}
	}
	publish(b, t)
}

// BenchmarkRates measures what an event costs the program at several rates: the fewer events, the more of the cost is
// that of commits, which come at fixed intervals.
func BenchmarkRates(b *testing.B) {
	s := newSetup(b)
	program := s.contenders()[0]
	t := liveTable(b, "rates", "bench-rates", "wanted", "What an event costs at different rates")
	for _, rate := range envList(b, "RATES", 1_000, 10_000, 100_000) {
		t.Add(count(rate), s.live(program, fmt.Sprintf("rate%d", rate), rate)...)
	}
	publish(b, t)
}

func liveTable(tb testing.TB, name, target, of, title string) *results.Table {
	t := newTable(name, target)
	warmUp, measured := liveTimes(tb)
	t.Title, t.Of = fmt.Sprintf("%s, %v each, measured after %v; %s.", title, measured, warmUp, outputs()), of
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "events/s"}, {Key: "pqls", Name: "PQLs"}, {Key: "p50", Name: "p50 ms", Decimals: 1, Spread: true},
		{Key: "p90", Name: "p90 ms", Decimals: 1}, {Key: "p99", Name: "p99 ms", Decimals: 1, Spread: true}, {Key: "max", Name: "max ms", Decimals: 1}},
		costColumns("event"), writtenColumns)
	return t
}

func liveTimes(tb testing.TB) (warmUp, measured time.Duration) {
	return envDuration(tb, "WARMUP", 10*time.Second), envDuration(tb, "MEASURE", 30*time.Second)
}

// live has a peer follow an input that grows and returns a row.
func (s *setup) live(c contender, name string, rate int) []float64 {
	s.tb.Helper()
	s.awaitQuiet()
	s.createTopic(input)
	defer s.deleteTopics(input)
	warmUp, measured := liveTimes(s.tb)
	n := int(float64(rate) * (warmUp + measured).Seconds())
	l := &live{peer: c.start(name), warmUp: warmUp, created: map[string]time.Time{}, seen: map[string]time.Time{}}
	used := l.run(job.Stream(uint64(env(s.tb, "SEED", 1)), n, env(s.tb, "LIVE_ACCOUNTS", rate)), rate, n)
	l.stop()
	ms := l.latencies()
	events := float64(n) - l.before
	row := []float64{events / used.wall.Seconds(), float64(len(ms))}
	for _, share := range []float64{0.5, 0.9, 0.99, 1} {
		row = append(row, results.Quantile(ms, share))
	}
	row = append(append(row, used.figures(events)...), l.written(float64(n))...)
	l.remove()
	return row
}

// live notes when events that qualify were created and when their PQLs were seen.
type live struct {
	*peer
	warmUp  time.Duration
	began   time.Time
	before  float64              // events before the warm-up was over
	created map[string]time.Time // the producing goroutine's until it is done

	mu   sync.Mutex
	seen map[string]time.Time
}

// run produces the events, waits for their PQLs, and returns what the time after the warm-up cost.
func (l *live) run(events func(func(*usage.Event) bool), rate, n int) cost {
	tb := l.s.tb
	ctx, stop := context.WithCancel(tb.Context())
	var following sync.WaitGroup
	following.Go(func() { l.s.follow(ctx, l.output, l.note) })
	defer following.Wait()
	defer stop()
	var m *meter
	rules := rules{}
	client := l.s.producer(5 * time.Millisecond)
	defer client.Close()
	l.began = time.Now()
	sent, err := simulate.Run(ctx, client, events, simulate.Load{
		Topic: input, Rate: float64(rate),
		Append: func(b []byte, e *usage.Event) []byte {
			if m == nil && time.Since(l.began) >= l.warmUp {
				m = l.meter()
			}
			if m == nil {
				l.before++
			}
			if rules.qualifies(e) {
				l.created[e.ID] = time.Now()
			}
			return job.Append(b, e)
		},
	})
	require.NoError(tb, err)
	require.Equal(tb, n, sent)
	require.NotNil(tb, m, "the warm-up took all the time")
	used := m.read()
	l.await("it to be done", poll, func() bool { return l.finished(int64(n)) })
	l.await("all PQLs", poll, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.seen) >= len(l.created)
	})
	return used
}

func (l *live) note(r *kgo.Record) {
	now := time.Now()
	id, ok := l.event(r)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.seen[id].IsZero() {
		l.s.tb.Errorf("%s: twice: %s", l.name, id)
	}
	l.seen[id] = now
}

// latencies are those of the events after the warm-up, in ms.
func (l *live) latencies() (ms []float64) {
	require.Len(l.s.tb, l.seen, len(l.created), "%s: PQLs", l.name)
	for id, created := range l.created {
		seen, ok := l.seen[id]
		require.True(l.s.tb, ok, "%s: no PQL of event %s", l.name, id)
		if created.Sub(l.began) >= l.warmUp {
			ms = append(ms, float64(seen.Sub(created).Microseconds())/1e3)
		}
	}
	require.NotEmpty(l.s.tb, ms, "no account qualified after the warm-up")
	return ms
}
