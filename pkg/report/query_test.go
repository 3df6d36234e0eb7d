package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

func bound(t *testing.T, text string) Bound {
	t.Helper()
	b, err := ParseBound(text)
	require.NoError(t, err)
	return b
}

// starts returns the dates that the windows found start on, in their zones.
func starts(rows []rollup.Row) (dates []string) {
	var z zones
	for i := range rows {
		if date := z.at(rows[i].WindowStart, rows[i].Zone).Format(time.DateOnly); len(dates) == 0 || dates[len(dates)-1] != date {
			dates = append(dates, date)
		}
	}
	return dates
}

func TestRowsAreFound(t *testing.T) {
	rows := made(t)
	pqls := Query{Metrics: []string{rollup.MetricPQLs}, Units: []rollup.Unit{rollup.Week}, Zones: []string{"Europe/Berlin"}}
	with := func(change func(*Query)) Query { q := pqls; change(&q); return q }
	for name, c := range map[string]struct {
		query Query
		want  []string
	}{
		"from a date":       {with(func(q *Query) { q.From = bound(t, "2025-06-09") }), []string{"2025-06-09", "2025-06-16", "2025-06-23"}},
		"after a date":      {with(func(q *Query) { q.From = bound(t, "2025-06-10") }), []string{"2025-06-16", "2025-06-23"}},
		"up to a date":      {with(func(q *Query) { q.From, q.To = bound(t, "2025-03-24"), bound(t, "2025-03-31") }), []string{"2025-03-24", "2025-03-31"}},
		"back from the end": {with(func(q *Query) { q.From = bound(t, "2w") }), []string{"2025-06-16", "2025-06-23"}},
		"up to the last":    {with(func(q *Query) { q.From, q.To = bound(t, "15d"), bound(t, "7d") }), []string{"2025-06-16"}},
		"closed":            {with(func(q *Query) { q.From, q.Closed = bound(t, "2025-06-09"), true }), []string{"2025-06-09", "2025-06-16"}},
		"ripe": {with(func(q *Query) {
			q.Metrics, q.From, q.Mature = []string{rollup.MetricPQLRate}, bound(t, "2025-05-19"), true
		}), []string{"2025-05-19", "2025-05-26", "2025-06-02", "2025-06-09"}},
		"months": {with(func(q *Query) { q.Units, q.From = []rollup.Unit{rollup.Month}, bound(t, "60d") }), []string{"2025-05-01", "2025-06-01"}},
		"so many days": {with(func(q *Query) {
			q.Units, q.Zones, q.From = []rollup.Unit{rollup.Day}, []string{"UTC"}, bound(t, "2d")
		}), []string{"2025-06-23", "2025-06-24"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := find(t, rows, c.query)
			require.NoError(t, err)
			assert.Equal(t, c.want, starts(found))
			for _, r := range found {
				assert.Contains(t, c.query.Metrics, r.Metric)
				assert.Equal(t, [3]string{string(c.query.Units[0]), c.query.Zones[0], ""}, [3]string{r.Unit, r.Zone, r.Grouping})
				assert.True(t, r.Closed || !c.query.Closed)
				assert.True(t, r.Mature || !c.query.Mature)
			}
		})
	}
}

func TestRowsAreFoundByGroup(t *testing.T) {
	rows := made(t)
	groups := func(q Query) map[string]bool {
		found, err := find(t, rows, q)
		require.NoError(t, err)
		all := map[string]bool{}
		for _, r := range found {
			all[r.Grouping+"/"+r.Group] = true
		}
		return all
	}
	assert.Equal(t, map[string]bool{"/": true}, groups(Query{}))
	assert.Equal(t, map[string]bool{"tier/large": true, "tier/medium": true, "tier/small": true}, groups(Query{Groupings: []string{"tier"}, Metrics: Overview}))
	assert.Equal(t, map[string]bool{"/": true, "tier/large": true, "tier/medium": true, "tier/small": true}, groups(Query{Groupings: []string{"tier", ""}, Metrics: Overview}))
	assert.Equal(t, map[string]bool{"tier/large": true}, groups(Query{Groups: []string{"large"}}))
	all, err := find(t, rows, Query{Groupings: []string{"", "tier"}})
	require.NoError(t, err)
	assert.Len(t, all, len(rows), "a query for everything finds everything")
}

// What is in no window is shown with what is, but it is nothing to show by itself.
func TestWhatIsInNoWindowIsToldBeside(t *testing.T) {
	rows := made(t)
	q := Query{Metrics: Overview, Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}, From: bound(t, "7d"), Unplaced: true}
	found, err := find(t, rows, q)
	require.NoError(t, err)
	assert.Equal(t, rollup.MetricBeyond, found[len(found)-1].Metric)
	q.From = bound(t, "2030-01-01")
	_, err = find(t, rows, q)
	require.ErrorIs(t, err, ErrNothing)
	q = Query{Metrics: []string{rollup.MetricBeyond}, Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}}
	found, err = find(t, rows, q)
	require.NoError(t, err)
	assert.Len(t, found, 1)
}

func TestWhyThereIsNothing(t *testing.T) {
	rows := made(t)
	base := Query{Metrics: []string{rollup.MetricPQLs}, Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}, Unplaced: true}
	for want, change := range map[string]func(*Query){
		"no rows with --metric other_groups; there are rows of pqls, pql_rate, pql_rate_period, time_to_pql, time_to_pql_cohort, pql_to_paid, pql_to_paid_cohort, " +
			"hold_out, time_to_paid, funnel, activation_rate, precision, sales_acceptance, sales, beyond_horizon": func(q *Query) { q.Metrics = []string{rollup.MetricOther} },
		"no rows with --unit hour; there are rows of day, week, month":                               func(q *Query) { q.Units = []rollup.Unit{rollup.Hour} },
		"no rows with --zone Mars/Base; there are rows of Europe/Berlin, UTC":                        func(q *Query) { q.Zones = []string{"Mars/Base"} },
		"no rows with --grouping plan; there are rows of all, tier":                                  func(q *Query) { q.Groupings = []string{"plan"} },
		"no rows with --group huge; there are rows of large, medium, small":                          func(q *Query) { q.Groupings, q.Groups = []string{"tier"}, []string{"huge"} },
		"no window starts from 2030-01-01; there are those that start from 2025-02-24 to 2025-06-23": func(q *Query) { q.From = bound(t, "2030-01-01") },
		"no window starts from 3d to 2d; there are those that start from 2025-02-24 to 2025-06-23":   func(q *Query) { q.From, q.To = bound(t, "3d"), bound(t, "2d") },
		"none of the windows is closed yet; the first of them ends 2025-06-30, and is closed once the lateness has passed as well": func(q *Query) {
			q.From, q.Closed = bound(t, "2025-06-17"), true
		},
		"none of the rows has ripened yet; the first of them ripens 2025-07-07": func(q *Query) {
			q.Metrics, q.From, q.Mature = []string{rollup.MetricPQLRate}, bound(t, "2025-06-17"), true
		},
	} {
		q := base
		change(&q)
		_, err := find(t, rows, q)
		require.ErrorIs(t, err, ErrNothing)
		assert.EqualError(t, err, "nothing to show: "+want)
	}
	_, err := find(t, nil, base)
	require.ErrorIs(t, err, ErrNothing)
	require.ErrorIs(t, err, ErrNoRows)
	assert.EqualError(t, err, "nothing to show: there are no rows yet; a row appears about a second after the first event that concerns it, "+
		"while processes run the stages measure and rollup")
}

func TestBounds(t *testing.T) {
	for _, text := range []string{"2025-03-01", "36h", "30d", "12w"} {
		_, err := ParseBound(text)
		assert.NoError(t, err, text)
	}
	for _, text := range []string{"", "0d", "-1d", "30", "d", "1m", "2025-02-30", "2025-3-1", "yesterday", "999999d", "1.5d"} {
		_, err := ParseBound(text)
		assert.Error(t, err, text)
	}
}

// Rows of many zones are chosen by the date that each zone shows.
func TestDatesAreThoseOfTheRowsZone(t *testing.T) {
	var rows []rollup.Row
	for _, zone := range []string{"Pacific/Auckland", "UTC", "America/Los_Angeles"} {
		w, err := rollup.NewWindows(zone, rollup.Day, time.Monday)
		require.NoError(t, err)
		for at := reporttest.AsOf.AddDate(0, 0, -4); at.Before(reporttest.AsOf); at = at.AddDate(0, 0, 1) {
			start, end := w.At(at.UnixMilli())
			rows = append(rows, rollup.Row{Metric: rollup.MetricPQLs, Unit: string(rollup.Day), WindowStart: start, WindowEnd: end, Zone: zone})
		}
	}
	found, err := find(t, rows, Query{From: bound(t, "2025-06-22"), To: bound(t, "2025-06-22")})
	require.NoError(t, err)
	require.Len(t, found, 3)
	assert.Equal(t, []string{"2025-06-22"}, starts(found))
}
