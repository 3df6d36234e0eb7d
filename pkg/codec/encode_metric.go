package codec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/avro"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/schemas"
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

var metricSchema = sync.OnceValue(func() *avro.Schema { return avro.MustParse(schemas.MetricRow.Text) })

// DecodeRow reads a row in any format, Avro in the wire format by this version's schema, whatever the id says. Of Connect's it reads
// the payload.
func DecodeRow(b []byte) (rollup.Row, error) {
	var wire map[string]any
	var row rollup.Row
	if err := decodeWire(b, metricSchema, &wire); err != nil {
		return row, fmt.Errorf("reading a row of a metric: %w", err)
	}
	if payload, ok := wire["payload"].(map[string]any); ok { // no column has this name
		wire = payload
	}
	for i := range rollup.Columns {
		c := &rollup.Columns[i]
		if err := setColumn(c.Of(&row), wire[c.Name]); err != nil {
			return rollup.Row{}, fmt.Errorf("reading a row of a metric: %s: %w", c.Name, err)
		}
	}
	return row, nil
}

// setColumn puts what either format has decoded where it belongs. Nothing is what it was.
func setColumn(to, v any) (err error) {
	if v == nil {
		return nil
	}
	ok := false
	switch to := to.(type) {
	case *string:
		*to, ok = v.(string)
	case *bool:
		*to, ok = v.(bool)
	case *int64:
		*to, ok, err = wireLong(v)
	case *[]byte:
		*to, ok, err = wireBytes(v)
	case *rollup.Null[int64]:
		to.Value, ok, err = wireLong(v)
		to.Known = true
	case *rollup.Null[float64]:
		to.Value, ok, err = wireDouble(v)
		to.Known = true
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w %T", errWrongType, v)
	}
	return err
}

var errWrongType = errors.New("it can't be a")

func wireLong(v any) (int64, bool, error) {
	switch v := v.(type) {
	case int64:
		return v, true, nil
	case time.Time:
		return v.UnixMilli(), true, nil
	case json.Number:
		n, err := v.Int64()
		return n, true, err
	}
	return 0, false, nil
}

func wireDouble(v any) (float64, bool, error) {
	switch v := v.(type) {
	case float64:
		return v, true, nil
	case json.Number:
		n, err := v.Float64()
		return n, true, err
	}
	return 0, false, nil
}

func wireBytes(v any) ([]byte, bool, error) {
	switch v := v.(type) {
	case []byte:
		return append([]byte{}, v...), true, nil
	case string:
		b, err := base64.StdEncoding.DecodeString(v)
		return b, true, err
	}
	return nil, false, nil
}
