package pipeline

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

// maxSent is how many publishing spans a task keeps for one commit at most, and as many of what is lazy. More are not told; their records carry the trace all the same.
const maxSent = 1000

// Names of attributes: those of OpenTelemetry's conventions for messaging, and our own.
const (
	attributeSystem      = "messaging.system"
	attributeOperation   = "messaging.operation.type"
	attributeDestination = "messaging.destination.name"
	attributePartition   = "messaging.destination.partition.id"
	attributeOffset      = "messaging.kafka.offset"
	attributeGroup       = "messaging.consumer.group.name"

	attributeStage     = "pqlstream.stage"
	attributeIgnored   = "pqlstream.ignored"
	attributeReject    = "pqlstream.reject"
	attributeRecord    = "pqlstream.record"
	attributePublished = "pqlstream.published"
	attributeCommit    = "pqlstream.commit"

	// AttributeAccount names an account.
	AttributeAccount = "pqlstream.account_id"
)

// begin begins the spans of a record.
func (p *traced) begin(r *kgo.Record) *sample {
	parent, header := p.parentOf(r)
	s := &sample{header: bytes.Clone(header), span: tracing.Span{
		Context: parent.Child(p.place, r.Offset), Parent: parent.Span, Name: p.Stage, Kind: tracing.Consumer, Start: p.Now(),
		Attributes: []tracing.Attribute{
			{Key: attributeSystem, Value: "kafka"},
			{Key: attributeOperation, Value: "process"},
			{Key: attributeDestination, Value: r.Topic},
			{Key: attributePartition, Value: strconv.Itoa(int(r.Partition))},
			{Key: attributeOffset, Value: r.Offset},
			{Key: attributeGroup, Value: p.Group},
			{Key: attributeStage, Value: p.Stage},
		},
	}}
	s.decoded = p.below(&s.span, "decode")
	return s
}

// below begins a span under another one.
func (p *traced) below(above *tracing.Span, name string) tracing.Span {
	return tracing.Span{Context: above.Context.Child(name), Parent: above.Context.Span, Name: name, Start: p.Now()}
}

// decoded notes how decoding ended. It returns nil where the record will not be folded.
func (p *traced) decoded(s *sample, route *stream.Route, err error) *sample {
	s.decoded.End = p.Now()
	switch {
	case errors.Is(err, stream.ErrRetry):
		return nil
	case err != nil:
		s.decoded.Err = told(err)
		p.end(s, nil, err)
		return nil
	case route.Ignore || route.Mark != nil:
		s.span.Attributes = append(s.span.Attributes, tracing.Attribute{Key: attributeIgnored, Value: true})
		p.end(s, nil, nil)
		return nil
	}
	if p.Entity != "" {
		s.span.Attributes = append(s.span.Attributes, tracing.Attribute{Key: p.Entity, Value: string(route.Key)})
	}
	return s
}

// end tells what has been done with a record. There is nothing to tell before: one that was folded already is decoded again after a crash, and not folded.
func (p *traced) end(s *sample, fold *tracing.Span, err error) {
	s.span.End, s.span.Err = p.Now(), told(err)
	if reject, ok := errors.AsType[*stream.Reject](err); ok {
		s.span.Attributes = append(s.span.Attributes, tracing.Attribute{Key: attributeReject, Value: reject.Code})
	}
	p.Exporter.Add(&s.decoded)
	if fold != nil {
		fold.End, fold.Err = s.span.End, s.span.Err
		p.Exporter.Add(fold)
	}
	p.Exporter.Add(&s.span)
}

// told is what a trace tells of an error: of a reject its code alone, since the rest may hold what the record does.
func told(err error) error {
	if reject, ok := errors.AsType[*stream.Reject](err); ok {
		return errors.New(reject.Code)
	}
	return err
}

// follow has the trace go on in what a fold has emitted: that of the record, or of an earlier one that was held until now. s is nil where the
// record itself is not sampled.
func (p *traced) follow(s *sample, t *stream.Turn) {
	_, outputs := t.Result()
	for n := range outputs {
		o := &outputs[n]
		own := traceParent(o.Headers)
		if s != nil && (own == nil || bytes.Equal(own, s.header)) {
			p.publish(o, s.span.Context, s.span.Parent != tracing.SpanID{}, int64(n))
			continue
		}
		if tracing.Unsampled(own) {
			continue
		}
		held, ok := tracing.Parse(own)
		if !ok || !held.Sampled() {
			continue
		}
		span := p.publish(o, held, true, t.Offset, int64(n))
		if s != nil {
			span.Links = append(span.Links, s.span.Context)
		}
	}
}

// publish begins the span of publishing an output, which the output's headers name. What other systems have said of a trace is kept
// where it is theirs.
func (p *traced) publish(o *stream.Output, parent tracing.Context, theirs bool, numbers ...int64) *tracing.Span {
	span := &tracing.Span{
		Context: parent.Child(p.Stage+" publishes in "+o.Topic, numbers...), Parent: parent.Span, Name: "publish " + o.Topic, Kind: tracing.Producer, Start: p.Now(),
		Attributes: []tracing.Attribute{
			{Key: attributeSystem, Value: "kafka"},
			{Key: attributeOperation, Value: "send"},
			{Key: attributeDestination, Value: o.Topic},
			{Key: attributePartition, Value: strconv.Itoa(int(o.Partition))},
			{Key: attributeStage, Value: p.Stage},
		},
	}
	headers := append(make([]kgo.RecordHeader, 0, len(o.Headers)+1), kgo.RecordHeader{Key: headerTraceParent, Value: span.Context.Header()})
	for _, h := range o.Headers {
		switch h.Key {
		case headerTraceParent:
		case headerTraceState:
			if theirs {
				headers = append(headers, h)
			}
		case codec.HeaderType, headerControl:
			span.Attributes = append(span.Attributes, tracing.Attribute{Key: attributeRecord, Value: string(h.Value)})
			fallthrough
		default:
			headers = append(headers, h)
		}
	}
	o.Headers = headers
	list := &p.sent
	if o.Lazy {
		list = &p.lazy
	}
	if len(*list) < maxSent {
		*list = append(*list, span)
	}
	return span
}

func traceParent(headers []kgo.RecordHeader) []byte {
	for _, h := range headers {
		if h.Key == headerTraceParent {
			return h.Value
		}
	}
	return nil
}

// Cut implements stream.Witness. What is lazy is told of with the next checkpoint, though some of it is published before.
func (p *traced) Cut(checkpoint bool) func(stream.Outcome) {
	sent := p.sent
	p.sent = nil
	if checkpoint {
		sent, p.lazy = append(sent, p.lazy...), nil
	}
	if len(sent) == 0 {
		return nil
	}
	return func(o stream.Outcome) { p.committed(sent, &o) }
}

// committed tells of a commit, and of what it has published. Where it is not confirmed, that is published by another one, or was.
func (p *traced) committed(sent []*tracing.Span, o *stream.Outcome) {
	kind := "emission"
	if o.Checkpoint {
		kind = "checkpoint"
	}
	own := tracing.NewOrigin("commit "+p.place, 0).Trace(o.Began.UnixNano()) // in a trace of its own: it is for many records
	commit := tracing.Span{
		Context: tracing.Context{Trace: own, Flags: tracing.Sampled}.Child(p.place), Name: "commit " + p.Stage,
		Start: o.Began, End: o.Ended, Err: o.Err,
		Attributes: []tracing.Attribute{
			{Key: attributeSystem, Value: "kafka"},
			{Key: attributeGroup, Value: p.Group},
			{Key: attributeStage, Value: p.Stage},
			{Key: attributeCommit, Value: kind},
			{Key: attributePublished, Value: int64(len(sent))},
		},
	}
	for _, span := range sent {
		commit.Links = append(commit.Links, span.Context)
		if o.Err == nil {
			span.End, span.Links = o.Ended, append(span.Links, commit.Context)
			p.Exporter.Add(span)
		}
	}
	p.Exporter.Add(&commit)
}
