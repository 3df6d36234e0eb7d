package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

var update = flag.Bool("update", false, "write the expected tables anew")

// find reads rows as a program does.
func find(t *testing.T, rows []rollup.Row, q Query) ([]rollup.Row, error) {
	t.Helper()
	c := NewCatalog(q)
	var read []rollup.Row
	for i := range rows {
		key, err := rollup.ParseKey(rows[i].Key())
		require.NoError(t, err)
		if c.Wants(&key) {
			read = append(read, rows[i])
		}
	}
	return c.Select(read)
}

func made(t *testing.T) []rollup.Row {
	t.Helper()
	rows, err := rowsOnce()
	require.NoError(t, err)
	return rows
}

var rowsOnce = sync.OnceValues(reporttest.Rows)

func printed(t *testing.T, rows []rollup.Row, q Query, s Style) string {
	t.Helper()
	found, err := find(t, rows, q)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Print(&b, found, s))
	return b.String()
}

func TestTables(t *testing.T) {
	rows := made(t)
	overview := Query{Metrics: Overview, Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}, Unplaced: true}
	byTier := overview
	byTier.Groupings, byTier.Units, byTier.Zones = []string{"tier"}, []rollup.Unit{rollup.Month}, []string{"Europe/Berlin"}
	everything := Query{Metrics: Names(), Units: []rollup.Unit{rollup.Month}, Zones: []string{"Europe/Berlin"}, Groups: []string{"large"}, Unplaced: true}
	ripe := Query{Metrics: []string{rollup.MetricPQLRate}, Units: []rollup.Unit{rollup.Day}, Zones: []string{"UTC"}, Mature: true}
	for _, c := range []struct {
		name  string
		query Query
		style Style
	}{
		{"overview", overview, Style{Width: 120, Brief: true, Last: true}},
		{"overview-narrow", overview, Style{Width: 72, Brief: true, Last: true}},
		{"overview-colour", overview, Style{Width: 120, Brief: true, Last: true, Colour: true}},
		{"by-tier", byTier, Style{Width: 120, Brief: true}},
		{"every-metric", everything, Style{Width: 140}},
		{"ripe-days", ripe, Style{Width: 100, Last: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := printed(t, rows, c.query, c.style)
			path := filepath.Join("testdata", c.name+".txt")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
			assert.Equal(t, c.style.Colour, strings.Contains(got, "\x1b"))
			for line := range strings.Lines(got) {
				line = strings.TrimSuffix(line, "\n")
				assert.Equal(t, strings.TrimRight(line, " "), line, "a line ends with blanks")
				if c.style.Width >= 100 && !c.style.Colour && strings.HasPrefix(line, indent) {
					assert.LessOrEqual(t, utf8.RuneCountInString(line), c.style.Width)
				}
			}
		})
	}
}

// The sums of a table's cells come from the rows, however they are put beside one another.
func TestSharesStandWithWhatTheyAreOf(t *testing.T) {
	row := rollup.Row{Metric: rollup.MetricPaid, Detail: "30d", Unit: "week", WindowStart: 1_741_564_800_000, WindowEnd: 1_742_169_600_000, Zone: "UTC", Closed: true,
		MatureAt: long(1_744_761_600_000), AsOf: 1_742_500_000_000, Numerator: long(1234), Denominator: long(9876), Rate: double(0.125), Low: double(0.1), High: double(0.15),
		Restated: "late,merged"}
	q := Query{Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}}
	brief := printed(t, []rollup.Row{row}, q, Style{Width: 100, Brief: true})
	assert.Contains(t, brief, "  2025-03-10  12.5 %  1,234/9,876  30d unripe until 2025-04-16; corrected (late, merged)\n")
	long := printed(t, []rollup.Row{row}, q, Style{Width: 140})
	assert.Contains(t, long, "  2025-03-10      1,234      9,876  12.5 %  ████████████████████████  10.0 to 15.0 %  unripe until 2025-04-16, corrected (late, merged)\n")
	row.Closed, row.Rate, row.Low, row.High = false, rollup.Null[float64]{}, rollup.Null[float64]{}, rollup.Null[float64]{}
	assert.Contains(t, printed(t, []rollup.Row{row}, q, Style{Width: 140}), "  2025-03-10      1,234      9,876  still open, unripe until 2025-04-16, corrected (late, merged)\n")
}

func long(n int64) rollup.Null[int64]       { return rollup.Null[int64]{Value: n, Known: true} }
func double(f float64) rollup.Null[float64] { return rollup.Null[float64]{Value: f, Known: true} }

// Names of groups come from events. None of them gets through to the terminal as a command, and none is cut.
func TestNamesAreShownAsText(t *testing.T) {
	row := rollup.Row{Metric: rollup.MetricFunnel, Detail: "step\x1b[31m\nred", Unit: "hour", Zone: "Asia/Kathmandu", Grouping: "tier,plan", Group: "\x1b[2Jlarge,",
		Count: long(3), Numerator: long(3), Denominator: long(4), Previous: long(4), P50: double(90)}
	got := printed(t, []rollup.Row{row}, Query{Groups: []string{row.Group}}, Style{Width: 120})
	assert.NotContains(t, got, "\x1b")
	assert.Contains(t, got, "Hours in Asia/Kathmandu, tier, plan \ufffd[2Jlarge, , as of 1970-01-01 05:30\n")
	assert.Contains(t, got, "  1970-01-01 05:30 +05:30  step\ufffd[31m\ufffdred")
}

// Rows of a metric that comes with a later version are told, not shown as something else.
func TestUnknownMetricsAreNamed(t *testing.T) {
	got := printed(t, []rollup.Row{{Metric: "churn", Unit: "day", Zone: "UTC"}}, Query{}, Style{Width: 100})
	assert.Contains(t, got, "churn: a metric that this version does not know: only an export has it\n")
}

// All metrics that the rollup makes have a name and a table here.
func TestEachMetricIsKnown(t *testing.T) {
	for _, r := range made(t) {
		assert.Less(t, metricRank(r.Metric), len(Metrics), r.Metric)
	}
	for i := range Metrics {
		assert.NotNil(t, Metrics[i].table)
		assert.Equal(t, i, metricRank(Metrics[i].Name), "it is there twice")
	}
}
