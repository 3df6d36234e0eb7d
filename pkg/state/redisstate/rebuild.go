package redisstate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// eraseSize is how many buckets one script erases: the big ones are freed in the background, but not for nothing.
const eraseSize = 128

// rebuilding is what messages call it.
const rebuilding = "rebuilding"

// build is a mirror that is being built. Until the last step it is not ready and its position counts the steps, so that
// each is done once and in order, however often and late it arrives.
type build struct {
	*mirror
	generation string
	replaces   string // the generation that there was when it was decided to build; empty: none
	steps      int64
}

// Rebuild implements state.Mirror.
func (m *mirror) Rebuild(ctx context.Context, position int64, definition string, entries iter.Seq2[[]state.Entry, error]) error {
	b, err := m.decide(ctx)
	if err != nil {
		return err
	}
	buckets, lists, err := b.begin(ctx)
	if err != nil {
		return err
	}
	if err := b.erase(ctx, buckets, lists); err != nil {
		return err
	}
	if err := b.fill(ctx, entries); err != nil {
		return err
	}
	return b.finish(ctx, position, definition)
}

// decide returns a build that takes the place of what there is now, and of nothing else: its first step may arrive long after its caller has given
// it up, when the next build has ended.
func (m *mirror) decide(ctx context.Context) (*build, error) {
	replaces, err := m.store.client.HGet(ctx, m.meta, "generation").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%s %s: %w", rebuilding, m.name, err)
	}
	return &build{mirror: m, generation: rand.Text()[:12], replaces: replaces}, nil
}

// begin hides the mirror from readers. It returns how many buckets and which lists there may be, which is more than there
// will be when settings were changed.
func (b *build) begin(ctx context.Context) (buckets int, lists []string, err error) {
	reply, err := b.run(ctx, beginScript, []string{b.meta}, []any{b.generation, b.store.listNames(), b.replaces})
	if err != nil {
		return 0, nil, err
	}
	n, ok := reply[0].(int64)
	if !ok || n < int64(len(b.buckets)) || n > maxBuckets {
		return 0, nil, fmt.Errorf("rebuilding %s: its number of buckets is %v", b.name, reply[0])
	}
	return int(n), splitNames(string(bytesOf(reply[1]))), nil
}

// erase makes timers, lists and all buckets anew, and removes those that there will not be any more.
func (b *build) erase(ctx context.Context, buckets int, lists []string) error {
	sets := append([]string{b.timers}, b.lists...)
	used := len(sets)
	for _, list := range lists {
		if !slices.Contains(b.store.lists, list) {
			sets = append(sets, b.listKey(list))
		}
	}
	for first := 0; first < buckets; first += eraseSize {
		if first > 0 {
			sets, used = nil, 0
		}
		keys := append([]string{b.meta}, sets...)
		for i := first; i < min(first+eraseSize, buckets); i++ {
			keys = append(keys, b.bucketKey(i))
		}
		args := []any{b.generation, b.steps, b.steps + 1, len(sets), used, max(len(b.buckets)-first, 0)}
		if _, err := b.run(ctx, eraseScript, keys, args); err != nil {
			return err
		}
		b.steps++
	}
	return nil
}

func (b *build) fill(ctx context.Context, entries iter.Seq2[[]state.Entry, error]) error {
	for slice, err := range entries {
		if err == nil {
			err = state.CheckEntries(slice, b.store.lists)
		}
		if err != nil {
			return fmt.Errorf("rebuilding %s: %w", b.name, err)
		}
		s := step{ready: "0", generation: b.generation, from: b.steps, to: b.steps + 1}
		if err := b.outcome(b.advance(ctx, rebuilding, s, slice)); err != nil {
			return err
		}
		b.steps++
	}
	return nil
}

// finish shows the mirror to readers, at a changelog position, and says under which definition it was built.
func (b *build) finish(ctx context.Context, position int64, definition string) error {
	args := []any{b.generation, b.steps, position, 1 + len(b.lists), b.store.listNames(), definition}
	_, err := b.run(ctx, finishScript, b.allKeys(), args)
	return err
}

// run runs a step that is a script.
func (b *build) run(ctx context.Context, script *redis.Script, keys []string, args []any) ([]any, error) {
	reply, err := b.mirror.run(ctx, rebuilding, script, keys, args)
	return reply, b.outcome(err)
}

// outcome hides a mismatch: while building it is nothing that the owner has to know about, repeating the call helps.
func (b *build) outcome(err error) error {
	if errors.Is(err, state.ErrMismatch) {
		return fmt.Errorf("rebuilding %s: a part of it was lost meanwhile, or it is being rebuilt twice", b.name)
	}
	return err
}
