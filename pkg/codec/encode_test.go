package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// testID is a schema id whose four bytes differ.
const testID = 0x01020304

// testTime is a fixed moment, ms since the Unix epoch.
const testTime = int64(1_780_000_000_123)

// goavroCodec is another implementation of Avro, which the encoders are held against.
func goavroCodec(t testing.TB, s schemas.Schema) *goavro.Codec {
	t.Helper()
	c, err := goavro.NewCodec(s.Text)
	require.NoError(t, err)
	return c
}

// decodeGoavro checks the wire header and that goavro reads the rest to the last byte.
func decodeGoavro(t testing.TB, c *goavro.Codec, value []byte) map[string]any {
	t.Helper()
	require.GreaterOrEqual(t, len(value), 5)
	require.Zero(t, value[0])
	require.EqualValues(t, testID, binary.BigEndian.Uint32(value[1:]))
	native, rest, err := c.NativeFromBinary(value[5:])
	require.NoError(t, err)
	require.Empty(t, rest)
	return native.(map[string]any)
}

// requireGolden compares with a file in testdata/encode; UPDATE_GOLDEN=1 writes it instead. A difference means that
// consumers of the topic see a change.
func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "encode", name)
	if strings.HasSuffix(name, ".hex") {
		got = []byte(hex.Dump(got))
	} else {
		var pretty bytes.Buffer
		require.NoError(t, json.Indent(&pretty, got, "", "  "))
		got = append(pretty.Bytes(), '\n')
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// requireSchemaNames checks that a JSON object has the fields of the Avro schema, in its order, nested records included.
func requireSchemaNames(t *testing.T, s schemas.Schema, value []byte) {
	t.Helper()
	var schema any
	require.NoError(t, json.Unmarshal([]byte(s.Text), &schema))
	requireFields(t, s.Name, schema, value)
}

func requireFields(t *testing.T, path string, schema any, value json.RawMessage) {
	t.Helper()
	node, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if node["type"] == "array" {
		var items []json.RawMessage
		require.NoError(t, json.Unmarshal(value, &items), path)
		require.NotEmpty(t, items, "%s: nothing to compare with", path)
		for _, item := range items {
			requireFields(t, path, node["items"], item)
		}
	}
	if node["type"] != "record" {
		return
	}
	keys, fields := orderedFields(t, value)
	var want []string
	for _, f := range node["fields"].([]any) {
		f := f.(map[string]any)
		name := f["name"].(string)
		want = append(want, name)
		requireFields(t, path+"."+name, f["type"], fields[name])
	}
	require.Equal(t, want, keys, path)
}

func orderedFields(t *testing.T, value json.RawMessage) (keys []string, fields map[string]json.RawMessage) {
	t.Helper()
	fields = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(value))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		key, err := d.Token()
		require.NoError(t, err)
		var v json.RawMessage
		require.NoError(t, d.Decode(&v))
		keys = append(keys, key.(string))
		fields[key.(string)] = v
	}
	return keys, fields
}

// requireFilled fails on a field left at its zero value: a field added to a type, but not to its test, or to its
// encoder, does not go unnoticed.
func requireFilled(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[usage.Value]() {
			return
		}
		for i := range v.NumField() {
			requireFilled(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
		return
	case reflect.Slice:
		require.NotZero(t, v.Len(), path)
		for i := range v.Len() {
			requireFilled(t, path, v.Index(i))
		}
		return
	}
	require.False(t, v.IsZero(), "%s is not set", path)
}

// nativeProperties is what goavro makes of properties.
func nativeProperties(ps []usage.Property) map[string]any {
	native := map[string]any{}
	for _, p := range ps {
		switch p.Value.Kind() {
		case usage.Bool:
			native[p.Key] = goavro.Union("boolean", p.Value.Bool())
		case usage.Long:
			native[p.Key] = goavro.Union("long", p.Value.Long())
		case usage.Double:
			native[p.Key] = goavro.Union("double", p.Value.Double())
		case usage.String:
			native[p.Key] = goavro.Union("string", p.Value.Str())
		default:
			native[p.Key] = nil
		}
	}
	return native
}

func nativeMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func TestUnknownFormatsAreRefused(t *testing.T) {
	_, err := NewEventEncoder("xml", 1)
	assert.EqualError(t, err, `encoding usage events: "xml" is not a format; those are avro, avro-body and json`)
	_, err = NewFactEncoder("xml", 1)
	assert.EqualError(t, err, `encoding facts: "xml" is not a format; those are avro, avro-body and json`)
	_, err = NewDeadLetterEncoder("xml", 1, DefaultDeadLetterBytes)
	assert.EqualError(t, err, `encoding dead letters: "xml" is not a format; those are avro, avro-body and json`)
}

func TestJSONStringsAreThoseOfTheStandardLibrary(t *testing.T) {
	for _, s := range append(oddTexts, "") {
		requireSameJSONString(t, s)
	}
}

var oddTexts = []string{
	"plain", `quote " and \`, "line\nfeed\r\ttab", "\x00\x01\x1f\x7f", "naïve – 漢字 🎉", "\u2028\u2029", "<&>",
	"bad \xff\xc3( cut \xe6\xbc", "\ufffd", "\xed\xa0\x80 surrogate",
}

func FuzzJSONString(f *testing.F) {
	for _, s := range oddTexts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { requireSameJSONString(t, s) })
}

func requireSameJSONString(t *testing.T, s string) {
	t.Helper()
	ours := appendJSONString(nil, s)
	require.True(t, json.Valid(ours), "%q", ours)
	require.True(t, utf8.Valid(ours), "%q: encoding/json reads it, others may not", ours)
	standard, err := json.Marshal(s)
	require.NoError(t, err)
	var got, want string
	require.NoError(t, json.Unmarshal(ours, &got))
	require.NoError(t, json.Unmarshal(standard, &want))
	require.Equal(t, want, got)
}

func TestJSONDoublesStayDoubles(t *testing.T) {
	for want, v := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "3.0": 3, "0.75": 0.75, "-1.5": -1.5, "1e-07": 1e-7, "1e+21": 1e21,
		"100000000000000000000.0": 1e20, "1.7976931348623157e+308": math.MaxFloat64, "5e-324": math.SmallestNonzeroFloat64,
		"0.000001": 1e-6,
	} {
		got := string(appendJSONDouble(nil, v))
		assert.Equal(t, want, got)
		var back float64
		require.NoError(t, json.Unmarshal([]byte(got), &back))
		assert.Equal(t, math.Float64bits(v), math.Float64bits(back))
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.Equal(t, "null", string(appendJSONDouble(nil, v)))
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	assert.Equal(t, "漢", cut("漢字", 5))
	assert.Equal(t, "漢字", cut("漢字", 6))
	assert.Equal(t, "", cut("漢字", 2))
	assert.Equal(t, "ab", cut("abc", 2))
	assert.Equal(t, "", cut("\x80\x80\x80", 2), "no characters at all")
}
