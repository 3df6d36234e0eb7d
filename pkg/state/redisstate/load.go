package redisstate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Load implements state.Mirror. It is one transaction that reads, hence as of one moment.
func (m *mirror) Load(ctx context.Context, position int64, keys []string) ([][]byte, error) {
	values, err := m.load(ctx, position, keys)
	if err != nil {
		return nil, fmt.Errorf("loading from %s: %w", m.name, err)
	}
	return values, nil
}

func (m *mirror) load(ctx context.Context, position int64, keys []string) ([][]byte, error) {
	return m.store.values(ctx, m.meta, func(bucket int) any { return m.names[bucket] }, keys, func(meta []any) (any, error) {
		return m.generation(meta, position)
	})
}

// Get implements state.Reader, as Load does.
func (s *Store) Get(ctx context.Context, p state.Partition, keys ...string) ([][]byte, error) {
	base := s.base(p)
	values, err := s.values(ctx, base+"meta", func(bucket int) any { return base + strconv.Itoa(bucket) }, keys, func(meta []any) (any, error) {
		return s.generation(meta, p.Identity)
	})
	if err != nil {
		return nil, fmt.Errorf("getting values of %s: %w", describe(p), err)
	}
	return values, nil
}

// values reads the values of keys and, as of the same moment, meta, from which it is given the sentinel that buckets have.
func (s *Store) values(
	ctx context.Context, metaKey string, bucketKey func(int) any, keys []string, generationOf func(meta []any) (any, error),
) ([][]byte, error) {
	var c chains
	s.chainKeys(&c, keys)
	meta := redis.NewSliceCmd(ctx, "hmget", metaKey, "identity", "token", "buckets", "ready", "generation", "position")
	groups := make([]*redis.SliceCmd, len(c.touched))
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if err := p.Process(ctx, meta); err != nil {
			return err
		}
		args := make([]any, 0, len(keys)+3*len(groups))
		for g, bucket := range c.touched {
			first := len(args)
			args = append(args, "hmget", bucketKey(bucket), "")
			for i := c.head[bucket]; i != 0; i = c.next[i-1] {
				args = append(args, &keys[i-1])
			}
			groups[g] = redis.NewSliceCmd(ctx, args[first:]...)
			if err := p.Process(ctx, groups[g]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	generation, err := generationOf(meta.Val())
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for g, bucket := range c.touched {
		group := groups[g].Val()
		if len(group) == 0 || group[0] != generation {
			return nil, mismatch("a bucket is lost")
		}
		n := 1 // the first is the sentinel
		for i := c.head[bucket]; i != 0 && n < len(group); i = c.next[i-1] {
			values[i-1] = alias(group[n])
			n++
		}
		if n != len(group) {
			return nil, fmt.Errorf("a bucket answered with %d values", len(group))
		}
	}
	return values, nil
}

// generation returns the sentinel of a mirror that is at least at a position, from its meta as values asks for it. It is
// what guard.lua and fence.lua are to scripts.
func (m *mirror) generation(meta []any, position int64) (any, error) {
	generation, err := m.store.generation(meta, m.owner)
	if errors.Is(err, state.ErrForeign) {
		return nil, err
	}
	if len(meta) == 6 && meta[1] != nil {
		if seen, err := integer(meta[1]); err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		} else if seen > m.token {
			return nil, fenced(meta[1])
		}
	}
	if err != nil {
		return nil, err
	}
	if at, err := integer(meta[5]); err != nil {
		return nil, fmt.Errorf("reading the position: %w", err)
	} else if at < position {
		return nil, mismatch(fmt.Sprintf("it stands at %d", at))
	}
	return generation, nil
}

// generation returns the sentinel of a mirror that is ready and of an identity.
func (s *Store) generation(meta []any, owner string) (any, error) {
	if len(meta) != 6 {
		return nil, fmt.Errorf("meta answered with %d values", len(meta))
	}
	identity, buckets, ready, generation := meta[0], meta[2], meta[3], meta[4]
	if identity != nil && identity != owner {
		return nil, foreign(identity)
	}
	if ready != "1" || buckets != strconv.Itoa(s.buckets) {
		return nil, mismatch("it is not ready")
	}
	return generation, nil
}

// alias is a value of a reply, nil where there is none. It is the reply's own memory, which nobody else holds: values
// are most of what loading copies.
func alias(v any) []byte {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// integer reads a number of a reply. Scores come as floats, in one notation or another.
func integer(v any) (int64, error) {
	text := string(bytesOf(v))
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) {
		return 0, fmt.Errorf("%q is not an integer", text)
	}
	return int64(f), nil
}
