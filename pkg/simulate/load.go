package simulate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Load says how events go onto a topic.
type Load struct {
	Topic  string  // has to exist
	Rate   float64 // events a second; 0: as fast as the topic takes them
	Events int     // stops after so many; 0: after the last

	// Append appends an event's encoding to b and returns the extended buffer.
	Append func(b []byte, e *usage.Event) []byte

	// ArrivalTime stamps each record with its event's ReceivedAt, for the same records at every run. Brokers delete by
	// this stamp: on a topic with a retention, records of the past are gone soon. Otherwise it is when the record is
	// sent.
	ArrivalTime bool

	// Live has each event happen, and arrive, when it is sent, whatever its times say.
	Live bool
}

// Run puts events onto a topic, in their order and keyed by account, and returns how many were acknowledged. It ends
// with the events, with the first that can't be produced, or with ctx, whose cause it then returns; what was not
// acknowledged by then may be lost.
//
// The client's partitioner decides on partitions; its default is Kafka's own hash of the key. Its idempotence, also on
// by default, keeps the order within a partition.
func Run(ctx context.Context, client *kgo.Client, events iter.Seq[*usage.Event], o Load) (int, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var acknowledged atomic.Int64
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			stop(err) // the first counts; those after it failed because of it
			return
		}
		acknowledged.Add(1)
	}
	pace := pacer{rate: o.Rate}
	sent := 0
	for e := range events {
		if pace.wait(ctx) != nil {
			break
		}
		if o.Live {
			e.OccurredAt = time.Now().UnixMilli()
			e.ReceivedAt = e.OccurredAt
		}
		client.Produce(ctx, o.record(e), promise)
		if sent++; sent == o.Events {
			break
		}
	}
	err := client.Flush(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	n := int(acknowledged.Load())
	if err != nil && !errors.Is(err, context.Canceled) {
		return n, fmt.Errorf("producing to %s after %d events: %w", o.Topic, n, err)
	}
	return n, err
}

// record encodes an event; key and value share one allocation.
func (o *Load) record(e *usage.Event) *kgo.Record {
	key := len(e.AccountID)
	b := append(make([]byte, 0, key+320), e.AccountID...)
	b = o.Append(b, e)
	r := &kgo.Record{Topic: o.Topic, Key: b[:key:key], Value: b[key:]}
	if o.ArrivalTime {
		r.Timestamp = time.UnixMilli(e.ReceivedAt)
	}
	return r
}

// pacer spreads calls evenly over time.
type pacer struct {
	rate  float64 // calls a second; 0: no limit
	start time.Time
	n     int64
}

// shortest is the shortest time worth sleeping for; what is due meanwhile follows at once.
const shortest = time.Millisecond

// wait returns when the next call is due, counted from the first, so that a slow stretch is caught up with.
func (p *pacer) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	if p.n == 0 {
		p.start = time.Now()
	}
	due := p.start.Add(time.Duration(float64(p.n) / p.rate * float64(time.Second)))
	p.n++
	ahead := time.Until(due)
	if ahead <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(max(ahead, shortest)):
		return nil
	}
}
