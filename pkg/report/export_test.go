package report

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// odd are rows with what is hard to write: texts with all that means something to a format, and numbers at their ends.
func odd() []rollup.Row {
	return []rollup.Row{
		{},
		{Metric: rollup.MetricFunnel, Detail: "a,\"b\"\nc|\\", Group: `l\,arge,`, WindowStart: -1, AsOf: 1_741_564_800_001, MatureAt: long(0), Count: long(0), Mean: double(0)},
		{Metric: "ü😀", Count: long(-1 << 63), First: long(1<<63 - 1), Rate: double(1e-300), P99: double(5e300), Sketch: []byte{0, 255}, Closed: true, Mature: true},
	}
}

// each are rows of each metric.
func each(t *testing.T) (rows []rollup.Row) {
	for i, r := range made(t) {
		if i%29 == 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

func TestCSVHasAllOfRows(t *testing.T) {
	rows := append(odd(), each(t)...)
	var b bytes.Buffer
	require.NoError(t, WriteCSV(&b, rows))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, len(rows)+1)
	for i, c := range rollup.Columns {
		require.Equal(t, c.Name, lines[0][i])
	}
	for r, line := range lines[1:] {
		var got rollup.Row
		for i, text := range line {
			readCSV(t, rollup.Columns[i].Of(&got), text, lines[0][i])
		}
		require.Equal(t, rows[r], got)
	}
}

// readCSV reads a column as a program would that knows its type.
func readCSV(t *testing.T, to any, text, column string) {
	t.Helper()
	integer := func() int64 {
		if column == "window_start" || column == "window_end" || column == "mature_at" || column == "as_of" {
			at, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			require.Equal(t, time.UTC, at.Location())
			return at.UnixMilli()
		}
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	}
	var err error
	switch to := to.(type) {
	case *string:
		*to = text
	case *bool:
		*to, err = strconv.ParseBool(text)
	case *int64:
		*to = integer()
	case *[]byte:
		if text != "" {
			*to, err = base64.StdEncoding.DecodeString(text)
		}
	case *rollup.Null[int64]:
		if text != "" {
			*to = long(integer())
		}
	case *rollup.Null[float64]:
		if text != "" {
			to.Known = true
			to.Value, err = strconv.ParseFloat(text, 64)
		}
	}
	require.NoError(t, err)
}

func TestJSONIsThatOfTheTopic(t *testing.T) {
	rows := append(odd(), each(t)...)
	var b bytes.Buffer
	require.NoError(t, WriteJSON(&b, rows))
	lines := bytes.Split(bytes.TrimSuffix(b.Bytes(), []byte("\n")), []byte("\n"))
	require.Len(t, lines, len(rows))
	for i, line := range lines {
		got, err := codec.DecodeRow(line)
		require.NoError(t, err)
		require.Equal(t, rows[i], got)
	}
}

func TestParquetHasAllOfRows(t *testing.T) {
	rows := append(odd(), each(t)...)
	var b bytes.Buffer
	require.NoError(t, WriteParquet(&b, rows))
	file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	require.Equal(t, int64(len(rows)), file.NumRows())
	for i, f := range file.Schema().Fields() {
		require.Equal(t, rollup.Columns[i].Name, f.Name())
	}
	next := 0
	for _, group := range file.RowGroups() {
		in := group.Rows()
		lines := make([]parquet.Row, 100)
		for {
			n, err := in.ReadRows(lines)
			for _, line := range lines[:n] {
				require.Equal(t, rows[next], fromParquet(t, line))
				next++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		require.NoError(t, in.Close())
	}
	require.Equal(t, len(rows), next)
}

func fromParquet(t *testing.T, line parquet.Row) (r rollup.Row) {
	t.Helper()
	require.Len(t, line, len(rollup.Columns))
	for i, v := range line {
		require.Equal(t, i, v.Column())
		switch to := rollup.Columns[i].Of(&r).(type) {
		case *string:
			*to = string(v.ByteArray())
		case *bool:
			*to = v.Boolean()
		case *int64:
			*to = v.Int64()
		case *[]byte:
			if !v.IsNull() {
				*to = bytes.Clone(v.ByteArray())
			}
		case *rollup.Null[int64]:
			if !v.IsNull() {
				*to = long(v.Int64())
			}
		case *rollup.Null[float64]:
			if !v.IsNull() {
				*to = double(v.Double())
			}
		}
	}
	return r
}

// The types are those that other programs see.
func TestParquetHasTypes(t *testing.T) {
	for name, want := range map[string]string{
		"metric": "STRING", "window_start": "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "mature_at": "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "count": "INT(64,true)", "mean": "DOUBLE",
		"closed": "BOOLEAN", "sketch": "BYTE_ARRAY",
	} {
		leaf, found := parquetSchema().Lookup(name)
		require.True(t, found, name)
		assert.Equal(t, want, leaf.Node.Type().String(), name)
		assert.Equal(t, name == "mature_at" || name == "count" || name == "mean" || name == "sketch", leaf.Node.Optional(), name)
	}
}

// A writer that fails, fails.
func TestExportsSayWhatTheyCouldNotWrite(t *testing.T) {
	rows := each(t)
	for name, write := range map[string]func(io.Writer, []rollup.Row) error{"csv": WriteCSV, "json": WriteJSON, "parquet": WriteParquet} {
		assert.ErrorIs(t, write(full{}, rows), io.ErrShortWrite, name)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
