package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// DecodeRow reads a row in any format, Avro in the wire format by this version's schema, whatever the id says. Of Connect's it reads
// the payload.
func DecodeRow(b []byte) (rollup.Row, error) {
	var row rollup.Row
	err := errNoWire
	switch {
	case len(b) > 0 && b[0] == '{':
		err = rowFromJSON(&row, b)
	case isAvroWire(b):
		err = rowFromAvro(&row, bytes.Clone(b[headerSize:])) // the row's texts lie in it
	}
	if err != nil {
		return rollup.Row{}, fmt.Errorf("reading a row of a metric: %w", err)
	}
	return row, nil
}

// rowFromAvro reads the body of a row. Texts and bytes of the row alias it.
func rowFromAvro(row *rollup.Row, body []byte) error {
	r := avroReader{b: body}
	for i := range rollup.Columns {
		c := &rollup.Columns[i]
		if err := r.column(c.Of(row)); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if r.pos < len(r.b) {
		return errTrailing
	}
	return nil
}

// column reads what appendColumn has appended.
func (r *avroReader) column(to any) (err error) {
	switch to := to.(type) {
	case *string:
		*to, err = r.text()
	case *int64:
		*to, err = r.long()
	case *bool:
		*to, err = r.bool()
	case *[]byte:
		var known bool
		if known, err = r.known(); known {
			*to, err = r.bytes()
		}
	case *rollup.Null[int64]:
		if to.Known, err = r.known(); to.Known {
			to.Value, err = r.long()
		}
	case *rollup.Null[float64]:
		if to.Known, err = r.known(); to.Known {
			to.Value, err = r.double()
		}
	}
	return err
}

// known reads which branch of a union of null and something is meant.
func (r *avroReader) known() (bool, error) {
	branch, err := r.index(2, errBranch)
	return branch == 1, err
}

func (r *avroReader) bytes() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	r.pos += n
	return r.b[r.pos-n : r.pos : r.pos], nil
}

func rowFromJSON(row *rollup.Row, b []byte) error {
	var wire map[string]any
	if err := decodeJSON(b, &wire); err != nil {
		return err
	}
	if payload, ok := wire["payload"].(map[string]any); ok { // no column has this name
		wire = payload
	}
	for i := range rollup.Columns {
		c := &rollup.Columns[i]
		if err := setColumn(c.Of(row), wire[c.Name]); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// setColumn puts what JSON has where it belongs. Nothing is what it was.
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

func wireLong(v any) (n int64, ok bool, err error) {
	number, ok := v.(json.Number)
	if ok {
		n, err = number.Int64()
	}
	return n, ok, err
}

func wireDouble(v any) (n float64, ok bool, err error) {
	number, ok := v.(json.Number)
	if ok {
		n, err = number.Float64()
	}
	return n, ok, err
}

func wireBytes(v any) (b []byte, ok bool, err error) {
	text, ok := v.(string)
	if ok {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	return b, ok, err
}
