package redisstate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Range implements state.Reader.
func (s *Store) Range(ctx context.Context, p state.Partition, want state.Slice) (places []state.Place, total int64, err error) {
	if places, total, err = s.slice(ctx, s.base(p), p.Identity, want); err != nil {
		return nil, 0, fmt.Errorf("reading the list %s of %s: %w", want.List, describe(p), err)
	}
	return places, total, nil
}

func (s *Store) slice(ctx context.Context, base, identity string, want state.Slice) (places []state.Place, total int64, err error) {
	args := []any{identity, s.buckets, want.From, want.To, want.Reverse, max(want.Limit, 0)}
	if want.After != nil {
		args = append(args, want.After.Score, want.After.Key)
	}
	reply, err := run(ctx, s.client, rangeScript, []string{base + "meta", base + "list:" + want.List}, args)
	if err != nil {
		return nil, 0, err
	}
	flat, _ := reply[0].([]any)
	for i := 0; i+1 < len(flat); i += 2 {
		score, err := integer(flat[i+1])
		if err != nil {
			return nil, 0, fmt.Errorf("a score: %w", err)
		}
		places = append(places, state.Place{Key: string(bytesOf(flat[i])), Score: score})
	}
	if want.Reverse {
		slices.Reverse(places)
	}
	total, ok := reply[1].(int64)
	if !ok {
		return nil, 0, fmt.Errorf("the number of places is %v", reply[1])
	}
	return places, total, nil
}

// list puts entities on a list and takes others off it, those of which the step says something about lists. Unless there
// are some on it, nothing is to be removed.
func (w *pipe) list(c *chains, key, name string, entries []state.Entry, some bool) {
	each := func(visit func(*state.Entry, *state.Listing)) {
		for _, bucket := range c.touched {
			for i := c.head[bucket]; i != 0; i = c.next[i-1] {
				if at := c.listed[i-1]; at != 0 {
					visit(&entries[i-1], listing(&entries[at-1], name))
				}
			}
		}
	}
	added := w.begin("zadd", key)
	each(func(e *state.Entry, l *state.Listing) {
		if l != nil {
			w.args = append(w.args, &l.Score, &e.Key)
		}
	})
	w.end(added)
	if !some {
		return
	}
	removed := w.begin("zrem", key)
	each(func(e *state.Entry, l *state.Listing) {
		if l == nil {
			w.args = append(w.args, &e.Key)
		}
	})
	w.end(removed)
}

// listing is where an entry says that its entity is on a list; nil: nowhere.
func listing(e *state.Entry, list string) *state.Listing {
	if e.Value == nil {
		return nil
	}
	for i := range e.Index {
		if e.Index[i].List == list {
			return &e.Index[i]
		}
	}
	return nil
}

// listNames is how meta names the lists.
func (s *Store) listNames() string { return strings.Join(s.lists, "\n") }

func splitNames(names string) []string {
	return strings.FieldsFunc(names, func(r rune) bool { return r == '\n' })
}
