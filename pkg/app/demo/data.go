package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// liveRate is how many events a second there are once the history has been told: of a product of some hundred accounts, a day's in less than
// ten seconds.
const liveRate = 150

// data is the sample: its history, and what follows.
type data struct {
	sample *simulate.Sample
	past   bool // it ends at a time of its own, not now

	events  int                 // of the history
	arrived [partitions][]int64 // when each event of the history did, ms since the Unix epoch, by its offset
	there   [partitions]int64   // how many records the source topic had at first
	next    [partitions]int64   // offset of the next event that is live
}

func newData(o *Options, now time.Time) (*data, error) {
	d := &data{past: !o.Epoch.IsZero()}
	options := simulate.Options{Seed: o.Seed, Accounts: o.Accounts, Days: o.Days, Epoch: o.Epoch}
	if !d.past {
		options.End = now
	}
	if o.Epoch.After(now) {
		return nil, fmt.Errorf("epoch: %s has not come yet", o.Epoch.Format(time.DateOnly))
	}
	var err error
	if d.sample, err = simulate.New(options); err != nil {
		return nil, err
	}
	if days := d.sample.Options().Days; days > maxDays {
		return nil, fmt.Errorf("days: %d are more than %d", days, maxDays)
	}
	return d, nil
}

// until is when the history ends, ms since the Unix epoch.
func (d *data) until() int64 { return d.sample.Options().End.UnixMilli() }

// publish puts the history onto the source topic, except for what a demo before has put there.
func (d *data) publish(ctx context.Context, client *kgo.Client) error {
	if err := d.prepareTopic(ctx, client); err != nil {
		return err
	}
	return d.send(ctx, client, d.history(), simulate.Load{})
}

// history yields the events of the history that are not on the topic yet, and takes note of all.
func (d *data) history() iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		for e := range d.sample.Events() {
			p := partitionOf(e)
			d.arrived[p] = append(d.arrived[p], e.ReceivedAt)
			d.events++
			if int64(len(d.arrived[p])) > d.there[p] && !yield(e) {
				return
			}
		}
		for p := range d.next {
			d.next[p] = int64(len(d.arrived[p]))
		}
	}
}

// goOn puts what follows the history onto the topic, until the context ends: as if it happened now; in the past, when it would have.
func (d *data) goOn(ctx context.Context, client *kgo.Client) error {
	err := d.send(ctx, client, d.live(), simulate.Load{Rate: liveRate, Live: !d.past})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// live yields what follows the history and is not on the topic yet.
func (d *data) live() iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		for e := range d.sample.After() {
			p := partitionOf(e)
			d.next[p]++
			if d.next[p] > d.there[p] && !yield(e) {
				return
			}
		}
	}
}

func (d *data) send(ctx context.Context, client *kgo.Client, events iter.Seq[*usage.Event], o simulate.Load) error {
	encoder, err := codec.NewEventEncoder(codec.Avro, schemas.UsageEvent.LocalID)
	if err != nil {
		return err
	}
	o.Topic, o.Append = topic, encoder.AppendUsage
	_, err = simulate.Run(ctx, client, events, o)
	return err
}

func partitionOf(e *usage.Event) int32 { return kafka.Partition([]byte(e.AccountID), partitions) }

// prepareTopic makes the source topic unless it exists, and takes note of how many records each partition holds.
func (d *data) prepareTopic(ctx context.Context, client *kgo.Client) error {
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("looking at topic %s: %w", topic, err)
	}
	ends.Each(func(o kadm.ListedOffset) { d.there[o.Partition] = o.Offset })
	return nil
}
