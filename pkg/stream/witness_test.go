package stream

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// witness is a counter that asks what becomes of what it has emitted.
type witness struct {
	*counter
	emitted int
	told    *told
}

// told is what witnesses were told of their outputs, by how many they were.
type told struct {
	sync.Mutex
	confirmed, failed int
	outcomes          []Outcome
}

func (w *witness) Fold(i int, t *Turn) error {
	err := w.counter.Fold(i, t)
	_, outputs := t.Result()
	w.emitted += len(outputs)
	return err
}

func (w *witness) Cut(bool) func(Outcome) {
	n := w.emitted
	if n == 0 {
		return nil
	}
	w.emitted = 0
	return func(o Outcome) {
		w.told.Lock()
		defer w.told.Unlock()
		w.told.outcomes = append(w.told.outcomes, o)
		if o.Err == nil {
			w.told.confirmed += n
		} else {
			w.told.failed += n
		}
	}
}

func (w *world) witnessed() (Options, *told) {
	o, told := w.options(), &told{}
	o.NewProcessor = func(string, int32) Processor { return &witness{counter: &counter{every: 3}, told: told} }
	return o, told
}

// Each output's witness is told once that it was published, and before that, if a commit was not confirmed, that it may not have been.
func TestWitnessesAreToldOfEveryOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	o, told := w.witnessed()
	p := w.start(o)
	p.awaitOwned(2)
	three := []string{"a=1", "a=2", "a=3"}
	w.send(0, three...)
	w.send(1, three...)
	w.awaitCommitted()
	fault := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: kerr.InvalidProducerEpoch})
	w.send(0, three...)
	w.awaitCommitted()
	require.Positive(t, fault.Hits())
	w.send(1, three...)
	w.awaitCommitted()
	require.NoError(t, p.stop())
	told.Lock()
	defer told.Unlock()
	assert.Len(t, w.read("out"), told.confirmed)
	assert.Positive(t, told.failed)
	for _, o := range told.outcomes {
		assert.False(t, o.Began.IsZero() || o.Ended.Before(o.Began))
	}
}
