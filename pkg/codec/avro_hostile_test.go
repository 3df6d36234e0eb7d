package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestAvroHeaders(t *testing.T) {
	for _, value := range [][]byte{nil, {0}, {0, 0, 0, 1}, {1, 0, 0, 0, 1, 0}, []byte(`{"account_id":"a"}`)} {
		err := benchDecoder(t, Avro).Decode(t.Context(), value, &usage.Event{})
		requireReject(t, err, usage.CodeUndecodable, "")
	}
}

// No proper beginning of a record is a record, nor is one with something after it.
func TestAvroTruncatedAndTrailing(t *testing.T) {
	for seed := range 60 {
		g := &generator{Rand: rand.New(rand.NewPCG(uint64(seed), 2))}
		c := g.mappedSchema()
		in, err := NewInput(Avro, c.mapping, Schemas{7: c.root.String()})
		require.NoError(t, err)
		d := in.Decoder()
		var e usage.Event
		value := g.append([]byte{0, 0, 0, 0, 7}, c.root, 6)
		if err := d.Decode(t.Context(), value, &e); err != nil {
			continue // a branch that a field can't have
		}
		for n := range value {
			// Cut to its capacity, so that reading on would be seen.
			require.Error(t, d.Decode(t.Context(), bytes.Clone(value[:n])[:n:n], &e), "seed %d, %d of %d bytes", seed, n, len(value))
		}
		requireReject(t, d.Decode(t.Context(), append(bytes.Clone(value), 0), &e), usage.CodeUndecodable, "")
	}
}

func TestAvroMalformed(t *testing.T) {
	array := func(items string) string {
		return schemaWith(`{"name":"a","type":{"type":"array","items":` + items + `}}`)
	}
	properties := schemaWith(`{"name":"properties","type":{"type":"map","values":"string"}}`)
	user := schemaWith(`{"name":"user_id","type":["null","string"]}`)
	list := schemaWith(`{"name":"l","type":{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}}`)
	overlong := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}
	tests := []struct {
		name, schema string
		body         []byte
		is           error
	}{
		{"negative length", user, bytesOf(1, -1), errLength},
		{"length beyond the end", user, bytesOf(1, math.MaxInt64), errLength},
		{"length of 11 bytes", user, bytesOf(1, overlong), errVarint},
		{"no such branch", user, bytesOf(2), errBranch},
		{"negative branch", user, bytesOf(-1), errBranch},
		{"no such symbol", schemaWith(`{"name":"source","type":{"type":"enum","name":"S","symbols":["web"]}}`), bytesOf(1), errSymbol},
		{"an int that is a long", schemaWith(`{"name":"quantity","type":"int"}`), bytesOf(1 << 40), errInt},
		{"a boolean of 2", schemaWith(`{"name":"properties","type":{"type":"map","values":"boolean"}}`), bytesOf(1, "k", byte(2), 0), errBool},
		{"block of the lowest number of items", array(`"string"`), bytesOf(math.MinInt64, 0, 0), errLength},
		{"block beyond the end", array(`"string"`), bytesOf(-1, math.MaxInt64, 0), errLength},
		{"block of a negative size", array(`"string"`), bytesOf(-1, -5, 0), errLength},
		{"items that are not there", array(`"string"`), bytesOf(math.MaxInt64, 0, 0, 0), errTruncated},
		{"fixed items that are not there", array(`"double"`), bytesOf(math.MaxInt64, 0.5, 0), errTruncated},
		{"block of properties shorter than it says", properties, bytesOf(-1, 5, "k", "v", 0), errBlock},
		{"block of properties longer than it says", properties, bytesOf(-1, 3, "k", "v", 0), errBlock},
		{"a very long list", list, append(bytes.Repeat([]byte{2}, 100_000), 0), errDepth},
		{"a record in itself for ever", schemaWith(`{"name":"r","type":{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}}`), nil, errDepth},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeAvro(t, nil, test.schema, bytesOf(required, test.body))
			requireReject(t, err, usage.CodeUndecodable, "")
			require.ErrorIs(t, err, test.is)
		})
	}
}

// Items without bytes would let a few bytes claim any number of them.
func TestAvroItemsWithoutBytes(t *testing.T) {
	for _, items := range []string{
		`"null"`,
		`{"type":"record","name":"Empty","fields":[]}`,
		`{"type":"record","name":"Wrap","fields":[{"name":"a","type":{"type":"record","name":"Empty","fields":[]}},{"name":"b","type":"Empty"}]}`,
		`{"type":"array","items":"null"}`,
	} {
		schema := schemaWith(`{"name":"a","type":{"type":"array","items":`+items+`}}`, `{"name":"user_id","type":"string"}`)
		body := bytesOf(required, math.MaxInt64, 0, "u1")
		if strings.Contains(items, "array") {
			body = bytesOf(required, 1, math.MaxInt64, 0, 0, "u1")
		}
		e, err := decodeAvro(t, nil, schema, body)
		require.NoError(t, err)
		require.Equal(t, "u1", e.UserID)
	}
}

// A schema may name a type so often that its records would take for ever, or its program the whole memory, if each
// mention were followed.
func TestAvroSchemaThatDoubles(t *testing.T) {
	for _, leaf := range []string{`"null"`, `"long"`, `{"type":"array","items":"string"}`} {
		typ := leaf
		for i := range 60 {
			typ = fmt.Sprintf(`{"type":"record","name":"D%d","fields":[{"name":"a","type":%s},{"name":"b","type":%s}]}`, i, typ,
				map[bool]string{true: leaf, false: fmt.Sprintf(`"D%d"`, i-1)}[i == 0])
		}
		_, err := decodeAvro(t, nil, schemaWith(`{"name":"d","type":`+typ+`}`), required)
		if leaf == `"null"` {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, errTruncated)
		}
	}
}

func TestAvroTooManyProperties(t *testing.T) {
	schema := schemaWith(`{"name":"properties","type":{"type":"map","values":"string"}}`)
	entries := func(n int) []byte {
		b := bytesOf(required, n)
		for i := range n {
			b = append(b, bytesOf(fmt.Sprint("k", i), "v")...)
		}
		return append(b, 0)
	}
	e, err := decodeAvro(t, nil, schema, entries(usage.MaxProperties))
	require.NoError(t, err)
	require.Len(t, e.Properties, usage.MaxProperties)
	_, err = decodeAvro(t, nil, schema, entries(usage.MaxProperties+1))
	requireReject(t, err, usage.CodeTooManyProperties, usage.FieldProperties)
	_, err = decodeAvro(t, nil, schema, bytesOf(required, math.MaxInt64, 0))
	requireReject(t, err, usage.CodeTooManyProperties, usage.FieldProperties)
	_, err = decodeAvro(t, map[string]string{"properties.one": "event"}, schema, entries(usage.MaxProperties))
	requireReject(t, err, usage.CodeTooManyProperties, usage.FieldProperties)
}

// What is long is not deep.
func TestAvroLongRecords(t *testing.T) {
	item := `{"type":"record","name":"I","fields":[{"name":"v","type":["null","string"]}]}`
	schema := schemaWith(`{"name":"a","type":{"type":"array","items":`+item+`}}`, `{"name":"user_id","type":"string"}`)
	e, err := decodeAvro(t, nil, schema, bytesOf(required, 10*maxDepth, bytes.Repeat(bytesOf(1, "x"), 10*maxDepth), 0, "u1"))
	require.NoError(t, err)
	require.Equal(t, "u1", e.UserID)
}

// fuzzSchemas are read under fuzzMapping.
var fuzzSchemas = Schemas{
	0: benchSchema,
	1: schemaWith(`{"name":"properties","type":{"type":"map","values":["null","boolean","int","long","float","double","string"]}}`,
		`{"name":"l","type":{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]},{"name":"all","type":{"type":"array","items":"L"}}]}}`),
	2: schemaWith(`{"name":"ctx","type":{"type":"map","values":{"type":"map","values":["null","string"]}}}`,
		`{"name":"properties","type":{"type":"record","name":"P","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["x","y"]}},`+
			`{"name":"b","type":{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}},{"name":"c","type":"float"}]}}`,
		`{"name":"n","type":{"type":"array","items":"null"}}`),
}

var fuzzMapping = map[string]string{"properties.x": "ctx.a.b", "source": "ctx.a.b"}

// FuzzAvro: no bytes make a decoder panic, read beyond the record, hold more than an event may, or take another record's
// values for this one's.
func FuzzAvro(f *testing.F) {
	f.Add(byte(0), benchRecord(f)[headerSize:])
	f.Add(byte(1), bytesOf(required, -1, 4, "k", 1, byte(1), 0, 1, 0, 0, 0))
	f.Add(byte(1), bytesOf(required, 0, 0, math.MaxInt64))
	f.Add(byte(2), bytesOf(required, 1, "a", 1, "b", 1, "v", 0, 0, 1, make([]byte, 20), 5, 0))
	m, err := usage.ParseMapping(fuzzMapping)
	require.NoError(f, err)
	in, err := NewInput(Avro, m, fuzzSchemas)
	require.NoError(f, err)
	used, core := in.Decoder(), in.Decoder()
	var e usage.Event
	f.Fuzz(func(t *testing.T, schema byte, body []byte) {
		value := append([]byte{0, 0, 0, 0, schema % byte(len(fuzzSchemas))}, body...)
		value = value[:len(value):len(value)]
		err := used.Decode(t.Context(), value, &e)
		requireSaneDecode(t, in.Decoder(), value, &e, err)
		requireSameCore(t, core, value, &e, err)
	})
}

// requireSaneDecode compares what a used decoder made of a record with what a fresh one makes of it.
func requireSaneDecode(t *testing.T, fresh *Decoder, value []byte, got *usage.Event, gotErr error) {
	t.Helper()
	var want usage.Event
	err := fresh.Decode(t.Context(), value, &want)
	if gotErr != nil {
		var reject *usage.Error
		require.ErrorAs(t, gotErr, &reject)
		require.EqualError(t, err, gotErr.Error())
		return
	}
	require.NoError(t, err)
	require.LessOrEqual(t, len(got.Properties), usage.MaxProperties)
	require.Equal(t, fmt.Sprint(want), fmt.Sprint(*got)) // as text, where NaN equals NaN
	_ = usage.Validate(got, math.MaxInt64, 0)
}

// Numbers are read eight bytes at a time where there are as many.
func TestAvroNumbersOfEveryLength(t *testing.T) {
	for shift := range 64 {
		for _, n := range []int64{1 << shift, 1<<shift - 1, -1 << shift, math.MinInt64 >> shift, math.MaxInt64 >> shift} {
			for more := range 10 {
				b := binary.AppendVarint(nil, n)
				length := len(b)
				for range more {
					b = append(b, 0xff)
				}
				r := avroReader{b: b}
				got, err := r.long()
				require.NoError(t, err)
				require.Equal(t, n, got)
				require.Equal(t, length, r.pos)
				for cut := range length {
					r := avroReader{b: b[:cut]}
					_, err := r.long()
					require.ErrorIs(t, err, errTruncated)
				}
			}
		}
	}
}
