package pipeline

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

// Traces tells what a stage does with the records that are sampled: a span for each, with one for decoding it and one for folding
// it, and one for each record that comes of it, whose headers carry the trace on.
//
// Which records are sampled changes nothing but headers. They are the same when a record is folded again after a crash: what is
// in them follows from the record, its headers and where it lies.
type Traces struct {
	Stage    string
	Group    string // consumer group
	Folding  string // what folding is called in this stage
	Entity   string // the attribute that names a record's entity; empty: none does
	Origin   bool   // the stage reads sources: records without a trace begin one, if the Sampler says so
	Sampler  tracing.Sampler
	Exporter Spans
	Now      func() time.Time
}

// Spans takes spans to where they are looked at. It does not wait for that.
type Spans interface{ Add(*tracing.Span) }

// Of returns what makes the same processors, traced. Those that gather what many records led to can't be.
func (t *Traces) Of(newProcessor func(string, int32) stream.Processor) func(string, int32) stream.Processor {
	return func(topic string, partition int32) stream.Processor {
		inner := newProcessor(topic, partition)
		p := &traced{
			Processor: inner, Traces: t, origin: tracing.NewOrigin(topic, partition),
			place: t.Group + " " + topic + "/" + strconv.Itoa(int(partition)),
		}
		inTime, isTimed := inner.(timers)
		timed := tracedTimers{p, inTime}
		teller, tells := inner.(timeTeller)
		switch {
		case isTimed && tells:
			return struct {
				tracedTimers
				timeTeller
			}{timed, teller}
		case isTimed:
			return timed
		case tells:
			return struct {
				*traced
				timeTeller
			}{p, teller}
		}
		return p
	}
}

// timers is what makes a processor a stream.TimerProcessor.
type timers interface {
	Fire(t *stream.Turn, due int64) error
}

// tracedTimers is a traced processor with timers. What time alone leads to belongs to no trace, but records that were held may be
// taken in as time passes.
type tracedTimers struct {
	*traced
	timers timers
}

func (p tracedTimers) Fire(t *stream.Turn, due int64) error {
	err := p.timers.Fire(t, due)
	if err == nil {
		p.follow(nil, t)
	}
	return err
}

// traced is a processor around that of one task.
type traced struct {
	stream.Processor
	*Traces
	origin tracing.Origin
	place  string          // what is done where, for ids
	slots  []*sample       // by slot, up to the last that was sampled; nil: the record is not sampled
	sent   []*tracing.Span // what has been emitted since the last commit, to be told when it is published
	lazy   []*tracing.Span // the same, of what may wait for a checkpoint
}

// sample is a sampled record on its way through the stage.
type sample struct {
	header  []byte // its traceparent as it came; nil: it had none
	span    tracing.Span
	decoded tracing.Span
}

func (p *traced) Decode(i int, r *kgo.Record) (stream.Route, error) {
	if !p.sampled(r) {
		if i < len(p.slots) {
			p.slots[i] = nil
		}
		return p.Processor.Decode(i, r)
	}
	for len(p.slots) <= i {
		p.slots = append(p.slots, nil)
	}
	s := p.begin(r)
	route, err := p.Processor.Decode(i, r)
	p.slots[i] = p.decoded(s, &route, err)
	return route, err
}

// sampled says whether a record is sampled: by its own trace, or as the origin of one. Of headers that come twice the first counts.
func (p *traced) sampled(r *kgo.Record) bool {
	for i := range r.Headers {
		if r.Headers[i].Key == headerTraceParent {
			return p.sampledBy(r.Headers[i].Value, r.Offset)
		}
	}
	return p.Origin && p.Sampler.Samples(p.origin, r.Offset)
}

// sampledBy is sampled for a record that has a header.
func (p *traced) sampledBy(header []byte, offset int64) bool {
	if tracing.Unsampled(header) {
		return false
	}
	if c, ok := tracing.Parse(header); ok {
		return c.Sampled()
	}
	return p.Origin && p.Sampler.Samples(p.origin, offset)
}

// parentOf returns what a sampled record belongs to: the span that its header names, or no span of a trace that begins here. It also returns the header, whatever it
// holds; nil where there is none.
func (p *traced) parentOf(r *kgo.Record) (tracing.Context, []byte) {
	header := traceParent(r.Headers)
	if parent, ok := tracing.Parse(header); ok {
		return parent, header
	}
	return tracing.Context{Trace: p.origin.Trace(r.Offset), Flags: tracing.Sampled}, header
}

// sampleIn returns what is known of a slot's record, nil where it is not sampled.
func (p *traced) sampleIn(slot int) *sample {
	if slot < len(p.slots) {
		return p.slots[slot]
	}
	return nil
}

func (p *traced) Fold(i int, t *stream.Turn) error {
	s := p.sampleIn(i)
	if s == nil && p.Origin {
		return p.Processor.Fold(i, t)
	}
	if s == nil { // records that were held may be taken in now, and they may have been sampled
		err := p.Processor.Fold(i, t)
		if err == nil {
			p.follow(nil, t)
		}
		return err
	}
	fold := p.below(&s.span, p.Folding)
	err := p.Processor.Fold(i, t)
	if err == nil {
		p.follow(s, t)
	}
	p.end(s, &fold, err)
	return err
}
