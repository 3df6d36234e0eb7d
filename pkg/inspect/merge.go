package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// askedAtOnce is how many partitions are asked at the same time.
const askedAtOnce = 8

// merge returns a part of a list of all partitions, and how many places there are within its bounds. It asks each partition
// once. ErrNotReady.
func (e Entities) merge(ctx context.Context, s state.Slice) (places []state.Place, total int64, err error) {
	parts, totals := make([][]state.Place, len(e.Mirrors)), make([]int64, len(e.Mirrors))
	err = e.ask(ctx, func(ctx context.Context, i int) (err error) {
		parts[i], totals[i], err = e.Store.Range(ctx, e.Mirrors[i], s)
		return unreadable(fmt.Sprintf("the list %s of partition %d", s.List, i), err)
	})
	if err != nil {
		return nil, 0, err
	}
	for i := range parts {
		places = append(places, parts[i]...)
		total += totals[i]
	}
	slices.SortFunc(places, func(a, b state.Place) int {
		order := cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Key, b.Key))
		if s.Reverse {
			return -order
		}
		return order
	})
	return places[:min(len(places), s.Limit)], total, nil
}

// values returns the states of entities, nil for those that have none. It asks each partition once. ErrNotReady.
func (e Entities) values(ctx context.Context, places []state.Place) ([][]byte, error) {
	keys, indexes := make([][]string, len(e.Mirrors)), make([][]int, len(e.Mirrors))
	for i, p := range places {
		n := e.partition(p.Key)
		keys[n], indexes[n] = append(keys[n], p.Key), append(indexes[n], i)
	}
	values := make([][]byte, len(places))
	return values, e.ask(ctx, func(ctx context.Context, i int) error {
		if len(keys[i]) == 0 {
			return nil
		}
		found, err := e.Store.Get(ctx, e.Mirrors[i], keys[i]...)
		if err != nil {
			return unreadable(fmt.Sprintf("some of partition %d", i), err)
		}
		for n, value := range found {
			values[indexes[i][n]] = value
		}
		return nil
	})
}

// ask does something with each partition, some at the same time.
func (e Entities) ask(ctx context.Context, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askedAtOnce)
	for i := range e.Mirrors {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}
