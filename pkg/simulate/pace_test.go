package simulate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// In a bubble time passes only while everybody sleeps, so that the times are exact.

func TestThePacerKeepsItsRate(t *testing.T) {
	for _, rate := range []float64{0.5, 3, 1000, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			p := pacer{rate: rate}
			start := time.Now()
			n := int(rate*10) + 1
			for range n {
				require.NoError(t, p.wait(t.Context()))
			}
			require.InDelta(t, 10, time.Since(start).Seconds(), 0.001+1/rate, "%v a second", rate)
		})
	}
}

func TestThePacerCatchesUpAfterASlowStretch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{rate: 100}
		start := time.Now()
		for i := range 1001 {
			require.NoError(t, p.wait(t.Context()))
			if i == 200 {
				time.Sleep(3 * time.Second)
			}
		}
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestThePacerWithoutARateNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		start := time.Now()
		for range 1000 {
			require.NoError(t, p.wait(t.Context()))
		}
		require.Zero(t, time.Since(start))
	})
}

func TestThePacerStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := pacer{rate: 0.01}
		require.NoError(t, p.wait(ctx))
		start := time.Now()
		require.ErrorIs(t, p.wait(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, (&pacer{}).wait(ctx), context.DeadlineExceeded)
	})
}
