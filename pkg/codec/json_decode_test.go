package codec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func jsonDecoder(t testing.TB, fields map[string]string) *Decoder {
	t.Helper()
	m, err := usage.ParseMapping(fields)
	require.NoError(t, err)
	in, err := NewInput(JSON, m, nil)
	require.NoError(t, err)
	return in.Decoder()
}

func decodeJSONText(t testing.TB, fields map[string]string, text string) (usage.Event, error) {
	t.Helper()
	var e usage.Event
	err := jsonDecoder(t, fields).Decode(t.Context(), []byte(text), &e)
	requireSameCore(t, jsonDecoder(t, fields), []byte(text), &e, err)
	if len(e.Properties) == 0 {
		e.Properties = nil
	}
	return e, err
}

func TestJSON(t *testing.T) {
	str := usage.StringValue
	tests := []struct {
		name    string
		mapping map[string]string
		text    string
		want    usage.Event
	}{
		{"everything", nil, `{"event_id":"e1","account_id":"acme","user_id":"u1","event":"login","occurred_at":1700000000123,"quantity":2.5,
			"source":"web","received_at":5,"properties":{"a":"x","b":true,"c":false,"d":null,"e":1,"f":1.0,"g":-0,"h":1e3,"i":9223372036854775807,"j":9223372036854775808},"more":[{}]}`,
			usage.Event{
				ID: "e1", AccountID: "acme", UserID: "u1", Name: "login", OccurredAt: 1_700_000_000_123, Quantity: 2.5, Source: "web",
				Properties: []usage.Property{
					{Key: "a", Value: str("x")}, {Key: "b", Value: usage.BoolValue(true)}, {Key: "c", Value: usage.BoolValue(false)}, {Key: "d"},
					{Key: "e", Value: usage.LongValue(1)}, {Key: "f", Value: usage.DoubleValue(1)}, {Key: "g", Value: usage.LongValue(0)},
					{Key: "h", Value: usage.DoubleValue(1000)}, {Key: "i", Value: usage.LongValue(math.MaxInt64)}, {Key: "j", Value: usage.DoubleValue(1 << 63)},
				},
			}},
		{"nothing", nil, ` { } `, usage.Event{}},
		{"nulls", nil, `{"account_id":null,"occurred_at":null,"quantity":null,"properties":null}`, usage.Event{}},
		{"white space", nil, "\n{\t\"account_id\" :\r\n \"acme\" , \"x\" : [ 1 , { } ] , \"properties\" : { \"a\" : \"b\" } }\n",
			usage.Event{AccountID: "acme", Properties: []usage.Property{{Key: "a", Value: str("b")}}}},
		{"escapes", nil, `{"x":"\"}\\","acc\u006funt_id":"a\"\\\u00e9\ud83d\ude00","properties":{"k\n":"v\t"}}`,
			usage.Event{AccountID: "a\"\\é😀", Properties: []usage.Property{{Key: "k\n", Value: str("v\t")}}}},
		{"a time as text", nil, `{"occurred_at":"2024-02-29T12:00:00.123456+02:00"}`, usage.Event{OccurredAt: 1709200800123}},
		{"a time with a point", nil, `{"occurred_at":1700000000123.9}`, usage.Event{OccurredAt: 1700000000123}},
		{"a time with an exponent", nil, `{"occurred_at":1.7e12}`, usage.Event{OccurredAt: 1700000000000}},
		{"the last of equal names", map[string]string{"user_id": "ctx.user", "source": "ctx.source", "properties.p": "ctx.p"},
			`{"ctx":{"user":"u1","source":"s1","p":1},"properties":{"a":1,"b":2},"ctx":{"user":"u2","user":"u3"},"properties":{"a":3,"a":4}}`,
			usage.Event{UserID: "u3", Properties: []usage.Property{{Key: "a", Value: usage.LongValue(4)}}}},
		{"the last of equal names on the way", map[string]string{"properties": "ctx.all", "properties.p": "ctx.p", "user_id": "ctx.user"},
			`{"ctx":{"all":{"a":1},"p":2,"user":"u1"},"ctx":{}}`, usage.Event{}},
		{"paths", map[string]string{"account_id": "context.groupId", "properties": "context.traits", "properties.plan": "context.plan", "event": `type\.name`, "source": "context.traits.via"},
			`{"account_id":"no","context":{"plan":"team","groupId":"acme","traits":{"plan":"old","via":"app"}},"type.name":"login"}`,
			usage.Event{AccountID: "acme", Name: "login", Source: "app", Properties: []usage.Property{{Key: "plan", Value: str("team")}, {Key: "via", Value: str("app")}}}},
		{"a path through what is no object", map[string]string{"user_id": "a.b", "source": "c.d", "event_id": "e.f"}, `{"a":[{"b":1}],"c":"d","e":null,"account_id":"acme"}`,
			usage.Event{AccountID: "acme"}},
		{"numbers as ids", nil, `{"event_id":-7,"account_id":4711,"user_id":12345678901234567890,"event":"login"}`,
			usage.Event{ID: "-7", AccountID: "4711", UserID: "12345678901234567890", Name: "login"}},
		{"properties within properties", map[string]string{"properties.s": "s"}, `{"properties":{"a": {"b": [1,{}]} ,"c":[],"d":1},"s":["x"]}`,
			usage.Event{Properties: []usage.Property{{Key: "a", Value: str(`{"b": [1,{}]}`)}, {Key: "c", Value: str("[]")}, {Key: "d", Value: usage.LongValue(1)}, {Key: "s", Value: str(`["x"]`)}}}},
		{"a null property and none", map[string]string{"properties.p": "p", "properties.q": "q"}, `{"p":null}`, usage.Event{Properties: []usage.Property{{Key: "p"}}}},
		{"the same for two", map[string]string{"source": "event", "properties.n": "event"}, `{"event":"login"}`,
			usage.Event{Name: "login", Source: "login", Properties: []usage.Property{{Key: "n", Value: str("login")}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := decodeJSONText(t, test.mapping, test.text)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// More names are wanted in one place than a decoder keeps count of.
func TestJSONRepeatsAnyOfManyNames(t *testing.T) {
	mapping, text := map[string]string{}, `{"occurred_at":1`
	for i := range 100 {
		mapping[fmt.Sprintf("properties.p%d", i)] = fmt.Sprintf("ctx.p%d.v", i)
	}
	text += `,"ctx":{`
	for _, v := range []string{`{"v":1,"v":2}`, `{"w":3}`} {
		for i := range 100 {
			text += fmt.Sprintf(`"p%d":%s,`, i, v)
		}
	}
	text += `"p5":{"v":5},"p98":{"v":98}}`
	e, err := decodeJSONText(t, mapping, text+"}")
	require.NoError(t, err)
	require.Equal(t, usage.Event{OccurredAt: 1, Properties: []usage.Property{{Key: "p5", Value: usage.LongValue(5)}, {Key: "p98", Value: usage.LongValue(98)}}}, e)
}

func TestJSONRejects(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	many := strings.Repeat(`"k":1,`, usage.MaxProperties) + `"k":1`
	for text, want := range map[string][2]string{
		``: {usage.CodeUndecodable, ""}, `{`: {usage.CodeUndecodable, ""}, `[]`: {usage.CodeUndecodable, ""}, `null`: {usage.CodeUndecodable, ""},
		`{"account_id":"a"}x`:                    {usage.CodeUndecodable, ""},
		`{"account_id":"a","x":[1,]}`:            {usage.CodeUndecodable, ""},
		`{"account_id":"a","x":nul}`:             {usage.CodeUndecodable, ""},
		"{\"account_id\":\"a\n\"}":               {usage.CodeUndecodable, ""},
		"{\"account_id\":\"a\xff\"}":             {usage.CodeUndecodable, ""},
		`{"x":` + deep + `}`:                     {usage.CodeUndecodable, ""},
		`{"account_id":5.5}`:                     {"account_id_wrong_type", "account_id"},
		`{"account_id":1e3}`:                     {"account_id_wrong_type", "account_id"},
		`{"event":5}`:                            {"event_wrong_type", "event"},
		`{"user_id":["u"]}`:                      {"user_id_wrong_type", "user_id"},
		`{"event":{"name":"x"}}`:                 {"event_wrong_type", "event"},
		`{"source":true}`:                        {"source_wrong_type", "source"},
		`{"quantity":"1"}`:                       {"quantity_wrong_type", "quantity"},
		`{"quantity":true}`:                      {"quantity_wrong_type", "quantity"},
		`{"occurred_at":true}`:                   {"timestamp_wrong_type", "occurred_at"},
		`{"occurred_at":"yesterday"}`:            {"timestamp_wrong_type", "occurred_at"},
		`{"occurred_at":"2024-02-30T00:00:00Z"}`: {"timestamp_wrong_type", "occurred_at"},
		`{"occurred_at":"2024-02-01"}`:           {"timestamp_wrong_type", "occurred_at"},
		`{"occurred_at":1e30}`:                   {"timestamp_out_of_range", "occurred_at"},
		`{"occurred_at":99999999999999999999}`:   {"timestamp_out_of_range", "occurred_at"},
		`{"properties":[]}`:                      {"property_wrong_type", "properties"},
		`{"properties":"x"}`:                     {"property_wrong_type", "properties"},
		`{"properties":{` + many + `}}`:          {"too_many_properties", "properties"},
	} {
		_, err := decodeJSONText(t, map[string]string{"properties.s": "s"}, text)
		requireReject(t, err, want[0], want[1])
	}
	e, err := decodeJSONText(t, nil, `{"account_id":"a","event":"b","occurred_at":1,"quantity":-1e999}`)
	require.NoError(t, err)
	requireReject(t, usage.Validate(&e, math.MaxInt64, 0), usage.CodeQuantityNotFinite, "quantity")
}

// Random documents read as encoding/json and a naive mapping do.
func TestJSONReadsAsEncodingJSONDoes(t *testing.T) {
	m := map[string]string{"account_id": "a.b", "user_id": "a.c.d", "properties": "p", "properties.q": "a.q", "quantity": "n"}
	d, core := jsonDecoder(t, m), jsonDecoder(t, m)
	r := rand.New(rand.NewPCG(1, 1))
	read := 0
	for range 5_000 {
		text := randomJSON(r, 4)
		var e usage.Event
		err := d.Decode(t.Context(), []byte(text), &e)
		requireSameCore(t, core, []byte(text), &e, err)
		want, ok := naiveJSON(t, text)
		if !ok {
			var reject *usage.Error
			require.ErrorAs(t, err, &reject, text)
			continue
		}
		require.NoError(t, err, text)
		sortProperties(&e)
		require.Equal(t, want, e, text)
		read++
	}
	require.Greater(t, read, 1_000)
}

// randomJSON is an object with likely names; names don't repeat.
func randomJSON(r *rand.Rand, depth int) string {
	space := func() string { return []string{"", "", "", " ", "\n\t "}[r.IntN(5)] }
	var members []string
	for _, i := range r.Perm(7)[:r.IntN(7)] {
		value := []string{`"x"`, `"\u00e9\\"`, `""`, `12`, `-1.5e2`, `true`, `null`, `[{"a":1},"]"]`}[r.IntN(8)]
		if depth > 0 && r.IntN(2) == 0 {
			value = randomJSON(r, depth-1)
		}
		name := []string{`"a"`, `"b"`, `"c"`, `"d"`, `"p"`, `"q"`, `"n"`}[i]
		members = append(members, space()+name+space()+":"+space()+value+space())
	}
	return "{" + space() + strings.Join(members, ",") + "}"
}

func naiveJSON(t *testing.T, text string) (e usage.Event, ok bool) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &doc), text)
	ok = true
	get := func(path ...string) any {
		var v any = doc
		for _, name := range path {
			m, isObject := v.(map[string]any)
			if !isObject {
				return nil
			}
			if v, isObject = m[name]; !isObject {
				return struct{}{} // absent
			}
		}
		return v
	}
	text2 := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case float64:
			if v == 12 { // the only integer
				return "12"
			}
		case nil, struct{}:
			return ""
		}
		ok = false
		return ""
	}
	e.AccountID, e.UserID = text2(get("a", "b")), text2(get("a", "c", "d"))
	switch v := get("n").(type) {
	case float64:
		e.Quantity = v
	case nil, struct{}:
	default:
		ok = false
	}
	properties, isObject := get("p").(map[string]any)
	if v := get("p"); v != nil && v != (struct{}{}) && !isObject {
		return e, false
	}
	for key, v := range properties {
		naiveJSONProperty(&e, key, v, written(t, text, "p", key))
	}
	if _, inObject := doc["a"].(map[string]any); inObject {
		if v := get("a", "q"); v != (any)(struct{}{}) {
			e.Properties = removeProperty(e.Properties, "q")
			naiveJSONProperty(&e, "q", v, written(t, text, "a", "q"))
		}
	}
	sortProperties(&e)
	return e, ok
}

func removeProperty(ps []usage.Property, key string) (kept []usage.Property) {
	for _, p := range ps {
		if p.Key != key {
			kept = append(kept, p)
		}
	}
	return kept
}

// written is the text of a value in an object of a document.
func written(t *testing.T, text, object, name string) string {
	var doc, members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	require.NoError(t, json.Unmarshal(doc[object], &members))
	return string(members[name])
}

func naiveJSONProperty(e *usage.Event, key string, v any, text string) {
	var value usage.Value
	switch v := v.(type) {
	case nil:
	case string:
		value = usage.StringValue(v)
	case bool:
		value = usage.BoolValue(v)
	case float64:
		value = usage.DoubleValue(v)
		if v == 12 { // the only integer
			value = usage.LongValue(12)
		}
	default:
		value = usage.StringValue(text)
	}
	e.Properties = append(e.Properties, usage.Property{Key: key, Value: value})
}

// FuzzJSON: no bytes make a decoder panic, and what it takes is JSON with the values that it says.
func FuzzJSON(f *testing.F) {
	f.Add(benchJSON)
	f.Add([]byte(`{"account_id":"\ud800","occurred_at":"2024-01-01T00:00:00Z","ctx":{"a":{"b":[]}},"ctx":{}}`))
	f.Add([]byte(`{"properties":{"a":1e400,"a":-0,"":null},"ctx":{"a":{"b":0.1}}}`))
	f.Add([]byte("{\"quantity\" :\t1E-5 , \"x\":[{},[],\"}\\\"\"]}"))
	used, core := jsonDecoder(f, fuzzMapping), jsonDecoder(f, fuzzMapping)
	var e usage.Event
	f.Fuzz(func(t *testing.T, value []byte) {
		value = value[:len(value):len(value)]
		err := used.Decode(t.Context(), value, &e)
		requireSaneDecode(t, jsonDecoder(t, fuzzMapping), value, &e, err)
		requireSameCore(t, core, value, &e, err)
		requireJSONTaken(t, core, value)
		if err != nil {
			return
		}
		require.True(t, utf8.Valid(value))
		var doc map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(value, &doc))
		requireSameText(t, doc["account_id"], e.AccountID)
		requireSameText(t, doc["event"], e.Name)
	})
}

// requireJSONTaken checks that an object is undecodable if, and only if, it is not UTF-8 or encoding/json does not take
// it, and says which.
func requireJSONTaken(t *testing.T, d *Decoder, value []byte) (taken bool) {
	t.Helper()
	trimmed := bytes.TrimLeft(value, " \t\r\n")
	valid := utf8.Valid(value) && json.Valid(value) && bytes.HasPrefix(trimmed, []byte("{"))
	var e usage.Event
	for _, decode := range []func(context.Context, []byte, *usage.Event) error{d.Decode, d.DecodeCore} {
		reject, wrong := errors.AsType[*usage.Error](decode(t.Context(), value, &e))
		require.Equal(t, valid, !wrong || reject.Code != usage.CodeUndecodable, "%q", value)
	}
	return valid
}

func requireSameText(t *testing.T, raw json.RawMessage, got string) {
	t.Helper()
	var want *string
	if raw != nil {
		require.NoError(t, json.Unmarshal(raw, &want))
	}
	if want == nil {
		want = new(string)
	}
	require.Equal(t, *want, got, string(raw))
}
