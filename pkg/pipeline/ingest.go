package pipeline

import (
	"context"
	"errors"
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

// Input is how the records of one source topic become events.
type Input struct {
	*codec.Input
	Event string // what each record is, an account's newest traits: a compacted topic names no events; empty: the records name theirs
	Keyed bool   // the account's id is the record's key
}

// Ingest turns the records of sources, of any key and format, into canonical events keyed by account.
type Ingest struct {
	Inputs          map[string]Input // by source topic
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
	input := in.Inputs[topic]
	return &ingest{
		Ingest: in, topic: topic, partition: partition, input: input, decoder: input.Decoder(),
		gate: gate{clock: in.Now, tolerance: in.FutureTolerance},
	}
}

// ingest is the processor of one task. It keeps no state: its records concern no entity.
type ingest struct {
	*Ingest
	topic     string
	partition int32
	input     Input
	decoder   *codec.Decoder
	events    []usage.Event // by slot
	gate      gate
}

func (in *ingest) NewState(string, int64) stream.State            { return nil }
func (in *ingest) LoadState(string, []byte) (stream.State, error) { return nil, nil }

func (in *ingest) Decode(slot int, r *kgo.Record) (stream.Route, error) {
	if in.input.Event != "" && r.Value == nil {
		return stream.Route{Ignore: true}, nil // the row is gone, and says nothing of traits
	}
	for len(in.events) <= slot {
		in.events = append(in.events, usage.Event{})
	}
	ev := &in.events[slot]
	err := in.read(r, ev)
	if err != nil {
		return stream.Route{}, decoded(r, err)
	}
	return stream.Route{EventTime: ev.OccurredAt}, nil
}

// read decodes and validates an event, and fills in what its record says elsewhere than in the value.
func (in *ingest) read(r *kgo.Record, ev *usage.Event) error {
	if err := in.decoder.Decode(context.Background(), r.Value, ev); err != nil {
		return err
	}
	if in.input.Keyed {
		if len(r.Key) > 0 && r.Key[0] == 0 {
			return &usage.Error{Code: usage.WrongType(usage.FieldAccountID), Field: usage.FieldAccountID, Err: errBinaryKey}
		}
		ev.AccountID = string(r.Key)
	}
	if in.input.Event != "" {
		ev.Name = in.input.Event
		if ev.OccurredAt == 0 {
			ev.OccurredAt = r.Timestamp.UnixMilli()
		}
	}
	return in.gate.validate(ev)
}

// errBinaryKey is for keys in a registry's wire format, which begin so. Taken as text they would be nobody's ids.
var errBinaryKey = errors.New("the record's key begins with a zero byte: it is no text")

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
