package stream

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

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
