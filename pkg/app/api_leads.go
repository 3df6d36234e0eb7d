package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// followLeads reads the topic of PQL events for those who follow it, until the context ends.
func (s *apiService) followLeads(ctx context.Context) {
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestOne) {
		if err := s.followLeadsOnce(ctx); err != nil && ctx.Err() == nil {
			s.app.log.Warn("the API's PQL events wait", "for", err)
			pauseFor(ctx, wait)
		}
	}
}

// followLeadsOnce reads the last of the topic, and what comes, until something goes wrong that reading on does not mend.
func (s *apiService) followLeadsOnce(ctx context.Context) error {
	topic := s.app.c.TopicNames().Events
	id, offsets, err := lastOf(ctx, s.app.client, topic, api.Remembered)
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	for partition, offset := range offsets {
		from[int32(partition)] = kgo.NewOffset().At(offset)
	}
	client, err := kafka.NewClient(s.app.c.Kafka, s.app.log,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	s.leads.Begin(id, offsets)
	for ctx.Err() == nil {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("reading topic %s: %w", topic, err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			s.leads.Add(r.Partition, r.Offset, bytes.Clone(r.Value)) // what was fetched is much more
		})
	}
	return nil
}

// lastOf returns what identifies a topic's incarnation, and for each partition the offset behind which lie so many records of all, if
// there are as many.
func lastOf(ctx context.Context, client *kgo.Client, topic string, records int) (id uint32, offsets []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return 0, nil, fmt.Errorf("looking up topic %s: %w", topic, err)
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, nil, fmt.Errorf("asking where topic %s starts: %w", topic, err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, nil, fmt.Errorf("asking where topic %s ends: %w", topic, err)
	}
	partitions := len(topics[topic].Partitions)
	each := int64((records + partitions - 1) / partitions)
	offsets = make([]int64, partitions)
	for p := range offsets {
		start, _ := starts.Lookup(topic, int32(p))
		end, _ := ends.Lookup(topic, int32(p))
		offsets[p] = max(start.Offset, end.Offset-each)
	}
	topicID := topics[topic].ID
	return binary.BigEndian.Uint32(topicID[:4]), offsets, nil
}
