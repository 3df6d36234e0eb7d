package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// The broker that led a changelog partition when the process started is gone for good. A takeover finds the new leader.
func TestTakeoverAfterTheChangelogsLeaderIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, kfake.NumBrokers(3))
	p := w.start(w.options())
	w.send(0, "a=1", "a=2", "b=3")
	w.awaitCommitted()
	gone := w.cluster.LeaderFor("log", 0)
	require.NoError(t, w.cluster.RemoveNode(gone))
	p.wire.cut()
	for _, x := range *p.assignment.Load() {
		x.fail(errNotConfirmed)
	}
	w.await("the takeover", func() bool { return p.stats.Takeovers.Load() > 0 && p.ownsNow() == 1 })
	w.send(0, "a=4", "b=5", "b=6")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// cut closes every connection; new ones can be made.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Conn.Close()
	}
}
