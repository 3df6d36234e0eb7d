package redisstate

import (
	"context"
	"fmt"
	"slices"
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
	lists   []string // their keys
	buckets []string
	names   []any  // of the buckets, as arguments
	owner   string // identity
	token   int64
	header  []any // the first arguments of every script: identity, number of buckets, token
	writer  writer
}

// Claim implements state.Mirror.
func (m *mirror) Claim(ctx context.Context) (state.Status, error) {
	reply, err := m.run(ctx, "claiming", claimScript, m.allKeys(), []any{1 + len(m.lists), m.store.listNames()})
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
	status := state.Status{Exists: true, Position: position, Age: time.Duration(age) * time.Millisecond}
	status.Definition = string(bytesOf(reply[2]))
	return status, nil
}

// Due implements state.Mirror.
func (m *mirror) Due(ctx context.Context, position, after, before int64, limit int) ([]state.Entry, error) {
	const doing = "reading timers of"
	args := []any{position, after, before, max(limit, 0)}
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
	reply, err := m.runOn(ctx, m.store.client, script, keys, args)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", doing, m.name, err)
	}
	return reply, nil
}

func (m *mirror) runOn(ctx context.Context, c redis.Scripter, script *redis.Script, keys []string, args []any) ([]any, error) {
	all := make([]any, 0, len(m.header)+len(args))
	return run(ctx, c, script, keys, append(append(all, m.header...), args...))
}

// allKeys returns meta, timers, every list and every bucket.
func (m *mirror) allKeys() []string {
	return slices.Concat([]string{m.meta, m.timers}, m.lists, m.buckets)
}

func (m *mirror) bucketKey(i int) string { return m.base + strconv.Itoa(i) }

func (m *mirror) listKey(name string) string { return m.base + "list:" + name }
