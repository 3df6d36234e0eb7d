package statetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// neverHalf: while chunks and rebuilds set 300 entities to one and the same number, which is the position too, every load
// finds one number, at least the position asked for, and a reader's numbers never go back.
func neverHalf(f *fixture) {
	const entities, last = 300, 60
	keys := make([]string, entities)
	for i, e := range numbered(entities, "") {
		keys[i] = e.Key
	}
	m := f.owned(0, 1, numbered(entities, "1")...)
	var position atomic.Int64
	position.Store(1)

	var done atomic.Bool
	var readers errgroup.Group
	for range 2 {
		readers.Go(func() error {
			for !done.Load() {
				if err := oneNumber(f, m, position.Load(), keys); err != nil {
					return err
				}
			}
			return nil
		})
	}
	readers.Go(func() error { return neverBack(f, &done) })

	for p := int64(1); p < last; p++ {
		entries := numbered(entities, strconv.FormatInt(p+1, 10))
		if p%20 == 0 {
			f.rebuild(m, p+1, entries...)
		} else {
			f.apply(m, p, p+1, entries...)
		}
		position.Store(p + 1)
	}
	done.Store(true)
	require.NoError(f, readers.Wait())
}

func oneNumber(f *fixture, m state.Mirror, position int64, keys []string) error {
	values, err := m.Load(f.ctx, position, keys)
	if errors.Is(err, state.ErrMismatch) {
		return nil // being rebuilt
	}
	if err != nil {
		return err
	}
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

func neverBack(f *fixture, done *atomic.Bool) error {
	var before int64
	for !done.Load() {
		values, err := f.Reader.Get(f.ctx, partition, "account-7")
		if errors.Is(err, state.ErrMismatch) {
			continue
		}
		if err != nil {
			return err
		}
		number, err := strconv.ParseInt(string(values[0]), 10, 64)
		if err != nil || number < before {
			return fmt.Errorf("after %d a reader got %q", before, values)
		}
		before = number
	}
	return nil
}
