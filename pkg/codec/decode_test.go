package codec

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestNewInputRefuses(t *testing.T) {
	m := usage.DefaultMapping()
	noAccount := m
	noAccount.AccountID = nil
	for _, test := range []struct {
		format  Format
		mapping usage.Mapping
		source  SchemaSource
		says    string
	}{
		{"xml", m, nil, `"xml" is not a format; those are avro, avro-body and json`},
		{Avro, m, nil, "a schema registry or a folder"},
		{AvroBody, m, nil, "a folder of schemas with default.avsc"},
		{AvroBody, m, Schemas{}, "a folder of schemas with default.avsc"},
		{JSON, noAccount, nil, "account_id: needs a path"},
	} {
		_, err := NewInput(test.format, test.mapping, test.source)
		require.ErrorContains(t, err, test.says)
	}
}

// Nothing of a record shows up in the next one, whatever became of it.
func TestDecodeForgetsTheRecordBefore(t *testing.T) {
	d := jsonDecoder(t, map[string]string{"properties.plan": "plan"})
	var e usage.Event
	full := `{"event_id":"e","account_id":"a","user_id":"u","event":"n","occurred_at":1,"quantity":2,"source":"s","properties":{"k":1},"plan":"x"}`
	for _, then := range []string{`{}`, `{"account_id":5.5}`, `{"properties":[{"x":1}]}`} {
		require.NoError(t, d.Decode(t.Context(), []byte(full), &e))
		require.Len(t, e.Properties, 2)
		e.ReceivedAt = 7
		_ = d.Decode(t.Context(), []byte(then), &e)
		require.Equal(t, usage.Event{Properties: []usage.Property{}}, e)
	}
}

func TestCanonicalMappingReadsReceivedAt(t *testing.T) {
	schema := schemaWith(`{"name":"received_at","type":{"type":"long","logicalType":"timestamp-millis"}}`)
	for mapping, want := range map[string]int64{"canonical": 99, "default": 0} {
		m := usage.DefaultMapping()
		if mapping == "canonical" {
			m = usage.CanonicalMapping()
		}
		in, err := NewInput(Avro, m, Schemas{1: schema})
		require.NoError(t, err)
		var e usage.Event
		require.NoError(t, in.Decoder().Decode(t.Context(), record(1, 99), &e))
		require.Equal(t, want, e.ReceivedAt)
	}
}

// Decoders of one input work side by side.
func TestDecodersAtTheSameTime(t *testing.T) {
	in, err := NewInput(Avro, usage.DefaultMapping(), fuzzSchemas)
	require.NoError(t, err)
	var tasks sync.WaitGroup
	for range 4 {
		tasks.Go(func() {
			d := in.Decoder()
			var e usage.Event
			for range 200 {
				if err := d.Decode(t.Context(), record(1, 0, 0, 0), &e); err != nil || e.AccountID != "acme" {
					t.Errorf("%v, %v", e, err)
					return
				}
			}
		})
	}
	tasks.Wait()
}
