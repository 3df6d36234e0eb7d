package codec

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/schemas"
)

// connectValue is a value as Kafka Connect's JsonConverter reads it.
type connectValue struct {
	Schema  connectField
	Payload json.RawMessage
}

func TestConnectGolden(t *testing.T) {
	value := newMetricEncoder(t, Connect).AppendRow(nil, testRow())
	requireGolden(t, "metric_row.connect.json", value)
	var v connectValue
	require.NoError(t, json.Unmarshal(value, &v))
	assert.Equal(t, string(newMetricEncoder(t, JSON).AppendRow(nil, testRow())), string(v.Payload), "the payload is the row in JSON")
	requireSchemaNames(t, schemas.MetricRow, v.Payload)
}

// TestConnectSchemaHasEachColumn holds the schema against the columns: the same ones, in their order, of their types.
func TestConnectSchemaHasEachColumn(t *testing.T) {
	var v connectValue
	require.NoError(t, json.Unmarshal(newMetricEncoder(t, Connect).AppendRow(nil, &rollup.Row{}), &v))
	times := schemaTimes(t)
	require.Len(t, v.Schema.Fields, len(rollup.Columns))
	for i, c := range rollup.Columns {
		want := connectField{Field: c.Name, Default: v.Schema.Fields[i].Default}
		switch c.Of(&rollup.Row{}).(type) {
		case *string:
			want.Type = "string"
		case *bool:
			want.Type = "boolean"
		case *int64:
			want.Type = "int64"
		case *[]byte:
			want.Type, want.Optional = "bytes", true
		case *rollup.Null[int64]:
			want.Type, want.Optional = "int64", true
		case *rollup.Null[float64]:
			want.Type, want.Optional = "double", true
		}
		if times[c.Name] {
			want.Name, want.Version = "org.apache.kafka.connect.data.Timestamp", 1
		}
		assert.Equal(t, want, v.Schema.Fields[i])
	}
}

func TestNoTypeOfConnectsIsKnown(t *testing.T) {
	for _, typ := range []string{`"float"`, `["string","null"]`, `["null","string","long"]`, `{"type":"map","values":"long"}`} {
		_, err := connectSchema(`{"name":"R","fields":[{"name":"f","type":` + typ + `}]}`)
		assert.EqualError(t, err, "a schema of Kafka Connect's for R: f: no type is known for "+typ)
	}
}
