package statetest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

func each(f *fixture) {
	all := func() (map[string]string, error) {
		found := map[string]string{}
		err := f.Reader.Each(f.ctx, partition, func(entries []state.Entry) error {
			for _, e := range entries {
				found[e.Key] = text(e.Value)
			}
			return nil
		})
		return found, err
	}
	m := f.claimed(5)
	_, err := all()
	require.ErrorIs(f, err, state.ErrMismatch, "there is no mirror yet")

	f.rebuild(m, 7, numbered(40_000, "state")...)
	f.apply(m, 7, 8, put("account-0", "newer"), state.Entry{Key: "account-1"}, timer("account-40000", 5))
	found, err := all()
	require.NoError(f, err)
	require.Len(f, found, 40_000)
	require.Equal(f, "newer", found["account-0"])
	require.Equal(f, "state", found["account-39999"])
	require.NotContains(f, found, "account-1")
	require.Contains(f, found, "account-40000")

	stop := errors.New("stop")
	require.ErrorIs(f, f.Reader.Each(f.ctx, partition, func([]state.Entry) error { return stop }), stop)

	foreign := partition
	foreign.Identity = "cluster-2"
	require.ErrorIs(f, f.Reader.Each(f.ctx, foreign, func([]state.Entry) error { return nil }), state.ErrForeign)

	// A mirror that is built anew meanwhile has not been read as a whole.
	visits := 0
	err = f.Reader.Each(f.ctx, partition, func([]state.Entry) error {
		if visits++; visits == 1 {
			f.rebuild(f.Store.Open(partition, 9), 20, numbered(10, "another")...)
		}
		return nil
	})
	if visits > 1 { // it comes in several parts here
		require.Fail(f, "the second part was taken for one of the first's mirror")
	}
	if err != nil {
		require.ErrorIs(f, err, state.ErrMismatch)
	}
}
