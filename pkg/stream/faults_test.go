package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// faulty is a request of the commit path and how brokers fail it.
type faulty struct {
	key       kmsg.Key
	retriable *kerr.Error
	fenced    *kerr.Error
}

var faulties = []faulty{
	{kmsg.Produce, kerr.NotLeaderForPartition, kerr.InvalidProducerEpoch},
	{kmsg.TxnOffsetCommit, kerr.CoordinatorLoadInProgress, kerr.ProducerFenced},
	{kmsg.EndTxn, kerr.NotCoordinator, kerr.ProducerFenced},
	{kmsg.FindCoordinator, kerr.CoordinatorNotAvailable, kerr.TransactionalIDAuthorizationFailed},
}

// Each request of the commit path fails in each way, at a moment that a seed chooses, while records flow: the fault is
// hit and what comes out is exact.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	for i, f := range faulties {
		for _, how := range []string{"retriable", "fenced", "cut before", "cut after"} {
			t.Run(f.key.Name()+"/"+how, func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(i), uint64(len(how))))
				underFault(t, f, how, random)
			})
		}
	}
}

func underFault(t *testing.T, f faulty, how string, random *rand.Rand) {
	w := newWorld(t, 2)
	p := w.start(w.options())
	p.awaitOwned(2)
	at := 0
	for range 3 {
		hit := w.inject(p, f, how, random.IntN(5))
		for !hit() {
			for n := range int32(2) {
				var records []string
				for range 20 {
					at++
					records = append(records, fmt.Sprintf("k%d=%d", random.IntN(7), at))
				}
				w.send(n, append(records, fmt.Sprintf("t%d=%d,timer", at%3, at), fmt.Sprintf("x=%d,bad", at))...)
			}
			w.awaitCommitted()
		}
	}
	w.send(0, "k0=1", "k1=2", "k2=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// inject arranges for one fault after some requests that pass unharmed. It returns how to know that it was hit.
func (w *world) inject(p *process, f faulty, how string, skip int) (hit func() bool) {
	if f.key == kmsg.FindCoordinator { // asked when the coordinator that the client knows says that it is not
		skip = 0
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: p.producer.txnID, Err: kerr.NotCoordinator})
	}
	switch how {
	case "cut before", "cut after":
		do := cutBefore
		if how == "cut after" {
			do = cutAfter
		}
		return p.wire.trap(trap{key: f.key, skip: skip, do: do}).wasHit
	}
	err := f.retriable
	if how == "fenced" {
		err = f.fenced
	}
	fault := kfake.Fault{Keys: []kmsg.Key{f.key}, Err: err}
	switch f.key {
	case kmsg.Produce: // the test produces too
		fault.Topic = []string{"log", "out"}[skip%2]
	default:
		fault.TxnID = p.producer.txnID
	}
	seen := map[kmsg.Request]bool{}
	fault.When = func(r kmsg.Request) bool { // called for each partition of a request
		seen[r] = true
		return len(seen) > skip
	}
	h := w.cluster.Fault(fault)
	return func() bool { return h.Hits() > 0 }
}
