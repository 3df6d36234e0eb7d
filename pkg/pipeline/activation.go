package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Activation folds usage events, keyed by account, into the accounts' states and publishes their transitions.
type Activation struct {
	Engine          *account.Engine
	Input           *codec.Input
	Facts           *codec.FactEncoder
	Events          string       // topic
	Current         string       // topic; empty: not written
	Lifecycle       string       // topic; empty: not written
	Metrics         *MetricFacts // nil: there are no metrics
	Escalations     bool         // escalations go to Events as well
	Partitions      int32        // of the input when it is a foreign topic, whose keys are checked; 0: it is ingest's
	Usage           Topic        // ingest's topic, where accounts send one another what concerns them
	Retention       int64        // for how long it keeps records, ms: an erased account leaves a stub for as long
	FutureTolerance int64        // ms
	DeadLetters     *DeadLetters // of requests that were held, and can't be answered
	Replay          bool         // history is being published again
	Now             Clock
}

// backfillAge is from when on a fact counts as decided over history, not as it happened; ms.
const backfillAge = 24 * 60 * 60 * 1000

// Processor returns the processor of one task: one with timers where time alone decides something, by the checklist or as
// erased accounts, which need ingest, leave stubs that go; and one that tells the time where there are metrics.
func (a *Activation) Processor(_ string, partition int32) stream.Processor {
	p := &activation{
		Activation: a, folder: a.engine().Folder(), decoder: a.Input.Decoder(), decoderAgain: a.Input.Decoder(), gate: gate{clock: a.Now, tolerance: a.FutureTolerance},
		listed: listed{index: account.NewIndex(a.Engine)},
	}
	timed := a.Engine.Checklist().Timed() || a.Partitions == 0
	if a.Metrics != nil {
		p.facts = &factTeller{MetricFacts: a.Metrics, partition: partition, properties: a.Engine.Checklist().Properties()}
	}
	switch {
	case timed && p.facts != nil:
		return struct {
			timedActivation
			timeTeller
		}{timedActivation{p}, p.facts}
	case timed:
		return timedActivation{p}
	case p.facts != nil:
		return struct {
			*activation
			timeTeller
		}{p, p.facts}
	}
	return p
}

// timeTeller is what makes a processor a stream.TimeTeller.
type timeTeller interface {
	Tell(watermark int64, resting bool) []stream.Output
}

// activation is the processor of one task.
type activation struct {
	*Activation
	listed
	folder       *account.Folder // makes only the facts that are published
	decoder      *codec.Decoder
	slots        []slot
	decoderAgain *codec.Decoder // of what was held
	again        slot           // the same
	source       source
	gate         gate
	facts        *factTeller // nil: there are no metrics
	buffer       []byte      // a fact is encoded here, and then copied: what grows step by step wastes memory
}

// slot is a decoded record.
type slot struct {
	event    usage.Event
	listener *checklist.Listener
	message  *account.Message // what is more than an event of its own account; nil: it is one
}

// source tells where an event comes from. Reading that from a record's headers is put off until something is to say it.
type source struct{ record *kgo.Record }

func (s *source) Position() account.Position { return position(s.record) }
func (s *source) Watermark() int64           { return sourceWatermark(s.record) }

// engine returns the engine without the facts that are for no topic. A fact is for Current when the account is a PQL, or
// was one and may leave. Metrics read outlines.
func (a *Activation) engine() *account.Engine {
	if a.Lifecycle != "" {
		return a.Engine
	}
	engine := a.Engine.Wanting(a.leads, a.Current != "")
	if a.Metrics != nil {
		engine = engine.Outlining()
	}
	return engine
}

func (a *activation) NewState(key string, incarnation int64) stream.State {
	return a.Engine.New(key, incarnation)
}

func (a *activation) LoadState(key string, value []byte) (stream.State, error) {
	return a.Engine.Load(key, value)
}

func (a *activation) Decode(i int, r *kgo.Record) (stream.Route, error) {
	for len(a.slots) <= i {
		a.slots = append(a.slots, slot{})
	}
	s := &a.slots[i]
	s.message = nil
	if len(r.Key) == 0 {
		switch kind := controlKind(r); {
		case kind == "":
		case a.Partitions > 0:
			return foreign(kind)
		default:
			return a.decodeControl(s, kind, r)
		}
	}
	return a.decodeEvent(s, r)
}

// foreign says what becomes of what another deployment's ingest says to its activation, where its topic is read directly: events
// that were forwarded are there as they came as well, and time is that of the events.
func foreign(kind string) (stream.Route, error) {
	if kind == controlMark || kind == controlEvent {
		return stream.Route{Ignore: true}, nil
	}
	return stream.Route{}, &stream.Reject{Code: CodeNeedsIngest, Err: fmt.Errorf(
		"a request of kind %q can't be answered where the topic is read directly: read its sources through the ingest stage", kind)}
}

// decodeControl decodes a record that is no event of the account that it is for.
func (a *activation) decodeControl(s *slot, kind string, r *kgo.Record) (route stream.Route, err error) {
	switch kind {
	case controlMark:
		route.Mark, err = markIn(r)
		return route, err
	case controlEvent:
		if route, err = a.decodeEvent(s, r); err == nil {
			s.message, err = forwarded(r)
		}
	default:
		s.message, err = messageOf(kind, r)
	}
	if err != nil {
		return stream.Route{}, err
	}
	if kind != controlEvent {
		route.EventTime = s.message.At
	}
	route.Key = bytesOf(s.message.To)
	return route, nil
}

func (a *activation) decodeEvent(s *slot, r *kgo.Record) (_ stream.Route, err error) {
	ev := &s.event
	if s.listener, err = a.read(a.decoder, r.Value, ev); err == nil {
		err = a.gate.validate(ev)
	}
	if err != nil {
		return stream.Route{}, decoded(r, err)
	}
	key := bytesOf(ev.AccountID)
	if a.Partitions > 0 {
		if p := kafka.Partition(key, a.Partitions); p != r.Partition {
			return stream.Route{}, &stream.Reject{Code: CodeWrongPartition, Err: fmt.Errorf(
				"account_id: %q belongs in partition %d by Kafka's default partitioner, the record is in %d: "+
					"a topic that is keyed otherwise needs the ingest stage", ev.AccountID, p, r.Partition)}
		}
	}
	return stream.Route{Key: key, EventTime: moves(ev, r), Ignore: s.listener == nil}, nil
}

// read decodes what the checklist needs of an event: none of its properties where nothing listens. What is
// not needed is not looked at (see codec.Decoder.DecodeCore), so it can't make the record a dead letter either.
func (a *activation) read(decoder *codec.Decoder, value []byte, ev *usage.Event) (*checklist.Listener, error) {
	if err := decoder.DecodeCore(context.Background(), value, ev); err != nil {
		return nil, err
	}
	l := a.Engine.Checklist().Listener(ev.Name)
	if l != nil && !l.Reads.Empty() {
		if err := decoder.Properties(&l.Reads); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (a *activation) Fold(i int, t *stream.Turn) error {
	return a.fold(&a.slots[i], t.Record, t.Watermark, t)
}

// fold folds a decoded record at a watermark.
func (a *activation) fold(s *slot, r *kgo.Record, watermark int64, t *stream.Turn) error {
	state := t.State.(*account.State)
	a.source.record = r
	if s.message != nil || state.Alias() != "" {
		return a.answer(s, state, r, watermark, t)
	}
	changed, facts := a.folder.Fold(state, s.listener, &s.event, &a.source, watermark)
	a.take(t, r, changed, facts)
	return nil
}

// answer does what a message asks for, or sends on what has reached an alias.
func (a *activation) answer(s *slot, state *account.State, r *kgo.Record, watermark int64, t *stream.Turn) error {
	m := s.message
	if m == nil {
		m = &account.Message{To: state.AccountID()}
	}
	if m.Asks == account.ToFold {
		m.Event, m.Listener, m.Source = &s.event, s.listener, &a.source
	}
	m.Watermark, m.SourceWatermark, m.Expires = watermark, sourceWatermark(r), r.Timestamp.UnixMilli()+a.Retention
	done, err := a.folder.Answer(state, m)
	if err != nil {
		return &stream.Reject{Code: CodeMessage, Err: err}
	}
	a.take(t, r, done.Changed, done.Facts)
	if done.Send != nil {
		return a.send(done.Send, r, t)
	}
	return nil
}

// timedActivation is an activation whose accounts have timers.
type timedActivation struct{ *activation }

func (a timedActivation) Fire(t *stream.Turn, due int64) error {
	state, now := t.State.(*account.State), max(due, t.Watermark)
	if state.Expired(now) && !state.Holds() {
		t.Delete()
		return nil
	}
	return a.pass(state, 0, now, t)
}

// Fold implements stream.Processor: a record may have to wait for time, and let others that wait go.
func (a timedActivation) Fold(i int, t *stream.Turn) error {
	s, state := &a.slots[i], t.State.(*account.State)
	waits, hurried, err := a.waits(state, s.message, t)
	if waits || err != nil {
		return err
	}
	if err = a.activation.Fold(i, t); hurried {
		err = a.lettered(t.Record, err, t)
	}
	if err != nil || !state.Holds() {
		return err
	}
	return a.pass(state, t.Watermark, t.Watermark, t)
}

// take takes in what a fold or a timer has done; r is nil for a timer.
func (a *activation) take(t *stream.Turn, r *kgo.Record, changed bool, facts []account.Fact) {
	if changed {
		t.Changed()
	}
	for i := range facts {
		a.publish(t, r, &facts[i], i == len(facts)-1)
	}
}

// publish emits one fact; somebody waits for it if it is for those who act on leads. Of several that one event led to, only the last says where the account stands now. Facts of
// accounts that are held out are on Lifecycle only, and among those that metrics read.
func (a *activation) publish(t *stream.Turn, r *kgo.Record, f *account.Fact, last bool) {
	if a.facts != nil {
		a.facts.tell(t, f)
	}
	if f.ID == "" {
		return // an outline
	}
	now := a.Now()
	a.buffer = a.Facts.AppendFact(a.buffer[:0], f, codec.Detection{DetectedAt: now, Replay: a.Replay, Backfill: now-f.OccurredAt > backfillAge})
	value, key := bytes.Clone(a.buffer), []byte(f.AccountID)
	headers := append(trace(r), schemaHeader, kgo.RecordHeader{Key: codec.HeaderType, Value: []byte(f.Type)})
	emit := func(topic string, value []byte) {
		if topic == "" {
			return
		}
		t.Emit(stream.Output{Topic: topic, Partition: t.Partition, Key: key, Value: value, Headers: headers, Lazy: topic != a.Events})
	}
	emit(a.Lifecycle, value)
	if f.HoldOut {
		return
	}
	if a.leads(f.Type) {
		emit(a.Events, value)
	}
	switch {
	case last && f.Current:
		emit(a.Current, value)
	case f.Type == account.Erased: // whatever is still there
		emit(a.Current, nil)
	case f.QualifiedAt != 0 && slices.Contains(leaving, f.Type): // one that never was a PQL has no row
		emit(a.Current, nil)
	}
}

var schemaHeader = kgo.RecordHeader{Key: codec.HeaderSchema, Value: []byte("pql_event")}

// leaving are the types of facts by which an account is no longer a PQL.
var leaving = []account.Type{account.Disqualified, account.Converted, account.Merged}

// leads says whether facts of a type are for those who act on leads.
func (a *Activation) leads(t account.Type) bool {
	switch t {
	case account.Qualified, account.Requalified, account.Disqualified, account.Converted, account.NearMiss:
		return true
	case account.Escalated:
		return a.Escalations
	}
	return false
}
