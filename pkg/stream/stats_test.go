package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDurationsAreCountedUpToEachBound(t *testing.T) {
	var d Durations
	n, all, within := d.Read()
	require.Zero(t, n)
	require.Zero(t, all)
	require.Zero(t, within)
	for _, took := range []time.Duration{-time.Hour, DurationBounds[0], DurationBounds[0] + 1, time.Second, 24 * time.Hour} {
		d.Observe(took)
	}
	n, all, within = d.Read()
	require.EqualValues(t, 5, n)
	require.Equal(t, 2*DurationBounds[0]+1+time.Second+24*time.Hour, all)
	for i, bound := range DurationBounds {
		want := 2 // what took less than nothing, and what took the first bound
		if i > 0 {
			want++
		}
		if bound >= time.Second {
			want++
		}
		require.EqualValues(t, want, within[i], bound)
	}
}

func TestPartsWithoutARecordBehindTheirOutputsHaveNoDelay(t *testing.T) {
	var s Stats
	ended := time.Now()
	s.published([]*part{{cut: &cut{}}, {cut: &cut{since: ended.Add(-2 * time.Second)}}}, ended)
	n, all, _ := s.Published.Read()
	require.EqualValues(t, 1, n)
	require.Equal(t, 2*time.Second, all)
}

func TestGaugesSayThatTheClockIsWrong(t *testing.T) {
	r := &Runtime{}
	r.assignment.Store(&assignment{})
	require.False(t, r.Gauges().ClockWrong)
	r.clockWrong.Store(true)
	require.True(t, r.Gauges().ClockWrong)
}

func TestGaugesSayHowFullTheMirrorsBacklogIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	p := w.start(w.options())
	w.send(0, "a=1")
	w.send(1, "b=1")
	w.awaitCommitted()
	w.await("the mirrors to have it", func() bool { return p.Gauges().MirrorBacklog == 0 })
	require.Zero(t, p.Gauges().MirrorFill)
	w.store.Fail(errStoreDown)
	w.send(0, "a=2")
	w.send(1, "b=2")
	w.await("commits of both to wait for the store, which do not add up", func() bool {
		g := p.Gauges()
		return g.MirrorFill > 0 && g.MirrorFill*unmirroredCommits < float64(g.MirrorBacklog)
	})
	w.store.Fail(nil)
	w.await("the mirrors to have all", func() bool { return p.Gauges().MirrorFill == 0 })
	require.NoError(t, p.stop())
}
