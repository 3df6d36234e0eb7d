package report

import (
	"fmt"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// WriteParquet writes rows as a Parquet file with all their columns, compressed with Zstandard. Times are timestamps in milliseconds,
// UTC; what may be unknown is optional.
func WriteParquet(w io.Writer, rows []rollup.Row) error {
	out := parquet.NewWriter(w, parquetSchema(), parquet.Compression(&parquet.Zstd), parquet.CreatedBy("pqlstream", "", ""))
	const batch = 1024
	lines := make([]parquet.Row, 0, batch)
	for len(rows) > 0 {
		n := min(batch, len(rows))
		lines = lines[:n]
		for i := range lines {
			lines[i] = parquetRow(lines[i][:0], &rows[i])
		}
		if _, err := out.WriteRows(lines); err != nil {
			return fmt.Errorf("writing Parquet: %w", err)
		}
		rows = rows[n:]
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing Parquet: %w", err)
	}
	return nil
}

// parquetSchema has the columns in their order: the library's own groups put them in that of their names.
func parquetSchema() *parquet.Schema {
	var row rollup.Row
	root := orderedGroup{Group: parquet.Group{}}
	for i := range rollup.Columns {
		c := &rollup.Columns[i]
		root.Group[c.Name] = parquetNode(c.Of(&row), timed(c.Name))
		root.order = append(root.order, c.Name)
	}
	return parquet.NewSchema("metric_row", root)
}

func parquetNode(value any, timed bool) parquet.Node {
	long := func() parquet.Node {
		if timed {
			return parquet.Timestamp(parquet.Millisecond)
		}
		return parquet.Int(64)
	}
	switch value.(type) {
	case *string:
		return parquet.String()
	case *bool:
		return parquet.Leaf(parquet.BooleanType)
	case *int64:
		return long()
	case *rollup.Null[int64]:
		return parquet.Optional(long())
	case *rollup.Null[float64]:
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	}
	return parquet.Optional(parquet.Leaf(parquet.ByteArrayType))
}

// orderedGroup is a group whose fields have an order.
type orderedGroup struct {
	parquet.Group
	order []string
}

// Fields returns the fields in order.
func (g orderedGroup) Fields() []parquet.Field {
	fields := make([]parquet.Field, 0, len(g.order))
	for _, name := range g.order {
		fields = append(fields, orderedField{g.Group[name], name})
	}
	return fields
}

type orderedField struct {
	parquet.Node
	name string
}

// Name returns the column's name.
func (f orderedField) Name() string { return f.name }

// Value is for rows that are Go structs or maps, which these are not.
func (f orderedField) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}

// parquetRow appends the values of a row. A value that may be unknown and isn't has definition level 1.
func parquetRow(line parquet.Row, r *rollup.Row) parquet.Row {
	for i := range rollup.Columns {
		v, level := parquet.NullValue(), 0
		switch of := rollup.Columns[i].Of(r).(type) {
		case *string:
			v = parquet.ByteArrayValue([]byte(*of))
		case *bool:
			v = parquet.BooleanValue(*of)
		case *int64:
			v = parquet.Int64Value(*of)
		case *[]byte:
			if *of != nil {
				v, level = parquet.ByteArrayValue(*of), 1
			}
		case *rollup.Null[int64]:
			if of.Known {
				v, level = parquet.Int64Value(of.Value), 1
			}
		case *rollup.Null[float64]:
			if of.Known {
				v, level = parquet.DoubleValue(of.Value), 1
			}
		}
		line = append(line, v.Level(0, level, i))
	}
	return line
}
