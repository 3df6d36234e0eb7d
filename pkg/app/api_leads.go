package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

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

// leadsInterval is how often it is looked whether the topic of PQL events is still the same.
const leadsInterval = 5 * time.Second

// followLeadsOnce reads the last of the topic, and what comes, until something goes wrong that reading on does not mend.
func (s *apiService) followLeadsOnce(ctx context.Context) error {
	topic := s.app.c.TopicNames().Events
	last, err := lastOf(ctx, s.app.client, topic, api.Remembered)
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	for partition, offset := range last.from {
		from[int32(partition)] = kgo.NewOffset().At(offset)
	}
	client, err := kafka.NewClient(s.app.c.Kafka, s.app.log,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	s.leads.Begin(last.incarnation, last.from, last.ends)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readLeads(ctx, client, topic) })
	group.Go(func() error { return s.watchLeads(ctx, topic, last) })
	return group.Wait()
}

func (s *apiService) readLeads(ctx context.Context, client *kgo.Client, topic string) error {
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

// watchLeads returns an error once the topic has other partitions than are read, which reading does not notice. While Kafka does not
// answer nothing is known; reading notices that.
func (s *apiService) watchLeads(ctx context.Context, topic string, read *lastRecords) error {
	for pauseFor(ctx, leadsInterval); ctx.Err() == nil; pauseFor(ctx, leadsInterval) {
		incarnation, partitions, err := lookUp(ctx, kadm.NewClient(s.app.client), topic)
		if err == nil && (incarnation != read.incarnation || partitions != len(read.from)) {
			return fmt.Errorf("topic %s to be read anew: it has other partitions, %d by now", topic, partitions)
		}
	}
	return nil
}

// lastRecords are where the last records of a topic are.
type lastRecords struct {
	incarnation uint32  // tells the topic from others of its name
	from        []int64 // by partition, the first offset
	ends        []int64 // by partition, where it ends
}

// lastOf returns where the last so many records of all partitions lie, if there are as many.
func lastOf(ctx context.Context, client *kgo.Client, topic string, records int) (*lastRecords, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	admin := kadm.NewClient(client)
	incarnation, partitions, err := lookUp(ctx, admin, topic)
	if err != nil {
		return nil, err
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking where topic %s starts: %w", topic, err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking where topic %s ends: %w", topic, err)
	}
	last := &lastRecords{incarnation, make([]int64, partitions), make([]int64, partitions)}
	each := int64((records + partitions - 1) / partitions)
	for p := range partitions {
		start, _ := starts.Lookup(topic, int32(p))
		end, _ := ends.Lookup(topic, int32(p))
		last.from[p], last.ends[p] = max(start.Offset, end.Offset-each), end.Offset
	}
	return last, nil
}

// lookUp returns what tells a topic from others of its name, and how many partitions it has.
func lookUp(ctx context.Context, admin *kadm.Client, topic string) (incarnation uint32, partitions int, err error) {
	topics, err := admin.ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return 0, 0, fmt.Errorf("looking up topic %s: %w", topic, err)
	}
	id := topics[topic].ID
	return binary.BigEndian.Uint32(id[:4]), len(topics[topic].Partitions), nil
}
