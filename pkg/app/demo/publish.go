package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// input is what lies on the source topic.
type input struct {
	events int
	number [partitions][]int // of each record, by its offset: the events are numbered as they arrived
}

// publish puts the sample data onto the source topic, except for what a demo before has put there.
func publish(ctx context.Context, client *kgo.Client, sample *simulate.Sample) (*input, error) {
	there, err := prepareTopic(ctx, client)
	if err != nil {
		return nil, err
	}
	encoder, err := codec.NewEventEncoder(codec.Avro, schemas.UsageEvent.LocalID)
	if err != nil {
		return nil, err
	}
	in := &input{}
	_, err = simulate.Run(ctx, client, in.missing(sample.Events(), there), simulate.Load{Topic: topic, Append: encoder.AppendUsage})
	return in, err
}

// missing numbers the events and yields those that are not on the topic yet.
func (in *input) missing(events iter.Seq[*usage.Event], there [partitions]int64) iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		for e := range events {
			p := kafka.Partition([]byte(e.AccountID), partitions)
			offset := int64(len(in.number[p]))
			in.number[p] = append(in.number[p], in.events)
			in.events++
			if offset >= there[p] && !yield(e) {
				return
			}
		}
	}
}

// prepareTopic makes the source topic unless it exists, and returns how many records each partition holds.
func prepareTopic(ctx context.Context, client *kgo.Client) (there [partitions]int64, err error) {
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return there, fmt.Errorf("creating topic %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return there, fmt.Errorf("looking at topic %s: %w", topic, err)
	}
	ends.Each(func(o kadm.ListedOffset) { there[o.Partition] = o.Offset })
	return there, nil
}
