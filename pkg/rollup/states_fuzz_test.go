package rollup

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fullBoard has states with something in every part of them.
func fullBoard(t testing.TB) *board {
	b := newBoard(t, newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin"), DimTier)
	from := instant(t, "2025-03-20T05:00:00Z")
	r := rand.New(rand.NewPCG(21, 22))
	deltas := randomContributions(r, from, 10, 200, tiers)
	b.pass(from + 12*dayMillis)
	b.feed(deltas[:100]...)
	b.flush()
	b.feed(deltas[100:]...)
	old := deltas[0]
	old.At = SlotOf(from - 300*dayMillis)
	b.feed(old)
	return b
}

type encoder interface{ AppendBinary([]byte) ([]byte, error) }

// loaders read the states of some entities.
func loaders(r *Rollup) map[EntityKind]func([]byte) (encoder, error) {
	return map[EntityKind]func([]byte) (encoder, error){
		DirectoryEntity: func(b []byte) (encoder, error) { return r.Directory("directory|tier", b) },
		SeriesEntity:    func(b []byte) (encoder, error) { return r.Series("series|Europe/Berlin|hour|tier|large", b) },
		WindowEntity: func(b []byte) (encoder, error) {
			return r.Span("window|Europe/Berlin|month|2025-02-28T23:00:00Z|tier|large", b)
		},
	}
}

func states(t testing.TB) map[EntityKind][][]byte {
	b := fullBoard(t)
	all := map[EntityKind][][]byte{}
	add := func(kind EntityKind, s encoder) {
		value, err := s.AppendBinary(nil)
		require.NoError(t, err)
		all[kind] = append(all[kind], value)
	}
	for range 2 { // with what rows have not told yet, and without
		add(DirectoryEntity, b.directory)
		for _, s := range b.series {
			add(SeriesEntity, s)
		}
		for _, s := range b.spans {
			add(WindowEntity, s)
		}
		b.flush()
	}
	return all
}

// requireStrict checks that only what is appended is loaded.
func requireStrict(t *testing.T, load func([]byte) (encoder, error), value []byte) {
	s, err := load(value)
	if err != nil || len(value) == 0 {
		return
	}
	again, err := s.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, value, again)
}

func TestStatesAreReadStrictly(t *testing.T) {
	load := loaders(newRollup(t, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin"))
	for kind, values := range states(t) {
		for i, value := range values {
			s, err := load[kind](value)
			require.NoError(t, err, kind)
			again, err := s.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, value, again)
			if i >= 5 && i < len(values)-5 {
				continue
			}
			for n := 1; n < len(value); n++ {
				requireStrict(t, load[kind], value[:n])
				changed := bytes.Clone(value)
				changed[n] ^= 1 << (n % 8)
				requireStrict(t, load[kind], changed)
			}
			_, err = load[kind](append(bytes.Clone(value), 0))
			assert.Error(t, err, kind)
			value[0]++
			_, err = load[kind](value)
			assert.ErrorIs(t, err, errLayout, kind)
		}
	}
}

func FuzzStates(f *testing.F) {
	for kind, values := range states(f) {
		for _, value := range values[:min(3, len(values))] {
			f.Add(string(kind), value)
		}
	}
	load := loaders(newRollup(f, DefaultLimits(), [][]string{{DimTier}}, "Europe/Berlin"))
	f.Fuzz(func(t *testing.T, kind string, value []byte) {
		if one := load[EntityKind(kind)]; one != nil {
			requireStrict(t, one, value)
		}
	})
}

func FuzzChanges(f *testing.F) {
	f.Add(AppendChanges(nil, []Change{{Start: BeforeAll, Cell: came, N: -1}, {Start: 5, Cell: left, Why: Late, N: 1}, {Start: 5, Cell: left, Why: ByMerge, N: 1 << 62}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := DecodeChanges(nil, b)
		if err == nil {
			require.Equal(t, b, AppendChanges(nil, all))
		} else {
			require.Empty(t, all)
		}
	})
}
