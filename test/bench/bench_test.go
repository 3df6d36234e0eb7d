package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// env returns a number of the environment.
func env(tb testing.TB, name string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(tb, err, name)
	return n
}

func envDuration(tb testing.TB, name string, otherwise time.Duration) time.Duration {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	require.NoError(tb, err, name)
	return d
}

// BenchmarkCatchUp measures how fast the program works off a backlog, and at what cost: from the moment at which it is
// ready until the group has committed the whole input and Redis has what became of it.
func BenchmarkCatchUp(b *testing.B) {
	events, accounts, seed := env(b, "EVENTS", 2_000_000), env(b, "ACCOUNTS", 100_000), env(b, "SEED", 1)
	s := newSetup(b)
	s.createTopic("usage")
	want := s.load(uint64(seed), events, accounts)
	result := table{
		title: fmt.Sprintf("Catching up with %d events of %d accounts on %d partitions, %d PQLs:", events, accounts, partitions, len(want)),
		columns: []column{{"events/s", 0}, {"CPU µs/event", 2}, {"program's", 2}, {"Redis's", 2}, {"broker's CPU s", 2}, {"other load, cores", 2},
			{"peak MB", 0}, {"Redis MB", 0}, {"bytes/event written to Kafka", 1}},
	}
	for run := range env(b, "RUNS", 3) {
		a := s.start(fmt.Sprintf("catchup%d", run), "usage")
		m := a.meter()
		a.awaitDone(int64(events))
		u, wall := m.read()
		n := float64(events)
		result.add(n/wall.Seconds(), (u.app+u.redis)/n*1e6, u.app/n*1e6, u.redis/n*1e6, u.broker, u.other/wall.Seconds(),
			peakMB(a.p.PID()), peakMB(s.redis.PID()), float64(a.written())/n)
		a.requirePQLs(want)
		a.remove()
	}
	result.print(os.Stdout)
}

// load puts the backlog onto the input and returns which events qualify an account.
func (s *setup) load(seed uint64, events, accounts int) map[string]bool {
	s.tb.Helper()
	want, fold := map[string]bool{}, newFolder(s.tb)
	n, err := simulate.Run(s.tb.Context(), s.client, stream(seed, events, accounts), simulate.Load{
		Topic: "usage",
		Append: func(b []byte, e *usage.Event) []byte {
			if fold.qualifies(e) {
				want[e.ID] = true
			}
			return s.encoder.AppendUsage(b, e)
		},
	})
	require.NoError(s.tb, err)
	require.Equal(s.tb, events, n)
	return want
}

// requirePQLs compares what was published with what an engine on its own finds: each once.
func (a *app) requirePQLs(want map[string]bool) {
	a.s.tb.Helper()
	ctx, stop := context.WithTimeout(a.s.tb.Context(), time.Minute)
	defer stop()
	got := map[string]bool{}
	a.s.follow(ctx, a.prefix+".events", func(r *kgo.Record) {
		if id, ok := qualifyingEvent(a.s.tb, r); ok {
			require.False(a.s.tb, got[id], "twice: %s", id)
			if got[id] = true; len(got) >= len(want) {
				stop()
			}
		}
	})
	require.Equal(a.s.tb, want, got)
}

// qualifyingEvent returns the event that qualified an account, from a PQL event.
func qualifyingEvent(tb testing.TB, r *kgo.Record) (id string, ok bool) {
	f, _, err := codec.DecodeFact(r.Value)
	if err != nil {
		tb.Errorf("reading a PQL event: %v", err)
		return "", false
	}
	return f.EventID, f.Type == account.Qualified
}

// BenchmarkLive measures, while events come in at a fixed rate, how long after the event that qualifies an account its
// PQL can be read: from handing the event to its producer, which waits 5 ms for more, until a read-committed consumer
// has it.
func BenchmarkLive(b *testing.B) {
	rate, accounts, seed := env(b, "RATE", 20_000), env(b, "LIVE_ACCOUNTS", 20_000), env(b, "SEED", 1)
	warmUp, measured := envDuration(b, "WARMUP", 10*time.Second), envDuration(b, "MEASURE", 30*time.Second)
	s := newSetup(b)
	result := table{
		title: fmt.Sprintf("Live at %d events/s for %v after %v:", rate, measured, warmUp),
		columns: []column{{"PQLs", 0}, {"p50 ms", 1}, {"p90 ms", 1}, {"p99 ms", 1}, {"max ms", 1}, {"program's CPU s", 2}, {"Redis's", 2},
			{"broker's", 2}, {"other load, cores", 2}, {"peak MB", 0}},
	}
	for run := range env(b, "RUNS", 3) {
		name := fmt.Sprintf("live%d", run)
		s.createTopic(name + "-usage")
		a := s.start(name, name+"-usage")
		l := &live{app: a, created: map[string]time.Time{}, seen: map[string]time.Time{}}
		events := int(float64(rate) * (warmUp + measured).Seconds())
		u, wall := l.run(stream(uint64(seed), events, accounts), float64(rate), events, warmUp)
		ms := l.latencies(warmUp)
		result.add(float64(len(ms)), quantile(ms, 0.5), quantile(ms, 0.9), quantile(ms, 0.99), quantile(ms, 1), u.app, u.redis, u.broker,
			u.other/wall.Seconds(), peakMB(a.p.PID()))
		a.remove()
	}
	result.print(os.Stdout)
}

// live notes when events that qualify were created and when their PQLs were seen.
type live struct {
	*app
	began   time.Time
	created map[string]time.Time // the producing goroutine's until it is done

	mu   sync.Mutex
	seen map[string]time.Time
}

// run produces the events, and returns what the time after the warm-up cost.
func (l *live) run(events func(func(*usage.Event) bool), rate float64, n int, warmUp time.Duration) (used, time.Duration) {
	tb := l.s.tb
	ctx, stop := context.WithCancel(tb.Context())
	var following sync.WaitGroup
	following.Go(func() { l.s.follow(ctx, l.prefix+".events", l.note) })
	defer following.Wait()
	defer stop()
	var m *meter
	fold := newFolder(tb)
	l.began = time.Now()
	sent, err := simulate.Run(ctx, l.s.client, events, simulate.Load{
		Topic: l.input, Rate: rate,
		Append: func(b []byte, e *usage.Event) []byte {
			if m == nil && time.Since(l.began) >= warmUp {
				m = l.meter()
			}
			if fold.qualifies(e) {
				l.created[e.ID] = time.Now()
			}
			return l.s.encoder.AppendUsage(b, e)
		},
	})
	require.NoError(tb, err)
	require.Equal(tb, n, sent)
	require.NotNil(tb, m, "the warm-up took all the time")
	u, wall := m.read()
	l.await("all PQLs", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.seen) >= len(l.created)
	})
	return u, wall
}

func (l *live) note(r *kgo.Record) {
	now := time.Now()
	id, ok := qualifyingEvent(l.s.tb, r)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.seen[id].IsZero() {
		l.s.tb.Errorf("twice: %s", id)
	}
	l.seen[id] = now
}

// latencies are those of the events after the warm-up, in ms.
func (l *live) latencies(warmUp time.Duration) (ms []float64) {
	for id, created := range l.created {
		seen, ok := l.seen[id]
		require.True(l.s.tb, ok, "no PQL of event %s", id)
		if created.Sub(l.began) >= warmUp {
			ms = append(ms, float64(seen.Sub(created).Microseconds())/1e3)
		}
	}
	require.NotEmpty(l.s.tb, ms, "no account qualified after the warm-up")
	return ms
}
