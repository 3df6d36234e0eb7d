package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// Reading is a topic that a stage reads, and the group that it does so in.
type Reading struct {
	Stage config.Stage
	Group string
	Topic string
}

// Readings lists what the stages of a deployment read, all stages that its settings need, in the order in which events pass them.
func Readings(c *config.Config) (list []Reading) {
	names := c.TopicNames()
	add := func(s config.Stage, topic string) { list = append(list, Reading{s, c.Group(s), topic}) }
	if !c.Direct() {
		for i := range c.Input.Sources {
			add(config.Ingest, c.Input.Sources[i].Topic)
		}
	}
	if c.ResolvesUsers() {
		add(config.Resolve, names.Unresolved)
	}
	add(config.Activation, c.ActivationInput())
	if c.Metrics.Enabled {
		add(config.Measure, names.Facts)
		add(config.Rollup, names.Rollup)
	}
	return list
}

// Lag is how far a stage is in a partition. Offsets count transaction markers as well as records, and so does Records.
type Lag struct {
	Reading
	Partition int32
	Committed int64 // the offset up to which the stage has committed; -1: nothing yet
	End       int64 // the offset after the last that can be read: transactions under way are not
	Records   int64 // between the two; of a stage that has committed nothing, all that the partition holds
}

// coordinatorWait is how long after a refusal the coordinator of a group is asked again.
const coordinatorWait = 200 * time.Millisecond

// committedBy asks how far a group has committed. The first that is asked of any group has a new cluster create the topic that groups are
// kept in; there is no coordinator until then.
func committedBy(ctx context.Context, admin *kadm.Client, r Reading) (kadm.OffsetResponses, error) {
	for {
		committed, err := admin.FetchOffsetsForTopics(ctx, r.Group, r.Topic)
		if err == nil {
			err = committed.Error()
		}
		if !errors.Is(err, kerr.CoordinatorNotAvailable) {
			return committed, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(coordinatorWait):
		}
	}
}

// Lags asks Kafka how far stages are, in the order of the readings and of the partitions.
func Lags(ctx context.Context, client *kgo.Client, readings []Reading) (lags []Lag, err error) {
	admin := kadm.NewClient(client)
	var topics []string
	for _, r := range readings {
		topics = append(topics, r.Topic)
	}
	starts, err := offsets(ctx, "begin", admin.ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	ends, err := offsets(ctx, "end", admin.ListCommittedOffsets, topics)
	if err != nil {
		return nil, err
	}
	for _, r := range readings {
		committed, err := committedBy(ctx, admin, r)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("asking how far group %s is in %s: %w", r.Group, r.Topic, err)
		}
		for p := range int32(len(ends[r.Topic])) {
			lags = append(lags, lagOf(r, p, starts[r.Topic][p].Offset, ends[r.Topic][p].Offset, committed))
		}
	}
	return lags, nil
}

func offsets(ctx context.Context, which string, list func(context.Context, ...string) (kadm.ListedOffsets, error), topics []string) (kadm.ListedOffsets, error) {
	found, err := list(ctx, unique(topics)...)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking where topics %s: %w", which, err)
	}
	return found, nil
}

func lagOf(r Reading, partition int32, start, end int64, committed kadm.OffsetResponses) Lag {
	l := Lag{Reading: r, Partition: partition, Committed: -1, End: end}
	from := start
	if c, found := committed.Lookup(r.Topic, partition); found && c.At >= 0 {
		l.Committed, from = c.At, max(c.At, start)
	}
	l.Records = max(end-from, 0)
	return l
}
