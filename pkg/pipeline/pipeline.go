// Package pipeline binds the stages to the runtime: it turns records into usage events and entities, folds them with
// the pure packages, and turns what comes out into records.
package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Clock returns the wall clock, ms since the Unix epoch. It says when something was detected and which event times lie
// in the future; nothing that is folded depends on it.
type Clock func() int64

// The headers of records that one stage writes and another reads, beside headerControl.
const (
	// headerPosition is where the source's record lies: topic:partition:offset.
	headerPosition = "source-position"
	// Trace context (https://www.w3.org/TR/trace-context/) travels from a source's record to what it led to.
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
)

// The codes of rejects that are found here, beside those of package usage.
const (
	CodeWrongPartition = "wrong_partition"
	CodeTooLarge       = "event_too_large"

	CodeMergedAccountMissing   = "merged_account_missing"
	CodeMergedAccountWrongType = "merged_account_wrong_type"
	CodeMergedAccountTooLong   = "merged_account_too_long"
	CodeMergeIntoItself        = "merge_into_itself"
	CodeUserWithoutAccount     = "user_without_account"
)

// gate lets those events pass that can be counted.
type gate struct {
	clock     Clock
	tolerance int64 // how far in the future an event may lie, ms
	now       int64 // what the clock said last
}

func (g *gate) validate(ev *usage.Event) error {
	g.look(ev)
	return usage.Validate(ev, g.now, g.tolerance)
}

// validateOfUser is validate for an event that needs no account.
func (g *gate) validateOfUser(ev *usage.Event) error {
	g.look(ev)
	return usage.ValidateOfUser(ev, g.now, g.tolerance)
}

// look asks the clock, which costs as much as decoding an event's name, only where an event would lie in the future
// by what it said last.
func (g *gate) look(ev *usage.Event) {
	if ev.OccurredAt-g.tolerance > g.now {
		g.now = g.clock()
	}
}

// moves returns how far an event moves time: to when it happened, but not beyond when its record was written, if that is known. Otherwise one
// device whose clock is ahead would make late what all others send.
func moves(ev *usage.Event, r *kgo.Record) int64 {
	if written := r.Timestamp.UnixMilli(); written > 0 {
		return min(ev.OccurredAt, written)
	}
	return ev.OccurredAt
}

// decoded is the error of decoding a record, as the runtime takes it: what is wrong with the record for good is a
// Reject, schemas that are out of reach are something to wait for.
func decoded(r *kgo.Record, err error) error {
	if errors.Is(err, codec.ErrUnavailable) {
		return fmt.Errorf("%w: %w", stream.ErrRetry, err)
	}
	if wrong, ok := errors.AsType[*usage.Error](err); ok {
		return &stream.Reject{Code: wrong.Code, Err: wrong}
	}
	return fmt.Errorf("decoding %s-%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
}

// What trace context may take. W3C's takes 55 bytes, and 512 for the state; a source's may be anything, and a record
// must not grow beyond what a broker takes.
const (
	maxTraceParent = 128
	maxTraceState  = 512
)

// trace returns the record's trace context, in memory of its own, with room for two headers more. Of headers that come
// twice the first counts; oversized ones are left out.
func trace(r *kgo.Record) []kgo.RecordHeader {
	if r == nil {
		return nil
	}
	var headers []kgo.RecordHeader
	for _, want := range []struct {
		key   string
		limit int
	}{{headerTraceParent, maxTraceParent}, {headerTraceState, maxTraceState}} {
		i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == want.key })
		if i < 0 || len(r.Headers[i].Value) > want.limit {
			continue
		}
		if headers == nil {
			headers = make([]kgo.RecordHeader, 0, 4)
		}
		headers = append(headers, kgo.RecordHeader{Key: want.key, Value: bytes.Clone(r.Headers[i].Value)})
	}
	return headers
}

// position returns where the event's source record lies: as ingest noted it, or else the record itself.
func position(r *kgo.Record) account.Position {
	for _, h := range r.Headers {
		if h.Key != headerPosition {
			continue
		}
		if p, ok := parsePosition(string(h.Value)); ok {
			return p
		}
	}
	return account.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

func formatPosition(p account.Position) []byte {
	return fmt.Appendf(nil, "%s:%d:%d", p.Topic, p.Partition, p.Offset)
}

// maxTopic is the longest name of a topic that Kafka takes, in bytes.
const maxTopic = 249

// parsePosition reads what formatPosition wrote. Whoever produces a record may have put anything there.
func parsePosition(s string) (p account.Position, ok bool) {
	topic, rest, _ := strings.Cut(s, ":")
	partition, offset, ok := strings.Cut(rest, ":")
	if !ok || topic == "" || len(topic) > maxTopic || !utf8.ValidString(topic) {
		return p, false
	}
	n, err := strconv.ParseInt(partition, 10, 32)
	if err != nil {
		return p, false
	}
	o, err := strconv.ParseInt(offset, 10, 64)
	return account.Position{Topic: topic, Partition: int32(n), Offset: o}, err == nil
}

// DeadLetters makes the records that preserve what can't be processed.
type DeadLetters struct {
	Stage      string
	Topic      string
	Partitions int32
	Encoder    *codec.DeadLetterEncoder
	Now        Clock
	Count      func(code string) // is told the code of each letter that is made; nil: nobody is
}

// Letter returns the dead letter of a record.
func (d *DeadLetters) Letter(r *kgo.Record, reject *stream.Reject) (stream.Output, error) {
	if d.Count != nil {
		d.Count(reject.Code)
	}
	key := fmt.Appendf(nil, "%s-%d-%d", r.Topic, r.Partition, r.Offset)
	letter := codec.DeadLetter{
		Reason:    reject.Code,
		Message:   reject.Err.Error(),
		Stage:     d.Stage,
		Topic:     r.Topic,
		Partition: r.Partition,
		Offset:    r.Offset,
		Timestamp: r.Timestamp.UnixMilli(),
		FailedAt:  d.Now(),
		Key:       r.Key,
		Headers:   r.Headers,
		Value:     r.Value,
	}
	return stream.Output{
		Topic:     d.Topic,
		Partition: kafka.Partition(key, d.Partitions),
		Key:       key,
		Value:     d.Encoder.AppendDeadLetter(nil, &letter),
		Headers:   []kgo.RecordHeader{{Key: codec.HeaderSchema, Value: []byte("dead_letter")}},
	}, nil
}
