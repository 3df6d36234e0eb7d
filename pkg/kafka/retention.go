package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Retention is for how long a topic keeps records, as its broker says. Durations beyond what a time.Duration holds are Forever.
type Retention struct {
	Err error // why it is not known, such as ErrNoTopic

	Deletes    bool          // records go by their age
	Compacts   bool          // of a key's records the last stays
	Age        time.Duration // where it deletes: a segment goes when its newest record is as old
	Segment    time.Duration // a segment takes records for as long at most, if there are any
	Compaction time.Duration // where it compacts: what a newer record has replaced is gone after as long at most
	Tombstone  time.Duration // where it compacts: a tombstone goes as long after that
	ByProducer bool          // the age counts from the time that producers have written, not from when a record came
}

// Forever is the duration of what has no end.
const Forever = time.Duration(math.MaxInt64)

// ErrNoTopic is the Err of a topic that does not exist.
var ErrNoTopic = errors.New("there is no such topic")

// Until is when a record that is there at a moment is gone by its age at the latest; not known without an end. Its segment may
// take records for a while, and goes as a whole.
func (r *Retention) Until(at time.Time) (end time.Time, known bool) {
	if r.Err != nil || !r.Deletes || r.Age == Forever || r.Segment == Forever {
		return time.Time{}, false
	}
	return at.Add(r.Age).Add(r.Segment), true
}

// ReplacedUntil is when a record whose key has had a newer one at a moment is gone at the latest; not known without an end.
func (r *Retention) ReplacedUntil(at time.Time) (end time.Time, known bool) {
	end, known = r.Until(at)
	if r.Err != nil || !r.Compacts || r.Compaction == Forever {
		return end, known
	}
	if compacted := at.Add(r.Compaction); !known || compacted.Before(end) {
		return compacted, true
	}
	return end, known
}

// Retention asks the brokers for how long topics keep records. Of a topic that can't be asked about, its Err says why.
func (t *Topics) Retention(ctx context.Context, topics ...string) (map[string]Retention, error) {
	described, err := t.admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("looking up for how long topics keep records: %w", err)
	}
	all := map[string]Retention{}
	for _, name := range topics {
		topic, err := described.On(name, nil)
		switch {
		case err == nil && topic.Err != nil:
			err = topic.Err
		case err == nil:
			is := map[string]string{}
			for _, entry := range topic.Configs {
				is[entry.Key] = entry.MaybeValue()
			}
			all[name] = retentionOf(is)
			continue
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = ErrNoTopic
		}
		all[name] = Retention{Err: err}
	}
	return all, nil
}

// retentionOf reads a topic's settings. One that a broker does not tell has no end.
func retentionOf(is map[string]string) Retention {
	return Retention{
		Deletes:    strings.Contains(is["cleanup.policy"], "delete"),
		Compacts:   strings.Contains(is["cleanup.policy"], "compact"),
		Age:        duration(is["retention.ms"]),
		Segment:    duration(is["segment.ms"]),
		Compaction: duration(is["max.compaction.lag.ms"]),
		Tombstone:  duration(is["delete.retention.ms"]),
		ByProducer: is["message.timestamp.type"] == "CreateTime",
	}
}

// duration reads a setting in ms, of which negative ones say that there is no end.
func duration(ms string) time.Duration {
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || n < 0 || n > int64(Forever/time.Millisecond) {
		return Forever
	}
	return time.Duration(n) * time.Millisecond
}

// KeepFor is the command that changes for how long a topic keeps records: key is the setting.
func KeepFor(topic, key string, d time.Duration) string { return alter(topic, key, milliseconds(d)) }
