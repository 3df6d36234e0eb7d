package redisstate

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// mirror is one owner's handle.
type mirror struct {
	store   *Store
	name    string // for messages
	base    string // what its keys begin with
	meta    string
	timers  string
	buckets []string
	header  []any // the first arguments of every script: identity, number of buckets, token
}

// Claim implements state.Mirror.
func (m *mirror) Claim(ctx context.Context) (state.Status, error) {
	reply, err := m.run(ctx, "claiming", claimScript, m.allKeys(), nil)
	if err != nil || reply[0] == nil {
		return state.Status{}, err
	}
	position, err := integer(reply[0])
	if err != nil {
		return state.Status{}, fmt.Errorf("claiming %s: its position: %w", m.name, err)
	}
	age, err := integer(reply[1])
	if err != nil {
		return state.Status{}, fmt.Errorf("claiming %s: its age: %w", m.name, err)
	}
	return state.Status{Exists: true, Position: position, Age: time.Duration(age) * time.Millisecond}, nil
}

// Load implements state.Mirror.
func (m *mirror) Load(ctx context.Context, position int64, keys []string) ([][]byte, error) {
	scriptKeys := []string{m.meta}
	args := make([]any, 0, 1+2*len(keys))
	args = append(args, position)
	order := make([]int, 0, len(keys))
	m.store.chainKeys(keys).groups(func(bucket int, indexes []int) {
		scriptKeys = append(scriptKeys, m.buckets[bucket])
		args = append(args, len(indexes))
		for _, i := range indexes {
			args = append(args, keys[i])
		}
		order = append(order, indexes...)
	})
	reply, err := m.run(ctx, "loading from", loadScript, scriptKeys, args)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	n := 0
	for _, g := range reply {
		group, _ := g.([]any)
		for k := 1; k < len(group) && n < len(order); k++ { // the first is the sentinel
			values[order[n]] = bytesOf(group[k])
			n++
		}
	}
	if n != len(keys) {
		return nil, fmt.Errorf("loading from %s: %d values came for %d keys", m.name, n, len(keys))
	}
	return values, nil
}

// Apply implements state.Mirror.
func (m *mirror) Apply(ctx context.Context, c state.Chunk) error {
	const doing = "applying a chunk to"
	if err := state.CheckEntries(c.Entries); err != nil {
		return fmt.Errorf("%s %s: %w", doing, m.name, err)
	}
	keys, args := m.chunk(step{ready: "1", from: c.From, to: c.To}, c.Entries)
	_, err := m.run(ctx, doing, applyScript, keys, args)
	return err
}

// step is a compare-and-set of the position.
type step struct {
	ready      string // 1: of the mirror; 0: of building it
	generation string // empty: whichever there is
	from, to   int64
}

// chunk returns keys and arguments of the apply script.
func (m *mirror) chunk(s step, entries []state.Entry) ([]string, []any) {
	keys := make([]string, 2, 2+len(entries))
	keys[0], keys[1] = m.meta, m.timers
	set, removed := 0, 0
	args := make([]any, 6, 6+7*len(entries))
	chains := m.store.chainEntries(entries)
	chains.groups(func(_ int, indexes []int) {
		for _, i := range indexes {
			if e := entries[i]; e.Value != nil && e.Timer != 0 {
				args = append(args, e.Timer, e.Key)
				set++
			}
		}
	})
	chains.groups(func(_ int, indexes []int) {
		for _, i := range indexes {
			if e := entries[i]; e.Value == nil || e.Timer == 0 {
				args = append(args, e.Key)
				removed++
			}
		}
	})
	copy(args, []any{s.ready, s.generation, s.from, s.to, set, removed})
	chains.groups(func(bucket int, indexes []int) {
		keys = append(keys, m.buckets[bucket])
		args = appendGroup(args, entries, indexes)
	})
	return keys, args
}

// appendGroup appends how many fields are set and removed, the set ones and the removed ones.
func appendGroup(args []any, entries []state.Entry, indexes []int) []any {
	set, counts := 0, len(args)
	args = append(args, nil, nil)
	for _, i := range indexes {
		if entries[i].Value != nil {
			args = append(args, entries[i].Key, entries[i].Value)
			set++
		}
	}
	for _, i := range indexes {
		if entries[i].Value == nil {
			args = append(args, entries[i].Key)
		}
	}
	args[counts], args[counts+1] = set, len(indexes)-set
	return args
}

// Due implements state.Mirror.
func (m *mirror) Due(ctx context.Context, position, before int64, limit int) ([]state.Entry, error) {
	const doing = "reading timers of"
	args := []any{position, before, max(limit, 0)}
	reply, err := m.run(ctx, doing, dueScript, []string{m.meta, m.timers}, args)
	if err != nil {
		return nil, err
	}
	flat, _ := reply[0].([]any)
	due := make([]state.Entry, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		at, err := integer(flat[i+1])
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", doing, m.name, err)
		}
		due = append(due, state.Entry{Key: string(bytesOf(flat[i])), Timer: at})
	}
	return due, nil
}

// run runs a script with the header before its own arguments.
func (m *mirror) run(ctx context.Context, doing string, script *redis.Script, keys []string, args []any) ([]any, error) {
	all := make([]any, 0, len(m.header)+len(args))
	all = append(append(all, m.header...), args...)
	reply, err := m.store.run(ctx, script, keys, all)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", doing, m.name, err)
	}
	return reply, nil
}

// allKeys returns meta, timers and every bucket.
func (m *mirror) allKeys() []string {
	return append([]string{m.meta, m.timers}, m.buckets...)
}

func (m *mirror) bucketKey(i int) string { return m.base + strconv.Itoa(i) }

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
