package pipeline

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Tell implements stream.TimeTeller: every partition of the usage topic is told.
func (in *ingest) Tell(watermark int64) (marks []stream.Output) {
	value, _ := json.Marshal(stream.Mark{ // texts and numbers: it can't fail
		Topic: in.topic, Partition: in.partition, Watermark: watermark, AsOf: in.Started, Sources: in.Sources,
	})
	for p := range in.Partitions {
		marks = append(marks, stream.Output{
			Topic: in.Usage, Partition: p, Value: value, Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlMark)}},
		})
	}
	return marks
}

// markOf returns what a record of ingest says about time; nil when it is an event. By the record's timestamp, which is the broker's, no
// process says to be of the future: one whose clock is wrong would be believed for long.
func markOf(r *kgo.Record) (*stream.Mark, error) {
	if len(r.Key) > 0 {
		return nil, nil
	}
	for _, h := range r.Headers {
		if h.Key != headerControl || string(h.Value) != controlMark {
			continue
		}
		var m stream.Mark
		if err := json.Unmarshal(r.Value, &m); err != nil {
			return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("it says to be a mark of time: %w", err)}
		}
		now := r.Timestamp.UnixMilli()
		m.AsOf, m.Watermark = min(m.AsOf, now), min(m.Watermark, now)
		return &m, nil
	}
	return nil, nil
}
