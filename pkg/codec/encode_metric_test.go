package codec

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/schemas"
)

func newMetricEncoder(t testing.TB, f Format) *MetricEncoder {
	t.Helper()
	enc, err := NewMetricEncoder(f, testID)
	require.NoError(t, err)
	return enc
}

// testRow has a value of its own in each column.
func testRow() *rollup.Row {
	r := &rollup.Row{}
	for i, c := range rollup.Columns {
		n := int64(i + 1)
		switch v := c.Of(r).(type) {
		case *string:
			*v = "text " + c.Name
		case *int64:
			*v = testTime + n
		case *bool:
			*v = true
		case *[]byte:
			*v = []byte{2, 1, 0xff, byte(i)}
		case *rollup.Null[int64]:
			*v = rollup.Null[int64]{Value: n, Known: true}
		case *rollup.Null[float64]:
			*v = rollup.Null[float64]{Value: 1 / float64(n), Known: true}
		}
	}
	return r
}

// schemaTimes are the columns that the schema calls times.
func schemaTimes(t testing.TB) map[string]bool {
	var schema struct {
		Fields []struct {
			Name string
			Type any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(schemas.MetricRow.Text), &schema))
	times := map[string]bool{}
	for _, f := range schema.Fields {
		text, err := json.Marshal(f.Type)
		require.NoError(t, err)
		times[f.Name] = strings.Contains(string(text), "timestamp-millis")
	}
	return times
}

func nativeRow(t testing.TB, r *rollup.Row) map[string]any {
	native, times := map[string]any{}, schemaTimes(t)
	for _, c := range rollup.Columns {
		native[c.Name] = nil
		switch v := c.Of(r).(type) {
		case *string:
			native[c.Name] = *v
		case *bool:
			native[c.Name] = *v
		case *int64:
			if native[c.Name] = any(*v); times[c.Name] {
				native[c.Name] = nativeMillis(*v)
			}
		case *[]byte:
			if *v != nil {
				native[c.Name] = goavro.Union("bytes", *v)
			}
		case *rollup.Null[int64]:
			if v.Known && times[c.Name] {
				native[c.Name] = goavro.Union("long.timestamp-millis", nativeMillis(v.Value))
			} else if v.Known {
				native[c.Name] = goavro.Union("long", v.Value)
			}
		case *rollup.Null[float64]:
			if v.Known {
				native[c.Name] = goavro.Union("double", v.Value)
			}
		}
	}
	return native
}

func TestMetricGolden(t *testing.T) {
	requireGolden(t, "metric_row.hex", newMetricEncoder(t, Avro).AppendRow(nil, testRow()))
	asJSON := newMetricEncoder(t, JSON).AppendRow(nil, testRow())
	requireGolden(t, "metric_row.json", asJSON)
	requireSchemaNames(t, schemas.MetricRow, asJSON)
}

func TestMetricIsWhatGoavroWrites(t *testing.T) {
	codec := goavroCodec(t, schemas.MetricRow)
	for _, r := range []*rollup.Row{testRow(), {}} {
		want, err := codec.BinaryFromNative(nil, nativeRow(t, r))
		require.NoError(t, err)
		assert.Equal(t, want, newMetricEncoder(t, AvroBody).AppendRow(nil, r))
	}
}

// TestEveryFieldOfARowIsAColumn sets each field of a row, one at a time: one that no column has would be lost.
func TestEveryFieldOfARowIsAColumn(t *testing.T) {
	codec := goavroCodec(t, schemas.MetricRow)
	full := reflect.ValueOf(*testRow())
	assert.Len(t, rollup.Columns, full.NumField())
	requireFilled(t, "row", full)
	for i := range full.NumField() {
		var r rollup.Row
		reflect.ValueOf(&r).Elem().Field(i).Set(full.Field(i))
		requireRowRoundTrip(t, codec, &r)
	}
	requireRowRoundTrip(t, codec, testRow())
}

func requireRowRoundTrip(t *testing.T, codec *goavro.Codec, r *rollup.Row) {
	t.Helper()
	asAvro := newMetricEncoder(t, Avro).AppendRow(nil, r)
	require.Equal(t, nativeRow(t, r), decodeGoavro(t, codec, asAvro))
	for _, value := range [][]byte{asAvro, newMetricEncoder(t, JSON).AppendRow(nil, r), newMetricEncoder(t, Connect).AppendRow(nil, r)} {
		got, err := DecodeRow(value)
		require.NoError(t, err, "%s", value)
		require.Equal(t, *r, got)
	}
}

func FuzzMetric(f *testing.F) {
	f.Add(uint64(1), "text", 0.5, testTime)
	codec := goavroCodec(f, schemas.MetricRow)
	f.Fuzz(func(t *testing.T, seed uint64, text string, number float64, at int64) {
		at %= 253_402_300_800_000 // year 9999: times that goavro can hold
		if number != number || number-number != 0 {
			number = 0 // JSON has neither
		}
		random := rand.New(rand.NewPCG(seed, 0))
		r := &rollup.Row{}
		for _, c := range rollup.Columns {
			if random.IntN(2) == 0 {
				continue
			}
			switch v := c.Of(r).(type) {
			case *string:
				*v = strings.ToValidUTF8(text, "?")
			case *int64:
				*v = at
			case *bool:
				*v = true
			case *[]byte:
				*v = []byte(text)
			case *rollup.Null[int64]:
				*v = rollup.Null[int64]{Value: at - int64(random.IntN(3)), Known: true}
			case *rollup.Null[float64]:
				*v = rollup.Null[float64]{Value: number, Known: true}
			}
		}
		requireRowRoundTrip(t, codec, r)
	})
}

func TestDecodeRowRefusesWhatIsNone(t *testing.T) {
	whole := newMetricEncoder(t, Avro).AppendRow(nil, testRow())
	for name, value := range map[string][]byte{
		"empty": nil, "no header": []byte("hello"), "cut": whole[:len(whole)-3], "too long": append(whole[:len(whole):len(whole)], 0),
		"not JSON": []byte("{"), "text for a number": []byte(`{"rate":"x"}`), "number for a text": []byte(`{"metric":1}`),
		"no base64": []byte(`{"sketch":"?"}`), "no whole number": []byte(`{"count":1.5}`), "number for a flag": []byte(`{"closed":1}`),
		"wrong payload": []byte(`{"schema":null,"payload":{"metric":1}}`),
	} {
		_, err := DecodeRow(value)
		assert.ErrorContains(t, err, "reading a row of a metric: ", name)
	}
}

func TestNoSuchFormatOfMetrics(t *testing.T) {
	_, err := NewMetricEncoder("xml", 1)
	assert.EqualError(t, err, `encoding metrics: "xml" is not a format; those are avro, avro-body and json`)
}

func TestMetricAllocatesNothing(t *testing.T) {
	for _, format := range []Format{Avro, JSON, Connect} {
		enc, r, b := newMetricEncoder(t, format), testRow(), make([]byte, 0, 16384)
		assert.Zero(t, testing.AllocsPerRun(100, func() { b = enc.AppendRow(b[:0], r) }), format)
	}
}
