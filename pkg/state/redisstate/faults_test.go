package redisstate

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Rule 6: a mirror's sentinel must be its own generation's: a bucket of another one is not the truth.
func TestAttack13ForeignSentinel(t *testing.T) {
	c := startMiniredis(t)
	s, m := owned(t, c, Options{Buckets: 8}, put("a", "1"))
	bucket := m.buckets[s.bucketOf("a")]
	for name, spoil := range map[string]func() error{
		"of another generation": func() error { return c.HSet(t.Context(), bucket, "", "another").Err() },
		"missing":               func() error { return c.HDel(t.Context(), bucket, "").Err() },
	} {
		require.NoError(t, spoil())
		_, err := m.Load(t.Context(), 1, []string{"a"})
		require.ErrorIs(t, err, state.ErrMismatch, name)
		_, err = s.Get(t.Context(), partition, "a")
		require.ErrorIs(t, err, state.ErrMismatch, name)
		require.ErrorIs(t, m.Apply(t.Context(), state.Chunk{From: 1, To: 2, Entries: []state.Entry{put("a", "2")}}), state.ErrMismatch, name)
		status, err := m.Claim(t.Context())
		require.NoError(t, err)
		require.False(t, status.Exists, name)
	}
}

// Rule 6: a script that ran while its reply was lost has succeeded when the client sends it again by itself...
func TestAttack21LostRepliesResentByTheClient(t *testing.T) {
	p := startProxy(t, miniredis.RunT(t).Addr())
	c := redis.NewClient(options(p.addr))
	t.Cleanup(func() { _ = c.Close() })
	p.every.Store(2)
	_, m := owned(t, c, Options{Buckets: 300}, put("a", "1"))
	require.NoError(t, m.Rebuild(t.Context(), 1, "", chunks(20)))
	for i := int64(1); i < 20; i++ {
		require.NoError(t, m.Apply(t.Context(), state.Chunk{From: i, To: i + 1, Entries: []state.Entry{put("a", fmt.Sprint(i))}}))
	}
	require.Greater(t, p.lost.Load(), int64(30), "the fault was hit")
	p.every.Store(0)
	holds(t, m, 20, map[string]string{"a": "19", "chunk-0": "state", "chunk-19": "state"})
}

// ... and when its owner does.
func TestAttack21LostRepliesResentByTheOwner(t *testing.T) {
	p := startProxy(t, miniredis.RunT(t).Addr())
	o := options(p.addr)
	o.MaxRetries = -1
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	_, m := owned(t, c, Options{Buckets: 300}, put("a", "1"), put("b", "1"))
	p.every.Store(2)
	for i := int64(1); i < 20; {
		chunk := state.Chunk{From: i, To: i + 1, Entries: []state.Entry{put("a", fmt.Sprint(i)), {Key: "b"}}}
		if err := m.Apply(t.Context(), chunk); err != nil {
			isTemporary(t, err)
			continue
		}
		i++
	}
	require.Greater(t, p.lost.Load(), int64(10), "the fault was hit")
	p.every.Store(0)
	holds(t, m, 20, map[string]string{"a": "19", "b": ""})
}

// Rule 6: a step of building that was sent twice may arrive a second time long after, from a connection given up.
func TestAttack21LateSteps(t *testing.T) {
	_, m := owned(t, startMiniredis(t), Options{Buckets: 300})
	b, err := m.decide(t.Context())
	require.NoError(t, err)
	first := *b
	late := func() {
		t.Helper()
		again := first
		_, _, err := again.begin(t.Context())
		require.NoError(t, err)
		isTemporary(t, again.erase(t.Context(), 300, nil))
	}
	buckets, lists, err := b.begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.erase(t.Context(), buckets, lists))
	require.NoError(t, b.fill(t.Context(), chunks(10)))
	late()
	require.NoError(t, b.finish(t.Context(), 7, "one"))
	late()
	require.NoError(t, b.finish(t.Context(), 7, "one"))
	holds(t, m, 7, map[string]string{"chunk-0": "state", "chunk-9": "state"})
}

// The first step of a build arrives after its caller has taken it for lost, and has built the mirror by another: it must not hide that.
func TestAttack21LateBeginOfABuild(t *testing.T) {
	for name, before := range map[string][]state.Entry{"of a mirror": {put("a", "1")}, "of none": nil} {
		t.Run(name, func(t *testing.T) {
			c := startMiniredis(t)
			s, err := New(c, Options{Buckets: 2})
			require.NoError(t, err)
			m := s.Open(partition, 1).(*mirror)
			if before != nil {
				require.NoError(t, m.Rebuild(t.Context(), 1, "", one(before)))
			}
			late, err := m.decide(t.Context())
			require.NoError(t, err)
			require.NoError(t, m.Rebuild(t.Context(), 2, "", one([]state.Entry{put("a", "2")})))
			_, _, err = late.begin(t.Context())
			isTemporary(t, err)
			holds(t, m, 2, map[string]string{"a": "2"})

			again, err := m.decide(t.Context())
			require.NoError(t, err)
			for range 2 { // the reply to the first time was lost
				_, _, err = again.begin(t.Context())
				require.NoError(t, err)
			}
			isTemporary(t, late.finish(t.Context(), 3, ""))
		})
	}
}

// Rule 6: a transaction goes on after a command that fails. So what could fail is found before it.
func TestAttack21KeysOfAnotherType(t *testing.T) {
	for name, c := range map[string]*redis.Client{"miniredis": startMiniredis(t), "Redis": startRedis(t)} {
		s, m := owned(t, c, Options{Buckets: 2, Lists: []string{"list"}}, put("a", "1"))
		for _, key := range []string{m.timers, m.lists[0], m.buckets[1-s.bucketOf("a")]} {
			require.NoError(t, c.Rename(t.Context(), key, "{"+key+"}").Err())
			require.NoError(t, c.Set(t.Context(), key, "a string", 0).Err())
			entries := []state.Entry{put("a", "2"), put("b", "2"), put("c", "2"), put("d", "2"), {Key: "e"}, {Key: "f", Value: []byte("2"), Timer: 1}}
			isTemporary(t, m.Apply(t.Context(), state.Chunk{From: 1, To: 2, Entries: entries}))
			require.NoError(t, c.Rename(t.Context(), "{"+key+"}", key).Err())
			holds(t, m, 1, map[string]string{"a": "1", "b": "", "f": ""})
			status, err := m.Claim(t.Context())
			require.NoError(t, err)
			require.Equal(t, state.Status{Exists: true, Position: 1, Age: status.Age}, status, name)
		}
	}
}

// Rule 6: a Redis without memory refuses a script whole.
func TestAttack21OutOfMemory(t *testing.T) {
	c := startRedis(t)
	_, m := owned(t, c, Options{Buckets: 8}, put("a", "1"), put("b", "1"))
	for i, entries := range [][]state.Entry{
		{put("a", "2"), {Key: "b"}}, {{Key: "b"}}, {{Key: "a"}, put("b", "3")},
	} {
		chunk := state.Chunk{From: int64(i + 1), To: int64(i + 2), Entries: entries}
		before, err := m.Load(t.Context(), chunk.From, []string{"a", "b"})
		require.NoError(t, err)
		require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err())
		isTemporary(t, m.Apply(t.Context(), chunk))
		require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "0").Err())
		after, err := m.Load(t.Context(), chunk.From, []string{"a", "b"})
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.NoError(t, m.Apply(t.Context(), chunk))
	}
}

// Rule 6: time-outs and the like are not mismatches: a rebuild would not help.
func TestTemporaryErrorsAreNoMismatches(t *testing.T) {
	server := miniredis.RunT(t)
	o := options(server.Addr())
	o.MaxRetries, o.DialerRetries = -1, 1
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	s, m := owned(t, c, Options{Buckets: 8}, put("a", "1"))
	fails := func() {
		t.Helper()
		_, err := m.Claim(t.Context())
		isTemporary(t, err)
		_, err = m.Load(t.Context(), 1, []string{"a"})
		isTemporary(t, err)
		isTemporary(t, m.Apply(t.Context(), state.Chunk{From: 1, To: 2}))
		isTemporary(t, m.Rebuild(t.Context(), 1, "", chunks(1)))
		_, err = m.Due(t.Context(), 1, 0, 1, 1)
		isTemporary(t, err)
		_, err = s.Get(t.Context(), partition, "a")
		isTemporary(t, err)
		refused := new(state.Refused)
		err = s.Check(t.Context())
		isTemporary(t, err)
		require.False(t, errors.As(err, &refused))
	}
	for _, text := range []string{
		"LOADING Redis is loading the dataset in memory",
		"READONLY You can't write against a read only replica.",
		"CLUSTERDOWN The cluster is down",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"MOVED 3999 127.0.0.1:6381",
		"ASK 3999 127.0.0.1:6381",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"BUSY Redis is busy running a script.",
		"MASTERDOWN Link with MASTER is down",
	} {
		server.SetError(text)
		fails()
		server.SetError("")
	}
	// What the server has answered late may lie in a connection of the pool still: each such is another temporary error.
	var err error
	for range c.PoolStats().TotalConns + 1 {
		if _, err = m.Load(t.Context(), 1, []string{"a"}); err == nil {
			break
		}
		isTemporary(t, err)
	}
	require.NoError(t, err, "it heals by itself")
	addr := server.Addr()
	server.Close()
	fails()
	_, err = m.Claim(t.Context())
	require.ErrorContains(t, err, "claiming the mirror of activation, usage partition 3: ")
	require.ErrorContains(t, err, addr)
}

// A restarted or failed-over server doesn't know the scripts.
func TestForgottenScripts(t *testing.T) {
	c := startRedis(t)
	_, m := owned(t, c, Options{Buckets: 8})
	forgetting := func(yield func([]state.Entry, error) bool) {
		for e, err := range chunks(3) {
			require.NoError(t, c.ScriptFlush(t.Context()).Err())
			if !yield(e, err) {
				return
			}
		}
	}
	require.NoError(t, m.Rebuild(t.Context(), 1, "", forgetting))
	require.NoError(t, c.ScriptFlush(t.Context()).Err())
	require.NoError(t, m.Apply(t.Context(), state.Chunk{From: 1, To: 2}))
}

// Another number of buckets is another layout: the mirror is rebuilt and nothing of the old one stays behind, even when
// the first try was given up half-way.
func TestChangedNumberOfBuckets(t *testing.T) {
	c := startMiniredis(t)
	owned(t, c, Options{Buckets: 300}, put("a", "1"))
	keys := func() int { return len(c.Keys(t.Context(), "*").Val()) }
	require.Equal(t, 302, keys())

	s, err := New(c, Options{Buckets: 20})
	require.NoError(t, err)
	m := s.Open(partition, 2)
	status, err := m.Claim(t.Context())
	require.NoError(t, err)
	require.False(t, status.Exists)
	_, err = s.Get(t.Context(), partition, "a")
	require.ErrorIs(t, err, state.ErrMismatch)

	b, err := m.(*mirror).decide(t.Context())
	require.NoError(t, err)
	_, _, err = b.begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Rebuild(t.Context(), 5, "", chunks(1)))
	require.Equal(t, 22, keys())
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		`the Redis prefix "a{b" contains a brace, which Redis Cluster gives a meaning`: {Prefix: "a{b"},
		"-1 buckets a partition are not between 1 and 16384":                           {Buckets: -1},
		"20000 buckets a partition are not between 1 and 16384":                        {Buckets: 20000},
	} {
		_, err := New(nil, o)
		require.EqualError(t, err, want)
	}
	s, err := New(nil, Options{})
	require.NoError(t, err)
	require.Equal(t, "{pqlstream:activation:usage:3}:meta", keysOf(s, partition).meta)
	require.Len(t, keysOf(s, partition).buckets, 64)
}

// owned returns a mirror of the partition with token 1, at position 1.
func owned(t testing.TB, c redis.UniversalClient, o Options, entries ...state.Entry) (*Store, *mirror) {
	t.Helper()
	s, err := New(c, o)
	require.NoError(t, err)
	m := s.Open(partition, 1).(*mirror)
	require.NoError(t, m.Rebuild(t.Context(), 1, "", one(entries)))
	return s, m
}

func one(entries []state.Entry) iter.Seq2[[]state.Entry, error] {
	return func(yield func([]state.Entry, error) bool) { yield(entries, nil) }
}

// chunks returns n slices of one entry each.
func chunks(n int) iter.Seq2[[]state.Entry, error] {
	return func(yield func([]state.Entry, error) bool) {
		for i := range n {
			if !yield([]state.Entry{put(fmt.Sprintf("chunk-%d", i), "state")}, nil) {
				return
			}
		}
	}
}

// holds checks values; of those that are missing the text is empty.
func holds(t *testing.T, m state.Mirror, position int64, want map[string]string) {
	t.Helper()
	for key, value := range want {
		values, err := m.Load(t.Context(), position, []string{key})
		require.NoError(t, err)
		require.Equal(t, value, string(values[0]), key)
	}
}

func put(key, value string) state.Entry { return state.Entry{Key: key, Value: []byte(value)} }

// isTemporary says that an error is neither the store's state nor its owner's: repeating the call is what helps.
func isTemporary(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	for _, special := range []error{state.ErrMismatch, state.ErrFenced, state.ErrForeign} {
		require.False(t, errors.Is(err, special), "%v", err)
	}
}
