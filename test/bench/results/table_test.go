package results

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAShareOfAllDoesNotExceedItsQuantile(t *testing.T) {
	all := make([]float64, 0, 100)
	for i := range 100 {
		all = append(all, float64((i*37)%100+1))
		for _, share := range []float64{0.001, 0.07, 0.29, 0.5, 0.9, 0.99, 1} {
			q, below, least := Quantile(all, share), 0, 0
			for _, v := range all {
				if v <= q {
					below++
				}
				if v < q {
					least++
				}
			}
			require.GreaterOrEqual(t, float64(below), share*float64(len(all))-1e-6, "%v of %v", share, all)
			require.Less(t, float64(least), share*float64(len(all)), "%v of %v: a lower one would do", share, all)
		}
	}
	require.Equal(t, 99.0, Quantile(all, 0.99))
	require.Equal(t, 7.0, Quantile(all, 0.07))
	require.Equal(t, 2.0, Quantile([]float64{1, 2}, 0.9), "few values: the worst")
	require.Zero(t, Quantile(nil, 0.5))
}

func TestTheMedianOfTwoIsBetweenThem(t *testing.T) {
	table := &Table{Columns: []Column{{Key: Rate, Spread: true}}}
	table.Add(PQLStream, 30)
	table.Add(PQLStream, 10)
	m, ok := table.Median(PQLStream, Rate)
	require.True(t, ok)
	require.Equal(t, 20.0, m)
	table.Add(PQLStream, 11)
	var s strings.Builder
	table.Markdown(&s)
	require.Contains(t, s.String(), "| 11 (10–30) |")
}
