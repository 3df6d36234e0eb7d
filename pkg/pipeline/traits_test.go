package pipeline

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// traits is an ingest stage whose topic in has the accounts' newest traits, by the account's id.
func traits(t *testing.T, f codec.Format, schemas codec.SchemaSource) *Ingest {
	mapping, err := usage.ParseMapping(map[string]string{
		usage.FieldAccountID: "", usage.FieldEvent: "", usage.PropertyField("company_size"): "employees",
	}, usage.FieldAccountID, usage.FieldEvent, usage.FieldOccurredAt)
	require.NoError(t, err)
	input, err := codec.NewInput(f, mapping, schemas)
	require.NoError(t, err)
	in := ingestStage(t)
	in.Inputs["in"] = Input{Input: input, Event: "traits_changed", Keyed: true}
	return in
}

func ingested(t *testing.T, in *Ingest, r *kgo.Record) (ev usage.Event) {
	t.Helper()
	outputs, err := ingestOne(t, in, r)
	require.NoError(t, err)
	require.Len(t, outputs, 1)
	input, err := codec.NewInput(codec.JSON, usage.CanonicalMapping(), nil)
	require.NoError(t, err)
	require.NoError(t, input.Decoder().Decode(context.Background(), outputs[0].Value, &ev))
	require.Equal(t, string(outputs[0].Key), ev.AccountID)
	return ev
}

// A compacted topic names neither event nor account nor time in its values.
func TestTraitsBecomeEvents(t *testing.T) {
	r := &kgo.Record{Topic: "in", Key: []byte("acme"), Value: []byte(`{"employees":700,"name":"Acme"}`), Timestamp: time.UnixMilli(epoch + 5)}
	size := []usage.Property{{Key: "company_size", Value: usage.LongValue(700)}}
	ev := ingested(t, traits(t, codec.JSON, nil), r)
	assert.Equal(t, usage.Event{AccountID: "acme", Name: "traits_changed", OccurredAt: epoch + 5, ReceivedAt: epoch + 5, Properties: size}, ev)

	r.Value = []byte(`{"employees":700,"account_id":"other","event":"other","occurred_at":1750000000001}`)
	ev = ingested(t, traits(t, codec.JSON, nil), r)
	assert.Equal(t, usage.Event{AccountID: "acme", Name: "traits_changed", OccurredAt: epoch + 1, ReceivedAt: epoch + 5, Properties: size}, ev, "a time of its own counts")
}

func TestTraitsInAvroNeedNoFieldsOfEvents(t *testing.T) {
	text := `{"type":"record","name":"Account","fields":[{"name":"name","type":"string"},{"name":"employees","type":"int"}]}`
	value, err := avro.MustParse(text).AppendEncode(binary.BigEndian.AppendUint32([]byte{0}, 7), map[string]any{"name": "Acme", "employees": 700})
	require.NoError(t, err)
	r := &kgo.Record{Topic: "in", Key: []byte("acme"), Value: value, Timestamp: time.UnixMilli(epoch)}
	ev := ingested(t, traits(t, codec.Avro, codec.Schemas{7: text}), r)
	assert.Equal(t, usage.LongValue(700), ev.Property("company_size"))
	assert.Equal(t, epoch, ev.OccurredAt)
}

// A tombstone is no dead letter where rows may be deleted; elsewhere it is.
func TestDeletedTraitsArePassedOver(t *testing.T) {
	r := &kgo.Record{Topic: "in", Key: []byte("acme"), Timestamp: time.UnixMilli(epoch)}
	route, err := traits(t, codec.JSON, nil).Processor("in", 0).Decode(0, r)
	require.NoError(t, err)
	require.True(t, route.Ignore)
	require.Zero(t, route.EventTime)

	r.Value = []byte{}
	_, err = ingestOne(t, traits(t, codec.JSON, nil), r)
	requireReject(t, err, usage.CodeUndecodable)
}

func TestKeysOfTraitsAreTexts(t *testing.T) {
	for key, code := range map[string]string{"": usage.CodeAccountIDMissing, "\x00\x00\x00\x00\x07\x08acme": "account_id_wrong_type", "a\xff": usage.CodeNotUTF8} {
		r := &kgo.Record{Topic: "in", Key: []byte(key), Value: []byte(`{"employees":700}`), Timestamp: time.UnixMilli(epoch)}
		_, err := ingestOne(t, traits(t, codec.JSON, nil), r)
		requireReject(t, err, code, "account_id")
	}
	r := &kgo.Record{Topic: "in", Key: []byte("acme"), Value: []byte(`{}`), Timestamp: time.UnixMilli(epoch + 10*day)}
	_, err := ingestOne(t, traits(t, codec.JSON, nil), r)
	requireReject(t, err, usage.CodeTimestampInFuture)
}
