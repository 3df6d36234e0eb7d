package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadTopic calls each for all committed records that a topic holds now, partition by partition, each in its order. Records of a
// transaction that is not decided yet, and those behind them, are not among them.
func ReadTopic(ctx context.Context, client *kgo.Client, topic string, each func(*kgo.Record) error) error {
	_, topics, err := describeTopics(ctx, client, topic)
	if err != nil {
		return err
	}
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking where topic %s ends: %w", topic, err)
	}
	info := topics[topic]
	for partition := range info.leaders {
		end, _ := ends.Lookup(topic, int32(partition))
		l := &logReader{client: client, topic: &info, partition: int32(partition)}
		if err := l.readAll(ctx, end.Offset, each); err != nil {
			return err
		}
	}
	return nil
}

// readPatience bounds how long a partition may have no broker that answers. There is nothing else to wait for.
const readPatience = 30 * time.Second

// readAll reads from the log's start.
func (l *logReader) readAll(ctx context.Context, end int64, each func(*kgo.Record) error) (err error) {
	if l.position, err = listOffset(ctx, l.client, l.topic.name, l.partition, atStart); err != nil {
		return err
	}
	return l.readTo(ctx, end, readPatience, func(r *kgo.Record) error {
		if err := each(r); err != nil {
			return fmt.Errorf("reading %s-%d, the record at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return nil
	})
}
