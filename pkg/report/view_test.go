package report

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

const fortnight = 14 * 24 * time.Hour

func viewOf(rows []rollup.Row) *View {
	v := NewView(fortnight, nil)
	v.Put(rows...)
	return v
}

// pages reads all that a query wants, page by page.
func pages(t *testing.T, v *View, q Query, limit int) (rows []rollup.Row) {
	t.Helper()
	cursor := ""
	for {
		p, err := v.Page(q, cursor, limit)
		require.NoError(t, err)
		rows = append(rows, p.Rows...)
		if p.Next == "" {
			return rows
		}
		require.Len(t, p.Rows, limit, "only the last page may be short")
		cursor = p.Next
	}
}

func TestRowsArePackedWhole(t *testing.T) {
	for _, want := range append(odd(), made(t)...) {
		got, _ := rollup.ParseKey(want.Key())
		unpack(string(appendPacked(nil, &want)), &got)
		require.Equal(t, want, got)
	}
	r := rollup.Row{Restated: "late,merged", Sketch: []byte{}, Count: long(0)}
	got := rollup.Row{}
	unpack(string(appendPacked(nil, &r)), &got)
	require.Equal(t, r, got)
}

// queries are all kinds of queries, at random.
func queries(random *rand.Rand) Query {
	some := func(names ...string) (list []string) {
		for _, n := range names {
			if random.IntN(3) == 0 {
				list = append(list, n)
			}
		}
		return list
	}
	q := Query{Metrics: some(Names()...), Zones: some("UTC", "Europe/Berlin"), Groupings: some("", "tier"), Groups: some("large", "small", ""),
		Closed: random.IntN(3) == 0, Mature: random.IntN(3) == 0}
	for _, u := range some("hour", "day", "week", "month") {
		q.Units = append(q.Units, rollup.Unit(u))
	}
	for _, to := range []*Bound{&q.From, &q.To} {
		if text := []string{"", "2025-04-01", "2025-05-31", "30d", "3w", "36h"}[random.IntN(6)]; text != "" {
			*to, _ = ParseBound(text)
		}
	}
	return q
}

// A view that has been told of versions, removals and returns answers what Select finds in the rows that are left.
func TestAViewHasWhatTheTopicHas(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	rows := made(t)
	v, now := NewView(fortnight, nil), map[string]rollup.Row{}
	for range 2 * len(rows) {
		r := rows[random.IntN(len(rows))]
		switch random.IntN(8) {
		case 0:
			key, err := rollup.ParseKey(r.Key())
			require.NoError(t, err)
			v.Remove(key)
			delete(now, r.Key())
			continue
		case 1:
			r.Revision, r.Closed, r.Mature, r.Numerator, r.Position = r.Revision+1, false, false, long(random.Int64N(100)), long(random.Int64N(5))
		}
		v.Put(r)
		now[r.Key()] = r
	}
	require.Equal(t, len(now), v.Len())
	all := make([]rollup.Row, 0, len(now))
	for _, r := range now {
		all = append(all, r)
	}
	answered := 0
	for range 60 {
		q := queries(random)
		want, err := find(t, all, q)
		if err != nil {
			require.ErrorIs(t, err, ErrNothing)
			want = nil
		}
		got := pages(t, v, q, 1+random.IntN(4000))
		require.Equal(t, want, got, "%+v", q)
		if len(got) > 0 {
			answered++
		}
	}
	assert.Greater(t, answered, 12)
}

// Between two pages rows come, change, and go: also the one that the cursor names.
func TestRowsKeepTheirPlacesBetweenPages(t *testing.T) {
	rows := made(t)
	q := Query{Metrics: []string{rollup.MetricFunnel}, Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}}
	all, err := find(t, rows, q)
	require.NoError(t, err)
	v := viewOf(rows)
	page, err := v.Page(q, "", 7)
	require.NoError(t, err)
	require.Equal(t, all[:7], page.Rows)
	require.NotEmpty(t, page.Next)

	v.Remove(all[6])
	changed := all[8]
	changed.Position = long(0)
	v.Put(changed)
	early := all[0]
	early.Detail = "another"
	v.Put(early)
	page, err = v.Page(q, page.Next, 3)
	require.NoError(t, err)
	require.Equal(t, []rollup.Row{all[7], changed, all[9]}, page.Rows)

	for i := range all {
		v.Remove(all[i])
	}
	page, err = v.Page(q, page.Next, 3)
	require.NoError(t, err)
	require.Empty(t, page.Rows)
	require.Empty(t, page.Next)
	for _, wrong := range []string{"?", "cHFs", page.Next + "x"} {
		_, err = v.Page(q, wrong, 3)
		require.True(t, errors.Is(err, ErrCursor), wrong)
	}
}

func TestAViewForgetsHours(t *testing.T) {
	hour := func(group string, n int64) rollup.Row {
		return rollup.Row{Metric: rollup.MetricPQLs, Unit: "hour", WindowStart: n * 3_600_000, WindowEnd: (n + 1) * 3_600_000, Zone: "UTC", Grouping: "tier", Group: group, AsOf: n}
	}
	v := NewView(48*time.Hour, nil)
	day := rollup.Row{Metric: rollup.MetricPQLs, Unit: "day", Zone: "UTC", Grouping: "tier", Group: "large"}
	v.Put(day)
	v.Put(rollup.Row{Metric: rollup.MetricBeyond, Unit: "hour", Zone: "UTC", Grouping: "tier", Count: long(1)})
	starts := func(group string) (hours []int64) {
		for _, r := range pages(t, v, Query{Groups: []string{group}, Units: []rollup.Unit{rollup.Hour}, Metrics: []string{rollup.MetricPQLs}}, 7) {
			hours = append(hours, r.WindowStart/3_600_000)
		}
		return hours
	}
	for n := range int64(200) {
		if n < 50 {
			v.Put(hour("quiet", n))
		}
		v.Put(hour("busy", n))
		got := starts("busy")
		require.Equal(t, max(0, n-47), got[0])
		require.Len(t, got, int(min(n+1, 48)))
	}
	assert.Empty(t, starts("quiet"))
	v.Put(hour("quiet", 100))
	assert.Empty(t, starts("quiet"), "it is too old already")
	v.Put(hour("quiet", 190))
	assert.Equal(t, []int64{190}, starts("quiet"))
	held := 0
	for _, l := range v.order {
		held += len(l.rows)
	}
	assert.Equal(t, v.Len(), held)
	assert.LessOrEqual(t, held, 48+3+1+1+1, "in memory there are hardly more")
	assert.Len(t, v.lines, 4)
	all := pages(t, v, Query{Groupings: []string{"tier"}, Metrics: []string{rollup.MetricPQLs, rollup.MetricBeyond}}, 100)
	assert.Len(t, all, 48+1+1+1, "the hours, that of the quiet, the day, and what is of no window")
	page, err := v.Page(Query{}, "", 1)
	require.NoError(t, err)
	assert.Equal(t, int64(199), page.AsOf)
}

// Many ask while rows come.
func TestAViewIsAskedWhileItIsFed(t *testing.T) {
	rows := made(t)
	v := NewView(fortnight, &NorthStar{Metric: rollup.MetricPQLRate, Detail: "7d", Unit: "week", Zone: "UTC", Field: "rate"})
	var feeding, asking sync.WaitGroup
	done := make(chan struct{})
	feeding.Go(func() {
		for i := range rows {
			v.Put(rows[i])
		}
	})
	for i := range uint64(3) {
		random := rand.New(rand.NewPCG(i, i))
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, err := v.Page(queries(random), "", 100)
				assert.NoError(t, err)
				v.Contents()
			}
		})
	}
	feeding.Wait()
	close(done)
	asking.Wait()
	assert.Equal(t, len(rows), v.Len())
}
