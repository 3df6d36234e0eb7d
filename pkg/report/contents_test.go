package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

func TestAViewSaysWhatItHas(t *testing.T) {
	v := viewOf(made(t))
	c := v.Contents()
	names := []string{}
	for _, m := range c.Metrics {
		names = append(names, m.Name)
		assert.NotEmpty(t, m.Title)
	}
	want := Names()
	want = append(want[:len(want)-2], rollup.MetricBeyond) // there are few groups
	assert.Equal(t, want, names)
	assert.Equal(t, []string{"day", "week", "month"}, c.Units)
	assert.Equal(t, []string{"Europe/Berlin", "UTC"}, c.Zones)
	assert.Equal(t, []GroupingGroups{{"", []string{""}}, {"tier", []string{"large", "medium", "small"}}}, c.Groupings)
	assert.Nil(t, c.NorthStar)

	empty := viewOf(nil).Contents()
	assert.Equal(t, Contents{Metrics: []Metric{}, Units: []string{}, Zones: []string{}, Groupings: []GroupingGroups{}}, empty)
}

// rateOf is a row of the rate of so many of a hundred accounts, of week n.
func rateOf(n int64, percent float64, closed, mature bool) rollup.Row {
	const week = 7 * 24 * 3600 * 1000
	r := rollup.Row{Metric: rollup.MetricPQLRate, Detail: "14d", Unit: "week", WindowStart: n * week, WindowEnd: (n + 1) * week, Zone: "UTC", Grouping: "tier", Group: "large",
		Closed: closed, Mature: mature, MatureAt: long((n + 3) * week), Numerator: long(int64(percent)), Denominator: long(100)}
	if percent >= 0 {
		r.Rate = double(percent / 100)
	}
	return r
}

func TestTheNorthStarIsTheNewestThatIsRipe(t *testing.T) {
	low, high := 0.2, 0.4
	star := NorthStar{Metric: rollup.MetricPQLRate, Detail: "14d", Unit: "week", Zone: "UTC", Grouping: "tier", Group: "large", Field: "rate", Low: &low, High: &high}
	v := NewView(time.Hour, &star)
	none := Standing{NorthStar: star}
	require.Equal(t, none, *v.NorthStar(), "there are no rows")
	standing := func(week int64, value float64, within bool) Standing {
		return Standing{NorthStar: star, Value: value, WindowStart: rateOf(week, 0, true, true).WindowStart, Within: within, Known: true}
	}

	v.Put(rateOf(1, 30, false, false))
	require.Equal(t, none, *v.NorthStar(), "it is open")
	v.Put(rateOf(1, 30, true, false))
	require.Equal(t, none, *v.NorthStar(), "it is not ripe")
	v.Put(rateOf(1, 20, true, true))
	require.Equal(t, standing(1, 0.2, true), *v.NorthStar(), "the ends are parts of the band")
	v.Put(rateOf(2, 19, true, true))
	require.Equal(t, standing(2, 0.19, false), *v.NorthStar())
	require.Equal(t, standing(2, 0.19, false), *v.Contents().NorthStar)
	v.Put(rateOf(3, 40, true, true))
	v.Put(rateOf(4, -1, true, true)) // nobody has signed up
	v.Put(rateOf(5, 30, true, false))
	require.Equal(t, standing(3, 0.4, true), *v.NorthStar())
	v.Put(rateOf(3, 41, true, true))
	require.Equal(t, standing(3, 0.41, false), *v.NorthStar(), "it was corrected")

	for _, change := range []func(*rollup.Row){
		func(r *rollup.Row) { r.Metric = rollup.MetricPaid }, func(r *rollup.Row) { r.Detail = "7d" }, func(r *rollup.Row) { r.Unit = "day" },
		func(r *rollup.Row) { r.Zone = "Europe/Berlin" }, func(r *rollup.Row) { r.Grouping = "segment" }, func(r *rollup.Row) { r.Group = "small" },
	} {
		other := rateOf(6, 30, true, true)
		change(&other)
		v.Put(other)
	}
	require.Equal(t, standing(3, 0.41, false), *v.NorthStar(), "others are others")
	v.Remove(rateOf(3, 0, true, true))
	require.Equal(t, standing(2, 0.19, false), *v.NorthStar())
}

func TestBandsMayBeOpen(t *testing.T) {
	low, high := 10.0, 90.0
	for _, c := range []struct {
		low, high *float64
		within    map[int64]bool
	}{
		{&low, nil, map[int64]bool{9: false, 10: true, 1e9: true}},
		{nil, &high, map[int64]bool{-5: true, 90: true, 91: false}},
	} {
		v := NewView(time.Hour, &NorthStar{Metric: rollup.MetricPQLs, Unit: "day", Zone: "UTC", Field: "current_end", Low: c.low, High: c.high})
		for n, want := range c.within {
			v.Put(rollup.Row{Metric: rollup.MetricPQLs, Unit: "day", Zone: "UTC", Closed: true, Mature: true, CurrentEnd: long(n)})
			s := v.NorthStar()
			assert.Equal(t, float64(n), s.Value)
			assert.Equal(t, want, s.Within, n)
		}
	}
}
