package codec

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

func testEvent() *usage.Event {
	return &usage.Event{
		ID: "e-1", AccountID: "acme", UserID: "ann", Name: "project_created", OccurredAt: testTime,
		Properties: []usage.Property{
			{Key: "plan", Value: usage.StringValue("pro\"fessional\"")},
			{Key: "seats", Value: usage.LongValue(-12)},
			{Key: "share", Value: usage.DoubleValue(3)},
			{Key: "beta", Value: usage.BoolValue(true)},
			{Key: "referrer", Value: usage.Value{}},
		},
		Quantity: 2.5, Source: "web", ReceivedAt: testTime + 77,
	}
}

func nativeEvent(e *usage.Event) map[string]any {
	return map[string]any{
		"event_id": e.ID, "account_id": e.AccountID, "user_id": e.UserID, "event": e.Name,
		"occurred_at": nativeMillis(e.OccurredAt), "properties": nativeProperties(e.Properties), "quantity": e.Quantity,
		"source": e.Source, "received_at": nativeMillis(e.ReceivedAt),
	}
}

func newEventEncoder(t testing.TB, f Format) *EventEncoder {
	t.Helper()
	enc, err := NewEventEncoder(f, testID)
	require.NoError(t, err)
	return enc
}

func TestUsageGolden(t *testing.T) {
	requireFilled(t, "event", reflect.ValueOf(*testEvent()))
	requireGolden(t, "usage_event.hex", newEventEncoder(t, Avro).AppendUsage(nil, testEvent()))
	asJSON := newEventEncoder(t, JSON).AppendUsage(nil, testEvent())
	requireGolden(t, "usage_event.json", asJSON)
	requireSchemaNames(t, schemas.UsageEvent, asJSON)
}

func TestUsageIsWhatGoavroWrites(t *testing.T) {
	goavro := goavroCodec(t, schemas.UsageEvent)
	all := testEvent()
	for i := range all.Properties { // one at a time, since goavro writes maps in any order
		e := *all
		e.Properties = all.Properties[i : i+1]
		want, err := goavro.BinaryFromNative(nil, nativeEvent(&e))
		require.NoError(t, err)
		assert.Equal(t, want, newEventEncoder(t, AvroBody).AppendUsage(nil, &e))
	}
	empty := &usage.Event{}
	want, err := goavro.BinaryFromNative(nil, nativeEvent(empty))
	require.NoError(t, err)
	assert.Equal(t, want, newEventEncoder(t, AvroBody).AppendUsage(nil, empty))

	got := decodeGoavro(t, goavro, newEventEncoder(t, Avro).AppendUsage(nil, all))
	assert.Equal(t, nativeEvent(all), got)
}

func TestUsageAppends(t *testing.T) {
	for _, f := range []Format{Avro, AvroBody, JSON} {
		enc := newEventEncoder(t, f)
		alone := enc.AppendUsage(nil, testEvent())
		assert.Equal(t, append([]byte("before"), alone...), enc.AppendUsage([]byte("before"), testEvent()), f)
	}
}

func FuzzUsage(f *testing.F) {
	f.Add("e", "acme", "ann", "clicked", testTime, "key", "text", int64(3), 1.5)
	f.Add("", "\xff", "\x00", "漢", int64(-1), "", "\"\\", int64(math.MinInt64), math.Inf(-1))
	codec := goavroCodec(f, schemas.UsageEvent)
	f.Fuzz(func(t *testing.T, id, account, user, name string, at int64, key, text string, long int64, double float64) {
		at %= 253_402_300_800_000 // year 9999: times that goavro can hold
		e := &usage.Event{
			ID: id, AccountID: account, UserID: user, Name: name, OccurredAt: at, Source: text, ReceivedAt: -at,
			Properties: []usage.Property{
				{Key: key, Value: usage.StringValue(text)}, {Key: key + "l", Value: usage.LongValue(long)},
				{Key: key + "d", Value: usage.DoubleValue(double)}, {Key: key + "b", Value: usage.BoolValue(long > 0)},
				{Key: key + "n"},
			},
			Quantity: double,
		}
		got := decodeGoavro(t, codec, newEventEncoder(t, Avro).AppendUsage(nil, e))
		want := nativeEvent(e)
		if math.IsNaN(double) { // not equal to itself
			require.True(t, math.IsNaN(got["quantity"].(float64)))
			got["quantity"], want["quantity"] = 0, 0
			delete(got["properties"].(map[string]any), key+"d")
			delete(want["properties"].(map[string]any), key+"d")
		}
		require.Equal(t, want, got)
		require.True(t, json.Valid(newEventEncoder(t, JSON).AppendUsage(nil, e)))
	})
}

func TestUsageAllocatesNothing(t *testing.T) {
	for _, f := range []Format{Avro, JSON} {
		enc, e, b := newEventEncoder(t, f), testEvent(), make([]byte, 0, 4096)
		assert.Zero(t, testing.AllocsPerRun(100, func() { b = enc.AppendUsage(b[:0], e) }), f)
	}
}

func BenchmarkAppendUsage(b *testing.B) {
	for _, f := range []Format{Avro, JSON} {
		b.Run(string(f), func(b *testing.B) {
			enc, e, buf := newEventEncoder(b, f), testEvent(), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf = enc.AppendUsage(buf[:0], e)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

// TestUsageIsReadBack goes through the decoder that reads pql.usage: what ingest writes is what activation folds, kinds of
// values included.
func TestUsageIsReadBack(t *testing.T) {
	for _, f := range []Format{Avro, JSON} {
		enc, err := NewEventEncoder(f, schemas.UsageEvent.LocalID)
		require.NoError(t, err)
		input, err := NewInput(f, usage.CanonicalMapping(), LocalSchemas())
		require.NoError(t, err)
		var got usage.Event
		require.NoError(t, input.Decoder().Decode(t.Context(), enc.AppendUsage(nil, testEvent()), &got))
		assert.Equal(t, *testEvent(), got, f)
	}
}
