package demo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// followInterval is how often what has become known is shown.
const followInterval = 50 * time.Millisecond

// follower reads what the pipeline makes of the input while it does, and brings it into the order that the events
// arrived in: partitions are folded side by side, each at its own pace.
type follower struct {
	in      *input
	admin   *kadm.Client
	group   string
	facts   *tail
	pending []numbered
}

// numbered is a fact with the number of the event that made it.
type numbered struct {
	number int
	fact   account.Fact
}

// follow calls do with every fact, in the order of the events, until the pipeline has committed all of the input.
func follow(ctx context.Context, c *config.Config, log *slog.Logger, in *input, do func(*account.Fact)) error {
	facts, err := newTail(c, log, c.TopicNames().Lifecycle)
	if err != nil {
		return err
	}
	defer facts.close()
	f := &follower{in: in, admin: facts.admin, group: c.Group(config.Activation), facts: facts}
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		folded, err := f.advance(ctx)
		if err != nil {
			return fmt.Errorf("following the pipeline: %w", err)
		}
		f.release(folded, do)
		if folded == in.events {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// advance reads all facts of the events that are folded by now, and returns the number of the first event that is not.
func (f *follower) advance(ctx context.Context) (int, error) {
	committed, err := f.admin.FetchOffsets(ctx, f.group)
	if err != nil {
		return 0, err
	}
	folded := f.in.events
	for p, numbers := range f.in.number {
		at := int64(0)
		if o, ok := committed.Lookup(topic, int32(p)); ok {
			at = max(o.At, 0)
		}
		if at < int64(len(numbers)) {
			folded = min(folded, numbers[at])
		}
	}
	return folded, f.facts.readUp(ctx, func(r *kgo.Record) error {
		fact, _, err := codec.DecodeFact(r.Value)
		if err != nil {
			return err
		}
		f.pending = append(f.pending, numbered{f.in.number[fact.Position.Partition][fact.Position.Offset], fact})
		return nil
	})
}

// release hands over the facts of the events before a number.
func (f *follower) release(folded int, do func(*account.Fact)) {
	// Those of one event stay in their order.
	slices.SortStableFunc(f.pending, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	n, _ := slices.BinarySearchFunc(f.pending, folded, func(a numbered, limit int) int { return cmp.Compare(a.number, limit) })
	for i := range f.pending[:n] {
		do(&f.pending[i].fact)
	}
	f.pending = slices.Delete(f.pending, 0, n)
}

// tail reads a topic from its start, as far as it is written by then.
type tail struct {
	topic  string
	client *kgo.Client
	admin  *kadm.Client
	next   map[int32]int64 // offset to read next
}

func newTail(c *config.Config, log *slog.Logger, topic string) (*tail, error) {
	client, err := kafka.NewClient(c.Kafka, log,
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords()) // the last record of a partition is one: it shows that all has been read
	if err != nil {
		return nil, err
	}
	return &tail{topic: topic, client: client, admin: kadm.NewClient(client), next: map[int32]int64{}}, nil
}

func (t *tail) close() { t.client.Close() }

// readUp calls do with the records that are there now, in each partition's order.
func (t *tail) readUp(ctx context.Context, do func(*kgo.Record) error) error {
	ends, err := t.admin.ListEndOffsets(ctx, t.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking where topic %s ends: %w", t.topic, err)
	}
	for t.behind(ends) {
		fetches := t.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading topic %s: %w", t.topic, err)
		}
		for _, r := range fetches.Records() {
			t.next[r.Partition] = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			if err := do(r); err != nil {
				return fmt.Errorf("topic %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}

func (t *tail) behind(ends kadm.ListedOffsets) (behind bool) {
	ends.Each(func(o kadm.ListedOffset) { behind = behind || t.next[o.Partition] < o.Offset })
	return behind
}

// count returns how many records a topic holds.
func count(ctx context.Context, c *config.Config, log *slog.Logger, topic string) (n int, err error) {
	t, err := newTail(c, log, topic)
	if err != nil {
		return 0, err
	}
	defer t.close()
	err = t.readUp(ctx, func(*kgo.Record) error { n++; return nil })
	return n, err
}
