package servers

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestRedisComesBackEmpty(t *testing.T) {
	r := StartRedis(t)
	c := r.client()
	defer c.Close()
	set := func() { require.NoError(t, c.Set(t.Context(), "key", "value", 0).Err()) }
	gone := func() { require.ErrorIs(t, c.Get(t.Context(), "key").Err(), redis.Nil) }

	set()
	require.NoError(t, r.FlushAll())
	gone()

	set()
	addr := r.Addr()
	require.NoError(t, r.Kill())
	require.Error(t, c.Ping(t.Context()).Err())
	require.NoError(t, r.Restart())
	require.Equal(t, addr, r.Addr())
	gone()

	set()
	require.NoError(t, r.Restart())
	gone()
}

func TestRedisArgs(t *testing.T) {
	r := StartRedis(t, RedisArgs("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"))
	c := r.client()
	defer c.Close()
	policy, err := c.ConfigGet(t.Context(), "maxmemory-policy").Result()
	require.NoError(t, err)
	require.Equal(t, "allkeys-lru", policy["maxmemory-policy"])

	require.NoError(t, c.Set(t.Context(), "key", "value", 0).Err())
	require.NoError(t, r.Restart())
	require.Equal(t, "value", c.Get(t.Context(), "key").Val())
}

func TestRedisPausedAnswersOnceContinued(t *testing.T) {
	r := StartRedis(t)
	require.NoError(t, r.Pause())
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Error(t, r.answers(short))
	require.NoError(t, r.Continue())
	require.NoError(t, r.answers(t.Context()))
}
