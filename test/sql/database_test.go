package sql_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	naive "github.com/pqlstream/pqlstream/test/sql"
)

// database is a DuckDB in memory, with all that the files make.
type database struct {
	t  *testing.T
	db *sql.DB
}

func openDatabase(t *testing.T) *database {
	db, err := sql.Open("duckdb", "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // a variable belongs to its connection
	d := &database{t, db}
	d.exec("set memory_limit = '2GB'; set preserve_insertion_order = false; set temp_directory = '" + t.TempDir() + "'")
	return d
}

func (d *database) exec(query string, args ...any) {
	d.t.Helper()
	_, err := d.db.Exec(query, args...)
	require.NoError(d.t, err, query)
}

// files runs those of a folder, in the order of their names. Behind the settings come those of the test.
func (d *database) files(folder string, settings ...string) {
	d.t.Helper()
	entries, err := fs.ReadDir(naive.Files, folder)
	require.NoError(d.t, err)
	for _, e := range entries {
		text, err := fs.ReadFile(naive.Files, path.Join(folder, e.Name()))
		require.NoError(d.t, err)
		d.exec(string(text))
		if strings.Contains(e.Name(), "settings") {
			for _, s := range settings {
				d.exec(s)
			}
		}
	}
}

// number is the result of a query for one.
func (d *database) number(query string, args ...any) (n int64) {
	d.t.Helper()
	require.NoError(d.t, d.db.QueryRow(query, args...).Scan(&n), query)
	return n
}

// texts is the result of a query for a column of texts.
func (d *database) texts(query string, args ...any) (all []string) {
	d.t.Helper()
	rows, err := d.db.Query(query, args...)
	require.NoError(d.t, err, query)
	defer func() { require.NoError(d.t, rows.Close()) }()
	for rows.Next() {
		var s string
		require.NoError(d.t, rows.Scan(&s))
		all = append(all, s)
	}
	require.NoError(d.t, rows.Err())
	return all
}

// loadRows makes a table of the rows of metrics, as `pqlstream metrics --format parquet` exports them to a file, which stays.
func (d *database) loadRows(rows map[string][]byte, path string) {
	d.t.Helper()
	all := decoded(d.t, rows)
	file, err := os.Create(path)
	require.NoError(d.t, err)
	require.NoError(d.t, report.WriteParquet(file, all))
	require.NoError(d.t, file.Close())
	d.exec("create or replace table metrics as select " + milliseconds + " from read_parquet('" + path + "')")
	require.EqualValues(d.t, len(all), d.number("select count(*) from metrics"))
}

// milliseconds makes of the times of rows what they are on the topic.
const milliseconds = `* replace (epoch_ms(window_start) as window_start, epoch_ms(window_end) as window_end, epoch_ms(mature_at) as mature_at)`

// decoded are rows as the topic's readers find them, in the order of their keys.
func decoded(t *testing.T, rows map[string][]byte) []rollup.Row {
	all := make([]rollup.Row, 0, len(rows))
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		r, err := codec.DecodeRow(rows[key])
		require.NoError(t, err)
		require.Equal(t, key, r.Key())
		all = append(all, r)
	}
	return all
}

// What a row is of, and what it says of itself: not what it has counted.
var (
	keys  = []string{"detail", "unit", "window_start", "zone", "grouping", "group"}
	apart = []string{"metric", "revision", "restated", "as_of", "sketch", "closed", "mature"}
	// Of a sketch, which is at most 1 % off.
	sketched = []string{"min", "p50", "p75", "p90", "p99", "max"}
)

// columns are those of numbers, of any metric.
func columns() (all []string) {
	for _, c := range rollup.Columns {
		if !slices.Contains(keys, c.Name) && !slices.Contains(apart, c.Name) {
			all = append(all, c.Name)
		}
	}
	return all
}

// compare holds the rows of a metric against what its view says, and returns how many there are in both. A row is in one only
// where it has nothing to tell. Only rows that a condition is true of count.
func (d *database) compare(metric, where string) int64 {
	d.t.Helper()
	has := d.texts("select column_name from information_schema.columns where table_name = ?", metric)
	require.NotEmpty(d.t, has, "there is no view of %s", metric)
	var differ, zeros []string
	for _, name := range columns() {
		theirs, ours := "null", fmt.Sprintf("r.%q", name)
		if slices.Contains(has, name) {
			theirs = fmt.Sprintf("s.%q", name)
		}
		differ = append(differ, fmt.Sprintf("case when not (%s) then '%s: ' || coalesce(%s::varchar, 'null') || ' here, ' || coalesce(%s::varchar, 'null') || ' there' end",
			same(name, theirs, ours), name, theirs, ours))
		if !slices.Contains([]string{"window_end", "mature_at", "position"}, name) {
			zeros = append(zeros, fmt.Sprintf("coalesce(%s, 0) = 0", ours))
		}
	}
	d.exec(fmt.Sprintf(`create or replace temp table compared as
		select %[1]s, case
			when s.window_end is null then if(%[3]s, 'empty', 'not here')
			when r.window_end is null then if(%[4]s, 'empty', 'not there')
			else coalesce(nullif(concat_ws('; ', %[2]s,
				case when window_start > watermark then 'it has not begun' end,
				case when r.closed is distinct from (s.window_end + lateness <= watermark) then 'closed: ' || r.closed end,
				case when r.mature is distinct from (s.window_end + lateness <= watermark and coalesce(s.mature_at <= watermark, true)) then 'mature: ' || r.mature end), ''), 'same')
		end as verdict
		from (from %[5]q) s full join (from metrics where metric = '%[5]s') r using (%[1]s), settings
		where (window_start <= watermark or r.window_end is not null) and %[6]s`,
		`"`+strings.Join(keys, `", "`)+`"`, strings.Join(differ, ", "), strings.Join(zeros, " and "), nothing(metric), metric, where))
	d.requireSame(metric)
	return d.number("select count(*) from compared where verdict = 'same'")
}

// nothing is the condition that a row of a view needs no row in the topic.
func nothing(metric string) string {
	switch metric {
	case rollup.MetricPQLs:
		return "s.current_start = 0 and s.inflow = 0 and s.outflow = 0"
	case rollup.MetricFunnel, rollup.MetricActivation:
		return "s.numerator = 0"
	case rollup.MetricHoldOut:
		return "s.control_denominator = 0"
	}
	return "false"
}

// same is the condition that two columns say the same.
func same(name, a, b string) string {
	equal := fmt.Sprintf("%s is not distinct from %s", a, b)
	kind := slices.IndexFunc(rollup.Columns, func(c rollup.Column) bool { return c.Name == name })
	if a != "null" && (name == "position" || name == "previous") { // of a step that nobody has done
		return equal + " or s.numerator = 0"
	}
	if _, ok := rollup.Columns[kind].Of(&rollup.Row{}).(*rollup.Null[float64]); !ok || a == "null" {
		return equal
	}
	within := "1e-9 * greatest(1, abs(" + a + "))"
	if slices.Contains(sketched, name) {
		within = "(0.01 + 1e-9) * abs(" + a + ")"
	}
	return fmt.Sprintf("coalesce(abs(%s - %s) <= %s, %s is null and %s is null)", a, b, within, a, b)
}

func (d *database) requireSame(metric string) {
	d.t.Helper()
	wrong := d.number("select count(*) from compared where verdict not in ('same', 'empty')")
	if wrong == 0 {
		return
	}
	for _, line := range d.texts(`select concat_ws(' ', detail, unit, make_timestamp(window_start * 1000), zone, '[' || grouping || ']', '[' || "group" || ']', verdict)
		from compared where verdict not in ('same', 'empty') order by window_start, unit, grouping, "group", detail limit 12`) {
		d.t.Log(line)
	}
	d.t.Errorf("%s: %d rows are others in SQL than in package rollup", metric, wrong)
}
