package redisstate

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// The benchmarks run against a redis-server of their own over TCP: 100,000 accounts with states of 300 bytes.
const accounts = 100_000

func benchmarked(b *testing.B, timer int64) (*mirror, []state.Entry) {
	b.Helper()
	entries := make([]state.Entry, accounts)
	for i := range entries {
		entries[i] = state.Entry{Key: fmt.Sprintf("account-%08d", i), Value: make([]byte, 300), Timer: timer}
	}
	s, err := New(startRedis(b), Options{})
	require.NoError(b, err)
	m := s.Open(partition, 1).(*mirror)
	require.NoError(b, m.Rebuild(b.Context(), 1, thousands(entries)))
	return m, entries
}

func thousands(entries []state.Entry) func(func([]state.Entry, error) bool) {
	return func(yield func([]state.Entry, error) bool) {
		for i := 0; i < len(entries); i += state.MaxChunk {
			if !yield(entries[i:i+state.MaxChunk], nil) {
				return
			}
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for name, timer := range map[string]int64{"without timers": 0, "with timers": 1_764_000_000_000} {
		b.Run(name, func(b *testing.B) {
			m, entries := benchmarked(b, timer)
			position, before := int64(1), redisCPU(b, m)
			for b.Loop() {
				at := int(position) * state.MaxChunk % accounts
				chunk := state.Chunk{From: position, To: position + 1, Entries: entries[at : at+state.MaxChunk]}
				require.NoError(b, m.Apply(b.Context(), chunk))
				position++
			}
			perKey(b, m, before, state.MaxChunk)
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	m, entries := benchmarked(b, 0)
	keys := make([]string, accounts)
	for i := range entries {
		keys[i] = entries[i].Key
	}
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			at, before := 0, redisCPU(b, m)
			for b.Loop() {
				_, err := m.Load(b.Context(), 1, keys[at:at+n])
				require.NoError(b, err)
				at = (at + n) % accounts
			}
			perKey(b, m, before, n)
		})
	}
}

func BenchmarkRebuild(b *testing.B) {
	m, entries := benchmarked(b, 0)
	before := redisCPU(b, m)
	for b.Loop() {
		require.NoError(b, m.Rebuild(b.Context(), 1, thousands(entries)))
	}
	perKey(b, m, before, accounts)
}

func BenchmarkClaim(b *testing.B) {
	m, _ := benchmarked(b, 0)
	for b.Loop() {
		_, err := m.Claim(b.Context())
		require.NoError(b, err)
	}
}

// perKey reports the time that a key takes, and how much of the server's CPU time.
func perKey(b *testing.B, m *mirror, before time.Duration, keys int) {
	b.Helper()
	report := func(d time.Duration, unit string) {
		b.ReportMetric(float64(d)/float64(time.Microsecond)/float64(b.N*keys), unit)
	}
	report(b.Elapsed(), "us/key")
	report(redisCPU(b, m)-before, "redis-cpu-us/key")
}

// redisCPU is the CPU time that the server has used.
func redisCPU(b *testing.B, m *mirror) time.Duration {
	b.Helper()
	info, err := readInfo(b.Context(), m.store.client.(*redis.Client))
	require.NoError(b, err)
	var seconds float64
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		s, err := strconv.ParseFloat(info[field], 64)
		require.NoError(b, err)
		seconds += s
	}
	return time.Duration(seconds * float64(time.Second))
}
