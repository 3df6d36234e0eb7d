package e2e

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/oracle/rows"
)

// measured follows whole lives, and makes metrics of them, in a zone whose hours begin when those of others are half over.
func measured(t *testing.T, c *config.Config) {
	identity(t, c)
	c.Input.Sources = c.Input.Sources[:2]
	c.Stages = append(c.Stages, config.Measure, config.Rollup)
	c.Metrics.Enabled, c.Metrics.Zones, c.Metrics.Lateness = true, []string{"Asia/Kolkata"}, time.Hour
	c.Metrics.Units = []string{"hour", "day", "week", "month"}
}

// payingInputs are the records of whole lives in which more accounts pay.
func payingInputs(seed uint64, n, accounts int) iter.Seq[input] {
	return func(yield func(input) bool) {
		i := 0
		for in := range livesInputs(seed, n, accounts) {
			if !yield(in) {
				return
			}
			if i++; i%25 != 0 || in.reason != "" || in.event.AccountID == "" {
				continue
			}
			paid := *in.event
			paid.ID, paid.Name = fmt.Sprintf("paid-%d", i), "subscription_started"
			paid.Properties = []usage.Property{property("plan", "team")}
			if !yield(input{event: &paid}) {
				return
			}
		}
	}
}

// measuredAlike are the settings of metrics in the words of those who compute the rows once more.
func measuredAlike(t *testing.T, m *config.Metrics) *rows.Settings {
	s := &rows.Settings{
		Units: m.Units, CohortDays: m.CohortDays, PaidDays: m.PaidDays, Lateness: m.Lateness, Restatement: m.Restatement,
		Groupings: map[string]func(*rows.Fact) string{"": func(*rows.Fact) string { return "" }, "tier": func(f *rows.Fact) string { return f.Tier }},
	}
	require.Equal(t, [][]string{{}, {"tier"}}, m.Groupings)
	for _, name := range m.Zones {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		s.Zones = append(s.Zones, zone)
	}
	return s
}

// lived are the facts that metrics follow from.
func (w *world) lived() (facts []rows.Fact) {
	for _, r := range w.readCommitted(w.c.TopicNames().Lifecycle) {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(w.t, err)
		facts = append(facts, rows.Fact{
			Account: f.AccountID, Type: string(f.Type), Reason: string(f.Reason), Step: f.Step, Tier: f.Tier, At: f.OccurredAt, SignedUpAt: f.SignedUpAt,
			Rate: f.Rate, HoldOut: f.HoldOut, Excluded: f.Excluded,
		})
	}
	return facts
}

// numbersOf are a row's numbers, as the topic has them.
func numbersOf(r *rollup.Row) rows.Row {
	n := rows.Row{}
	for i := range rollup.Columns {
		switch v := rollup.Columns[i].Of(r).(type) {
		case *rollup.Null[int64]:
			if v.Known {
				n[rollup.Columns[i].Name] = float64(v.Value)
			}
		case *rollup.Null[float64]:
			if v.Known {
				n[rollup.Columns[i].Name] = v.Value
			}
		}
	}
	n["window_end"], n["closed"], n["mature"] = float64(r.WindowEnd), 0, 0
	if r.Closed {
		n["closed"] = 1
	}
	if r.Mature {
		n["mature"] = 1
	}
	return n
}

func keyOf(r *rollup.Row) rows.Key {
	return rows.Key{Metric: r.Metric, Detail: r.Detail, Place: rows.Place{Grouping: r.Grouping, Group: r.Group, Unit: r.Unit, Zone: r.Zone, Start: r.WindowStart}}
}

// published are the rows of pql.metrics, how far time had come in them, and how many rows each cause has restated.
type published struct {
	rows     map[rows.Key]rows.Row
	asOf     int64
	restated map[string]int
}

func publishedIn(t *testing.T, records []*kgo.Record) *published {
	p := &published{rows: map[rows.Key]rows.Row{}, restated: map[string]int{}}
	newest, revisions := map[string]rollup.Row{}, map[string]int64{}
	for _, r := range records {
		row, err := codec.DecodeRow(r.Value)
		require.NoError(t, err)
		require.Equal(t, row.Key(), string(r.Key))
		require.Greater(t, row.Revision, revisions[row.Key()], "%s: an older version came later", r.Key)
		newest[row.Key()], revisions[row.Key()] = row, row.Revision
		p.asOf = max(p.asOf, row.AsOf)
	}
	for _, row := range newest {
		p.rows[keyOf(&row)] = numbersOf(&row)
		for cause := range strings.SplitSeq(row.Restated, ",") {
			p.restated[cause]++
		}
	}
	return p
}

// awaitRows waits until the rows are those that follow from the facts, and time has come so far. If that does not come to pass, verifyRows
// tells what is missing.
func (w *world) awaitRows() {
	w.t.Helper()
	facts, s := w.lived(), measuredAlike(w.t, &w.c.Metrics)
	for began := time.Now(); time.Since(began) < patience/2; {
		p := publishedIn(w.t, w.readCommitted(w.c.TopicNames().Metrics))
		if p.asOf >= w.reached()-dayMs && len(rows.Compare(rows.Of(facts, s, p.asOf), p.rows)) == 0 {
			return
		}
	}
}

// reached is the event time of what was acknowledged.
func (w *world) reached() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

const dayMs = int64(24 * time.Hour / time.Millisecond)

// verifyRows compares every row of pql.metrics with what the facts on pql.lifecycle make of it. The processes have to have stopped.
func (w *world) verifyRows() {
	w.t.Helper()
	facts, s := w.lived(), measuredAlike(w.t, &w.c.Metrics)
	requireAllIsKept(w.t, facts)
	p := publishedIn(w.t, w.readCommitted(w.c.TopicNames().Metrics))
	require.GreaterOrEqual(w.t, p.asOf, w.reached()-dayMs, "time stands still in the rows")
	want := rows.Of(facts, s, p.asOf)
	differences := rows.Compare(want, p.rows)
	for _, d := range differences[:min(len(differences), 20)] {
		w.t.Log(d)
	}
	require.Empty(w.t, len(differences), "rows of pql.metrics that are others than the facts make them: %d of %d", len(differences), len(want))
	w.requireRowsOfAll(p)
}

// requireAllIsKept makes sure that of no account there is more than can be taken back.
func requireAllIsKept(t *testing.T, facts []rows.Fact) {
	t.Helper()
	said, moved := map[string]int{}, map[string]int{}
	for i := range facts {
		switch f := &facts[i]; f.Type {
		case "sales_accepted", "sales_rejected", "meeting_booked", "sales_won", "sales_lost":
			said[f.Account]++
		case "qualified", "requalified", "disqualified", "converted", "segment_changed":
			moved[f.Account]++
		case "merged", "erased":
			said[f.Account], moved[f.Account] = 0, 0
		}
		require.LessOrEqual(t, said[facts[i].Account], 50, "the stream is too busy")
		require.LessOrEqual(t, moved[facts[i].Account], 100, "the stream is too busy")
	}
}

// requireRowsOfAll makes sure that the rows were worth comparing.
func (w *world) requireRowsOfAll(p *published) {
	w.t.Helper()
	seen := map[string]float64{}
	for key, r := range p.rows {
		seen[key.Metric]++
		for column, n := range r {
			seen[column] += n
		}
	}
	w.t.Logf("%d rows are as they have to be; restated: %v", len(p.rows), p.restated)
	always := []string{
		"pqls", "pql_rate", "pql_rate_period", "time_to_pql", "time_to_pql_cohort", "pql_to_paid", "pql_to_paid_cohort", "time_to_paid",
		"funnel", "activation_rate", "precision", "sales", "sales_acceptance", "first", "closed", "mature",
	}
	for _, cause := range []string{"late", "merged", "erased", "excluded"} {
		require.Positive(w.t, p.restated[cause], "no row is %s", cause)
	}
	for _, what := range always {
		require.Positive(w.t, seen[what], "%s: %v", what, slices.Sorted(maps.Keys(seen)))
	}
	if len(w.events) > 40_000 {
		seldom := []string{"out_converted", "hold_out", "signup_unknown", "repeated", "in_segment_changed", "out_segment_changed"}
		seldom = slices.DeleteFunc(seldom, func(what string) bool { return seen[what] > 0 })
		w.t.Logf("not in the rows, by chance: %v", seldom)
		require.LessOrEqual(w.t, len(seldom), 3, "of what happens seldom hardly anything is in the rows")
	}
}
