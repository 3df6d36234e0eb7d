package codec

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// requireSameCore holds what DecodeCore and Properties read of a record against what Decode made of it.
func requireSameCore(t testing.TB, d *Decoder, value []byte, all *usage.Event, allErr error) {
	t.Helper()
	for _, wanted := range selections(all) {
		var got usage.Event
		err := d.DecodeCore(t.Context(), value, &got)
		require.Empty(t, got.Properties)
		if err == nil {
			err = d.Properties(&wanted)
		}
		switch {
		case err != nil:
			require.Error(t, allErr, "%v is wrong with a part of it", err)
		case allErr != nil:
			requireLeftOut(t, d, &wanted, allErr)
		default:
			require.Equal(t, fmt.Sprint(part(all, &wanted)), fmt.Sprint(got), "%v", wanted) // as text, where NaN equals NaN
		}
	}
}

// selections are choices of an event's properties, and of others.
func selections(e *usage.Event) []usage.Selection {
	list := []usage.Selection{{}, {All: true}, {Keys: []string{"nowhere"}}}
	for i := range e.Properties {
		list = append(list, usage.Selection{Keys: []string{e.Properties[i].Key}})
	}
	if n := len(e.Properties); n > 1 {
		list = append(list, usage.Selection{Keys: []string{e.Properties[n-1].Key, "nowhere", e.Properties[0].Key}})
	}
	if len(list) > 8 {
		list = list[:8]
	}
	return list
}

func part(e *usage.Event, wanted *usage.Selection) usage.Event {
	p := *e
	p.Source, p.ReceivedAt, p.Properties = "", 0, []usage.Property{}
	for _, property := range e.Properties {
		if wanted.Has(property.Key) {
			p.Properties = append(p.Properties, property)
		}
	}
	return p
}

// requireLeftOut checks that an error concerns what a core does not look at. In Avro bytes may be wrong there.
func requireLeftOut(t testing.TB, d *Decoder, wanted *usage.Selection, err error) {
	t.Helper()
	var reject *usage.Error
	require.ErrorAs(t, err, &reject)
	switch {
	case reject.Field == usage.FieldSource || reject.Field == usage.FieldReceivedAt:
	case reject.Code == usage.CodeUndecodable:
		require.NotEqual(t, JSON, d.input.format, "malformed JSON is malformed, whoever reads it")
		for _, structural := range []error{errTrailing, errDepth} {
			require.NotErrorIs(t, err, structural)
		}
	default:
		require.True(t, strings.HasPrefix(reject.Field, usage.FieldProperties), reject.Field)
		require.False(t, wanted.All, err)
	}
}

// Bytes that nobody reads must still make sense as far as it takes to find the others.
func TestCoreOfMalformedRecords(t *testing.T) {
	properties := schemaWith(`{"name":"properties","type":{"type":"map","values":["null","boolean","string"]}}`, `{"name":"user_id","type":"string"}`)
	for body, wrong := range map[string]error{
		string(bytesOf(1, "k", 7)):                      errBranch,
		string(bytesOf(1, "k", 2, 100)):                 errLength,
		string(bytesOf(1, "k", 0, 0)):                   errTruncated,
		string(bytesOf(-1, 1000, "k", 0, 0)):            errLength,
		string(bytesOf(1, "k", 0, 0, "u", 0)):           errTrailing,
		string(bytesOf(1, "k", 1, byte(2), 0, "u")):     nil, // no such boolean
		string(bytesOf(1, "k", 2, "\xff", 0, "u")):      nil, // no such text
		string(bytesOf(-1, 3, "no", 0, "u")):            nil, // not so many bytes
		string(bytesOf(1, "k", 0, 2, "l", 0, 0)):        errTruncated,
		string(bytesOf(257, noProperties(257), 0, "u")): nil, // too many
	} {
		in, err := NewInput(Avro, usage.DefaultMapping(), Schemas{1: properties})
		require.NoError(t, err)
		value := bytesOf([]byte{0, 0, 0, 0, 1}, required, []byte(body))
		var e usage.Event
		err = in.Decoder().DecodeCore(t.Context(), value, &e)
		if wrong == nil {
			require.NoError(t, err, "%q", body)
			require.Equal(t, "u", e.UserID)
			require.Error(t, errors.Join(in.Decoder().Decode(t.Context(), value, &e), usage.Validate(&e, e.OccurredAt, 0)), "%q", body)
			continue
		}
		requireReject(t, err, usage.CodeUndecodable, "")
		require.ErrorIs(t, err, wrong, "%q", body)
	}
}

func noProperties(n int) (b []byte) {
	for i := range n {
		b = append(b, bytesOf(fmt.Sprint("k", i), 0)...)
	}
	return b
}

// A schema that the mapping doesn't fit is refused whatever anybody reads.
func TestCoreOfUnmappableSchemas(t *testing.T) {
	for field, schema := range map[string]string{
		"source":     schemaWith(`{"name":"source","type":"long"}`),
		"properties": schemaWith(`{"name":"properties","type":"string"}`),
	} {
		in, err := NewInput(Avro, usage.DefaultMapping(), Schemas{1: schema})
		require.NoError(t, err)
		err = in.Decoder().DecodeCore(t.Context(), bytesOf([]byte{0, 0, 0, 0, 1}, required, 1), &usage.Event{})
		requireReject(t, err, usage.CodeUnmappableSchema, field)
	}
}

// Nothing of a record is read for the next one.
func TestCoreForgetsTheRecordBefore(t *testing.T) {
	for name, d := range map[string]*Decoder{"avro": benchDecoder(t, Avro), "json": benchDecoder(t, JSON)} {
		full, empty := benchJSON, []byte(`{"account_id":"a"}`)
		if name == "avro" {
			full, empty = benchRecord(t), bytesOf([]byte{0, 0, 0, 0, 1}, "", "a", "", "", 0, 0, 0.0)
		}
		var e usage.Event
		require.NoError(t, d.DecodeCore(t.Context(), full, &e))
		require.NoError(t, d.Properties(&usage.Selection{All: true}))
		require.Len(t, e.Properties, 2)
		require.NoError(t, d.DecodeCore(t.Context(), empty, &e))
		require.NoError(t, d.Properties(&usage.Selection{All: true}))
		require.Equal(t, usage.Event{AccountID: "a", Properties: []usage.Property{}}, e)
		require.NoError(t, d.Decode(t.Context(), full, &e))
		require.Len(t, e.Properties, 2, "what was wanted of another record")
		require.NoError(t, d.DecodeCore(t.Context(), full, &e))
		require.NoError(t, d.Properties(&usage.Selection{Keys: []string{"region"}}))
		require.NoError(t, d.Decode(t.Context(), full, &e))
		require.Len(t, e.Properties, 2, "what was wanted of another record")
	}
}

// TestJSONTakesWhatEncodingJSONTakes breaks documents in all sorts of places.
func TestJSONTakesWhatEncodingJSONTakes(t *testing.T) {
	d := jsonDecoder(t, map[string]string{"account_id": "a.b", "user_id": "a.c.d", "properties": "p", "properties.q": "a.q", "quantity": "n"})
	r := rand.New(rand.NewPCG(4, 4))
	const likely = `{}[]":,\/-+.0123456789eEtfnul xu` + "\x00\n\x1f\x7f\x80\xc3\xa9\xff"
	taken := map[bool]int{}
	for range 40_000 {
		text := []byte(randomJSON(r, 4))
		for range r.IntN(3) {
			at := r.IntN(len(text))
			switch r.IntN(4) {
			case 0:
				text = append(text[:at], text[at+1:]...)
			case 1:
				text = append(text[:at], append([]byte{likely[r.IntN(len(likely))]}, text[at:]...)...)
			case 2:
				text[at] = likely[r.IntN(len(likely))]
			default:
				text = text[:at+1]
			}
			if len(text) == 0 {
				break
			}
		}
		taken[requireJSONTaken(t, d, text)]++
	}
	require.Greater(t, taken[true], 10_000)
	require.Greater(t, taken[false], 10_000)
}

// Every byte in every place of a string, of an escape, and every depth around the deepest.
func TestJSONTakesTheStringsAndDepthsThatEncodingJSONTakes(t *testing.T) {
	d := jsonDecoder(t, nil)
	for c := range 256 {
		for at := range 20 {
			text := []byte(`{"user_id":"01234567890123456789"}`)
			text[12+at] = byte(c)
			requireJSONTaken(t, d, text)
		}
		for at := range 6 {
			text := []byte(`{"x":"\u0aF9"}`)
			text[6+at] = byte(c)
			requireJSONTaken(t, d, text)
		}
	}
	for n := maxJSONDepth - 3; n < maxJSONDepth+3; n++ {
		for _, place := range []string{`{"x":%s}`, `{"properties":{"a":1,"b":%s}}`, `{"properties":{},"x":{"a":[],"b":%s}}`} {
			requireJSONTaken(t, d, fmt.Appendf(nil, place, strings.Repeat("[", n)+strings.Repeat("]", n)))
			requireJSONTaken(t, d, fmt.Appendf(nil, place, strings.Repeat(`{"":`, n)+"0"+strings.Repeat("}", n)))
		}
	}
}
