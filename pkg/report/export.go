package report

import (
	"encoding/base64"
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// WriteCSV writes rows with all their columns, the names of which are the first line. Times are in RFC 3339, UTC, sketches in base64;
// what is unknown is empty.
func WriteCSV(w io.Writer, rows []rollup.Row) error {
	out := csv.NewWriter(w)
	line := make([]string, len(rollup.Columns))
	for i := range rollup.Columns {
		line[i] = rollup.Columns[i].Name
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for r := range rows {
		for i := range rollup.Columns {
			c := &rollup.Columns[i]
			line[i] = csvText(c.Of(&rows[r]), timed(c.Name))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvText(value any, timed bool) string {
	switch v := value.(type) {
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *[]byte:
		return base64.StdEncoding.EncodeToString(*v)
	case *int64:
		return csvLong(*v, timed)
	case *rollup.Null[int64]:
		if v.Known {
			return csvLong(v.Value, timed)
		}
	case *rollup.Null[float64]:
		if v.Known {
			return strconv.FormatFloat(v.Value, 'g', -1, 64)
		}
	}
	return ""
}

func csvLong(n int64, timed bool) string {
	if timed {
		return time.UnixMilli(n).UTC().Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(n, 10)
}

// timed says whether a column holds times. They lie in rows as milliseconds since the Unix epoch, as numbers do.
func timed(column string) bool {
	switch column {
	case "window_start", "window_end", "mature_at", "as_of":
		return true
	}
	return false
}

// WriteJSON writes a line for each row: the JSON that is on the topic with output.format: json.
func WriteJSON(w io.Writer, rows []rollup.Row) error {
	encoder, err := codec.NewMetricEncoder(codec.JSON, 0)
	if err != nil {
		return err
	}
	var b []byte
	for i := range rows {
		b = append(encoder.AppendRow(b[:0], &rows[i]), '\n')
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
