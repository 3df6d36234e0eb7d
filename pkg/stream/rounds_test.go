package stream

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// rounds is a gatherer to which all belongs together up to a record of the key end.
type rounds struct {
	*gatherer
	within bool
	told   chan int // of how many keys each Flush has told
}

func (r *rounds) Fold(i int, t *Turn) error {
	r.within = string(t.Record.Key) != "end"
	return r.gatherer.Fold(i, t)
}

func (r *rounds) Flush(watermark int64, emit func(Output)) {
	r.told <- len(r.folds)
	r.gatherer.Flush(watermark, emit)
}

func (r *rounds) Whole() bool { return !r.within }

func (w *world) rounds(told chan int) Options {
	o := w.options()
	o.CheckpointInterval = 10 * time.Millisecond
	o.NewProcessor = func(string, int32) Processor { return &rounds{gatherer: newGatherer(), told: told} }
	return o
}

// What belongs together is committed together, however long the rest keeps others waiting.
func TestRoundsAreCommittedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, kfake.SeedTopics(1, "told"))
	told := make(chan int, 1000)
	p := w.start(w.rounds(told))
	p.awaitOwned(2)
	w.send(0, "a=1", "b=2", "a=3")
	w.await("the first part being folded", func() bool { return p.Stats().Records.Load() == 3 })
	for n := range int64(3) { // the other partition goes on, checkpoint by checkpoint
		before := p.Stats().Checkpoints.Load()
		w.send(1, "x=1", "end=2")
		w.await("the other partition's checkpoint", func() bool { return p.Stats().Checkpoints.Load() > before })
		require.Equal(t, 2, <-told, n)
	}
	offset, _ := w.committed(0)
	require.LessOrEqual(t, offset, int64(0), "half of what belongs together is committed")
	w.send(0, "c=4", "end=5")
	w.awaitCommitted()
	require.Equal(t, 4, <-told)
	require.NoError(t, p.stop())
}

// A task that has no room for a whole round commits what it has, rather than wait for ever.
func TestRoundsThatAreTooLargeAreCommittedInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, kfake.SeedTopics(1, "told"))
	o := w.rounds(make(chan int, 1000))
	o.CacheStates = 2
	p := w.start(o)
	n := 0
	w.await("some of it being committed", func() bool {
		var keys []string
		for range 100 {
			n++
			keys = append(keys, fmt.Sprintf("key-%d=1", n))
		}
		w.send(0, keys...)
		offset, _ := w.committed(0)
		return offset > 0
	})
	require.NoError(t, p.stop())
}

// What is due is fired before a checkpoint that its time would be in.
func TestRoundsAreNotWholeWhileTimersAreDue(t *testing.T) {
	r := &rounds{gatherer: newGatherer()}
	table := newTable(r, "in", 0, checkpoint{})
	require.True(t, table.whole())
	table.now.eventTime = 100
	require.False(t, table.whole())
	table.fired = 100
	require.True(t, table.whole())
	r.within = true
	require.False(t, table.whole())
}
