package redisstate

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/state"
)

const (
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

// Rule 6: a slot migrates key by key while it is written and read. Scripts stall (TRYAGAIN, MOVED) and go on; no
// mismatch is seen, since nothing is lost, and never half a chunk.
func TestAttack25SlotMigration(t *testing.T) {
	_, nodes := startCluster(t, 2)
	c := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                 []string{nodes[0].Options().Addr},
		MaxRedirects:          1, // more, and the client sits it out
		ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = c.Close() })
	const entities = 200
	s, m := owned(t, c, Options{Buckets: 64, Lists: []string{"list"}}, same(entities, 1)...)
	slot, err := nodes[0].ClusterKeySlot(t.Context(), m.meta).Result()
	require.NoError(t, err)

	var position, stalls atomic.Int64
	position.Store(1)
	var done atomic.Bool
	var group errgroup.Group
	group.Go(func() error { // the owner
		for p := int64(1); !done.Load() || p < 50; {
			switch err := m.Apply(t.Context(), state.Chunk{From: p, To: p + 1, Entries: same(entities, p+1)}); {
			case err == nil:
				p++
				position.Store(p)
			case special(err):
				return err
			default:
				stalls.Add(1)
			}
		}
		return nil
	})
	group.Go(func() error { // a reader of everything
		for !done.Load() {
			asked := position.Load()
			values, err := m.Load(t.Context(), asked, keys(entities))
			if err == nil {
				err = whole(values, asked)
			} else if !special(err) {
				stalls.Add(1)
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error { // a reader of one
		for !done.Load() {
			if _, err := s.Get(t.Context(), partition, "account-7"); special(err) {
				return err
			}
		}
		return nil
	})

	group.Go(func() error { // a reader of a list
		for !done.Load() {
			asked := position.Load()
			places, _, err := s.Range(t.Context(), partition, state.Slice{List: "list", To: state.MaxScore, Limit: entities})
			switch {
			case special(err):
				return err
			case err == nil && (len(places) != entities || places[0].Score < asked || places[0].Score != places[entities-1].Score):
				return fmt.Errorf("at %d a list was %v", asked, places)
			}
		}
		return nil
	})

	if slot > 8191 {
		nodes[0], nodes[1] = nodes[1], nodes[0]
	}
	for i := range 4 { // there and back
		from, to := nodes[i%2], nodes[(i+1)%2]
		require.NoError(t, from.ConfigResetStat(t.Context()).Err())
		before := stalls.Load()
		moveSlot(t, from, to, slot, func() {
			awaitError(t, from, "TRYAGAIN", "ASK") // which of them depends on the keys that are there first
			require.Eventually(t, func() bool { return stalls.Load() > before }, patience, tick)
		})
		at := position.Load()
		require.Eventually(t, func() bool { return position.Load() > at+3 }, patience, tick, "it goes on after the migration")
	}
	done.Store(true)
	require.NoError(t, group.Wait())
	t.Logf("%d chunks applied, %d calls stalled", position.Load(), stalls.Load())
	values, err := m.Load(t.Context(), position.Load(), keys(entities))
	require.NoError(t, err)
	require.NoError(t, whole(values, position.Load()))
}

// Rule 6: a failover to a replica that misses the last writes shows by its position.
func TestAttack25FailoverThatMissesTheLastWrites(t *testing.T) {
	master, replica := startRedis(t), startRedis(t)
	_, m := owned(t, master, Options{Buckets: 64}, put("a", "1"))
	host, port, err := net.SplitHostPort(master.Options().Addr)
	require.NoError(t, err)
	require.NoError(t, replica.ReplicaOf(t.Context(), host, port).Err())
	require.NoError(t, m.Apply(t.Context(), state.Chunk{From: 1, To: 2, Entries: []state.Entry{put("a", "2")}}))
	_, there := open(t, replica)
	require.Eventually(t, func() bool {
		_, err := there.Load(t.Context(), 2, []string{"a"})
		return err == nil
	}, patience, tick)
	isTemporary(t, there.Apply(t.Context(), state.Chunk{From: 2, To: 3})) // it is read-only

	require.NoError(t, replica.ReplicaOf(t.Context(), "NO", "ONE").Err())
	require.NoError(t, m.Apply(t.Context(), state.Chunk{From: 2, To: 3, Entries: []state.Entry{put("a", "3")}}))
	_, err = there.Load(t.Context(), 3, []string{"a"})
	require.ErrorIs(t, err, state.ErrMismatch)
	require.ErrorIs(t, there.Apply(t.Context(), state.Chunk{From: 3, To: 4}), state.ErrMismatch)
	status, err := there.Claim(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(2), status.Position)
}

// open returns a handle on what another client has built.
func open(t *testing.T, c redis.UniversalClient) (*Store, *mirror) {
	t.Helper()
	s, err := New(c, Options{Buckets: 64})
	require.NoError(t, err)
	return s, s.Open(partition, 1).(*mirror)
}

// moveSlot migrates a slot as an operator does, a few keys at a time; halfWay is called after the first few.
func moveSlot(t *testing.T, from, to *redis.Client, slot int64, halfWay func()) {
	t.Helper()
	ctx := t.Context()
	source, target := from.ClusterMyID(ctx).Val(), to.ClusterMyID(ctx).Val()
	host, port, err := net.SplitHostPort(to.Options().Addr)
	require.NoError(t, err)
	require.NoError(t, to.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", source).Err())
	require.NoError(t, from.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", target).Err())
	for moved := 0; ; moved++ {
		keys, err := from.ClusterGetKeysInSlot(ctx, int(slot), 5).Result()
		require.NoError(t, err)
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}
		for _, key := range keys {
			args = append(args, key)
		}
		require.NoError(t, from.Do(ctx, args...).Err())
		if moved == 0 {
			halfWay()
		}
	}
	for _, node := range []*redis.Client{to, from} {
		require.NoError(t, node.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target).Err())
	}
}

// awaitError waits until a node has answered with one of some errors.
func awaitError(t *testing.T, node *redis.Client, codes ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		errors := node.Info(t.Context(), "errorstats").Val()
		return slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(errors, "errorstat_"+code+":") })
	}, patience, tick, codes)
}

func same(n int, number int64) []state.Entry {
	entries := make([]state.Entry, n)
	for i, key := range keys(n) {
		entries[i] = state.Entry{Key: key, Value: []byte(strconv.FormatInt(number, 10)), Timer: number,
			Relisted: true, Index: []state.Listing{{List: "list", Score: number}}}
	}
	return entries
}

func keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("account-%d", i)
	}
	return keys
}

// whole checks that values are one number, at least the position.
func whole(values [][]byte, position int64) error {
	for _, v := range values {
		if string(v) != string(values[0]) {
			return fmt.Errorf("half a chunk: %s beside %s", v, values[0])
		}
	}
	if number, _ := strconv.ParseInt(string(values[0]), 10, 64); number < position {
		return fmt.Errorf("asked for %d, got %d", position, number)
	}
	return nil
}

// special says whether an error is one that an owner acts on, or one that a migration doesn't explain.
func special(err error) bool {
	return errors.Is(err, state.ErrMismatch) || errors.Is(err, state.ErrFenced) || errors.Is(err, state.ErrForeign) ||
		(err != nil && strings.Contains(err.Error(), "pqlstream:"))
}
