package memstate

import (
	"cmp"
	"context"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Range implements state.Reader.
func (s *Store) Range(ctx context.Context, p state.Partition, want state.Slice) (places []state.Place, total int64, err error) {
	err = s.read(ctx, p, "reading a list of", func(c *contents) error {
		list := c.lists[want.List]
		if list == nil {
			return state.ErrMismatch
		}
		for key, score := range list {
			if place := (state.Place{Key: key, Score: score}); score >= want.From && score <= want.To {
				total++
				if want.After == nil || order(want, place, *want.After) > 0 {
					places = append(places, place)
				}
			}
		}
		return nil
	})
	slices.SortFunc(places, func(a, b state.Place) int { return order(want, a, b) })
	return places[:min(len(places), max(want.Limit, 0))], total, err
}

// order says which of two places comes first.
func order(want state.Slice, a, b state.Place) int {
	if want.Reverse {
		a, b = b, a
	}
	return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Key, b.Key))
}

// hasLists says whether the mirror was built for certain lists.
func (c *contents) hasLists(lists []string) bool {
	for _, list := range lists {
		if c.lists[list] == nil {
			return false
		}
	}
	return len(c.lists) == len(lists)
}

// listsWhole says whether no list has been lost.
func (c *contents) listsWhole() bool {
	for _, list := range c.lists {
		if list == nil {
			return false
		}
	}
	return true
}

// relist puts an entity on the lists that its entry names, and takes it off all others.
func (c *contents) relist(e state.Entry) {
	if e.Value != nil && !e.Relisted {
		return
	}
	for _, list := range c.lists {
		delete(list, e.Key)
	}
	if e.Value == nil {
		return
	}
	for _, l := range e.Index {
		c.lists[l.List][e.Key] = l.Score
	}
}
