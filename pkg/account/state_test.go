package account_test

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// TestSizesAreReal compares what states say they take with the heap that they take.
func TestSizesAreReal(t *testing.T) {
	const accounts = 500
	e := engine(t, everything)
	r := rand.New(rand.NewPCG(8, 8))
	states, said := make([]*account.State, accounts), 0
	for i := range states {
		states[i] = e.New("acme", 1)
		for j, ev := range randomLife(r, 1+r.IntN(60)) {
			e.Folder().Apply(states[i], &ev, account.Position{Topic: "usage", Offset: int64(j)}, 0)
		}
		if i%2 == 0 {
			b, err := states[i].AppendBinary(nil)
			require.NoError(t, err)
			states[i], err = e.Load("acme", b)
			require.NoError(t, err)
		}
		said += states[i].Size()
	}
	with := heap()
	clear(states)
	assert.InEpsilon(t, with-heap(), said, 0.1)
	runtime.KeepAlive(states)
}

func TestTheSignUpAndStepsDoneOutlastTheHistory(t *testing.T) {
	s := begin(t, life)
	s.fold("a@5 account_created@7 b b c")
	for range 40 {
		s.fold("enriched?domain=ourcompany.com enriched?domain=acme.com")
	}
	v := s.engine.View(s.state, 0)
	assert.Equal(t, 7*hour, v.SignedUpAt)
	assert.Equal(t, s.hour*hour, v.QualifiedAt)
	require.Len(t, v.StepsDone, 3)
	assert.Equal(t, 5*hour, v.StepsDone[0].DoneAt)
	assert.Len(t, v.History, 50)
	for i, m := range v.History {
		assert.Equal(t, (s.hour-24+int64(i)/2)*hour, m.OccurredAt, "each event led to two")
	}
}
