package redisstate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// The benchmarks run against a redis-server of their own over TCP, with one partition of so many accounts (thousands) that
// have states of 300 bytes.
var accounts = 100_000

func init() {
	if text := os.Getenv("BENCH_ACCOUNTS"); text != "" {
		accounts, _ = strconv.Atoi(text)
	}
	if accounts = accounts / state.MaxChunk * state.MaxChunk; accounts == 0 {
		panic("BENCH_ACCOUNTS is not a number of thousands")
	}
}

// unbuilt returns a mirror that is empty and entries for it, in no order that buckets have.
func unbuilt(b *testing.B, timer int64, lists ...string) (*mirror, []state.Entry) {
	b.Helper()
	entries, value := make([]state.Entry, accounts), make([]byte, 300)
	for i := range entries {
		entries[i] = state.Entry{Key: fmt.Sprintf("account-%08d", i), Value: value, Timer: timer}
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(accounts, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	s, err := New(startRedis(b), Options{Lists: lists})
	require.NoError(b, err)
	return s.Open(partition, 1).(*mirror), entries
}

func benchmarked(b *testing.B, timer int64) (*mirror, []state.Entry) {
	b.Helper()
	m, entries := unbuilt(b, timer)
	require.NoError(b, m.Rebuild(b.Context(), 1, "", thousands(entries)))
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
		for _, n := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%d %s", n, name), func(b *testing.B) {
				m, entries := benchmarked(b, timer)
				position, at, before := int64(1), 0, redisCPU(b, m)
				for b.Loop() {
					chunk := state.Chunk{From: position, To: position + 1, Entries: entries[at : at+n]}
					require.NoError(b, m.Apply(b.Context(), chunk))
					position++
					at = (at + n) % accounts
				}
				perKey(b, m, before, n)
			})
		}
	}
}

// BenchmarkApplyLists says what lists cost: nothing where they don't change, whoever is on them.
func BenchmarkApplyLists(b *testing.B) {
	lists := []string{"all", "some", "some.a", "some.b", "some.c"}
	for _, n := range []int{1, 10, 1000} {
		for _, c := range []struct {
			name     string
			lists    []string
			relisted bool
		}{{"none", nil, false}, {"that stay", lists, false}, {"of which one changes", lists, true}} {
			b.Run(fmt.Sprintf("%d %s", n, c.name), func(b *testing.B) {
				m, entries := unbuilt(b, 0, c.lists...)
				for i := range entries {
					entries[i].Relisted, entries[i].Index = c.lists != nil, []state.Listing{{List: "all", Score: int64(i)}}
				}
				for i := 0; i < accounts/20 && c.lists != nil; i++ {
					entries[i].Index = append(entries[i].Index, state.Listing{List: "some", Score: 1}, state.Listing{List: "some.b", Score: 1})
				}
				require.NoError(b, m.Rebuild(b.Context(), 1, "", thousands(entries)))
				for i := range entries {
					entries[i].Relisted = c.relisted
				}
				position, at, before := int64(1), 0, redisCPU(b, m)
				for b.Loop() {
					for i := range entries[at : at+n] {
						entries[at+i].Index[0].Score = 1_764_000_000_000 + position
					}
					require.NoError(b, m.Apply(b.Context(), state.Chunk{From: position, To: position + 1, Entries: entries[at : at+n]}))
					position++
					at = (at + n) % accounts
				}
				perKey(b, m, before, n)
			})
		}
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

// BenchmarkRebuild fills an empty Redis, first with a mirror, then with the same states and nothing that makes them one.
func BenchmarkRebuild(b *testing.B) {
	for _, fill := range []struct {
		name string
		do   func(*testing.B, *mirror, []state.Entry)
	}{
		{"mirror", func(b *testing.B, m *mirror, entries []state.Entry) {
			require.NoError(b, m.Rebuild(b.Context(), 1, "", thousands(entries)))
		}},
		{"limit of Redis", pour},
	} {
		b.Run(fill.name, func(b *testing.B) {
			m, entries := unbuilt(b, 0)
			client := m.store.client.(*redis.Client)
			empty := redisInfo(b, m, "used_memory")
			var cpu time.Duration
			for b.Loop() {
				b.StopTimer()
				require.NoError(b, client.FlushAll(b.Context()).Err())
				before := redisCPU(b, m)
				b.StartTimer()
				fill.do(b, m, entries)
				b.StopTimer()
				cpu += redisCPU(b, m) - before
				b.StartTimer()
			}
			perKey(b, m, redisCPU(b, m)-cpu, accounts)
			b.ReportMetric((redisInfo(b, m, "used_memory")-empty)/float64(accounts), "redis-B/account")
		})
	}
}

// pour writes states to their buckets over two connections.
func pour(b *testing.B, m *mirror, entries []state.Entry) {
	ctx := b.Context()
	handed := make(chan []state.Entry)
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			var err error
			for slice := range handed {
				var w writer
				w.arrange(m, slice)
				_, failed := m.store.client.Pipelined(ctx, func(p redis.Pipeliner) error {
					out := pipe{ctx: ctx, to: p, args: w.args[:0]}
					for _, bucket := range w.touched {
						out.states(&w.chains, m.names[bucket], bucket, slice)
					}
					return out.err
				})
				err = errors.Join(err, failed)
			}
			return err
		})
	}
	for slice := range slices.Chunk(entries, state.MaxChunk) {
		handed <- slice
	}
	close(handed)
	require.NoError(b, group.Wait())
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
	return time.Duration((redisInfo(b, m, "used_cpu_user") + redisInfo(b, m, "used_cpu_sys")) * float64(time.Second))
}

func redisInfo(b *testing.B, m *mirror, field string) float64 {
	b.Helper()
	info, err := ReadInfo(b.Context(), m.store.client.(*redis.Client))
	require.NoError(b, err)
	f, err := strconv.ParseFloat(info[field], 64)
	require.NoError(b, err)
	return f
}
