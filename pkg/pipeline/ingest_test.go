package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// ingestStage reads one topic whose records name things their own way, and one that is canonical.
func ingestStage(t *testing.T) *Ingest {
	mapping, err := usage.ParseMapping(map[string]string{
		usage.FieldAccountID: "context.groupId", usage.FieldEvent: "name", usage.FieldOccurredAt: "at",
		usage.PropertyField("plan"): "context.plan",
	})
	require.NoError(t, err)
	mapped, err := codec.NewInput(codec.JSON, mapping, nil)
	require.NoError(t, err)
	canonical, err := codec.NewInput(codec.JSON, usage.CanonicalMapping(), nil)
	require.NoError(t, err)
	events, err := codec.NewEventEncoder(codec.JSON, 0)
	require.NoError(t, err)
	return &Ingest{
		Inputs: map[string]Input{"clicks": {Input: mapped}, "in": {Input: canonical}}, Events: events, Usage: Topic{"usage", partitions},
		FutureTolerance: 600_000, Now: func() int64 { return epoch + day/24 },
	}
}

func ingestOne(t *testing.T, in *Ingest, r *kgo.Record) ([]stream.Output, error) {
	t.Helper()
	proc := in.Processor(r.Topic, 5)
	route, err := proc.Decode(0, r)
	if err != nil {
		return nil, err
	}
	require.Empty(t, route.Key, "ingest keeps no state")
	turn := stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r}
	err = proc.Fold(0, &turn)
	_, outputs := turn.Result()
	return outputs, err
}

func TestIngestMakesCanonicalEventsKeyedByAccount(t *testing.T) {
	in := ingestStage(t)
	r := &kgo.Record{
		Topic: "clicks", Partition: 5, Offset: 77, Key: []byte("session-9"), Timestamp: time.UnixMilli(epoch + 500),
		Value:   []byte(fmt.Sprintf(`{"name":"one","at":%d,"context":{"groupId":"acme","plan":"free"},"properties":{"n":1}}`, epoch)),
		Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "cookie", Value: []byte("secret")}},
	}
	outputs, err := ingestOne(t, in, r)
	require.NoError(t, err)
	require.Len(t, outputs, 1)
	o := outputs[0]
	assert.Equal(t, "usage", o.Topic)
	assert.Equal(t, "acme", string(o.Key))
	assert.Equal(t, kafka.Partition([]byte("acme"), partitions), o.Partition)
	assert.Equal(t, []kgo.RecordHeader{
		{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "schema", Value: []byte("usage_event")}, {Key: headerPosition, Value: []byte("clicks:5:77")},
	}, o.Headers)

	var ev usage.Event
	require.NoError(t, in.Inputs["in"].Decoder().Decode(context.Background(), o.Value, &ev))
	assert.Equal(t, usage.Event{
		AccountID: "acme", Name: "one", OccurredAt: epoch, ReceivedAt: epoch + 500,
		Properties: []usage.Property{{Key: "n", Value: usage.LongValue(1)}, {Key: "plan", Value: usage.StringValue("free")}},
	}, ev)
}

// What ingest writes activation reads: the evidence names the source's record, and the events' own times stay.
func TestPositionsPassThroughIngest(t *testing.T) {
	in := ingestStage(t)
	source := recordOf(t, 41, usage.Event{ID: "e1", AccountID: "acme", Name: "one", OccurredAt: epoch, ReceivedAt: epoch + 9})
	outputs, err := ingestOne(t, in, source)
	require.NoError(t, err)
	between := &kgo.Record{Topic: "usage", Partition: outputs[0].Partition, Offset: 3, Key: outputs[0].Key, Value: outputs[0].Value, Headers: outputs[0].Headers}
	_, facts := (&entity{t: t, proc: stage(t).Processor("in", 2)}).fold(between)
	f := fact(t, facts[0])
	require.Equal(t, "in:2:41", fmt.Sprintf("%s:%d:%d", f.Position.Topic, f.Position.Partition, f.Position.Offset))
	require.Equal(t, "e1", f.EventID)
	require.Equal(t, epoch, f.OccurredAt)
}

func TestIngestOutputsAreTheSameEachTime(t *testing.T) {
	r := event(t, 3, "acme", "one", usage.Property{Key: "b", Value: usage.BoolValue(true)}, usage.Property{Key: "a", Value: usage.DoubleValue(2)})
	first, err := ingestOne(t, ingestStage(t), r)
	require.NoError(t, err)
	again, err := ingestOne(t, ingestStage(t), r)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

// Outputs outlive the record: the client reuses its buffers.
func TestIngestOutputsDoNotAliasTheRecord(t *testing.T) {
	r := event(t, 3, "acme", "one")
	r.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}}
	outputs, err := ingestOne(t, ingestStage(t), r)
	require.NoError(t, err)
	key, value, trace := string(outputs[0].Key), string(outputs[0].Value), string(outputs[0].Headers[0].Value)
	clear(r.Value)
	clear(r.Headers[0].Value)
	require.Equal(t, []string{key, value, trace}, []string{string(outputs[0].Key), string(outputs[0].Value), string(outputs[0].Headers[0].Value)})
}

func TestIngestRejectsWhatABrokerWouldRefuse(t *testing.T) {
	var properties []usage.Property
	for i := range 30 {
		properties = append(properties, usage.Property{Key: fmt.Sprint(i), Value: usage.StringValue(strings.Repeat("v", usage.MaxPropertyBytes))})
	}
	_, err := ingestOne(t, ingestStage(t), event(t, 0, "acme", "one", properties...))
	requireReject(t, err, CodeTooLarge, "at most 900000")
	outputs, err := ingestOne(t, ingestStage(t), event(t, 0, "acme", "one", properties[:27]...))
	require.NoError(t, err)
	require.Less(t, len(outputs[0].Value), MaxEventBytes)
}

func TestIngestRejectsEmptyValues(t *testing.T) {
	for _, value := range [][]byte{nil, {}} {
		r := event(t, 0, "acme", "one")
		r.Value = value
		_, err := ingestOne(t, ingestStage(t), r)
		requireReject(t, err, usage.CodeUndecodable)
	}
}

// absent is a source of schemas that is out of reach.
type absent struct{}

func (absent) Schema(context.Context, int) (string, error) {
	return "", errors.New("connection refused")
}

func TestSchemasOutOfReachAreWaitedFor(t *testing.T) {
	input, err := codec.NewInput(codec.Avro, usage.CanonicalMapping(), absent{})
	require.NoError(t, err)
	s := stage(t)
	s.Input = input
	r := event(t, 0, "acme", "one")
	r.Value = []byte{0, 0, 0, 0, 9, 0}
	_, err = s.Processor("in", 2).Decode(0, r)
	require.ErrorIs(t, err, stream.ErrRetry)
	require.ErrorContains(t, err, "schema 9")
	require.ErrorContains(t, err, "connection refused")

	input, err = codec.NewInput(codec.Avro, usage.CanonicalMapping(), codec.Schemas{})
	require.NoError(t, err)
	s.Input = input
	_, err = s.Processor("in", 2).Decode(0, r)
	requireReject(t, err, usage.CodeUnknownSchema, "schema 9")
}

func TestDeadLettersPreserveTheRecord(t *testing.T) {
	encoder, err := codec.NewDeadLetterEncoder(codec.JSON, 0, 900_000)
	require.NoError(t, err)
	dead := &DeadLetters{Stage: "ingest", Topic: "dead", Partitions: partitions, Encoder: encoder, Now: func() int64 { return epoch }}
	r := &kgo.Record{
		Topic: "clicks", Partition: 5, Offset: 77, Timestamp: time.UnixMilli(epoch - 9), Key: []byte{0xff}, Value: []byte{0, 1},
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "none"}},
	}
	o, err := dead.Letter(r, &stream.Reject{Code: "undecodable", Err: errors.New("no JSON")})
	require.NoError(t, err)
	require.Equal(t, "dead", o.Topic)
	require.Equal(t, "clicks-5-77", string(o.Key))
	require.Equal(t, kafka.Partition(o.Key, partitions), o.Partition)
	require.Equal(t, "dead_letter", header(o.Headers, codec.HeaderSchema))
	letter, err := codec.DecodeDeadLetter(o.Value)
	require.NoError(t, err)
	require.Equal(t, codec.DeadLetter{
		Reason: "undecodable", Message: "no JSON", Stage: "ingest", Topic: "clicks", Partition: 5, Offset: 77,
		Timestamp: epoch - 9, FailedAt: epoch, Key: []byte{0xff}, Headers: r.Headers, Value: []byte{0, 1},
	}, letter)

	r.Key, r.Value = nil, nil // a tombstone
	o, err = dead.Letter(r, &stream.Reject{Code: "undecodable", Err: errors.New("empty")})
	require.NoError(t, err)
	letter, err = codec.DecodeDeadLetter(o.Value)
	require.NoError(t, err)
	require.Nil(t, letter.Key)
	require.Nil(t, letter.Value)
}

// Anybody may have written a mark; what is kept of it must not be without bound, nor of what it does not tell.
func TestMarksThatCanBeNone(t *testing.T) {
	for _, m := range map[string]stream.Mark{
		"no sources":             {Topic: "clicks"},
		"of no source of its":    {Topic: "clicks", Sources: []stream.Source{{Topic: "orders", Partitions: 1}}},
		"of no partition of its": {Topic: "clicks", Partition: 2, Sources: []stream.Source{{Topic: "clicks", Partitions: 2}}},
		"partitions below 0":     {Topic: "clicks", Sources: []stream.Source{{Topic: "clicks", Partitions: 2}, {Topic: "orders", Partitions: -1}}},
		"very many topics":       {Topic: "clicks", Sources: append(make([]stream.Source, 20_000), stream.Source{Topic: "clicks", Partitions: 2})},
		"very many partitions":   {Topic: "clicks", Sources: []stream.Source{{Topic: "clicks", Partitions: 2}, {Topic: "orders", Partitions: 300_000_000}}},
	} {
		o := marks(Topic{Name: "usage", Partitions: 1}, m)[0]
		_, err := stage(t).Processor("in", 2).Decode(0, &kgo.Record{Value: o.Value, Headers: o.Headers, Timestamp: time.UnixMilli(epoch)})
		requireReject(t, err, usage.CodeUndecodable, "mark")
	}
}

// Marks tell activation the time, but none of the future: the record's timestamp is the broker's.
func TestMarks(t *testing.T) {
	in := ingestStage(t)
	in.Started, in.Sources = 50, []stream.Source{{Topic: "clicks", Partitions: 2}}
	marks := in.Processor("clicks", 1).(stream.TimeTeller).Tell(epoch, false)
	require.Len(t, marks, int(partitions))
	for p, o := range marks {
		assert.Equal(t, int32(p), o.Partition)
		assert.Empty(t, o.Key)
		r := &kgo.Record{Value: o.Value, Headers: o.Headers, Timestamp: time.UnixMilli(epoch + 7)}
		want := &stream.Mark{Topic: "clicks", Partition: 1, Watermark: epoch, AsOf: 50, Sources: in.Sources}
		s := stage(t)
		route, err := s.Processor("in", 2).Decode(0, r)
		require.NoError(t, err)
		assert.Equal(t, want, route.Mark)

		r.Timestamp = time.UnixMilli(20)
		route, err = s.Processor("in", 2).Decode(0, r)
		require.NoError(t, err)
		assert.Equal(t, int64(20), route.Mark.Watermark)
		assert.Equal(t, int64(20), route.Mark.AsOf)

		s.Partitions = partitions // read directly, the topic is another's
		route, err = s.Processor("in", 2).Decode(0, r)
		require.NoError(t, err)
		assert.Equal(t, stream.Route{Ignore: true}, route)

		r.Value = []byte("no mark")
		s.Partitions = 0
		_, err = s.Processor("in", 2).Decode(0, r)
		requireReject(t, err, usage.CodeUndecodable, "mark")
	}
}
