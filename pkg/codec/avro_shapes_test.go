package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// bytesOf makes the bytes of a record: strings and ints as Avro encodes them, bytes and byte slices as they are.
func bytesOf(parts ...any) (b []byte) {
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			b = appendText(b, part)
		case int:
			b = binary.AppendVarint(b, int64(part))
		case float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(part))
		case byte:
			b = append(b, part)
		case []byte:
			b = append(b, part...)
		default:
			panic(fmt.Sprintf("%T", part))
		}
	}
	return b
}

// schemaWith is a schema of the required fields and more.
func schemaWith(fields ...string) string {
	required := []string{
		`{"name":"account_id","type":"string"}`, `{"name":"event","type":"string"}`, `{"name":"occurred_at","type":"long"}`,
	}
	return `{"type":"record","name":"U","namespace":"com.example","fields":[` + strings.Join(append(required, fields...), ",") + `]}`
}

var required = bytesOf("acme", "login", 1_700_000_000_000)

// requiredEvent is what required means.
func requiredEvent() usage.Event {
	return usage.Event{AccountID: "acme", Name: "login", OccurredAt: 1_700_000_000_000}
}

func decodeAvro(t testing.TB, fields map[string]string, schema string, body []byte) (usage.Event, error) {
	t.Helper()
	m, err := usage.ParseMapping(fields)
	require.NoError(t, err)
	in, err := NewInput(Avro, m, Schemas{1: schema})
	require.NoError(t, err)
	var e usage.Event
	value := append([]byte{0, 0, 0, 0, 1}, body...)
	err = in.Decoder().Decode(t.Context(), value, &e)
	requireSameCore(t, in.Decoder(), value, &e, err)
	if len(e.Properties) == 0 {
		e.Properties = nil
	}
	return e, err
}

func TestAvroShapes(t *testing.T) {
	str := usage.StringValue
	node := `{"type":"record","name":"Node","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}`
	uuid := []byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	tests := []struct {
		name    string
		mapping map[string]string
		fields  []string
		body    []byte // after the required fields
		want    func(*usage.Event)
	}{
		{name: "nothing but what is required"},
		{
			name:   "bytes and an enum as text",
			fields: []string{`{"name":"user_id","type":"bytes"}`, `{"name":"source","type":{"type":"enum","name":"S","symbols":["web","app"]}}`},
			body:   bytesOf("u1", 1),
			want:   func(e *usage.Event) { e.UserID, e.Source = "u1", "app" },
		},
		{
			name:   "a UUID of 16 bytes",
			fields: []string{`{"name":"event_id","type":{"type":"fixed","name":"I","size":16,"logicalType":"uuid"}}`},
			body:   uuid,
			want:   func(e *usage.Event) { e.ID = "123e4567-e89b-12d3-a456-426614174000" },
		},
		{
			name:   "a quantity that is an int",
			fields: []string{`{"name":"quantity","type":["null","int"],"default":null}`},
			body:   bytesOf(1, -3),
			want:   func(e *usage.Event) { e.Quantity = -3 },
		},
		{
			name:   "recursion passed over, by short and by full name",
			fields: []string{`{"name":"a","type":` + node + `}`, `{"name":"b","type":"com.example.Node"}`, `{"name":"user_id","type":"string"}`},
			body:   bytesOf(1, 1, 2, 1, 3, 0, 4, 0, "u1"),
			want:   func(e *usage.Event) { e.UserID = "u1" },
		},
		{
			name: "a name means the nearest namespace's type",
			fields: []string{
				`{"name":"a","type":{"type":"record","name":"T","namespace":"other","fields":[{"name":"v","type":"string"}]}}`,
				`{"name":"b","type":{"type":"fixed","name":"T","size":3}}`,
				`{"name":"c","type":"T"}`, `{"name":"d","type":"other.T"}`,
				`{"name":"e","type":{"type":"record","name":"other.R","fields":[{"name":"v","type":"T"}]}}`,
			},
			body: bytesOf("a", []byte("123"), []byte("123"), "d", "e"),
		},
		{
			name:   "a primitive with attributes",
			fields: []string{`{"name":"user_id","type":{"type":"string","avro.java.string":"String"}}`},
			body:   bytesOf("u1"),
			want:   func(e *usage.Event) { e.UserID = "u1" },
		},
		{
			name:    "a field under its former name",
			mapping: map[string]string{"user_id": "ctx.actor"},
			fields:  []string{`{"name":"ctx","type":{"type":"record","name":"C","fields":[{"name":"who","type":"string","aliases":["actor"]}]}}`},
			body:    bytesOf("u1"),
			want:    func(e *usage.Event) { e.UserID = "u1" },
		},
		{
			name:   "blocks that say how long they are, and items that nobody wants",
			fields: []string{`{"name":"a","type":{"type":"array","items":"string"}}`, `{"name":"user_id","type":"string"}`},
			body:   bytesOf(-2, 3, []byte{0xff, 0xff, 0xff}, 1, "x", 0, "u1"),
			want:   func(e *usage.Event) { e.UserID = "u1" },
		},
		{
			name:   "properties of a map in several blocks",
			fields: []string{`{"name":"properties","type":{"type":"map","values":["null","boolean","int","long","float","double","string"]}}`},
			body: bytesOf(-2, 7, "a", 1, byte(1), "b", 0, 5, "c", 2, -7, "d", 3, 1<<40,
				"e", 4, []byte{0, 0, 0xc0, 0x3f}, "f", 5, 0.25, "g", 6, "x", 0),
			want: func(e *usage.Event) {
				e.Properties = []usage.Property{
					{Key: "a", Value: usage.BoolValue(true)}, {Key: "b"}, {Key: "c", Value: usage.LongValue(-7)}, {Key: "d", Value: usage.LongValue(1 << 40)},
					{Key: "e", Value: usage.DoubleValue(1.5)}, {Key: "f", Value: usage.DoubleValue(0.25)}, {Key: "g", Value: str("x")},
				}
			},
		},
		{
			name:   "the last of equal keys",
			fields: []string{`{"name":"properties","type":{"type":"map","values":"string"}}`},
			body:   bytesOf(2, "a", "1", "b", "2", 1, "a", "3", 0),
			want: func(e *usage.Event) {
				e.Properties = []usage.Property{{Key: "a", Value: str("3")}, {Key: "b", Value: str("2")}}
			},
		},
		{
			name:   "properties of a record",
			fields: []string{`{"name":"properties","type":["null",{"type":"record","name":"P","fields":[{"name":"plan","type":"string"},{"name":"seats","type":["null","long"]}]}]}`},
			body:   bytesOf(1, "team", 0),
			want: func(e *usage.Event) {
				e.Properties = []usage.Property{{Key: "plan", Value: str("team")}, {Key: "seats"}}
			},
		},
		{
			name:    "a single property wins over the map's, a path goes through a map",
			mapping: map[string]string{"properties": "traits", "properties.plan": "traits.tier", "properties.gone": "traits.gone", "user_id": "traits.who"},
			fields:  []string{`{"name":"traits","type":{"type":"map","values":"string"}}`},
			body:    bytesOf(3, "plan", "old", "tier", "new", "who", "u1", 0),
			want: func(e *usage.Event) {
				e.UserID = "u1"
				e.Properties = []usage.Property{{Key: "plan", Value: str("new")}, {Key: "tier", Value: str("new")}, {Key: "who", Value: str("u1")}}
			},
		},
		{
			name:    "the last of equal keys on the way to a property",
			mapping: map[string]string{"properties": "ctx.all", "properties.plan": "ctx.one.plan", "user_id": "ctx.one.user"},
			fields:  []string{`{"name":"ctx","type":{"type":"map","values":{"type":"map","values":"string"}}}`},
			body:    bytesOf(3, "all", 1, "a", "1", 0, "one", 2, "plan", "old", "user", "u0", 0, "one", 1, "user", "u1", 0, 1, "all", 1, "b", "2", 0, 0),
			want: func(e *usage.Event) {
				e.UserID, e.Properties = "u1", []usage.Property{{Key: "b", Value: str("2")}}
			},
		},
		{
			name:    "one source field for two",
			mapping: map[string]string{"source": "event", "properties.name": "event"},
			want: func(e *usage.Event) {
				e.Source, e.Properties = "login", []usage.Property{{Key: "name", Value: str("login")}}
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := requiredEvent()
			if test.want != nil {
				test.want(&want)
			}
			body := append(append([]byte(nil), required...), test.body...)
			got, err := decodeAvro(t, test.mapping, schemaWith(test.fields...), body)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestAvroTimes(t *testing.T) {
	schema := func(typ string) string {
		return `{"type":"record","name":"U","fields":[{"name":"account_id","type":"string"},{"name":"event","type":"string"},{"name":"occurred_at","type":` + typ + `}]}`
	}
	long := func(logical string) string { return `{"type":"long","logicalType":"` + logical + `"}` }
	for typ, test := range map[string]struct {
		units int
		want  int64
	}{
		`"long"`:                 {1_700_000_000_123, 1_700_000_000_123},
		`"int"`:                  {5, 5},
		long("timestamp-millis"): {1_700_000_000_123, 1_700_000_000_123},
		long("timestamp-micros"): {1_700_000_000_123_999, 1_700_000_000_123},
		long("timestamp-nanos"):  {1_700_000_000_123_999_999, 1_700_000_000_123},
		long("of-our-own"):       {7, 7},
	} {
		e, err := decodeAvro(t, nil, schema(typ), bytesOf("a", "b", test.units))
		require.NoError(t, err, typ)
		require.Equal(t, test.want, e.OccurredAt, typ)
	}
	e, err := decodeAvro(t, nil, schema(long("timestamp-micros")), bytesOf("a", "b", -1))
	require.NoError(t, err)
	require.EqualValues(t, -1, e.OccurredAt, "rounded down, so that before 1970 stays before 1970")

	for _, typ := range []string{
		`"string"`, `"double"`, long("local-timestamp-millis"), long("local-timestamp-micros"), long("time-micros"),
		`{"type":"int","logicalType":"date"}`, `["null","string"]`,
	} {
		_, err := decodeAvro(t, nil, schema(typ), nil)
		requireReject(t, err, usage.CodeUnmappableSchema, usage.FieldOccurredAt)
	}
}

func requireReject(t testing.TB, err error, code, field string) {
	t.Helper()
	var reject *usage.Error
	require.ErrorAs(t, err, &reject)
	require.Equal(t, code, reject.Code, err)
	require.Equal(t, field, reject.Field, err)
}

// Schemas that can't be mapped are refused as a whole, naming the schema and the field.
func TestAvroUnmappableSchemas(t *testing.T) {
	decimal := `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`
	inner := `{"type":"record","name":"In","fields":[]}`
	tests := []struct {
		name, schema, field, says string
	}{
		{"no account", `{"type":"record","name":"U","fields":[{"name":"event","type":"string"}]}`, "account_id", "schema 1 has no field account_id"},
		{"not a record", `"string"`, "account_id", "schema 1 has no field account_id"},
		{"account in a place that is no record", strings.Replace(schemaWith(), `"account_id"`, `"acc"`, 1), "account_id", "schema 1 has no field account_id"},
		{"text from a number", schemaWith(`{"name":"user_id","type":["null","long"]}`), "user_id", "field user_id of schema 1 is long"},
		{"text from a decimal", schemaWith(`{"name":"user_id","type":` + decimal + `}`), "user_id", "is bytes (decimal)"},
		{"a number from text", schemaWith(`{"name":"quantity","type":"string"}`), "quantity", "is string"},
		{"a number from a decimal", schemaWith(`{"name":"quantity","type":` + decimal + `}`), "quantity", "is bytes (decimal)"},
		{"properties from text", schemaWith(`{"name":"properties","type":"string"}`), "properties", "is string, not a map or a record"},
		{"properties from an array", schemaWith(`{"name":"properties","type":["null",{"type":"array","items":"string"}]}`), "properties", "is array, not a map or a record"},
		{"a map of records", schemaWith(`{"name":"properties","type":{"type":"map","values":` + inner + `}}`), "properties", "is record com.example.In"},
		{
			"a record in the properties", schemaWith(`{"name":"properties","type":{"type":"record","name":"P","fields":[{"name":"x","type":` + inner + `}]}}`),
			"properties.x", "field properties.x of schema 1 is record com.example.In",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeAvro(t, nil, test.schema, required)
			requireReject(t, err, usage.CodeUnmappableSchema, test.field)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestAvroBadSchemas(t *testing.T) {
	for _, schema := range []string{
		``, `{`, `"nothing"`, `{"type":"record"}`, schemaWith(`{"name":"x","type":"Undefined"}`),
		strings.Repeat(`{"type":"array","items":`, 100_000) + `"int"` + strings.Repeat(`}`, 100_000),
	} {
		_, err := decodeAvro(t, nil, schema, required)
		requireReject(t, err, usage.CodeBadSchema, "")
	}
}

// A union with a branch that a field can't have refuses the records that hold it, and only them.
func TestAvroWrongBranch(t *testing.T) {
	schema := schemaWith(`{"name":"user_id","type":["null","string","long"]}`,
		`{"name":"properties","type":[{"type":"map","values":["string",{"type":"array","items":"int"}]},"int"]}`)
	_, err := decodeAvro(t, nil, schema, bytesOf(required, 1, "u", 0, 1, "k", 0, "v", 0))
	require.NoError(t, err)
	_, err = decodeAvro(t, nil, schema, bytesOf(required, 2, 5, 0, 0))
	requireReject(t, err, "user_id_wrong_type", "user_id")
	require.ErrorContains(t, err, "field user_id of schema 1 is long in this record")
	_, err = decodeAvro(t, nil, schema, bytesOf(required, 0, 0, 1, "k", 1, 0, 0))
	requireReject(t, err, usage.CodePropertyWrongType, "properties")
	_, err = decodeAvro(t, nil, schema, bytesOf(required, 0, 1, 5))
	requireReject(t, err, usage.CodePropertyWrongType, "properties")
}
