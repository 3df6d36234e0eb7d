//go:build slow

package connect

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// The windows' zone is one whose clocks are changed that week.
var week = time.Date(2025, 3, 24, 0, 0, 0, 0, time.UTC).Add(-time.Hour).UnixMilli()

// row returns the first version of a row of a week.
func row(metric, detail string, start int64) rollup.Row {
	return rollup.Row{
		Metric: metric, Detail: detail, Unit: "week", WindowStart: start, WindowEnd: start + 167*3600_000, Zone: "Europe/Berlin", AsOf: start + 1,
	}
}

// rows returns a version of many rows: of several metrics, of groups with odd names, one with all columns, one with nearly none. What
// they hold differs from version to version.
func rows(version int64) (all []rollup.Row) {
	for _, group := range []string{"", "large", "größe, 'x'", `a\,b"c"`, `\other`, "tab\tline\nemoji 🙂", " "} {
		for i := range int64(20) {
			r := row("pql_rate", fmt.Sprintf("%dd", 7*i), week+i*168*3600_000)
			if r.Group = group; group != "" {
				r.Grouping = "tier"
			}
			r.Revision, r.Closed, r.Mature = version, version > 1, version > 2
			r.Numerator, r.Denominator = rollup.Null[int64]{Value: version * i, Known: true}, rollup.Null[int64]{Value: 100 * version, Known: true}
			if version%2 == 0 { // known in one version, unknown in the next
				r.Rate = rollup.Null[float64]{Value: float64(i) / 100, Known: true}
			}
			all = append(all, r)
		}
	}
	full, rest := row("pqls", "", week), rollup.Row{Metric: "beyond_horizon"}
	full.Grouping, full.Group = "tier", "large"
	for i, c := range rollup.Columns[8:] {
		n := version<<40 + int64(i)
		switch v := c.Of(&full).(type) {
		case *string:
			*v = "late,merged"
		case *bool:
			*v = true
		case *int64:
			*v = n
		case *[]byte:
			*v = []byte{0, 0xff, byte(version), '\\'}
		case *rollup.Null[int64]:
			*v = rollup.Null[int64]{Value: n, Known: true}
		case *rollup.Null[float64]:
			*v = rollup.Null[float64]{Value: 1 / float64(n), Known: true}
		}
	}
	full.MatureAt.Value = week + version
	rest.Revision = version
	return append(all, full, rest)
}

// table reads the whole table, by the column key.
func (r *recipe) table(ctx context.Context) (map[string]rollup.Row, error) {
	out, err := r.postgres.SQL(ctx, "pql", "select to_json(m) from metrics m")
	if err != nil {
		return nil, err
	}
	rows := map[string]rollup.Row{}
	for line := range strings.Lines(out) {
		var columns map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&columns); err != nil {
			return nil, err
		}
		row, err := rowOf(columns)
		if err != nil {
			return nil, err
		}
		key, _ := columns["key"].(string)
		if key != row.Key() {
			return nil, fmt.Errorf("the row of key %q has the columns of %q", key, row.Key())
		}
		rows[key] = row
	}
	return rows, nil
}

// rowOf makes a row of what PostgreSQL tells of one.
func rowOf(columns map[string]any) (row rollup.Row, err error) {
	for _, c := range rollup.Columns {
		value, ok := columns[c.Name]
		if !ok {
			return row, fmt.Errorf("the table has no column %s", c.Name)
		}
		if value == nil {
			continue
		}
		text := fmt.Sprint(value)
		if at, err := time.Parse("2006-01-02T15:04:05.999", text); err == nil { // without a zone: it is UTC
			text = fmt.Sprint(at.UnixMilli())
		}
		switch v := c.Of(&row).(type) {
		case *string:
			*v = text
		case *[]byte:
			*v, err = hex.DecodeString(strings.TrimPrefix(text, `\x`))
		case *rollup.Null[int64]:
			v.Known = true
			err = json.Unmarshal([]byte(text), &v.Value)
		case *rollup.Null[float64]:
			v.Known = true
			err = json.Unmarshal([]byte(text), &v.Value)
		default:
			err = json.Unmarshal([]byte(text), v)
		}
		if err != nil {
			return row, fmt.Errorf("column %s is %s: %w", c.Name, text, err)
		}
	}
	return row, nil
}

// differing returns the keys of which two tables hold different rows, or one none, in order.
func differing(a, b map[string]rollup.Row) []string {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(keys)), func(key string) bool {
		x, inA := a[key]
		y, inB := b[key]
		return inA == inB && reflect.DeepEqual(x, y)
	})
}
