package codec

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// MetricEncoder encodes rows of metrics, the values of pql.metrics (schemas/metric_row.avsc).
type MetricEncoder struct {
	output
	schema string // precedes the JSON of a row, which then ends with one brace more: with Connect only
}

// NewMetricEncoder returns an encoder, or an error when there is no such format. Beside the formats of other topics there is
// Connect. The schema's id matters to Avro only; with AvroBody nothing precedes the binary.
func NewMetricEncoder(f Format, schemaID int) (*MetricEncoder, error) {
	enc, err := &MetricEncoder{}, error(nil)
	if f == Connect {
		enc.json = true
		enc.schema, err = connectRow()
	} else {
		enc.output, err = newOutput(f, schemaID)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding metrics: %w", err)
	}
	return enc, nil
}

// AppendRow appends an encoded row. It allocates nothing when b has room. In JSON, times are numbers of milliseconds since the
// Unix epoch, and what is unknown is null.
func (enc *MetricEncoder) AppendRow(b []byte, r *rollup.Row) []byte {
	if enc.json {
		o := openObject(append(b, enc.schema...))
		for i := range rollup.Columns {
			o.column(rollup.Columns[i].Name, rollup.Columns[i].Of(r))
		}
		if enc.schema != "" {
			o.close()
		}
		return o.end()
	}
	b = append(b, enc.prefix...)
	for i := range rollup.Columns {
		b = appendColumn(b, rollup.Columns[i].Of(r))
	}
	return b
}

func appendColumn(b []byte, value any) []byte {
	switch v := value.(type) {
	case *string:
		return appendString(b, *v)
	case *int64:
		return appendLong(b, *v)
	case *bool:
		return appendBool(b, *v)
	case *[]byte:
		return appendBytesOrNull(b, *v)
	case *rollup.Null[int64]:
		if v.Known {
			return appendLong(append(b, 2), v.Value)
		}
	case *rollup.Null[float64]:
		if v.Known {
			return appendDouble(append(b, 2), v.Value)
		}
	}
	return append(b, 0)
}

func (o *jsonObject) column(name string, value any) {
	switch v := value.(type) {
	case *string:
		o.str(name, *v)
		return
	case *int64:
		o.long(name, *v)
		return
	case *bool:
		o.bool(name, *v)
		return
	case *[]byte:
		o.bytes(name, *v)
		return
	case *rollup.Null[int64]:
		if v.Known {
			o.long(name, v.Value)
			return
		}
	case *rollup.Null[float64]:
		if v.Known {
			o.double(name, v.Value)
			return
		}
	}
	o.name(name)
	o.b = append(o.b, "null"...)
}
