package stream

import (
	"maps"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a processor has gathered goes with a commit that is not confirmed: the takeover folds the records again, with a
// processor that knows nothing of them. Some of those commits did happen.
func TestACacheDoesNotOutliveAnUnconfirmedCommit(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]func(*world, *process) (failed func() bool){
		"aborted": func(w *world, p *process) func() bool {
			f := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, TxnID: p.producer.txnID, Err: kerr.GroupAuthorizationFailed})
			return func() bool { return f.Hits() > 0 }
		},
		"committed": func(w *world, p *process) func() bool {
			again := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: p.producer.txnID, Err: kerr.InvalidTxnState, When: second()})
			p.wire.trap(trap{key: kmsg.EndTxn, do: cutAfter})
			return func() bool { return again.Hits() > 0 }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, kfake.SeedTopics(1, "in", "out", "log", "dead", "told"))
			o := w.options()
			var made atomic.Int64
			o.NewProcessor = func(string, int32) Processor { made.Add(1); return newGatherer() }
			p := w.start(o)
			p.awaitOwned(1)
			w.send(0, "a=1", "b=2", "a=3,ignore")
			w.awaitCommitted()
			failed := failing(w, p)
			w.send(0, "a=4", "a=5", "b=6", "c=7")
			w.await("the commit to fail", func() bool { return failed() && p.stats.Takeovers.Load() > 0 })
			w.send(0, "a=8", "c=9,erase", "c=10")
			w.awaitCommitted()
			require.Equal(t, 1+p.stats.Takeovers.Load(), made.Load())
			require.NoError(t, p.stop())
			w.takenOver()
			w.requireExact()
			told := map[string]int64{}
			for _, r := range w.recordsOf("told", 0) {
				n, err := strconv.ParseInt(string(r.Value), 10, 64)
				require.NoError(t, err)
				told[string(r.Key)] += n
			}
			require.True(t, maps.Equal(truthOf(w.recordsOf("in", 0), 3, 0, defaultMaxRecord).folds, told), told)
		})
	}
}

// second chooses the second request.
func second() func(kmsg.Request) bool {
	n := 0
	return func(kmsg.Request) bool { n++; return n == 2 }
}
