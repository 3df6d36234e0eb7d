package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Resolve finds the accounts of events that name only a user, by what events that name both tell, and sends them on with it.
// Its entities are users.
type Resolve struct {
	Input       *codec.Input // of Unresolved
	Unresolved  Topic
	Events      *codec.EventEncoder
	Usage       Topic
	Sources     []stream.Source // all that ingest reads
	Started     int64           // when the process was started, ms since the Unix epoch
	Limits      identity.Limits
	DeadLetters *DeadLetters
	Stats       *ResolveStats
}

// Processor returns the processor of one task.
func (s *Resolve) Processor(topic string, partition int32) stream.Processor {
	return &resolve{Resolve: s, topic: topic, partition: partition, decoder: s.Input.Decoder(), again: s.Input.Decoder()}
}

// resolve is the processor of one task.
type resolve struct {
	*Resolve
	topic     string
	partition int32
	decoder   *codec.Decoder
	again     *codec.Decoder // of events that were held
	slots     []resolveSlot
}

// resolveSlot is a decoded record.
type resolveSlot struct {
	event   usage.Event
	control *Control // nil: it is the event
}

func (s *resolve) NewState(string, int64) stream.State { return &identity.User{} }

func (s *resolve) LoadState(_ string, value []byte) (stream.State, error) {
	return identity.Load(value)
}

func (s *resolve) Decode(i int, r *kgo.Record) (stream.Route, error) {
	for len(s.slots) <= i {
		s.slots = append(s.slots, resolveSlot{})
	}
	if mark, err := markOf(r); mark != nil || err != nil {
		return stream.Route{Mark: mark}, err
	}
	slot := &s.slots[i]
	slot.control = nil
	if kind := controlKind(r); kind != "" {
		return s.decodeControl(slot, kind, r)
	}
	err := s.decoder.Decode(context.Background(), r.Value, &slot.event)
	if err == nil {
		err = usage.ValidateOfUser(&slot.event, latest, 0) // ingest has looked at the clock
	}
	if err != nil {
		return stream.Route{}, decoded(r, err)
	}
	return stream.Route{Key: bytesOf(slot.event.UserID), EventTime: slot.event.OccurredAt}, nil
}

func (s *resolve) decodeControl(slot *resolveSlot, kind string, r *kgo.Record) (_ stream.Route, err error) {
	if slot.control, err = decodeControl(kind, r); err != nil {
		return stream.Route{}, err
	}
	if kind != ControlLink && kind != ControlEraseUser {
		return stream.Route{}, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("a control record of kind %q is not for users", kind)}
	}
	return stream.Route{Key: bytesOf(slot.control.User), EventTime: slot.control.At}, nil
}

func (s *resolve) Fold(i int, t *stream.Turn) error {
	slot, user := &s.slots[i], t.State.(*identity.User)
	switch {
	case slot.control == nil:
		return s.event(&slot.event, user, t)
	case slot.control.Kind == ControlLink:
		return s.link(slot.control, user, t)
	}
	s.erase(slot.control, user, t)
	return nil
}

// event sends an event to its account, or holds it while none is known.
func (s *resolve) event(ev *usage.Event, user *identity.User, t *stream.Turn) error {
	from := formatPosition(position(t.Record))
	if account := user.Account(ev.OccurredAt); account != "" {
		return s.send(ev, account, watermarkHeader(trace(t.Record), sourceWatermark(t.Record)), from, t)
	}
	held := identity.Held{OccurredAt: ev.OccurredAt, Event: bytes.Clone(t.Record.Value), Position: from}
	for _, h := range trace(t.Record) {
		if h.Key == headerTraceParent {
			held.TraceParent = h.Value
		} else {
			held.TraceState = h.Value
		}
	}
	s.Stats.Held.Add(1)
	t.Changed()
	return s.drop(user.Hold(held, t.Watermark, t.Record.Timestamp.UnixMilli(), &s.Limits), t)
}

// link takes in that the user belongs to an account, and sends on what has waited for that.
func (s *resolve) link(c *Control, user *identity.User, t *stream.Turn) error {
	changed, released := user.Link(c.Account, c.At)
	if changed {
		t.Changed()
	}
	for i := range released {
		ev, err := s.decodeHeld(&released[i])
		if err != nil {
			return err
		}
		headers := watermarkHeader(traceOf(&released[i]), sourceWatermark(t.Record)) // it is only now that anybody knows
		err = s.send(ev, user.Account(ev.OccurredAt), headers, bytes.Clone(released[i].Position), t)
		if reject, ok := errors.AsType[*stream.Reject](err); ok {
			err = s.letter(&released[i], ev, reject, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// erase tells the accounts of a user that they are to forget them, and forgets what is known itself.
func (s *resolve) erase(c *Control, user *identity.User, t *stream.Turn) {
	if !user.Known() && !user.Waiting() && c.Account == "" {
		return
	}
	accounts, held := user.Erase(t.Record.Timestamp.UnixMilli(), &s.Limits)
	t.Changed()
	s.Stats.Erased.Add(int64(held))
	if c.Account != "" && !slices.Contains(accounts, c.Account) {
		accounts = append(accounts, c.Account)
	}
	for _, account := range accounts {
		to := *c
		to.Account = account
		t.Emit(to.output(s.Usage, account, t.Record, position(t.Record), sourceWatermark(t.Record)))
	}
}

// Fire implements stream.TimerProcessor: events that have waited long enough are dead letters, and users of whom nothing is known go.
func (s *resolve) Fire(t *stream.Turn, due int64) error {
	user, now := t.State.(*identity.User), max(due, t.Watermark)
	dropped := user.Expire(now)
	if len(dropped) > 0 {
		t.Changed()
	}
	if user.Gone(now) {
		t.Delete()
	}
	return s.drop(dropped, t)
}

// Tell implements stream.TimeTeller: what ingest has told of time has come through here, and so has all that it wrote before.
func (s *resolve) Tell(watermark int64, _ bool) []stream.Output {
	return marks(s.Usage, stream.Mark{
		Topic: s.topic, Partition: s.partition, Watermark: watermark, AsOf: s.Started, Sources: withResolve(s.Sources, s.Unresolved),
	})
}

// withResolve returns what activation waits for: all that ingest reads, and what resolve does.
func withResolve(sources []stream.Source, unresolved Topic) []stream.Source {
	return append(slices.Clone(sources), unresolved.source())
}

// send publishes an event as its account's, with headers beside those that all have. A Reject says that no record can hold it: one that ingest
// wrote in another format may have been smaller.
func (s *resolve) send(ev *usage.Event, account string, headers []kgo.RecordHeader, from []byte, t *stream.Turn) error {
	ev.AccountID = account
	o := s.Usage.event([]byte(account), s.Events.AppendUsage(nil, ev), headers, from)
	if err := fits(&o); err != nil {
		return err
	}
	t.Emit(o)
	s.Stats.Attributed.Add(1)
	return nil
}

// decodeHeld decodes an event that was held. It could be decoded when it came.
func (s *resolve) decodeHeld(h *identity.Held) (*usage.Event, error) {
	var ev usage.Event
	if err := s.again.Decode(context.Background(), h.Event, &ev); err != nil {
		return nil, fmt.Errorf("decoding the event of %s, which was held: %w", h.Position, err)
	}
	return &ev, nil
}

func traceOf(h *identity.Held) []kgo.RecordHeader {
	headers := make([]kgo.RecordHeader, 0, 4)
	if len(h.TraceParent) > 0 {
		headers = append(headers, kgo.RecordHeader{Key: headerTraceParent, Value: bytes.Clone(h.TraceParent)})
	}
	if len(h.TraceState) > 0 {
		headers = append(headers, kgo.RecordHeader{Key: headerTraceState, Value: bytes.Clone(h.TraceState)})
	}
	return headers
}

// drop makes events that are not held any more dead letters: of the source's record, with the event as ingest wrote it.
func (s *resolve) drop(dropped []identity.Dropped, t *stream.Turn) error {
	for i := range dropped {
		ev, err := s.decodeHeld(&dropped[i].Held)
		if err != nil {
			return err
		}
		why := fmt.Errorf("user_id: no account of user %q has become known; %s. The value is the event as %s had it", ev.UserID, s.why(dropped[i].Why), s.Unresolved.Name)
		if err := s.letter(&dropped[i].Held, ev, &stream.Reject{Code: CodeUserWithoutAccount, Err: why}, t); err != nil {
			return err
		}
		s.Stats.Dropped.Add(1)
	}
	return nil
}

// letter makes a dead letter of an event that was held.
func (s *resolve) letter(h *identity.Held, ev *usage.Event, reject *stream.Reject, t *stream.Turn) error {
	from, ok := parsePosition(string(h.Position))
	if !ok {
		return fmt.Errorf("making a dead letter: %q is no position", h.Position)
	}
	letter, err := s.DeadLetters.Letter(&kgo.Record{
		Topic: from.Topic, Partition: from.Partition, Offset: from.Offset, Timestamp: time.UnixMilli(ev.ReceivedAt),
		Key: []byte(ev.UserID), Value: h.Event, Headers: append(traceOf(h), usageSchemaHeader),
	}, reject)
	if err == nil {
		t.Emit(letter)
	}
	return err
}

// why says why an event is held no longer, in words.
func (s *resolve) why(w identity.Why) string {
	switch w {
	case identity.TooMany:
		return fmt.Sprintf("at most %d events of one user are held (input.identity.hold_events)", s.Limits.Events)
	case identity.TooMuch:
		return fmt.Sprintf("the events of one user that are held take at most %d bytes", identity.MaxHeldBytes)
	default:
		return fmt.Sprintf("it was held for %v (input.identity.hold)", time.Duration(s.Limits.Hold)*time.Millisecond)
	}
}
