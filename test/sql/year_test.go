package sql_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// proof is one comparison: who lives how long, and what is measured of it.
type proof struct {
	accounts  int
	days      int
	from      string // date
	zones     []string
	units     []rollup.Unit
	weekStart time.Weekday
	groupings [][]string
	limits    rollup.Limits
	every     int // how many hours pass, on average, before metrics are told that time has passed
}

// Some weeks, hour by hour, where clocks change by half an hour.
func TestWeeks(t *testing.T) {
	p := &proof{
		accounts: 500, days: 70, from: "2024-02-20", zones: []string{"UTC", "Australia/Lord_Howe"},
		units: []rollup.Unit{rollup.Hour, rollup.Day, rollup.Week, rollup.Month}, weekStart: time.Sunday,
		groupings: [][]string{{}, {rollup.DimTier}, {"plan"}},
		limits:    rollup.Limits{MaxGroups: 6, Lateness: 24 * time.Hour, Restatement: 310 * 24 * time.Hour}, // the longest with hours
		every:     30,
	}
	p.run(t, "").requireDocument()
}

// Windows that can no longer be corrected stay as they are; all others are right.
func TestHorizon(t *testing.T) {
	p := &proof{
		accounts: 800, days: 330, from: "2025-01-10", zones: []string{"Europe/Berlin"}, units: []rollup.Unit{rollup.Week, rollup.Month}, weekStart: time.Monday,
		groupings: [][]string{{}, {rollup.DimSegment, "country"}, {rollup.DimChecklist}}, limits: rollup.DefaultLimits(), every: 60,
	}
	o := p.run(t, "coalesce(s.window_end, r.window_end) + restatement > watermark")
	o.requireRows(rollup.MetricBeyond)
}

// run lets the accounts live, and holds all rows that a condition is true of against SQL.
func (p *proof) run(t *testing.T, where string) *outcome {
	began := time.Now()
	o := &outcome{t: t, proof: p, database: openDatabase(t), folder: t.TempDir(), types: map[account.Type]int{}}
	lifecycle := filepath.Join(o.folder, "lifecycle.ndjson")
	o.topic = newTopic(t, lifecycle)
	o.metrics = newMetrics(t, p.accounts, p.settings(t), p.limits)
	p.live(t, o)
	o.topic.close()
	t.Logf("%d accounts lived for %d days: %d facts; %d rows, written %d times, %s", p.accounts, p.days, o.topic.offset, len(o.metrics.rows),
		o.metrics.written, time.Since(began).Round(time.Second))

	o.loadRows(o.metrics.rows, filepath.Join(o.folder, "metrics.parquet"))
	o.exec("set variable lifecycle = '" + lifecycle + "'")
	o.files("base", p.sqlSettings(o.metrics.watermark)...)
	o.files("metrics")
	if where == "" {
		where = "true"
	}
	for _, metric := range metricsOfWindows {
		o.require(metric, where)
	}
	o.requireBounds()
	t.Logf("compared after %s", time.Since(began).Round(time.Second))
	return o
}

var metricsOfWindows = []string{
	rollup.MetricPQLs, rollup.MetricPQLRate, rollup.MetricPQLRatePeriod, rollup.MetricTimeToPQL, rollup.MetricTimeToPQLSince, rollup.MetricPaid,
	rollup.MetricPaidSince, rollup.MetricHoldOut, rollup.MetricTimeToPaid, rollup.MetricFunnel, rollup.MetricActivation, rollup.MetricPrecision,
	rollup.MetricAcceptance, rollup.MetricSales,
}

func (p *proof) begin(t *testing.T) int64 {
	from, err := time.Parse(time.DateOnly, p.from)
	require.NoError(t, err)
	return from.UnixMilli()
}

func (p *proof) settings(t *testing.T) *rollup.Settings {
	s := &rollup.Settings{Groupings: p.groupings, CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90}}
	for _, zone := range p.zones {
		for _, unit := range p.units {
			w, err := rollup.NewWindows(zone, unit, p.weekStart)
			require.NoError(t, err)
			s.Windows = append(s.Windows, w)
		}
	}
	return s
}

// sqlSettings are the same for SQL. Which groups are told apart depends on which came first: the rows say it.
func (p *proof) sqlSettings(watermark int64) []string {
	list := func(all any) string {
		return strings.NewReplacer(`"`, `'`, "] [", "], [").Replace(strings.ReplaceAll(fmt.Sprintf("%q", all), `" "`, `', '`))
	}
	weekStart := int(p.weekStart)
	if weekStart == 0 {
		weekStart = 7
	}
	return []string{
		"create or replace table zones as select unnest(" + list(p.zones) + ") as zone",
		"create or replace table units as select unnest(" + list(p.units) + ") as unit",
		"create or replace table groupings as select unnest(" + list(p.groupings) + "::varchar[][]) as dimensions",
		fmt.Sprintf("update settings set watermark = %d, week_start = %d, lateness = %d, restatement = %d", watermark, weekStart,
			p.limits.Lateness.Milliseconds(), p.limits.Restatement.Milliseconds()),
		`insert into named_groups select distinct grouping, "group" from metrics where metric = 'pqls' or metric = 'funnel'`,
	}
}

// live lets the days pass. Every now and then time moves on for metrics, too.
func (p *proof) live(t *testing.T, o *outcome) {
	m, rng := o.metrics, rand.New(rand.NewPCG(4, 5))
	w := newWorld(t, p.accounts, p.days, p.begin(t), func(f *account.Fact) {
		partition, read := o.topic.write(f)
		m.fold(number(f.AccountID), partition, &read)
		o.seen(f)
	})
	for date := range p.days {
		if date == p.days*2/3 {
			w.under(harder())
		}
		w.live(date, func() {
			if rng.IntN(p.every) == 0 {
				m.pass(w.watermark, false)
			}
		})
	}
	m.pass(w.watermark, true)
	require.Zero(t, m.lost)
}

// outcome is what came of a proof.
type outcome struct {
	t *testing.T
	*database
	proof   *proof
	folder  string // what is exported
	topic   *topic
	metrics *metrics
	types   map[account.Type]int
	late    int // facts
}

func (o *outcome) seen(f *account.Fact) {
	o.types[f.Type]++
	if f.Late {
		o.late++
	}
}

// require holds a metric against SQL.
func (o *outcome) require(metric, where string) {
	began := time.Now()
	same := o.compare(metric, where)
	empty := o.number("select count(*) from compared where verdict = 'empty'")
	o.t.Logf("%-20s %8d rows are the same, %6d on one side have nothing to tell, %s", metric, same, empty, time.Since(began).Round(time.Millisecond))
	assert.Positive(o.t, same, metric)
}

func (o *outcome) requireRows(metric string) {
	assert.Positive(o.t, o.number("select count(*) from metrics where metric = ?", metric), metric)
}

// requireVariety holds that the comparison was about something.
func (o *outcome) requireVariety() {
	o.t.Logf("facts: %v, %d of them late", o.types, o.late)
	assert.Positive(o.t, o.late)
	for _, kind := range []account.Type{account.Merged, account.Absorbed, account.Erased, account.UserErased, account.ShutOut, account.LetIn, account.SegmentChanged} {
		assert.Positive(o.t, o.types[kind], kind)
	}
	for _, column := range []string{
		"first", "repeated", "in_segment_changed", "out_inactive", "out_trial_ended", "out_step_undone", "out_excluded", "out_tier_changed",
		"out_segment_changed", "out_definition_changed", "out_converted", "out_other", "signup_unknown", "control_numerator",
	} {
		n := o.number(fmt.Sprintf("select coalesce(sum(%q), 0)::bigint from metrics where grouping = '' and unit = 'month'", column))
		o.t.Logf("%-24s %7d, all months together", column, n)
		if !strings.HasSuffix(column, "_segment_changed") { // of all accounts together there are no groups
			assert.Positive(o.t, n, column)
		}
	}
	assert.Positive(o.t, o.number("select sum(in_segment_changed)::bigint from metrics"))
	for _, cause := range []string{"late", "merged", "erased", "excluded"} {
		n := o.number("select count(*) from metrics where list_contains(string_split(restated, ','), ?)", cause)
		o.t.Logf("%-24s %7d rows restated", cause, n)
		assert.Positive(o.t, n, cause)
	}
	for _, metric := range metricsOfWindows {
		assert.Positive(o.t, o.number(`select count(*) from metrics where metric = ? and "group" = 'other'`, metric), metric)
	}
	o.requireRows(rollup.MetricOther)
}

// requireBounds holds that no account has more than can be taken back: the SQL takes back all.
func (o *outcome) requireBounds() {
	assert.Less(o.t, o.number("select max(n) from (select count(*) as n from facts where was_pql or is_pql group by account_id)"), int64(100))
	assert.Less(o.t, o.number("select max(n) from (select count(*) as n from facts where type like 'sales_%' or type = 'meeting_booked' group by account_id)"), int64(50))
}
