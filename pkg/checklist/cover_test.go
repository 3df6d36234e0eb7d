package checklist

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCoversAreSetsOfTimes compares covers with sets, whatever the order in which stretches are added.
func TestCoversAreSetsOfTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var stretches [][2]int64
		for range r.IntN(8) {
			from := r.Int64N(40)
			stretches = append(stretches, [2]int64{from, from + 1 + r.Int64N(9)})
		}
		since := r.Int64N(60) - 10
		var first cover
		for try := range 3 {
			var c cover
			set := map[int64]bool{}
			for i, s := range stretches {
				c = c.add(s[0], s[1])
				for at := s[0]; at < s[1]; at++ {
					set[at] = true
				}
				if i == try { // some of what goes in the end may go before
					c = c.since(since - r.Int64N(20))
				}
			}
			c = c.since(since)
			for at := since; at < 60; at++ {
				require.Equal(t, set[at], c.holds(at), "%d in %v of %v since %d", at, c, stretches, since)
			}
			if try == 0 {
				first = slices.Clone(c)
			}
			require.True(t, slices.Equal(first, c), "%v, %v", first, c)
			r.Shuffle(len(stretches), func(i, j int) { stretches[i], stretches[j] = stretches[j], stretches[i] })
		}
	}
}

func TestCoversKeepTheNewestStretches(t *testing.T) {
	var c cover
	for i := range int64(40) {
		c = c.add(10*i, 10*i+5)
	}
	c = c.since(0)
	require.Len(t, c, maxTimes)
	require.False(t, c.holds(239))
	require.True(t, c.holds(240))
	require.True(t, c.holds(394))
}

func TestThinnedTimesStaySpread(t *testing.T) {
	for _, c := range []struct{ times, want []int64 }{
		{[]int64{0, 5, 10}, []int64{0, 10}},
		{[]int64{0, 50, 60, 61, 100}, []int64{0, 50, 61, 100}},
		{[]int64{0, 1, 50, 99, 100}, []int64{0, 50, 99, 100}},
		{[]int64{0, 10, 20, 30}, []int64{0, 20, 30}},
	} {
		require.Equal(t, c.want, thinned(slices.Clone(c.times)))
	}
}
