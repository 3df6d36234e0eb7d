package stream

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// hasten asks for partitions, at growing intervals, until there are some. With the consumer protocol the broker assigns
// (KIP-848), some time after a member has joined, and tells it only at its next heartbeat: five seconds later.
func (r *Runtime) hasten(ctx context.Context) {
	for wait := 50 * time.Millisecond; wait < 5*time.Second && r.count.Load() == 0; wait *= 2 {
		pause(ctx, wait)
		if ctx.Err() != nil || r.stopped.Load() {
			return
		}
		r.group.ForceRebalance() // under this protocol a heartbeat, no rebalance
	}
}

// leave gives up the membership.
func (r *Runtime) leave(ctx context.Context) {
	if m, err := memberOf(r.group); err == nil && r.o.ConsumerProtocol && r.instance != nil {
		// The client leaves the instance's id out, without which the broker refuses that a static member goes: the process
		// could not come back before its session ends.
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = r.o.Group, m.id, r.instance, -2
		_, _ = req.RequestWith(ctx, r.plain)
	}
	_ = r.group.LeaveGroupContext(ctx)
}
