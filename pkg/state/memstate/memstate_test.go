package memstate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/memstate"
	"github.com/pqlstream/pqlstream/pkg/state/statetest"
)

func TestBehaviour(t *testing.T) {
	statetest.Run(t, func(*testing.T) statetest.Harness {
		s := memstate.New(statetest.Lists...)
		return statetest.Harness{
			With:          func(lists ...string) state.Store { return s.With(lists...) },
			Store:         s,
			Reader:        s,
			Flush:         s.Flush,
			Evict:         s.Evict,
			EvictTimers:   s.EvictTimers,
			EvictList:     s.EvictList,
			EvictPosition: s.EvictPosition,
			Snapshot: func() func() {
				old := s.Snapshot()
				return func() { s.Restore(old) }
			},
			Age: func(_ state.Partition, d time.Duration) { s.Advance(d) },
		}
	})
}

func TestFaults(t *testing.T) {
	ctx, down := t.Context(), errors.New("down")
	s := memstate.New()
	p := state.Partition{Stage: "activation", Topic: "usage", Identity: "one"}
	m := s.Open(p, 1)
	require.NoError(t, m.Rebuild(ctx, 1, "", func(func([]state.Entry, error) bool) {}))

	s.Fail(down)
	_, err := m.Claim(ctx)
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, m.Apply(ctx, state.Chunk{From: 1, To: 2}), down)
	_, err = s.Get(ctx, p, "a")
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, s.Check(ctx), down)
	s.Fail(nil)
	require.NoError(t, s.Check(ctx))

	s.LoseReply(down)
	require.ErrorIs(t, m.Apply(ctx, state.Chunk{From: 1, To: 2}), down)
	status, err := m.Claim(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(2), status.Position, "only the reply was lost")
	require.NoError(t, m.Apply(ctx, state.Chunk{From: 1, To: 2}))

	s.Refuse(&state.Refused{Reason: "it may evict", Remedy: "forbid it"})
	refused := new(state.Refused)
	require.ErrorAs(t, s.Check(ctx), &refused)
	require.EqualError(t, refused, "it may evict: forbid it")
}
