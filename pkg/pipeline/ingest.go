package pipeline

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// MaxEventBytes is the size of an encoded canonical event at most, below what a broker takes by default. A larger one
// would be refused at every try.
const MaxEventBytes = 900_000

// Ingest turns the records of sources, of any key and format, into canonical events keyed by account.
type Ingest struct {
	Inputs          map[string]*codec.Input // by source topic
	Events          *codec.EventEncoder
	Usage           string          // topic
	Partitions      int32           // of it
	Sources         []stream.Source // all that is read, for the next stage to know
	Started         int64           // when the process was started, ms since the Unix epoch
	FutureTolerance int64           // ms
	Now             Clock
}

// Processor returns the processor of one task.
func (in *Ingest) Processor(topic string, partition int32) stream.Processor {
	return &ingest{Ingest: in, topic: topic, partition: partition, decoder: in.Inputs[topic].Decoder(), gate: gate{clock: in.Now, tolerance: in.FutureTolerance}}
}

// ingest is the processor of one task. It keeps no state: its records concern no entity.
type ingest struct {
	*Ingest
	topic     string
	partition int32
	decoder   *codec.Decoder
	events    []usage.Event // by slot
	gate      gate
}

func (in *ingest) NewState(string, int64) stream.State            { return nil }
func (in *ingest) LoadState(string, []byte) (stream.State, error) { return nil, nil }

func (in *ingest) Decode(slot int, r *kgo.Record) (stream.Route, error) {
	for len(in.events) <= slot {
		in.events = append(in.events, usage.Event{})
	}
	ev := &in.events[slot]
	err := in.decoder.Decode(context.Background(), r.Value, ev)
	if err == nil {
		err = in.gate.validate(ev)
	}
	if err != nil {
		return stream.Route{}, decoded(r, err)
	}
	return stream.Route{EventTime: ev.OccurredAt}, nil
}

func (in *ingest) Fold(slot int, t *stream.Turn) error {
	ev := &in.events[slot]
	if ev.ReceivedAt == 0 {
		ev.ReceivedAt = t.Record.Timestamp.UnixMilli()
	}
	value := in.Events.AppendUsage(nil, ev)
	if len(value) > MaxEventBytes {
		return &stream.Reject{Code: CodeTooLarge, Err: fmt.Errorf("the event takes %d bytes as %s has it, at most %d are possible", len(value), in.Usage, MaxEventBytes)}
	}
	key := []byte(ev.AccountID)
	t.Emit(stream.Output{
		Topic:     in.Usage,
		Partition: kafka.Partition(key, in.Partitions),
		Key:       key,
		Value:     value,
		Headers: append(trace(t.Record),
			kgo.RecordHeader{Key: codec.HeaderSchema, Value: []byte("usage_event")},
			kgo.RecordHeader{Key: headerPosition, Value: formatPosition(t.Record)}),
	})
	return nil
}

// bytesOf returns the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
