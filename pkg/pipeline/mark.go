package pipeline

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// controlMark is the kind of control records whose value is a stream.Mark as JSON.
const controlMark = "mark"

// marks are the records that tell every partition of a topic the time.
func marks(to Topic, m stream.Mark) (list []stream.Output) {
	value, _ := json.Marshal(m) // texts and numbers: it can't fail
	for p := range to.Partitions {
		list = append(list, stream.Output{
			Topic: to.Name, Partition: p, Value: value, Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlMark)}},
		})
	}
	return list
}

// markOf returns what a record of the stage before says about time; nil when it is no mark. By the record's timestamp, which is the
// broker's, no process says to be of the future: one whose clock is wrong would be believed for long.
func markOf(r *kgo.Record) (*stream.Mark, error) {
	if controlKind(r) != controlMark {
		return nil, nil
	}
	return markIn(r)
}

// markIn returns the mark of time that a record holds.
func markIn(r *kgo.Record) (*stream.Mark, error) {
	var m stream.Mark
	if err := json.Unmarshal(r.Value, &m); err != nil {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("it says to be a mark of time: %w", err)}
	}
	if err := checkMark(&m); err != nil {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("it says to be a mark of time: %w", err)}
	}
	now := r.Timestamp.UnixMilli()
	m.AsOf, m.Watermark = min(m.AsOf, now), min(m.Watermark, now)
	return &m, nil
}

// What is said of each partition of the sources is kept with every commit. It takes so many bytes, at most, and so much all may take.
const (
	sourceBytes    = 64 // beside its name
	partitionBytes = 20
	maxSourceBytes = 900_000
)

// checkMark says whether a mark can be one: of a partition that is among its own sources.
func checkMark(m *stream.Mark) error {
	total, known := 0, false
	for _, s := range m.Sources {
		if total += sourceBytes + len(s.Topic) + partitionBytes*max(int(s.Partitions), 0); s.Partitions < 0 || total > maxSourceBytes {
			return fmt.Errorf("its sources have more partitions than can be kept: some %d", maxSourceBytes/partitionBytes)
		}
		known = known || s.Topic == m.Topic && m.Partition >= 0 && m.Partition < s.Partitions
	}
	if !known {
		return fmt.Errorf("partition %d of %s is not among its sources", m.Partition, m.Topic)
	}
	return nil
}
