package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// metricsFlags are the flags of `pqlstream metrics`.
type metricsFlags struct {
	settings
	metrics   []string
	units     []string
	zones     []string
	groupings []string
	groups    []string
	from      string
	to        string
	closed    bool
	mature    bool
	output    output
	out       string
	timeout   time.Duration
}

func newMetrics() *cobra.Command {
	var f metricsFlags
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Show the metrics: PQLs, PQL rate, time to PQL, PQL to paid, and what belongs to them",
		Long: `Reads the rows of the metrics' topic as they are now. Without --metric it shows an overview of PQLs, PQL rate, time to PQL and
PQL to paid. Tables show the last windows; with --from or --to, all windows from there or up to there.

csv, json and yaml (one list), jsonl (a line a row, as on the topic) and parquet write all columns of all windows, and without --metric of all
metrics, for other programs to read. They hold the rows in memory, about 1 KB each: of hours and many groups there are a lot.`,
		Example: `  pqlstream metrics --config pqlstream.yaml
  pqlstream metrics -c pqlstream.yaml --metric pql_rate --unit day --grouping tier --from 30d
  pqlstream metrics -c pqlstream.yaml --unit day -o parquet --out days.parquet`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.metrics, "metric", nil, "a metric, one of "+strings.Join(report.Names(), ", ")+"; can be repeated")
	flags.StringArrayVar(&f.units, "unit", nil, "hour, day, week or month; can be repeated (default: week, if the settings have it)")
	flags.StringArrayVar(&f.zones, "zone", nil, "time zone of windows; can be repeated (default: the first of the settings)")
	flags.StringArrayVar(&f.groupings, "grouping", nil, "by what accounts are told apart, such as tier or tier,plan; all is all accounts together; can be repeated (default: all)")
	flags.StringArrayVar(&f.groups, "group", nil, "a group, such as large or large,pro; can be repeated (default: all of the grouping)")
	flags.StringVar(&f.from, "from", "", "the first day that windows start on, such as 2025-03-01, or how far back from the newest window: 36h, 30d, 12w")
	flags.StringVar(&f.to, "to", "", "the last day that windows start on, in the same forms")
	flags.BoolVar(&f.closed, "closed", false, "only windows that are closed: they change by corrections and by ripening only")
	flags.BoolVar(&f.mature, "mature", false, "only rows that have ripened: they change by corrections only")
	f.output.addTo(cmd, formatJSONL, formatCSV, formatParquet)
	complete(cmd, "metric", report.Names)
	complete(cmd, "unit", func() []string { return []string{"hour", "day", "week", "month"} })
	complete(cmd, "zone", func() []string {
		return fromSettings(&f.settings, func(c *config.Config) []string { return c.Metrics.Zones })
	})
	flags.StringVar(&f.out, "out", "", "`file` to write to, which is replaced (default: standard output)")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long reading Kafka may take")
	return cmd
}

func (f *metricsFlags) run(cmd *cobra.Command) error {
	write, err := f.writer(cmd.OutOrStdout())
	if err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	query, err := f.query(&c.Metrics)
	if err != nil {
		return err
	}
	log, err := quietLog(c, cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	catalog := report.NewCatalog(query)
	reading := progressOn(cmd.ErrOrStderr(), "rows read")
	rows, err := app.MetricRows(ctx, c, log, reading.counting(catalog.Wants))
	reading.end()
	if err != nil {
		return err
	}
	if rows, err = catalog.Select(rows); err != nil {
		switch {
		case errors.Is(err, report.ErrNothing) && !c.Metrics.Enabled:
			return fmt.Errorf("%w; metrics.enabled is false in these settings", err)
		case errors.Is(err, report.ErrNoRows):
			return withIdle(ctx, c, log, err)
		}
		return err
	}
	return f.deliver(cmd.OutOrStdout(), rows, write)
}

// withIdle adds to an error that there are no rows which of the stages that make them no process runs.
func withIdle(ctx context.Context, c *config.Config, log *slog.Logger, noRows error) error {
	client, err := kafka.NewClient(c.Kafka, log)
	if err != nil {
		return errors.Join(noRows, err)
	}
	defer client.Close()
	makers := slices.DeleteFunc(kafka.Readings(c), func(r kafka.Reading) bool { return r.Stage != config.Measure && r.Stage != config.Rollup })
	idle, err := kafka.Idle(ctx, client, makers)
	switch {
	case err != nil:
		return errors.Join(noRows, err)
	case len(idle) == 0:
		return noRows
	}
	return fmt.Errorf("%w; no process runs %s: name the stages measure and rollup among those of a process (setting stages)", noRows, kafka.Listed(idle))
}

// query returns what the flags ask for. All that is wrong with them is in the error.
func (f *metricsFlags) query(c *config.Metrics) (report.Query, error) {
	q := report.Query{
		Metrics: f.metrics, Units: unitsOf(f.units), Zones: f.zones, Groups: f.groups, Closed: f.closed, Mature: f.mature, Unplaced: f.output.forPeople(),
	}
	var wrong []string
	complain := func(flag, value, text string) {
		wrong = append(wrong, "--"+flag+" "+value+": "+text)
	}
	for _, m := range f.metrics {
		if !slices.Contains(report.Names(), m) {
			complain("metric", m, "there is no such metric; there are "+strings.Join(report.Names(), ", "))
		}
	}
	for _, u := range q.Units {
		if !slices.Contains(allUnits, u) {
			complain("unit", string(u), "it is hour, day, week or month")
		}
	}
	for _, b := range []struct {
		flag, text string
		to         *report.Bound
	}{{"from", f.from, &q.From}, {"to", f.to, &q.To}} {
		if b.text == "" {
			continue
		}
		var err error
		if *b.to, err = report.ParseBound(b.text); err != nil {
			complain(b.flag, b.text, "it is a date such as 2025-03-01, or how far back from the newest window: 36h, 30d, 12w")
		}
	}
	for _, g := range f.groupings {
		if g == report.AllAccounts {
			g = ""
		}
		q.Groupings = append(q.Groupings, g)
	}
	if wrong != nil {
		return q, misuse(strings.Join(wrong, "\n"))
	}
	f.fill(&q, c)
	return q, nil
}

// fill adds what is shown where the flags ask for nothing else.
func (f *metricsFlags) fill(q *report.Query, c *config.Metrics) {
	if len(q.Metrics) == 0 && f.output.forPeople() {
		q.Metrics = report.Overview
	}
	if units := unitsOf(c.Units); len(q.Units) == 0 {
		q.Units = []rollup.Unit{rollup.Week}
		if !slices.Contains(units, rollup.Week) {
			q.Units = units[:1]
		}
	}
	if len(q.Zones) == 0 {
		q.Zones = c.Zones[:1]
	}
}

var allUnits = []rollup.Unit{rollup.Hour, rollup.Day, rollup.Week, rollup.Month}

func unitsOf(names []string) []rollup.Unit {
	units := make([]rollup.Unit, len(names))
	for i, name := range names {
		units[i] = rollup.Unit(name)
	}
	return units
}
