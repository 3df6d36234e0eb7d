package stream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicInfo is what a cluster says about a topic.
type topicInfo struct {
	name    string
	id      [16]byte
	leaders []int32 // by partition; -1: none
	epochs  []int32 // the leaders', by partition
}

func (t topicInfo) idString() string { return base64.RawURLEncoding.EncodeToString(t.id[:]) }

// describeTopics asks for the cluster's id and for topics' ids and leaders.
func describeTopics(ctx context.Context, client *kgo.Client, names ...string) (cluster string, topics map[string]topicInfo, err error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return "", nil, fmt.Errorf("asking for metadata: %w", err)
	}
	topics = map[string]topicInfo{}
	for _, t := range resp.Topics {
		name := *t.Topic
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return "", nil, fmt.Errorf("topic %s: %w", name, err)
		}
		info := topicInfo{name: name, id: t.TopicID, leaders: make([]int32, len(t.Partitions)), epochs: make([]int32, len(t.Partitions))}
		for _, p := range t.Partitions {
			if int(p.Partition) < len(info.leaders) {
				info.leaders[p.Partition], info.epochs[p.Partition] = p.Leader, p.LeaderEpoch
			}
		}
		topics[name] = info
	}
	if resp.ClusterID != nil {
		cluster = *resp.ClusterID
	}
	return cluster, topics, nil
}

// logReader reads one partition read-committed with Fetch requests of its own. A consumer would not do: it reports
// records only, and behind a position there may be none, since aborted and compacted ones leave holes. A logReader
// always knows how far it has read.
type logReader struct {
	client    *kgo.Client
	topic     *topicInfo // its leaders are looked up again after a fetch that failed
	partition int32
	position  int64 // of the next fetch
	start     int64 // the log's, known after a fetch
	stable    int64 // the last stable offset, known after a fetch
	maxWait   time.Duration
}

// logReaderBytes is what one fetch brings: each partition that is taken over has one in memory, parsed.
const logReaderBytes = 2 << 20

// fetch reads on. It returns no records when there is nothing to read up to the last stable offset.
func (l *logReader) fetch(ctx context.Context) ([]*kgo.Record, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.IsolationLevel = 1
	req.MaxWaitMillis = int32(l.maxWait.Milliseconds())
	req.MinBytes, req.MaxBytes = 1, logReaderBytes
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = l.partition, l.position, logReaderBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = l.topic.name, l.topic.id, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = append(req.Topics, t)

	// Not retried by the client: it would try a broker that is gone for as long as the context, and the leader was never
	// looked up again.
	raw, err := l.client.Broker(int(l.topic.leaders[l.partition])).Request(ctx, req)
	if err != nil {
		l.refreshLeader(ctx)
		return nil, fmt.Errorf("fetching %s-%d: %w", l.topic.name, l.partition, err)
	}
	resp := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, fmt.Errorf("fetching %s-%d: %w", l.topic.name, l.partition, err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("fetching %s-%d: the answer lacks the partition", l.topic.name, l.partition)
	}
	return l.take(ctx, &resp.Topics[0].Partitions[0])
}

func (l *logReader) take(ctx context.Context, resp *kmsg.FetchResponseTopicPartition) ([]*kgo.Record, error) {
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		if errors.Is(err, kerr.OffsetOutOfRange) {
			return nil, &Refusal{
				What:   fmt.Sprintf("%s-%d has no offset %d: it starts at %d", l.topic.name, l.partition, l.position, resp.LogStartOffset),
				Remedy: "its records were deleted or truncated; a changelog must have cleanup.policy=compact only. Restore it, or start anew under another prefix and group",
			}
		}
		l.refreshLeader(ctx)
		return nil, fmt.Errorf("fetching %s-%d: %w", l.topic.name, l.partition, err)
	}
	l.start, l.stable = resp.LogStartOffset, resp.LastStableOffset
	fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset:         l.position,
		IsolationLevel: kgo.ReadCommitted(),
		Topic:          l.topic.name,
		Partition:      l.partition,
	}, resp, kgo.DefaultDecompressor(), nil)
	if fetched.Err != nil {
		return nil, fmt.Errorf("fetching %s-%d: %w", l.topic.name, l.partition, fetched.Err)
	}
	l.position = max(l.position, next)
	return fetched.Records, nil
}

func (l *logReader) refreshLeader(ctx context.Context) {
	if _, topics, err := describeTopics(ctx, l.client, l.topic.name); err == nil && topics[l.topic.name].id == l.topic.id && len(topics[l.topic.name].leaders) == len(l.topic.leaders) {
		*l.topic = topics[l.topic.name]
	}
}

// errStalled says that a read got no further for longer than any transaction can pend.
var errStalled = errors.New("no progress")

// readTo calls each for all committed records below end. It waits for what is not stable yet, since the markers of a
// transaction reach partitions one by one, but not without progress for longer than patience.
func (l *logReader) readTo(ctx context.Context, end int64, patience time.Duration, each func(*kgo.Record) error) error {
	deadline := time.Now().Add(patience)
	for l.position < end {
		before := l.position
		records, err := l.fetch(ctx)
		if ctx.Err() != nil {
			return l.stopped(end, ctx.Err())
		}
		if _, refused := errors.AsType[*Refusal](err); refused {
			return err
		}
		for _, r := range records {
			if r.Offset >= end {
				l.position = end
				break
			}
			if err := each(r); err != nil {
				return err
			}
		}
		if l.position > before {
			deadline = time.Now().Add(patience)
			continue
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = errStalled
			}
			return l.stopped(end, err)
		}
		if err != nil {
			pause(ctx, retryPause)
		}
	}
	return nil
}

// stopped says how far a read got: one that never gets past the last stable offset waits for a transaction that the
// broker does not end.
func (l *logReader) stopped(end int64, err error) error {
	return fmt.Errorf("reading %s-%d at offset %d on the way to %d (last stable offset %d): %w", l.topic.name, l.partition, l.position, end, l.stable, err)
}

const retryPause = 100 * time.Millisecond

// pause waits, but not longer than the context.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// listOffset asks for a partition's first (timestamp -2) or end (-1) offset.
func listOffset(ctx context.Context, client *kgo.Client, topic string, partition int32, timestamp int64) (int64, error) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = partition, timestamp
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, append(req.Topics, t)
	resp, err := req.RequestWith(ctx, client)
	if err == nil && (len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1) {
		err = errors.New("the answer lacks the partition")
	}
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the offsets of %s-%d: %w", topic, partition, err)
	}
	return resp.Topics[0].Partitions[0].Offset, nil
}

const (
	atStart = -2
	atEnd   = -1
)
