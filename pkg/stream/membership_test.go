package stream

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A static member that leaves for a while says which one it is: otherwise the broker refuses, and its instance can't come
// back before the session ends.
func TestStaticMemberLeavesByItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	o.ConsumerProtocol, o.InstanceID = true, "a"
	o.GroupOptions = []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()), kgo.InstanceID("a")}
	var left atomic.Bool
	w.cluster.ControlKey(kmsg.ConsumerGroupHeartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if r := req.(*kmsg.ConsumerGroupHeartbeatRequest); r.MemberEpoch == -2 && r.InstanceID != nil && *r.InstanceID == "a" {
			left.Store(true)
		}
		return nil, nil, false
	})
	p := w.start(o)
	w.send(0, "a=1", "a=2", "a=3")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	require.True(t, left.Load())
	p = w.start(o)
	w.send(0, "a=4", "b=1")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// A member that joined without getting anything asks again long before its next heartbeat is due.
func TestMemberWithoutPartitionsAsksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	o.ConsumerProtocol = true
	o.GroupOptions = []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}
	var asked atomic.Int64
	w.cluster.ControlKey(kmsg.ConsumerGroupHeartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		asked.Add(1)
		resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		id := req.(*kmsg.ConsumerGroupHeartbeatRequest).MemberID
		resp.MemberID, resp.MemberEpoch, resp.HeartbeatIntervalMillis = &id, 1, 3_600_000
		return resp, nil, true
	})
	p := w.start(o)
	w.await("a few heartbeats", func() bool { return asked.Load() >= 4 })
	require.NoError(t, p.stop())
}
