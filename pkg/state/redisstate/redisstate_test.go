package redisstate

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/statetest"
)

var partition = state.Partition{Stage: "activation", Topic: "usage", Number: 3, Identity: "cluster-1"}

func TestBehaviourOnMiniredis(t *testing.T) {
	c := startMiniredis(t)
	statetest.Run(t, harness(c, c, Options{Buckets: 16}))
}

func TestBehaviourWithOneBucket(t *testing.T) {
	c := startMiniredis(t)
	statetest.Run(t, harness(c, c, Options{Buckets: 1}))
}

func TestBehaviourOnRedis(t *testing.T) {
	c := startRedis(t)
	statetest.Run(t, harness(c, c, Options{}))
}

// In a cluster every script that touches keys of two slots is refused.
func TestBehaviourOnRedisCluster(t *testing.T) {
	c, nodes := startCluster(t, 1)
	statetest.Run(t, harness(c, nodes[0], Options{Buckets: 64}))
}

// harness makes harnesses on a store; admin goes to the one server that holds everything.
func harness(c redis.UniversalClient, admin *redis.Client, o Options) func(*testing.T) statetest.Harness {
	return func(t *testing.T) statetest.Harness {
		with := func(lists ...string) *Store {
			o.Lists = lists
			s, err := New(c, o)
			require.NoError(t, err)
			return s
		}
		s := with(statetest.Lists...)
		ctx := context.Background()
		flush := func() { require.NoError(t, admin.FlushAll(ctx).Err()) }
		del := func(key string) {
			n, err := admin.Del(ctx, key).Result()
			require.NoError(t, err)
			require.Equal(t, int64(1), n, key)
		}
		flush()
		return statetest.Harness{
			Store:         s,
			Reader:        s,
			With:          func(lists ...string) state.Store { return with(lists...) },
			Flush:         flush,
			Evict:         func(p state.Partition, key string) { del(keysOf(s, p).buckets[s.bucketOf(key)]) },
			EvictTimers:   func(p state.Partition) { del(keysOf(s, p).timers) },
			EvictList:     func(p state.Partition, list string) { del(keysOf(s, p).listKey(list)) },
			EvictPosition: func(p state.Partition) { del(keysOf(s, p).meta) },
			Snapshot:      func() func() { return snapshot(t, admin) },
			Age: func(p state.Partition, d time.Duration) {
				require.NoError(t, admin.HIncrBy(ctx, keysOf(s, p).meta, "updated", -d.Milliseconds()).Err())
			},
		}
	}
}

// keysOf returns a mirror for the names of its keys.
func keysOf(s *Store, p state.Partition) *mirror { return s.Open(p, 0).(*mirror) }

// snapshot copies a server's hashes and sorted sets.
func snapshot(t *testing.T, c *redis.Client) (restore func()) {
	t.Helper()
	ctx := context.Background()
	hashes, sets := map[string]map[string]string{}, map[string][]redis.Z{}
	keys, err := c.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		kind, err := c.Type(ctx, key).Result()
		require.NoError(t, err)
		if kind == "hash" {
			hashes[key], err = c.HGetAll(ctx, key).Result()
		} else {
			sets[key], err = c.ZRangeWithScores(ctx, key, 0, -1).Result()
		}
		require.NoError(t, err)
	}
	return func() {
		require.NoError(t, c.FlushAll(ctx).Err())
		for key, hash := range hashes {
			require.NoError(t, c.HSet(ctx, key, hash).Err())
		}
		for key, set := range sets {
			require.NoError(t, c.ZAdd(ctx, key, set...).Err())
		}
	}
}

// A user who may do only this, and only to the deployment's keys, is enough.
func TestBehaviourWithRestrictedUser(t *testing.T) {
	admin := startRedis(t)
	rules := []any{"ACL", "SETUSER", "mirror", "on", ">secret", "resetkeys", "~{pqlstream:*", "-@all", "+info",
		"+eval", "+evalsha", "+watch", "+unwatch", "+multi", "+exec", "+time", "+unlink",
		"+hget", "+hmget", "+hscan", "+hset", "+hdel", "+zadd", "+zrem", "+zcard", "+zscore", "+zrangebyscore", "+zrange", "+zcount"}
	require.NoError(t, admin.Do(t.Context(), rules...).Err())
	o := options(admin.Options().Addr)
	o.Username, o.Password = "mirror", "secret"
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	statetest.Run(t, harness(c, admin, Options{}))
	require.ErrorContains(t, c.Set(t.Context(), "{pqlstream:x}:0", "", 0).Err(), "NOPERM")
}

// A mirror that an earlier version has built says nothing of its definition, which is no definition's.
func TestAMirrorWithoutADefinition(t *testing.T) {
	c := startMiniredis(t)
	s, m := owned(t, c, Options{Buckets: 2})
	require.NoError(t, m.Rebuild(t.Context(), 1, "one", one(nil)))
	require.NoError(t, c.HDel(t.Context(), m.meta, "definition").Err())
	status, err := s.Open(partition, 2).Claim(t.Context())
	require.NoError(t, err)
	require.True(t, status.Exists)
	require.Empty(t, status.Definition)
}

// Lists that there are not any more leave nothing in Redis, even where a build was given up in between.
func TestFormerListsAreErased(t *testing.T) {
	c := startMiniredis(t)
	owned(t, c, Options{Buckets: 2, Lists: []string{"kept", "former"}})
	s, err := New(c, Options{Buckets: 2, Lists: []string{"kept", "tried"}})
	require.NoError(t, err)
	given, err := s.Open(partition, 1).(*mirror).decide(t.Context())
	require.NoError(t, err)
	_, _, err = given.begin(t.Context())
	require.NoError(t, err)
	_, m := owned(t, c, Options{Buckets: 2, Lists: []string{"kept"}})
	keys, err := c.Keys(t.Context(), m.base+"list:*").Result()
	require.NoError(t, err)
	require.Equal(t, []string{m.lists[0]}, keys)
}
