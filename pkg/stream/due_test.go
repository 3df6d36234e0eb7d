package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Hints that were set anew are dropped once they are most of the queue; those that may still count stay.
func TestOutdatedHintsDoNotPileUp(t *testing.T) {
	table := newTable(&counter{every: 3}, "in", 0, checkpoint{})
	for i := range 100 {
		e := table.put(fmt.Sprint("k", i))
		e.state = &count{}
		for due := range int64(1000) {
			e.state.(*count).due = 1_000_000 - due
			table.measure(e)
			table.prune(5000)
		}
	}
	assert.Less(t, len(table.timers), 3*hintsKept)
	due, missing := table.takeDue(1_000_000, 1000)
	assert.Len(t, due, 100)
	assert.Empty(t, missing)

	for i := range 2 * hintsKept { // of entities that have left memory: the mirror has the later ones
		table.timers.push(timer{int64(i), fmt.Sprint("gone", i)})
	}
	table.pruned = 0
	table.prune(5000)
	assert.Len(t, table.timers, 5001)
}

func TestHintsOfTheLastMomentAreAskedForAgain(t *testing.T) {
	before, due := completeHints([]state.Entry{{Key: "a", Timer: 3}, {Key: "b", Timer: 5}, {Key: "c", Timer: 5}})
	assert.Equal(t, int64(4), before)
	assert.Equal(t, []state.Entry{{Key: "a", Timer: 3}}, due)
	before, due = completeHints([]state.Entry{{Key: "b", Timer: 5}, {Key: "c", Timer: 5}})
	assert.Equal(t, int64(4), before)
	assert.Empty(t, due)
}

// An entity that is evicted and loaded again and again gives its hint each time.
func TestHintsOfWhatComesAndGoesDoNotPileUp(t *testing.T) {
	table := newTable(&counter{every: 3}, "in", 0, checkpoint{})
	r, most := rand.New(rand.NewPCG(1, 1)), 0
	for i := range 500_000 {
		key := fmt.Sprint("k", r.IntN(1200))
		if table.get([]byte(key)) == nil {
			e := table.put(key)
			e.state = &count{due: 1 << 50}
			table.measure(e)
		}
		if i%100 == 0 {
			table.evict(1000, 1<<40)
			table.prune(1 << 50)
			most = max(most, len(table.timers))
		}
	}
	assert.Less(t, most, 4*hintsKept)
}

// Timers that make much don't all fire before what they have made is committed.
func TestTimersStopFiringWhenTheNextCommitIsFull(t *testing.T) {
	proc := &counter{every: 3}
	r := &Runtime{o: Options{CacheStates: 1 << 20, CacheBytes: 1 << 30}, hurry: make(chan struct{}, 1)}
	x := &task{r: r, dueAtOnce: 100, proc: proc, wake: make(chan struct{}, 1), phase: running, table: newTable(proc, "in", 0, checkpoint{next: 5, eventTime: 10})}
	x.table.timed = loud{proc}
	for i := range 10 {
		e := x.table.put(fmt.Sprint("k", i))
		e.state = &count{due: int64(i + 1)}
		x.table.measure(e)
	}
	fire := func() (outputs int) {
		_, err := x.fireSlice(t.Context(), 10)
		require.NoError(t, err)
		c, err := x.table.cut(true)
		require.NoError(t, err)
		for _, o := range c.outputs {
			outputs += len(o.Value) / (commitBytes / 4)
		}
		return outputs
	}
	assert.Equal(t, []int{4, 4, 2, 0}, []int{fire(), fire(), fire(), fire()})
}

// loud emits much with each timer.
type loud struct{ *counter }

func (l loud) Fire(t *Turn, due int64) error {
	t.Emit(Output{Topic: "out", Value: make([]byte, commitBytes/4)})
	return l.counter.Fire(t, due)
}
