package app

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

var update = flag.Bool("update", false, "write the reference page of metrics anew")

// exported is a metric as its collector describes it.
type exported struct {
	name, kind, help string
	labels           []string
}

// described are the metrics of a process that runs everything, by name.
func described(t *testing.T) map[string]exported {
	t.Helper()
	c := config.Default()
	c.Stages = []config.Stage{config.Ingest, config.Resolve, config.Activation, config.Measure, config.Rollup}
	c.Metrics.Enabled = true
	a := &App{c: c, deadLetters: newDeadLetterCounter(), metrics: newMetricsView(c, nil)}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		for _, one := range a.collectors() {
			one.Describe(descs)
		}
	}()
	shape := regexp.MustCompile(`^Desc\{fqName: (".*"), help: (".*"), unit: "", constLabels: \{\}, variableLabels: \{(.*)\}\}$`)
	all := map[string]exported{}
	for d := range descs {
		parts := shape.FindStringSubmatch(d.String())
		require.NotNil(t, parts, d.String())
		name, err := strconv.Unquote(parts[1])
		require.NoError(t, err)
		help, err := strconv.Unquote(parts[2])
		require.NoError(t, err)
		labels := strings.FieldsFunc(parts[3], func(r rune) bool { return r == ',' })
		all[name] = exported{name: name, kind: kindOf(d), help: help, labels: labels}
	}
	return all
}

func kindOf(d *prometheus.Desc) string {
	switch {
	case slices.ContainsFunc(histograms, func(h histogram) bool { return h.desc == d }):
		return "histogram"
	case strings.Contains(d.String(), `_total"`):
		return "counter"
	}
	return "gauge"
}

const referenceHead = `# Metrics that the process exports

<!-- Made by go generate ./pkg/app from the collectors' descriptions. Change those. -->

What Prometheus reads at ` + "`/metrics`" + ` on ` + "`http.address`" + `. [operations.md](operations.md) says what to watch and what to do; what is counted about PQLs is in
[metrics.md](metrics.md). Times are in seconds. A histogram has three series: the name with ` + "`_bucket`" + ` (and the label ` + "`le`" + `), ` + "`_sum`" + ` and ` + "`_count`" + `.
Beside these there are ` + "`go_*`" + ` and ` + "`process_*`" + `, as of every program with Prometheus's library for Go.

| metric | type | labels | meaning |
|---|---|---|---|
`

func referencePage(all map[string]exported) string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	page := &strings.Builder{}
	page.WriteString(referenceHead)
	for _, name := range names {
		m := all[name]
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, strings.ReplaceAll(m.help, "|", `\|`))
	}
	return page.String()
}

func TestMetricsReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/metrics-reference.md"
	page := referencePage(described(t))
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, page, string(written), "the metrics have changed; run go generate ./pkg/app")
}

// What a process really exports is what its collectors describe, and of the type that the reference page says.
func TestWhatIsExportedIsDescribed(t *testing.T) {
	w := newWorld(t).up()
	c := w.measuring(config.Ingest, config.Resolve, config.Activation, config.Measure, config.Rollup)
	c.Input.Identity.UsersWithoutAccount = config.ResolveUsers
	w.send(usageOf("acme", "one"))
	p := start(t, c).awaitReady()
	p.awaitMetric(`pqlstream_records_total{stage="ingest"} 1`)
	all, found := described(t), map[string]bool{}
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (pqlstream_\S+) (\S+)$`).FindAllStringSubmatch(p.get("/metrics"), -1) {
		require.Contains(t, all, family[1])
		require.Equal(t, all[family[1]].kind, family[2], family[1])
		found[family[1]] = true
	}
	p.stop()
	for name := range all {
		if name != "pqlstream_dead_letters_total" && name != "pqlstream_watermark_seconds" && name != "pqlstream_partitions_held_back" &&
			!strings.HasPrefix(name, "pqlstream_north_star_") { // when there is something to say
			require.True(t, found[name], name)
		}
	}
}
