package codec

import (
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// benchSchema is that of the benchmark job's usage events.
const benchSchema = `{
  "type": "record", "name": "UsageEvent", "namespace": "bench",
  "fields": [
    {"name": "event_id", "type": "string"},
    {"name": "account_id", "type": "string"},
    {"name": "user_id", "type": "string"},
    {"name": "event", "type": "string"},
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "properties", "type": {"type": "map", "values": "string"}},
    {"name": "quantity", "type": "double"}
  ]
}`

func benchRecord(tb testing.TB) []byte {
	tb.Helper()
	codec, err := goavro.NewCodec(benchSchema)
	require.NoError(tb, err)
	b, err := codec.BinaryFromNative([]byte{0, 0, 0, 0, 1}, map[string]any{
		"event_id": "e-0000001234", "account_id": "a-000042", "user_id": "u-000042-3", "event": "project_created",
		"occurred_at": int64(1_700_000_000_123), "quantity": 1.25,
		"properties": map[string]any{"plan": "team", "region": "eu-west-1"},
	})
	require.NoError(tb, err)
	return b
}

var benchJSON = []byte(`{"event_id":"e-0000001234","account_id":"a-000042","user_id":"u-000042-3","event":"project_created",` +
	`"occurred_at":1700000000123,"properties":{"plan":"team","region":"eu-west-1"},"quantity":1.25}`)

func benchDecoder(tb testing.TB, f Format) *Decoder {
	tb.Helper()
	in, err := NewInput(f, usage.DefaultMapping(), Schemas{1: benchSchema})
	require.NoError(tb, err)
	return in.Decoder()
}

// In the steady state Avro allocates nothing, nor does JSON without escapes.
func TestDecodeAllocatesNothing(t *testing.T) {
	for format, record := range map[Format][]byte{Avro: benchRecord(t), JSON: benchJSON} {
		d := benchDecoder(t, format)
		var e usage.Event
		require.NoError(t, d.Decode(t.Context(), record, &e))
		ctx := t.Context()
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if err := d.Decode(ctx, record, &e); err != nil {
				t.Fatal(err)
			}
			if err := usage.Validate(&e, 1_800_000_000_000, 0); err != nil {
				t.Fatal(err)
			}
		}), format)
		require.Equal(t, "project_created", e.Name)
		require.Equal(t, "eu-west-1", e.Property("region").Str())
	}
}

func BenchmarkDecodeAvro(b *testing.B) { benchmarkDecode(b, Avro, benchRecord(b)) }

func BenchmarkDecodeJSON(b *testing.B) { benchmarkDecode(b, JSON, benchJSON) }

func benchmarkDecode(b *testing.B, f Format, record []byte) {
	d := benchDecoder(b, f)
	var e usage.Event
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(b.Context(), record, &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeCore reads what every event needs, and what it takes to read one of its properties besides.
func BenchmarkDecodeCore(b *testing.B) {
	for format, record := range map[Format][]byte{Avro: benchRecord(b), JSON: benchJSON} {
		for name, wanted := range map[string]*usage.Selection{"nothing": {}, "plan": {Keys: []string{"plan"}}} {
			b.Run(string(format)+"/"+name, func(b *testing.B) {
				d := benchDecoder(b, format)
				var e usage.Event
				b.ReportAllocs()
				for b.Loop() {
					err := d.DecodeCore(b.Context(), record, &e)
					if err == nil && !wanted.Empty() {
						err = d.Properties(wanted)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	var e usage.Event
	require.NoError(b, benchDecoder(b, Avro).Decode(b.Context(), benchRecord(b), &e))
	b.ReportAllocs()
	for b.Loop() {
		if err := usage.Validate(&e, 1_800_000_000_000, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeGoavro is what reading the same record with goavro costs.
func BenchmarkDecodeGoavro(b *testing.B) {
	codec, err := goavro.NewCodec(benchSchema)
	require.NoError(b, err)
	record := benchRecord(b)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(record[headerSize:]); err != nil {
			b.Fatal(err)
		}
	}
}
