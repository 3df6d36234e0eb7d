package pipeline

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
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
	Usage           Topic
	Unresolved      Topic           // of the events that name only a user, for Resolve; none: they are refused
	Requests        Requests        // which events ask for something
	Sources         []stream.Source // all that is read, for the next stages to know
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
	slots     []ingestSlot
	gate      gate
	told      links
}

// ingestSlot is a decoded record.
type ingestSlot struct {
	event   usage.Event
	request *Control // what it asks for, if it is no usage
}

func (in *ingest) NewState(string, int64) stream.State            { return nil }
func (in *ingest) LoadState(string, []byte) (stream.State, error) { return nil, nil }

func (in *ingest) Decode(i int, r *kgo.Record) (stream.Route, error) {
	if in.input.Event != "" && r.Value == nil {
		return stream.Route{Ignore: true}, nil // the row is gone, and says nothing of traits
	}
	for len(in.slots) <= i {
		in.slots = append(in.slots, ingestSlot{})
	}
	s := &in.slots[i]
	if err := in.read(r, s); err != nil {
		return stream.Route{}, decoded(r, err)
	}
	return stream.Route{EventTime: moves(&s.event, r)}, nil
}

// read decodes and validates an event, and fills in what its record says elsewhere than in the value.
func (in *ingest) read(r *kgo.Record, s *ingestSlot) (err error) {
	ev := &s.event
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
	if s.request, err = in.Requests.of(ev, in.resolves()); err != nil {
		return err
	}
	if in.needsNoAccount(s) {
		return in.gate.validateOfUser(ev)
	}
	return in.gate.validate(ev)
}

// errBinaryKey is for keys in a registry's wire format, which begin so. Taken as text they would be nobody's ids.
var errBinaryKey = errors.New("the record's key begins with a zero byte: it is no text")

// resolves says whether events find their account by their user.
func (in *Ingest) resolves() bool { return in.Unresolved.Name != "" }

func (in *Ingest) needsNoAccount(s *ingestSlot) bool {
	if !in.resolves() || s.event.AccountID != "" {
		return false
	}
	if s.request != nil {
		return s.request.Kind == ControlEraseUser
	}
	return s.event.UserID != ""
}

func (in *ingest) Fold(i int, t *stream.Turn) error {
	s := &in.slots[i]
	if s.request != nil {
		in.ask(s.request, t)
		return nil
	}
	ev, to := &s.event, &in.Usage
	if ev.ReceivedAt == 0 {
		ev.ReceivedAt = t.Record.Timestamp.UnixMilli()
	}
	key := []byte(ev.AccountID)
	if ev.AccountID == "" {
		to, key = &in.Unresolved, []byte(ev.UserID)
	}
	value := in.Events.AppendUsage(nil, ev)
	if len(value) > MaxEventBytes {
		return &stream.Reject{Code: CodeTooLarge, Err: fmt.Errorf("the event takes %d bytes as %s has it, at most %d are possible", len(value), to.Name, MaxEventBytes)}
	}
	t.Emit(to.event(key, value, watermarkHeader(trace(t.Record), t.Watermark), formatPosition(positionOf(t.Record))))
	if in.resolves() && ev.AccountID != "" && ev.UserID != "" && in.told.add(ev.UserID, ev.AccountID, ev.OccurredAt) {
		in.ask(&Control{Kind: ControlLink, User: ev.UserID, Account: ev.AccountID, At: ev.OccurredAt}, t)
	}
	return nil
}

// ask sends a request to where it is answered.
func (in *ingest) ask(c *Control, t *stream.Turn) {
	to, id := in.Usage, c.Account
	switch {
	case c.Kind == ControlEraseUser && in.resolves():
		in.told.forget(c.User)
		to, id = in.Unresolved, c.User
	case c.Kind == ControlLink:
		to, id = in.Unresolved, c.User
	}
	t.Emit(c.output(to, id, t.Record, positionOf(t.Record), t.Watermark))
}

// Tell implements stream.TimeTeller: every partition of the topics that ingest writes is told. Activation waits for resolve as well, which in
// turn waits for ingest.
func (in *ingest) Tell(watermark int64, resting bool) (list []stream.Output) {
	m := stream.Mark{Topic: in.topic, Partition: in.partition, Watermark: watermark, Resting: resting, AsOf: in.Started, Sources: in.Sources}
	if in.resolves() {
		list = marks(in.Unresolved, m)
		m.Sources = withResolve(in.Sources, in.Unresolved)
	}
	return append(list, marks(in.Usage, m)...)
}

// bytesOf returns the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
