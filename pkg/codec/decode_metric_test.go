package codec

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/schemas"
)

var metricSchema = avro.MustParse(schemas.MetricRow.Text)

// rowByLibrary reads the body of a row with a library, as maps.
func rowByLibrary(body []byte) (*rollup.Row, error) {
	var wire map[string]any
	rest, err := metricSchema.Decode(body, &wire)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, err
	}
	row := &rollup.Row{}
	for _, c := range rollup.Columns {
		if err := setNative(c.Of(row), wire[c.Name]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return row, nil
}

func setNative(to, v any) error {
	if at, ok := v.(time.Time); ok {
		v = at.UnixMilli()
	}
	switch to := to.(type) {
	case *string:
		*to = v.(string)
	case *int64:
		*to = v.(int64)
	case *bool:
		*to = v.(bool)
	case *[]byte:
		if v != nil {
			*to = append([]byte{}, v.([]byte)...)
		}
	case *rollup.Null[int64]:
		if v != nil {
			*to = rollup.Null[int64]{Value: v.(int64), Known: true}
		}
	case *rollup.Null[float64]:
		if v != nil {
			*to = rollup.Null[float64]{Value: v.(float64), Known: true}
		}
	default:
		return errWrongType
	}
	return nil
}

// FuzzDecodeRow holds the decoder of rows against a library's.
func FuzzDecodeRow(f *testing.F) {
	enc := newMetricEncoder(f, AvroBody)
	whole := enc.AppendRow(nil, testRow())
	f.Add(whole)
	f.Add(enc.AppendRow(nil, &rollup.Row{}))
	f.Add(whole[:len(whole)/2])
	f.Add(append(bytes.Clone(whole), 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		value := append([]byte{0, 0, 0, 0, 1}, body...)
		before := bytes.Clone(value)
		got, err := DecodeRow(value)
		want, wantErr := rowByLibrary(body)
		if errors.Is(err, errBool) { // the library takes any byte
			return
		}
		if wantErr != nil || err != nil {
			require.Equal(t, wantErr != nil, err != nil, "the library: %v; we: %v", wantErr, err)
			require.Zero(t, got)
			return
		}
		require.Equal(t, enc.AppendRow(nil, want), enc.AppendRow(nil, &got)) // NaN is not equal to itself
		clear(value)
		require.Equal(t, enc.AppendRow(nil, want), enc.AppendRow(nil, &got), "the row is its own")
		require.Equal(t, before[5:], body)
	})
}

func TestADamagedRowIsAnError(t *testing.T) {
	whole := newMetricEncoder(t, Avro).AppendRow(nil, testRow())
	for n := range whole {
		_, err := DecodeRow(whole[:n])
		require.Error(t, err, "%d bytes of %d", n, len(whole))
	}
	body := newMetricEncoder(t, AvroBody).AppendRow(nil, &rollup.Row{})
	for i := range body {
		for _, b := range []byte{1, 3, 4, 0x7f, 0x80, 0xff} {
			damaged := bytes.Clone(body)
			damaged[i] = b
			want, wantErr := rowByLibrary(damaged)
			got, err := DecodeRow(append([]byte{0, 0, 0, 0, 1}, damaged...))
			if errors.Is(err, errBool) {
				continue
			}
			require.Equal(t, wantErr != nil, err != nil, "byte %d is %d: the library: %v; we: %v", i, b, wantErr, err)
			if err == nil {
				require.Equal(t, *want, got)
			}
		}
	}
}

func BenchmarkDecodeRow(b *testing.B) {
	for _, format := range []Format{Avro, JSON} {
		b.Run(string(format), func(b *testing.B) {
			value := newMetricEncoder(b, format).AppendRow(nil, testRow())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRow(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
