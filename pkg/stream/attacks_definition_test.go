package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onlyTimed has no lists.
type onlyTimed struct{ TimerProcessor }

// untimed loads states without their timers.
type untimed struct{ *counter }

func (u untimed) LoadState(key string, value []byte) (State, error) {
	s, err := u.counter.LoadState(key, value)
	if err == nil {
		s.(*count).due = 0
	}
	return s, err
}

// twoDefinitions is a stage to which the definitions "one" and "two" mean something else, and how it shows that the mirror is of "two".
type twoDefinitions struct {
	processor func(definition string) Processor
	check     func(w *world)
}

var stagesOfTwo = map[string]twoDefinitions{
	"lists": {
		func(definition string) Processor {
			return onlyIndexed{&counter{every: 3, shift: map[string]int64{"one": 0, "two": 7}[definition]}}
		},
		func(w *world) {
			assert.Equal(w.t, `"a"=7 "b"=7 "t"=7`, listsIn(w.store, w.partitionOf(0))["all"])
		},
	},
	"timers": {
		func(definition string) Processor {
			if definition == "one" {
				return onlyTimed{untimed{&counter{every: 3}}}
			}
			return onlyTimed{&counter{every: 3}}
		},
		func(w *world) { w.requireExactOutputs() },
	},
}

// under starts a process with a definition, which owns the partition then.
func (d twoDefinitions) under(w *world, definition string) *process {
	o := w.options()
	o.Definition = definition
	o.NewProcessor = func(string, int32) Processor { return d.processor(definition) }
	if definition == "one" {
		o.CheckpointInterval = time.Minute // it is gone before its first
	}
	p := w.start(o)
	p.awaitOwned(1)
	return p
}

// A partition that went from "two" to "one" is taken over by "two" again: the mirror that it meets is of "one", and is not used.
func (d twoDefinitions) attacked(t *testing.T, back func(w *world, former *process) *process) {
	t.Parallel()
	w := newWorld(t, 1)
	p := d.under(w, "two")
	w.send(0, "a=1,timer", "a=2", "b=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	former := d.under(w, "one")
	require.EqualValues(t, 1, former.stats.Rebuilds.Load())
	p = back(w, former)
	w.send(0, "t=500")
	w.awaitCommitted()
	assert.EqualValues(t, 1, p.stats.Rebuilds.Load())
	require.NoError(t, p.stop())
	d.check(w)
}

// While a new definition is rolled out, a partition goes back to a process of the former one, which builds the mirror anew and is killed
// before its first checkpoint.
func TestAttack16MirrorOfAFormerDefinition(t *testing.T) {
	t.Parallel()
	for name, d := range stagesOfTwo {
		t.Run(name, func(t *testing.T) {
			d.attacked(t, func(w *world, former *process) *process {
				former.crash()
				return d.under(w, "two")
			})
		})
	}
}

// The store comes back with a snapshot that was taken under the former definition, between two owners.
func TestAttack14SnapshotOfAFormerDefinition(t *testing.T) {
	t.Parallel()
	for name, d := range stagesOfTwo {
		t.Run(name, func(t *testing.T) {
			d.attacked(t, func(w *world, former *process) *process {
				old := w.store.Snapshot()
				require.NoError(t, former.stop())
				require.NoError(t, d.under(w, "two").stop())
				w.store.Restore(old)
				return d.under(w, "two")
			})
		})
	}
}

// So it does under a live owner, who had built it anew.
func TestAttack14SnapshotOfAFormerDefinitionUnderLiveOwner(t *testing.T) {
	t.Parallel()
	for name, d := range stagesOfTwo {
		t.Run(name, func(t *testing.T) {
			d.attacked(t, func(w *world, former *process) *process {
				old := w.store.Snapshot()
				require.NoError(t, former.stop())
				p := d.under(w, "two")
				p.stats.Rebuilds.Store(0)
				w.store.Restore(old)
				return p
			})
		})
	}
}
