package app

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// metricRules qualify an account that has done one and two, in groups by plan.
const metricRules = `
version: 1
name: test
inactivity: {days: 0}
signup: {event: signed_up}
converted: {event: paid}
exclude: [account.is_test]
tiers: [{name: all, threshold: 1.0}]
properties:
  - {name: plan, type: string, dimension: true, from: [{event: signed_up}]}
  - {name: is_test, type: boolean, default: false, from: [{event: flagged}]}
steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}]
`

// measuring are the settings of a process that makes metrics by days.
func (w *world) measuring(stages ...config.Stage) *config.Config {
	require.NoError(w.t, os.WriteFile(w.checklist, []byte(metricRules), 0o600))
	c := w.settings()
	c.Stages, c.Input.Mode, c.Input.UsagePartitions = stages, config.ModeIngest, partitions
	c.Input.Identity.Merge = config.MergeEvent{Event: "merged", From: "properties.from"}
	c.Output.Lifecycle, c.Output.Current = false, false
	c.Metrics.Enabled, c.Metrics.Units, c.Metrics.Groupings = true, []string{"day"}, [][]string{{}, {"plan"}}
	c.Metrics.CohortDays, c.Metrics.PaidDays = []int{7}, []int{7}
	return c
}

var metricStages = []config.Stage{config.Ingest, config.Activation, config.Measure, config.Rollup}

// firstDay is a midnight in UTC that is so long ago that some days behind it are closed.
var firstDay = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -20)

// on is an event of an account at an hour of a day, counted from 1.
func on(day, hour int, accountID, name string, properties ...usage.Property) *kgo.Record {
	at := firstDay.AddDate(0, 0, day-1).Add(time.Duration(hour) * time.Hour)
	return jsonOf(&usage.Event{
		ID: fmt.Sprint(accountID, name, day, hour), AccountID: accountID, Name: name, OccurredAt: at.UnixMilli(), Properties: properties,
	})
}

func text(key, value string) usage.Property {
	return usage.Property{Key: key, Value: usage.StringValue(value)}
}

// lives are those of five accounts, in order of time.
func lives() []*kgo.Record {
	return []*kgo.Record{
		on(1, 9, "dora", "signed_up", text("plan", "pro")),
		on(1, 10, "anna", "signed_up", text("plan", "pro")),
		on(1, 10, "bert", "signed_up", text("plan", "free")),
		on(1, 10, "carl", "signed_up", text("plan", "free")),
		on(1, 10, "emma", "signed_up", text("plan", "pro")),
		on(1, 11, "anna", "one"),
		on(1, 12, "anna", "two"), // qualifies
		on(1, 13, "carl", "one"),
		on(2, 9, "bert", "one"),
		on(2, 10, "bert", "two"), // qualifies
		on(2, 11, "dora", "one"),
		on(2, 12, "dora", "two"), // qualifies
		on(2, 13, "emma", "one"),
		on(2, 14, "emma", "two"), // qualifies
		on(3, 9, "anna", "paid"),
		on(3, 10, "emma", "flagged", usage.Property{Key: "is_test", Value: usage.BoolValue(true)}), // never was there
	}
}

// merge makes dora part of bert.
func merge() *kgo.Record { return on(4, 9, "bert", "merged", text("from", "dora")) }

// The rows that these lives lead to, of three days each: what has been checked by hand.
var (
	pqlsBefore = []string{
		"pqls 1 : 0+1-0=1 first 1 closed",
		"pqls 1 pro: 0+1-0=1 first 1 closed",
		"pqls 2 : 1+2-0=3 first 2 closed",
		"pqls 2 free: 0+1-0=1 first 1 closed",
		"pqls 2 pro: 1+1-0=2 first 1 closed",
		"pqls 3 : 3+0-1=2 first 0 converted 1 closed",
		"pqls 3 free: 1+0-0=1 first 0 closed",
		"pqls 3 pro: 2+0-1=1 first 0 converted 1 closed",
	}
	pqlsAfter = []string{
		"pqls 1 : 0+1-0=1 first 1 closed",
		"pqls 1 pro: 0+1-0=1 first 1 closed",
		"pqls 2 : 1+1-0=2 first 1 closed",
		"pqls 2 free: 0+1-0=1 first 1 closed",
		"pqls 2 pro: 1+0-0=1 first 0 closed",
		"pqls 3 : 2+0-1=1 first 0 converted 1 closed",
		"pqls 3 free: 1+0-0=1 first 0 closed",
		"pqls 3 pro: 1+0-1=0 first 0 converted 1 closed",
	}
	sharesBefore = []string{
		"funnel one 1 : 4/4", "funnel one 1 free: 2/2", "funnel one 1 pro: 2/2",
		"funnel two 1 : 3/4", "funnel two 1 free: 1/2", "funnel two 1 pro: 2/2",
		"pql_rate 7d 1 : 3/4", "pql_rate 7d 1 free: 1/2", "pql_rate 7d 1 pro: 2/2",
		"pql_to_paid 7d 1 : 1/1", "pql_to_paid 7d 1 pro: 1/1",
		"pql_to_paid 7d 2 : 0/2", "pql_to_paid 7d 2 free: 0/1", "pql_to_paid 7d 2 pro: 0/1",
		"precision  1 : 1/1", "precision  1 pro: 1/1",
		"precision  2 : 0/2", "precision  2 free: 0/1", "precision  2 pro: 0/1",
	}
	sharesAfter = []string{
		"funnel one 1 : 3/3", "funnel one 1 free: 2/2", "funnel one 1 pro: 1/1",
		"funnel two 1 : 2/3", "funnel two 1 free: 1/2", "funnel two 1 pro: 1/1",
		"pql_rate 7d 1 : 2/3", "pql_rate 7d 1 free: 1/2", "pql_rate 7d 1 pro: 1/1",
		"pql_to_paid 7d 1 : 1/1", "pql_to_paid 7d 1 pro: 1/1",
		"pql_to_paid 7d 2 : 0/1", "pql_to_paid 7d 2 free: 0/1", "pql_to_paid 7d 2 pro: 0/0",
		"precision  1 : 1/1", "precision  1 pro: 1/1",
		"precision  2 : 0/1", "precision  2 free: 0/1", "precision  2 pro: 0/0",
	}
)

// rows returns the newest row of each key, by key, and checks that revisions grow.
func (w *world) rows() map[string]rollup.Row {
	w.t.Helper()
	rows := map[string]rollup.Row{}
	for _, r := range w.read("pql.metrics") {
		row, err := codec.DecodeRow(r.Value)
		require.NoError(w.t, err)
		require.Equal(w.t, row.Key(), string(r.Key))
		require.Equal(w.t, "metric_row", string(r.Headers[0].Value))
		if before, had := rows[row.Key()]; had {
			require.Greater(w.t, row.Revision, before.Revision, row.Key())
		}
		rows[row.Key()] = row
	}
	return rows
}

// toldBy writes rows of the first three days in short, those of PQLs and those of shares.
func toldBy(rows map[string]rollup.Row) (pqls, shares []string) {
	for _, r := range rows {
		day := int(time.UnixMilli(r.WindowStart).UTC().Sub(firstDay)/(24*time.Hour)) + 1
		if day < 1 || day > 3 {
			continue
		}
		switch r.Metric {
		case rollup.MetricPQLs:
			line := fmt.Sprintf("pqls %d %s: %d+%d-%d=%d first %d", day, r.Group, r.CurrentStart.Value, r.Inflow.Value, r.Outflow.Value, r.CurrentEnd.Value, r.First.Value)
			if r.OutConverted.Value > 0 {
				line += fmt.Sprintf(" converted %d", r.OutConverted.Value)
			}
			if r.Closed {
				line += " closed"
			}
			pqls = append(pqls, line)
		case rollup.MetricFunnel, rollup.MetricPQLRate, rollup.MetricPaid, rollup.MetricPrecision:
			shares = append(shares, fmt.Sprintf("%s %s %d %s: %d/%d", r.Metric, r.Detail, day, r.Group, r.Numerator.Value, r.Denominator.Value))
		}
	}
	slices.Sort(pqls)
	slices.Sort(shares)
	return pqls, shares
}

// awaitRows waits until the rows are these, and returns all.
func (w *world) awaitRows(pqls, shares []string) (rows map[string]rollup.Row) {
	w.t.Helper()
	var gotPQLs, gotShares []string
	require.Eventually(w.t, func() bool {
		rows = w.rows()
		gotPQLs, gotShares = toldBy(rows)
		return slices.Equal(pqls, gotPQLs) && slices.Equal(shares, gotShares)
	}, patience, 50*time.Millisecond, "%s", lazy(func() string {
		return strings.Join(append(gotPQLs, gotShares...), "\n")
	}))
	return rows
}

// A few accounts' lives lead to the rows that they must, and a merge corrects those, also those that are closed. It makes no difference
// which processes run which stages, whether they are stopped in between, or share the work.
func TestRowsOfMetrics(t *testing.T) {
	for name, processes := range map[string][][]config.Stage{
		"one process":                 {metricStages},
		"a process for each stage":    {{config.Ingest}, {config.Activation}, {config.Measure}, {config.Rollup}},
		"two processes of all stages": {metricStages, metricStages},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).up()
			run := func(during func(running []*process)) {
				var running []*process
				for _, stages := range processes {
					running = append(running, start(t, w.measuring(stages...)).awaitReady())
				}
				during(running)
				for _, p := range running {
					p.stop()
				}
			}
			all := lives()
			run(func(running []*process) {
				w.send(all[:9]...)
				w.awaitCommitted("pql.activation", "pql.usage")
				running[len(running)-1].stop() // what it has under way others go on with
			})
			var before map[string]rollup.Row
			run(func([]*process) {
				w.send(all[9:]...)
				before = w.awaitRows(pqlsBefore, sharesBefore)
			})
			run(func([]*process) {
				w.send(merge())
				w.requireRestated(before, w.awaitRows(pqlsAfter, sharesAfter))
			})
			require.Empty(t, w.read("pql.dead-letters"))
			w.requireTogether()
		})
	}
}

// requireTogether checks that after each transaction the rows of a window and group agree: who has qualified is in all of them.
func (w *world) requireTogether() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...), kgo.ConsumeTopics("pql.metrics"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	require.NoError(w.t, err)
	defer client.Close()
	left, newest, checked := len(w.read("pql.metrics")), map[string]rollup.Row{}, 0
	for left > 0 {
		fetches := client.PollFetches(w.t.Context())
		require.NoError(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				row, err := codec.DecodeRow(r.Value)
				require.NoError(w.t, err)
				newest[row.Key()] = row
				left--
				return
			}
			for _, row := range newest {
				if row.Metric == rollup.MetricTimeToPQL {
					row.Metric = rollup.MetricPQLs
					assert.Equal(w.t, newest[row.Key()].First.Value, row.Count.Value+row.SignupUnknown.Value, "before offset %d: %s", r.Offset, row.Key())
					checked++
				}
			}
		})
	}
	assert.Positive(w.t, checked)
}

// Activation that reads its source directly is a first stage: where nothing comes any more, its clock closes windows.
func TestRowsOfMetricsWithoutIngest(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.measuring(config.Activation, config.Measure, config.Rollup)
	c.Input.Mode, c.Input.Identity = config.ModeDirect, config.Default().Input.Identity
	w.send(lives()...)
	p := start(t, c).awaitReady()
	w.awaitRows(pqlsBefore, sharesBefore)
	for _, stage := range []string{"activation", "measure", "rollup"} {
		p.awaitMetric(fmt.Sprintf("pqlstream_partitions_owned{stage=%q} 4", stage))
	}
	p.stop()
	w.requireTogether()
	require.Empty(t, w.read("pql.dead-letters"))

}

// What was counted is not gone on with under other settings, and nothing stays of the attempt: with the settings set back it goes on, and under
// other topics it begins anew.
func TestOtherSettingsOfMetricsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	settings := func() *config.Config {
		c := w.measuring(config.Activation, config.Measure, config.Rollup)
		c.Input.Mode, c.Input.Identity = config.ModeDirect, config.Default().Input.Identity
		return c
	}
	w.send(lives()...)
	p := start(t, settings()).awaitReady()
	w.awaitRows(pqlsBefore, sharesBefore)
	p.stop()
	for _, set := range []func(m *config.Metrics){
		func(m *config.Metrics) { m.CohortDays = []int{5} },
		func(m *config.Metrics) { m.MaxGroups++ },
		func(m *config.Metrics) { m.Lateness += time.Hour },
		func(m *config.Metrics) { m.Restatement += time.Hour },
	} {
		for _, stage := range []config.Stage{config.Measure, config.Rollup} {
			c := settings()
			c.Stages, c.HTTP.Address = []config.Stage{stage}, ""
			set(&c.Metrics)
			requireParts(t, refused(t, c), "pql."+string(stage)+".changelog-", "settings that can't change", "set metrics.zones, week_start", "back", "topics.facts")
		}
	}
	w.send(on(5, 9, "carl", "two"))
	p = start(t, settings()).awaitReady()
	w.awaitCommitted("pql.activation", "usage")
	w.awaitCommitted("pql.measure", "pql.facts")
	p.stop()

	c := settings()
	c.Metrics.CohortDays = []int{5}
	c.Topics.Facts, c.Topics.MeasureChangelog = "new.facts", "new.measure.changelog"
	c.Topics.Rollup, c.Topics.RollupChangelog, c.Topics.Metrics = "new.rollup", "new.rollup.changelog", "new.metrics"
	w.send(on(6, 9, "fred", "one"), on(6, 10, "fred", "two"))
	p = start(t, c).awaitReady()
	require.Eventually(t, func() bool { return len(w.read("new.metrics")) > 0 }, patience, poll)
	p.stop()
}

func TestGroupingsThatTheChecklistDoesNotKnowAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.measuring(metricStages...)
	c.Metrics.Groupings = [][]string{{}, {"plan", "is_test"}}
	require.ErrorContains(t, refused(t, c), `metrics.groupings[1][1]: "is_test" is neither tier, segment nor checklist, nor a property that `)
	topics, err := w.admin().ListTopics(t.Context())
	require.NoError(t, err)
	require.False(t, topics.Has("pql.facts"), "nothing is created for it")
}

// requireRestated checks that rows which a merge has changed say so.
func (w *world) requireRestated(before, after map[string]rollup.Row) {
	w.t.Helper()
	restated := map[string]bool{}
	for key, row := range after {
		if was, had := before[key]; had && was.Closed && row.Revision > was.Revision && row.Metric == rollup.MetricPQLs {
			assert.Contains(w.t, row.Restated, "merged", key)
			day := time.UnixMilli(row.WindowStart).UTC().Sub(firstDay) / (24 * time.Hour)
			if day < 3 {
				restated[fmt.Sprint(int64(day)+1, " ", row.Group)] = true
			}
		}
	}
	assert.Equal(w.t, []string{"2 ", "2 pro", "3 ", "3 pro"}, slices.Sorted(maps.Keys(restated)))
}
