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
	return NewTopicReader(client, topic).ReadOn(ctx, each)
}

// TopicReader reads all partitions of a topic from their starts on. Any number of processes can read a topic: nothing is kept of it in
// Kafka.
type TopicReader struct {
	client *kgo.Client
	topic  topicInfo // of its logs; only its name is known before there are some
	logs   []*logReader
}

// NewTopicReader returns a reader that has read nothing yet.
func NewTopicReader(client *kgo.Client, topic string) *TopicReader {
	return &TopicReader{client: client, topic: topicInfo{name: topic}}
}

// ReadOn does what ReadTopic does, with the records that have not been read before. After an error of Kafka's it can be called again, and goes
// on where it was. It can't after an error of each, the end of the context or a *Refusal, which says that the topic is not what it was:
// another one by its name, or without records that were not read yet.
func (t *TopicReader) ReadOn(ctx context.Context, each func(*kgo.Record) error) error {
	ends, err := t.look(ctx)
	if err != nil {
		return err
	}
	for _, l := range t.logs {
		end, _ := ends.Lookup(t.topic.name, l.partition)
		if err := l.readOn(ctx, end.Offset, each); err != nil {
			return err
		}
	}
	return nil
}

// lookTimeout bounds how long it may take to ask for what there is to read.
const lookTimeout = 10 * time.Second

// look learns which partitions there are, who leads them, and where they end.
func (t *TopicReader) look(ctx context.Context) (kadm.ListedOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, topics, err := describeTopics(ctx, t.client, t.topic.name)
	if err != nil {
		return nil, err
	}
	now := topics[t.topic.name]
	if len(t.logs) > 0 && (now.id != t.topic.id || len(now.leaders) < len(t.logs)) {
		return nil, &Refusal{What: fmt.Sprintf("topic %s was deleted and created again", t.topic.name), Remedy: "read it anew"}
	}
	t.topic = now
	for partition := int32(len(t.logs)); int(partition) < len(now.leaders); partition++ {
		start, err := listOffset(ctx, t.client, now.name, partition, atStart)
		if err != nil {
			return nil, err
		}
		t.logs = append(t.logs, &logReader{client: t.client, topic: &t.topic, partition: partition, position: start})
	}
	ends, err := kadm.NewClient(t.client).ListCommittedOffsets(ctx, t.topic.name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking where topic %s ends: %w", t.topic.name, err)
	}
	return ends, nil
}

// readPatience bounds how long a partition may have no broker that answers. There is nothing else to wait for.
const readPatience = 30 * time.Second

// readOn reads from where the reader is.
func (l *logReader) readOn(ctx context.Context, end int64, each func(*kgo.Record) error) error {
	return l.readTo(ctx, end, readPatience, func(r *kgo.Record) error {
		if err := each(r); err != nil {
			return fmt.Errorf("reading %s-%d, the record at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return nil
	})
}
