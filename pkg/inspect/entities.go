// Package inspect reads what a deployment knows of its accounts from the mirror, beside the processes that keep it: single
// accounts, lists of them, and their forms in JSON.
//
// It reads what has been confirmed and mirrored. Nothing is locked: an account that changes while a list is read is shown
// as it was at some moment of the reading.
package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
)

// ErrNotReady says that something can't be read now, because its mirror is incomplete: trying again in a moment helps.
var ErrNotReady = errors.New("not ready")

// Entities reads the states of a stage's entities, wherever among its partitions they are.
type Entities struct {
	Store   state.Reader
	Mirrors []state.Partition // one a partition, in their order
}

// Get returns the state of an entity as the mirror has it, nil when there is none. ErrNotReady.
func (e Entities) Get(ctx context.Context, key string) ([]byte, error) {
	values, err := e.Store.Get(ctx, e.Mirrors[e.partition(key)], key)
	if err != nil {
		return nil, unreadable(fmt.Sprintf("%q", key), err)
	}
	return values[0], nil
}

// Each visits the states of all entities. It reads everything. ErrNotReady.
func (e Entities) Each(ctx context.Context, visit func(*state.Entry) error) error {
	for _, p := range e.Mirrors {
		var visited error
		err := e.Store.Each(ctx, p, func(entries []state.Entry) error {
			for i := range entries {
				if visited = visit(&entries[i]); visited != nil {
					return visited
				}
			}
			return nil
		})
		if visited != nil {
			return visited
		}
		if err != nil {
			return unreadable(fmt.Sprintf("all of partition %d", p.Number), err)
		}
	}
	return nil
}

// partition is the number of the partition that an entity belongs to.
func (e Entities) partition(key string) int {
	return int(kafka.Partition([]byte(key), int32(len(e.Mirrors))))
}

// unreadable says why something could not be read. ErrNotReady.
func unreadable(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, state.ErrMismatch):
		return fmt.Errorf("%w: the mirror in Redis is being filled from Kafka, which a running pqlstream does by itself: "+
			"try again in a moment (%w)", ErrNotReady, err)
	}
	return fmt.Errorf("reading %s: %w", what, err)
}
