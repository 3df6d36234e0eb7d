package rollup

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Few changes and many are added up alike: to what a plain sum of each counter is, in their order, without those that come to nothing.
func TestChangesAreAddedUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, manyChanges, manyChanges + 1, 5000} {
		var all []Change
		want := map[Change]int64{}
		for range n {
			e := Change{Start: rng.Int64N(3) * 1000, Cell: Cell{Kind: TimeToPQL, Number: rng.Int32N(20)}, Why: Why(rng.IntN(2))}
			if rng.IntN(2) == 0 {
				e.Cell = Cell{Kind: Feedback, Name: sayings[rng.IntN(len(sayings))]}
			}
			by := rng.Int64N(5) - 2
			want[e] += by
			e.N = by
			all = append(all, e)
		}
		sums := sumChanges(all)
		for i, e := range sums {
			if i > 0 {
				require.Negative(t, sums[i-1].compare(&e))
			}
			sum := e.N
			e.N = 0
			require.Equal(t, want[e], sum)
			require.NotZero(t, sum)
			delete(want, e)
		}
		for e, sum := range want {
			require.Zero(t, sum, e)
		}
	}
}

func BenchmarkSumChanges(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]Change, 5000)
	for i := range all {
		all[i] = Change{Cell: Cell{Kind: TimeToPQL, Number: rng.Int32N(300)}, N: 1}
	}
	room := make([]Change, len(all))
	for b.Loop() {
		copy(room, all)
		sumChanges(room)
	}
}
