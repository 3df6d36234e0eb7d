// Package redisstate keeps mirrors in Redis, single or cluster.
//
// The states of a partition lie in a fixed number of hashes, the buckets; beside them are a sorted set of timers, one
// for each list, and a meta hash with the changelog position, the owner's token, whose mirror it is and whether it is ready.
// Every bucket and every sorted set holds a sentinel that names the mirror's generation: one that is missing says that
// something was evicted or lost. States are read and written by transactions, which cost the server half of what a script does; a transaction that
// writes watches every key that was checked before it. All other accesses are Lua scripts. So each is atomic, and each
// can be done again: a reply that gets lost and the client's own retries do no harm.
//
// Redis 5.0 or later is needed, for scripts that write after asking for the time.
package redisstate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

var (
	_ state.Store  = (*Store)(nil)
	_ state.Reader = (*Store)(nil)
)

// defaultBuckets is what a thousand states are cheap to read and write with: a dozen of them share a command. A million
// states in a partition make buckets of a few megabytes, which a slot still migrates with quickly.
const defaultBuckets = 64

// maxBuckets keeps the scripts that touch every bucket of a partition short.
const maxBuckets = 16384

// Options says how the keys are laid out. All processes of a deployment have the same.
type Options struct {
	Prefix  string   // first part of every key; empty: pqlstream
	Buckets int      // hashes a partition, 1 to 16384; 0: 64. Changing it makes owners rebuild their mirrors
	Lists   []string // that entities may be on; without line ends. Changing them makes owners rebuild their mirrors
}

// Store opens mirrors in Redis. It is safe for concurrent use.
type Store struct {
	client  redis.UniversalClient
	prefix  string
	buckets int
	lists   []string

	mu       sync.Mutex
	warnings []string
}

// New returns a store on a client, which remains the caller's to close. The client should have ContextTimeoutEnabled, or
// contexts don't end its calls.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "pqlstream"
	}
	if o.Buckets == 0 {
		o.Buckets = defaultBuckets
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("the Redis prefix %q contains a brace, which Redis Cluster gives a meaning", o.Prefix)
	}
	if o.Buckets < 1 || o.Buckets > maxBuckets {
		return nil, fmt.Errorf("%d buckets a partition are not between 1 and %d", o.Buckets, maxBuckets)
	}
	for _, list := range o.Lists {
		if list == "" || strings.Contains(list, "\n") {
			return nil, fmt.Errorf("%q is no name of a list", list)
		}
	}
	return &Store{client: client, prefix: o.Prefix, buckets: o.Buckets, lists: o.Lists}, nil
}

// Open implements state.Store.
func (s *Store) Open(p state.Partition, token int64) state.Mirror {
	m := &mirror{
		store:   s,
		name:    describe(p),
		owner:   p.Identity,
		base:    s.base(p),
		token:   token,
		meta:    s.base(p) + "meta",
		timers:  s.base(p) + "timers",
		lists:   make([]string, len(s.lists)),
		buckets: make([]string, s.buckets),
		names:   make([]any, s.buckets),
		header:  []any{p.Identity, s.buckets, token},
	}
	for i, list := range s.lists {
		m.lists[i] = m.listKey(list)
	}
	for i := range m.buckets {
		m.buckets[i] = m.bucketKey(i)
		m.names[i] = m.buckets[i]
	}
	return m
}

// base is what all keys of a partition begin with. The braces put them into one slot of a cluster.
func (s *Store) base(p state.Partition) string {
	return "{" + s.prefix + ":" + p.Stage + ":" + p.Topic + ":" + strconv.Itoa(int(p.Number)) + "}:"
}

// run runs a script and returns what follows the OK.
func run(ctx context.Context, c redis.Scripter, script *redis.Script, keys []string, args []any) ([]any, error) {
	reply, err := script.Run(ctx, c, keys, args...).Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("a script answered nothing")
	}
	// A nil at the end of a script's table is cut off.
	detail := func() any { return append(reply, nil)[1] }
	switch reply[0] {
	case "OK":
		return append(reply[1:], nil), nil
	case "MISMATCH":
		return nil, mismatch(detail())
	case "FENCED":
		return nil, fenced(detail())
	case "FOREIGN":
		return nil, foreign(detail())
	}
	return nil, fmt.Errorf("a script answered %v", reply)
}

func mismatch(why any) error { return fmt.Errorf("%v: %w", why, state.ErrMismatch) }

func fenced(token any) error { return fmt.Errorf("its token is %v: %w", token, state.ErrFenced) }

func foreign(identity any) error {
	return fmt.Errorf("its identity is %v, use another prefix or database, or delete its keys: %w", identity, state.ErrForeign)
}

func describe(p state.Partition) string {
	return fmt.Sprintf("the mirror of %s, %s partition %d", p.Stage, p.Topic, p.Number)
}

// bytesOf is a value of a reply, nil where there is none.
func bytesOf(v any) []byte {
	if s, ok := v.(string); ok {
		return []byte(s)
	}
	return nil
}
