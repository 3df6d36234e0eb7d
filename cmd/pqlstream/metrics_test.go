package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

var rowsOnce = sync.OnceValues(reporttest.Rows)

// metricsWorld is a Kafka with a topic of metrics.
type metricsWorld struct {
	t      *testing.T
	client *kgo.Client
	flags  []string
}

func newMetricsWorld(t *testing.T) *metricsWorld {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w := &metricsWorld{t, client, flagsFor(t, servers.Brokers(), servers.RedisAddr())}
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, "pql.metrics")
	require.NoError(t, err)
	return w
}

// put writes rows, each after an older version of it.
func (w *metricsWorld) put(rows []rollup.Row) {
	w.t.Helper()
	e, err := codec.NewMetricEncoder(codec.Avro, 6)
	require.NoError(w.t, err)
	var records []*kgo.Record
	for i := range rows {
		old := rollup.Row{Metric: rows[i].Metric, CurrentEnd: rollup.Null[int64]{Value: 99_999, Known: true}}
		records = append(records,
			&kgo.Record{Topic: "pql.metrics", Key: []byte(rows[i].Key()), Value: e.AppendRow(nil, &old)},
			&kgo.Record{Topic: "pql.metrics", Key: []byte(rows[i].Key()), Value: e.AppendRow(nil, &rows[i])})
	}
	require.NoError(w.t, w.client.ProduceSync(w.t.Context(), records...).FirstErr())
}

func (w *metricsWorld) metrics(args ...string) result {
	w.t.Helper()
	return pqlstream(w.t, append(append([]string{"metrics"}, args...), w.flags...)...)
}

func made(t *testing.T) []rollup.Row {
	t.Helper()
	rows, err := rowsOnce()
	require.NoError(t, err)
	return rows
}

func TestMetricsAreShown(t *testing.T) {
	w := newMetricsWorld(t)
	w.put(made(t))

	r := w.metrics()
	require.Equal(t, exitDone, r.code, r.stderr)
	want, err := os.ReadFile("../../pkg/report/testdata/overview.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), r.stdout, "an overview of the last weeks in the first zone")

	r = w.metrics("--metric", "pql_rate", "--metric", "pql_to_paid", "--unit", "month", "--zone", "Europe/Berlin", "--grouping", "tier", "--group", "large", "--from", "2025-04-01",
		"--to", "2025-05-31", "--closed")
	require.Equal(t, exitDone, r.code, r.stderr)
	assert.True(t, strings.HasPrefix(r.stdout, "Months in Europe/Berlin, tier large, as of 2025-06-24 "), r.stdout)
	assert.Equal(t, []string{"2025-04", "2025-05"}, months(r.stdout))

	r = w.metrics("--metric", "pql_rate", "--unit", "month", "--mature", "--grouping", "all")
	assert.Equal(t, []string{"2025-02", "2025-03", "2025-04", "2025-05"}, months(r.stdout))

	r = w.metrics("--zone", "Mars")
	assert.Equal(t, exitNotFound, r.code)
	assert.Equal(t, "pqlstream: nothing to show: no rows with --zone Mars; there are rows of Europe/Berlin, UTC; metrics.enabled is false in these settings\n", r.stderr)
	r = w.metrics("--zone", "Mars", "--set", "metrics.enabled=true")
	assert.Equal(t, "pqlstream: nothing to show: no rows with --zone Mars; there are rows of Europe/Berlin, UTC\n", r.stderr)

	w.exports()
	w.documented()
}

// months returns which months a text has lines of.
func months(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^  (\d{4}-\d\d) `).FindAllStringSubmatch(text, -1) {
		if n := len(all); n == 0 || all[n-1] < m[1] {
			all = append(all, m[1])
		}
	}
	return all
}

// exports reads what is written for other programs.
func (w *metricsWorld) exports() {
	t := w.t
	var want []rollup.Row
	for _, r := range made(t) {
		if r.Zone == "UTC" && r.Unit == "day" && r.Grouping == "" {
			want = append(want, r)
		}
	}
	path := filepath.Join(t.TempDir(), "rows")
	r := w.metrics("--output", "csv", "--unit", "day", "--out", path)
	require.Equal(t, exitDone, r.code, r.stderr)
	require.Empty(t, r.stdout)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, len(want)+1, "all metrics, all windows")
	_, err = os.Stat(path + ".part")
	assert.ErrorIs(t, err, os.ErrNotExist)
	r = w.metrics("--output", "csv", "--unit", "day")
	assert.Equal(t, string(text), r.stdout)

	r = w.metrics("--output", "jsonl", "--unit", "day")
	var listed []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(w.metrics("--output", "json", "--unit", "day").stdout), &listed), "it is one document")
	assert.Len(t, listed, len(want))
	for i, line := range strings.Split(strings.TrimSpace(r.stdout), "\n") {
		assert.Equal(t, line, string(listed[i]))
	}
	var list strings.Builder
	require.NoError(t, rowsAsJSON(&list, nil))
	assert.Equal(t, "[]\n", list.String())
	var got []rollup.Row
	for line := range strings.Lines(r.stdout) {
		row, err := codec.DecodeRow([]byte(strings.TrimSuffix(line, "\n")))
		require.NoError(t, err)
		got = append(got, row)
	}
	assert.ElementsMatch(t, want, got)

	r = w.metrics("--output", "parquet", "--unit", "day")
	file, err := parquet.OpenFile(strings.NewReader(r.stdout), int64(len(r.stdout)))
	require.NoError(t, err)
	assert.Equal(t, int64(len(want)), file.NumRows())

	r = w.metrics("--output", "csv", "--metric", "pqls", "--from", "2030-01-01", "--out", path)
	assert.Equal(t, exitNotFound, r.code)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, after, "a file is replaced by a whole one only")
	r = w.metrics("--output", "csv", "--out", filepath.Join(path, "nowhere"))
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: --out: open ")
}

// documented runs each command that docs/metrics.md shows, and looks for what it says is the answer.
func (w *metricsWorld) documented() {
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(w.t, err)
	into := "--out " + w.t.TempDir() + string(filepath.Separator)
	commands := regexp.MustCompile(`(?m)^    bin/pqlstream metrics (.*?)(?: +#.*)?\n((?:\n|    [^b\n].*\n)*)`).FindAllStringSubmatch(string(text), -1)
	require.GreaterOrEqual(w.t, len(commands), 5)
	shown := 0
	for _, c := range commands {
		args := strings.Fields(strings.NewReplacer("--config pqlstream.yaml", "", "--out ", into).Replace(c[1]))
		r := w.metrics(args...)
		require.Equal(w.t, exitDone, r.code, "%s: %s", c[1], r.stderr)
		for line := range strings.Lines(c[2]) {
			if line = strings.TrimPrefix(line, "    "); strings.TrimSpace(line) != "" && strings.TrimSpace(line) != "..." {
				assert.Contains(w.t, r.stdout, line, c[1])
				shown++
			}
		}
	}
	assert.Positive(w.t, shown)
}

func TestMetricsSayWhyThereAreNone(t *testing.T) {
	w := newMetricsWorld(t)
	r := w.metrics()
	assert.Equal(t, exitNotFound, r.code)
	assert.Contains(t, r.stderr, "pqlstream: nothing to show: there are no rows yet; ")
	assert.Contains(t, r.stderr, "metrics.enabled is false in these settings\n")
	r = w.metrics("--set", "prefix=other")
	assert.Contains(t, r.stderr, "pqlstream: no metrics: there is no topic other.metrics; metrics.enabled is false: ")
	r = w.metrics("--set", "prefix=other", "--set", "metrics.enabled=true")
	assert.Equal(t, "pqlstream: no metrics: there is no topic other.metrics; run `pqlstream topics create`\n", r.stderr)
	r = w.metrics("--set", "metrics.enabled=true")
	assert.True(t, strings.HasSuffix(r.stderr, "; no process runs measure, rollup: name the stages measure and rollup among those of a process (setting stages)\n"), r.stderr)
	member, err := kgo.NewClient(kgo.SeedBrokers(w.client.OptValue(kgo.SeedBrokers).([]string)...), kgo.ConsumerGroup("pql.measure"), kgo.ConsumeTopics("pql.metrics"))
	require.NoError(t, err)
	defer member.CloseAllowingRebalance()
	require.Eventually(t, func() bool {
		return strings.Contains(w.metrics("--set", "metrics.enabled=true").stderr, "; no process runs rollup: name")
	}, time.Minute, 10*time.Millisecond)
}

// All that is wrong with the flags is said at once, before anything is read.
func TestMetricsRefuseWrongFlags(t *testing.T) {
	r := pqlstream(t, "metrics", "--config", example, "--metric", "leads", "--unit", "year", "--from", "yesterday", "--to", "2025-02-30")
	assert.Equal(t, exitMisused, r.code)
	assert.Equal(t, "pqlstream: --metric leads: there is no such metric; there are "+strings.Join(report.Names(), ", ")+"\n"+
		"--unit year: it is hour, day, week or month\n"+
		"--from yesterday: it is a date such as 2025-03-01, or how far back from the newest window: 36h, 30d, 12w\n"+
		"--to 2025-02-30: it is a date such as 2025-03-01, or how far back from the newest window: 36h, 30d, 12w\n", r.stderr)
	r = pqlstream(t, "metrics", "--config", example, "--output", "xml")
	assert.Equal(t, exitMisused, r.code)
	assert.Equal(t, `pqlstream: invalid argument "xml" for "-o, --output" flag: it is table, json, yaml, jsonl, csv or parquet`+"\n", r.stderr)
}

// Without a terminal there are no colours, whatever the environment says.
func TestTablesInPipesArePlain(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	defer write.Close()
	for _, w := range []io.Writer{&bytes.Buffer{}, write} {
		assert.Equal(t, report.Style{Width: report.PipeWidth}, styleOf(w, func(string) string { return "" }))
	}
}

func TestAFileThatCouldNotBeWrittenIsLeftAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o600))
	wrong := errors.New("wrong")
	f := metricsFlags{out: path}
	err := f.deliver(nil, nil, func(w io.Writer, _ []rollup.Row) error { _, _ = w.Write([]byte("half")); return wrong })
	require.ErrorIs(t, err, wrong)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "before", string(text))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}
