package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
	"github.com/pqlstream/pqlstream/test/servers"
)

// BenchmarkRebuild measures how long the program takes to fill an empty Redis from its changelog, from its start until
// it owns all partitions, beside how long Redis takes for the same values when it is sent nothing but them.
func BenchmarkRebuild(b *testing.B) {
	accounts := env(b, "REBUILD_ACCOUNTS", 2_000_000)
	s := newSetup(b)
	s.createTopic(input)
	_, n := s.backlog(input, job.Stream(uint64(env(b, "SEED", 1)), accounts, accounts))
	store := servers.StartRedis(b)
	a := s.startApp(appOptions{prefix: "rebuild", store: store})
	a.await("it to be done", poll, func() bool { return a.finished(int64(n)) })
	a.stop()
	states := dump(b, store)
	require.Equal(b, accounts, states.entities)

	t := newTable("rebuild", "bench-rebuild")
	t.Title = fmt.Sprintf("States of %s accounts into an empty Redis, medians of %d rounds.", count(accounts), env(b, "RUNS", 3))
	t.Of = "by"
	t.Columns = slices.Concat([]results.Column{{Key: results.Rate, Name: "states/s", Spread: true}, {Key: "s", Name: "seconds", Decimals: 2}}, costColumns("state"))
	for range env(b, "RUNS", 3) {
		t.Add("the program", s.rebuild(states, accounts)...)
		t.Add("HSET in pipelines (CPU of Redis alone)", s.fill(states, accounts)...)
	}
	publish(b, t)
}

// rebuild has the program start on an empty Redis and returns a row.
func (s *setup) rebuild(want *mirror, accounts int) []float64 {
	s.tb.Helper()
	s.awaitQuiet()
	store := servers.StartRedis(s.tb)
	from := time.Now()
	a := s.launchApp(appOptions{prefix: "rebuild", store: store})
	m := newMeter(nil, []int{store.PID()}, s.kafka.PID()) // the process has not used anything before
	m.own = a.meter().own
	a.await("the rebuild", poll, a.balanced)
	wall, used := time.Since(from), m.read()
	require.Equal(s.tb, want.entities, dump(s.tb, store).entities)
	a.stop()
	require.NoError(s.tb, store.Stop())
	n := float64(accounts)
	return append([]float64{n / wall.Seconds(), wall.Seconds()}, used.figures(n)...)
}

// fill sends the same values to an empty Redis and returns a row.
func (s *setup) fill(states *mirror, accounts int) []float64 {
	s.tb.Helper()
	s.awaitQuiet()
	store := servers.StartRedis(s.tb)
	m := newMeter(nil, []int{store.PID()}, s.kafka.PID())
	states.send(s.tb, store)
	used := m.read()
	require.NoError(s.tb, store.Stop())
	n := float64(accounts)
	return append([]float64{n / used.wall.Seconds(), used.wall.Seconds()}, used.figures(n)...)
}

// mirror is what Redis holds.
type mirror struct {
	hashes   []hash
	entities int
}

// hash is one bucket: fields and values in turn.
type hash struct {
	key    string
	fields []any
}

// dump reads all buckets. What else Redis holds is next to nothing.
func dump(tb testing.TB, store *servers.Redis) *mirror {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: store.Addr()})
	defer client.Close()
	var m mirror
	keys := client.ScanType(tb.Context(), 0, "*", 10_000, "hash").Iterator()
	for keys.Next(tb.Context()) {
		all, err := client.HGetAll(tb.Context(), keys.Val()).Result()
		require.NoError(tb, err)
		h := hash{key: keys.Val()}
		for field, value := range all {
			h.fields = append(h.fields, field, value)
			if len(field) > len("acct-") && field[:len("acct-")] == "acct-" {
				m.entities++
			}
		}
		m.hashes = append(m.hashes, h)
	}
	require.NoError(tb, keys.Err())
	return &m
}

// send writes the buckets: a hundred fields a command, on two connections.
func (m *mirror) send(tb testing.TB, store *servers.Redis) {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: store.Addr(), ReadBufferSize: 256 << 10, WriteBufferSize: 256 << 10})
	defer client.Close()
	work := make(chan []hash, 4)
	var sending sync.WaitGroup
	failed := make([]error, 2)
	for i := range failed {
		sending.Go(func() {
			for hashes := range work {
				if err := sendHashes(tb.Context(), client, hashes); err != nil {
					failed[i] = err
				}
			}
		})
	}
	for part := range slices.Chunk(m.hashes, 16) {
		work <- part
	}
	close(work)
	sending.Wait()
	for _, err := range failed {
		require.NoError(tb, err)
	}
}

func sendHashes(ctx context.Context, client *redis.Client, hashes []hash) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, h := range hashes {
			for fields := range slices.Chunk(h.fields, 200) {
				p.HSet(ctx, h.key, fields...)
			}
		}
		return nil
	})
	return err
}
