package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a group membership: who commits.
type member struct {
	id         string
	generation int32
}

// errNoMember refuses a commit by what is not a member: the broker would accept it beside live ones.
var errNoMember = errors.New("not a member of the group")

// errOtherMember says that the client has joined its group anew without telling us: which partitions are ours now is
// not known, and a commit under the new id would be accepted for those of others.
var errOtherMember = errors.New("the process has become another member of the group without a callback")

func memberOf(group *kgo.Client) (member, error) {
	id, generation := group.GroupMetadata()
	if id == "" || generation < 0 {
		return member{}, errNoMember
	}
	return member{id, generation}, nil
}

// stableOffset is a committed offset that no pending transaction can change any more.
type stableOffset struct {
	offset   int64 // -1: none
	metadata string
}

// fetchStableOffset asks the group's coordinator. While a transaction pends it waits, for as long as the context.
func fetchStableOffset(ctx context.Context, client *kgo.Client, group string, m member, topic topicInfo, partition int32) (stableOffset, error) {
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = topic.name, topic.id, []int32{partition}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberID, g.MemberEpoch, g.Topics = group, kmsg.StringPtr(m.id), m.generation, append(g.Topics, t)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable, req.Groups = true, append(req.Groups, g)
	for {
		o, err := requestStableOffset(ctx, client, req)
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return o, err
		}
		pause(ctx, retryPause)
		if ctx.Err() != nil {
			return o, err
		}
	}
}

func requestStableOffset(ctx context.Context, client *kgo.Client, req *kmsg.OffsetFetchRequest) (o stableOffset, err error) {
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return o, fmt.Errorf("fetching the committed offset: %w", err)
	}
	if len(resp.Groups) != 1 {
		return o, errors.New("fetching the committed offset: the answer lacks the group")
	}
	g := resp.Groups[0]
	if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
		return o, fmt.Errorf("fetching the committed offset of group %s: %w", g.Group, err)
	}
	if len(g.Topics) != 1 || len(g.Topics[0].Partitions) != 1 {
		return o, errors.New("fetching the committed offset: the answer lacks the partition")
	}
	p := g.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return o, fmt.Errorf("fetching the committed offset of group %s: %w", g.Group, err)
	}
	o.offset = p.Offset
	if p.Metadata != nil {
		o.metadata = *p.Metadata
	}
	return o, nil
}

// producerEpoch is what fences a producer: an id and its epoch.
type producerEpoch struct {
	id    int64
	epoch int16
}

// offsetCommit is one partition's part of a transactional offset commit.
type offsetCommit struct {
	topic     topicInfo
	partition int32
	offset    int64
	metadata  string
}

// transactionsV2 says whether the cluster has transactions v2 (KIP-890), where whatever a transaction writes to joins it
// without being announced.
func transactionsV2(ctx context.Context, client *kgo.Client) (bool, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "pqlstream", "1"
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, fmt.Errorf("asking for the cluster's features: %w", err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel >= 2, nil
		}
	}
	return false, nil
}

// addOffsetsToTxn tells the transaction's coordinator that offsets will be part of it, as Kafka needs it before
// transactions v2.
func addOffsetsToTxn(ctx context.Context, client *kgo.Client, txnID, group string, p producerEpoch) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = txnID, p.id, p.epoch, group
	for {
		resp, err := req.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if errors.Is(err, kerr.ConcurrentTransactions) && ctx.Err() == nil {
			pause(ctx, retryPause/5)
			continue
		}
		if err != nil {
			return fmt.Errorf("adding offsets to the transaction: %w", err)
		}
		return nil
	}
}

// txnOffsetCommit makes offsets part of the transaction. Every partition's answer must be good.
func txnOffsetCommit(ctx context.Context, client *kgo.Client, txnID, group string, m member, instance *string, p producerEpoch, commits []offsetCommit) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = txnID, group, p.id, p.epoch
	req.MemberID, req.Generation, req.InstanceID = m.id, m.generation, instance
	byTopic := map[string]int{}
	for _, c := range commits {
		i, ok := byTopic[c.topic.name]
		if !ok {
			i = len(req.Topics)
			byTopic[c.topic.name] = i
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic, t.TopicID = c.topic.name, c.topic.id
			req.Topics = append(req.Topics, t)
		}
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = c.partition, c.offset, -1, kmsg.StringPtr(c.metadata)
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("committing offsets: %w", err)
	}
	answered := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("committing offsets of %s-%d: %w", t.Topic, p.Partition, err)
			}
			answered++
		}
	}
	if answered != len(commits) {
		return fmt.Errorf("committing offsets: %d of %d partitions were answered", answered, len(commits))
	}
	return nil
}
