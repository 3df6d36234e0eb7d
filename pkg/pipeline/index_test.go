package pipeline

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Whatever else activation's processor is, its accounts are on lists.
func TestAccountsAreOnLists(t *testing.T) {
	for name, change := range map[string]func(*Activation){
		"with timers":             func(*Activation) {},
		"without":                 func(a *Activation) { a.Partitions = partitions },
		"with timers and metrics": func(a *Activation) { a.Metrics = &MetricFacts{} },
		"with metrics":            func(a *Activation) { a.Metrics, a.Partitions = &MetricFacts{}, partitions },
	} {
		a := stage(t)
		change(a)
		x, ok := a.Processor("in", 2).(stream.Indexer)
		require.True(t, ok, name)
		assert.Empty(t, x.AppendIndex(nil, x.NewState("acme", 1))[1:], name)
	}
}

func TestScoresAreWhatAStoreCanKeep(t *testing.T) {
	a := stage(t)
	x := a.Processor("in", 2).(stream.Indexer)
	for at, score := range map[int64]int64{epoch: epoch, math.MaxInt64: state.MaxScore, math.MinInt64 + 1: -state.MaxScore} {
		s := a.Engine.New("acme", 1)
		a.Engine.Folder().Apply(s, &usage.Event{Name: "one", OccurredAt: at}, account.Position{}, 0)
		index := x.AppendIndex([]state.Listing{{List: "before"}}, s)
		require.Equal(t, []state.Listing{{List: "before"}, {List: "accounts", Score: score}}, index)
	}
}
