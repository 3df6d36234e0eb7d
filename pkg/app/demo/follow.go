package demo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
)

// followInterval is how often what has become known is shown.
const followInterval = 50 * time.Millisecond

// follower reads what the pipeline makes of the events while it does. The history's facts it brings into their order: partitions are
// folded side by side, each at its own pace.
type follower struct {
	data    *data
	group   string
	facts   *tail
	pending []account.Fact
}

func newFollower(c *config.Config, log *slog.Logger, d *data) (*follower, error) {
	facts, err := newTail(c, log, c.TopicNames().Lifecycle)
	if err != nil {
		return nil, err
	}
	return &follower{data: d, group: c.Group(config.Activation), facts: facts}, nil
}

func (f *follower) close() { f.facts.close() }

// history calls do with every fact in the order of time, until the pipeline has committed all of the history.
func (f *follower) history(ctx context.Context, do func(*account.Fact)) error {
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		known, err := f.advance(ctx)
		if err != nil {
			return fmt.Errorf("following the pipeline: %w", err)
		}
		f.release(known, do)
		if known == math.MaxInt64 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// live calls do with every fact that comes, until the context ends.
func (f *follower) live(ctx context.Context, do func(*account.Fact)) error {
	for ctx.Err() == nil {
		if err := f.read(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("following the pipeline: %w", err)
		}
		f.release(math.MaxInt64, do)
		select {
		case <-ctx.Done():
		case <-time.After(followInterval):
		}
	}
	return nil
}

// advance reads all facts that there are, and returns the time before which there will be no others, the latest possible once all of the
// history is folded.
func (f *follower) advance(ctx context.Context) (known int64, err error) {
	committed, err := f.facts.admin.FetchOffsets(ctx, f.group)
	if err != nil {
		return 0, err
	}
	known = math.MaxInt64
	for p, arrived := range f.data.arrived {
		at := int64(0)
		if o, ok := committed.Lookup(topic, int32(p)); ok {
			at = o.At
		}
		switch {
		case at >= int64(len(arrived)):
		case at <= 0:
			known = 0
		default:
			known = min(known, arrived[at-1]-disorder)
		}
	}
	return known, f.read(ctx)
}

// disorder bounds how far the time that a partition has come to, and what its next events tell, lie before the last arrival there, ms.
var disorder = (simulate.Disorder + config.Default().Runtime.AllowedDisorder).Milliseconds()

func (f *follower) read(ctx context.Context) error {
	return f.facts.readUp(ctx, func(r *kgo.Record) error {
		fact, _, err := codec.DecodeFact(r.Value)
		if err == nil {
			f.pending = append(f.pending, fact)
		}
		return err
	})
}

// release hands over the facts before a time.
func (f *follower) release(before int64, do func(*account.Fact)) {
	// Those of one account stay in their order.
	slices.SortStableFunc(f.pending, func(a, b account.Fact) int {
		return cmp.Or(cmp.Compare(a.OccurredAt, b.OccurredAt), strings.Compare(a.AccountID, b.AccountID))
	})
	n, _ := slices.BinarySearchFunc(f.pending, before, func(a account.Fact, limit int64) int { return cmp.Compare(a.OccurredAt, limit) })
	for i := range f.pending[:n] {
		do(&f.pending[i])
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
