package redisstate

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// between calls a function once, between what a step checks and what it writes.
type between struct {
	once sync.Once
	call func()
}

func (b *between) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if cmd.Name() == "hset" {
				b.once.Do(b.call)
			}
		}
		return next(ctx, cmds)
	}
}

// Rule 6: what was checked before a chunk is written must hold while it is. Where another step or owner came in between,
// the chunk is refused as if it had come later. Where something was lost, that shows as if it had been lost later.
func TestAttack21ChangedBetweenCheckAndWrite(t *testing.T) {
	chunk := state.Chunk{From: 1, To: 2, Entries: []state.Entry{timer("a", "chunk"), {Key: "b"}}}
	tests := []struct {
		name   string
		change func(t *testing.T, c *redis.Client, m *mirror, other state.Mirror) error
		want   error             // of the chunk
		holds  map[string]string // by a mirror that is still there
	}{
		{name: "nothing", change: func(*testing.T, *redis.Client, *mirror, state.Mirror) error { return nil },
			holds: map[string]string{"a": "chunk", "b": ""}},
		{name: "a newer owner claims", want: state.ErrFenced, holds: map[string]string{"a": "1", "b": "1"},
			change: func(t *testing.T, _ *redis.Client, _ *mirror, other state.Mirror) error {
				_, err := other.Claim(t.Context())
				return err
			}},
		{name: "a newer owner writes", want: state.ErrFenced, holds: map[string]string{"a": "other", "b": "1"},
			change: func(t *testing.T, _ *redis.Client, _ *mirror, other state.Mirror) error {
				return other.Apply(t.Context(), state.Chunk{From: 1, To: 3, Entries: []state.Entry{put("a", "other")}})
			}},
		{name: "a newer owner rebuilds to the same position", want: state.ErrFenced, holds: map[string]string{"a": "other", "b": ""},
			change: func(t *testing.T, _ *redis.Client, _ *mirror, other state.Mirror) error {
				return other.Rebuild(t.Context(), 1, "", one([]state.Entry{put("a", "other")}))
			}},
		{name: "the same chunk, sent before, arrives", holds: map[string]string{"a": "chunk", "b": ""},
			change: func(t *testing.T, _ *redis.Client, m *mirror, _ state.Mirror) error {
				return m.store.Open(partition, 1).Apply(t.Context(), chunk)
			}},
		{name: "the next chunk has been written as well", want: state.ErrMismatch, holds: map[string]string{"a": "next", "b": ""},
			change: func(t *testing.T, _ *redis.Client, m *mirror, _ state.Mirror) error {
				again := m.store.Open(partition, 1)
				if err := again.Apply(t.Context(), chunk); err != nil {
					return err
				}
				return again.Apply(t.Context(), state.Chunk{From: 2, To: 3, Entries: []state.Entry{put("a", "next")}})
			}},
		{name: "everything is lost", want: state.ErrMismatch,
			change: func(t *testing.T, c *redis.Client, _ *mirror, _ state.Mirror) error {
				return c.FlushAll(t.Context()).Err()
			}},
		{name: "a bucket is lost",
			change: func(t *testing.T, c *redis.Client, m *mirror, _ state.Mirror) error {
				return c.Del(t.Context(), m.buckets[m.store.bucketOf("a")]).Err()
			}},
		{name: "a bucket's sentinel is lost",
			change: func(t *testing.T, c *redis.Client, m *mirror, _ state.Mirror) error {
				return c.HDel(t.Context(), m.buckets[m.store.bucketOf("b")], "").Err()
			}},
		{name: "the timers are lost",
			change: func(t *testing.T, c *redis.Client, m *mirror, _ state.Mirror) error {
				return c.Del(t.Context(), m.timers).Err()
			}},
		{name: "the position is lost", want: state.ErrMismatch,
			change: func(t *testing.T, c *redis.Client, m *mirror, _ state.Mirror) error {
				return c.Del(t.Context(), m.meta).Err()
			}},
	}
	// (miniredis doesn't tell those who watch of a flush; the chunk then leaves buckets without sentinels, too.)
	admin := startRedis(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, admin.FlushAll(t.Context()).Err())
			s, _ := owned(t, admin, Options{Buckets: 64}, put("a", "1"), put("b", "1"))
			other := s.Open(partition, 9)
			c := redis.NewClient(admin.Options())
			t.Cleanup(func() { _ = c.Close() })
			_, m := open(t, c)
			hook := &between{call: func() {
				_, same := open(t, admin)
				require.NoError(t, test.change(t, admin, same, other))
			}}
			c.AddHook(hook)
			err := m.Apply(t.Context(), chunk)
			hook.once.Do(func() { require.Fail(t, "the change was not made") })
			if test.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, test.want)
			}
			status, err := other.Claim(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.holds != nil, status.Exists)
			if test.holds != nil {
				holds(t, other, 1, test.holds)
				return
			}
			require.ErrorIs(t, other.Apply(t.Context(), state.Chunk{From: 2, To: 3, Entries: chunk.Entries}), state.ErrMismatch)
			_, loading := other.Load(t.Context(), 1, []string{"a", "b"})
			_, asking := other.Due(t.Context(), 1, 0, 1, 1)
			require.ErrorIs(t, errors.Join(loading, asking), state.ErrMismatch)
		})
	}
}

func timer(key, value string) state.Entry {
	return state.Entry{Key: key, Value: []byte(value), Timer: 1}
}
