package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Catalog picks the rows that a query wants. It is told the keys of all rows there are, so that it can say what there is where there
// is nothing of what is wanted.
type Catalog struct {
	query   Query
	filters []filter
	series  map[series]*extent
	newest  int64 // the latest start of a window
	zones   zones
}

// extent is from when to when there are windows, by the dates of their starts. Both are empty where there are none.
type extent struct{ first, last string }

// NewCatalog returns the catalog of a query.
func NewCatalog(q Query) *Catalog {
	return &Catalog{query: q, filters: q.filters(), series: map[series]*extent{}, newest: math.MinInt64}
}

// Wants takes note of a row, of which only what is in its key is looked at, and says whether Select must be given it.
func (c *Catalog) Wants(key *rollup.Row) bool {
	s := seriesOf(key)
	e := c.series[s]
	if e == nil {
		e = &extent{}
		c.series[s] = e
	}
	if !windowless(key) {
		c.newest = max(c.newest, key.WindowStart)
		e.add(c.zones.at(key.WindowStart, key.Zone).Format(time.DateOnly))
	}
	return passes(c.filters, &s) && c.query.dated(key, &c.zones)
}

func (e *extent) add(date string) {
	if e.first == "" || date < e.first {
		e.first = date
	}
	e.last = max(e.last, date)
}

// Select returns those of the rows that are wanted, in order: by unit, zone, group, metric, time and detail. If there are none, it
// returns an error that says why.
func (c *Catalog) Select(rows []rollup.Row) ([]rollup.Row, error) {
	var wanted []rollup.Row
	var unready []*rollup.Row // wanted, were they closed or ripe
	found := false
	for i := range rows {
		r := &rows[i]
		s := seriesOf(r)
		switch unplaced := windowless(r); {
		case !passes(c.filters, &s) || !c.query.within(r, c.newest, &c.zones):
		case unplaced || c.query.final(r.Closed, r.Mature):
			wanted = append(wanted, *r)
			found = found || !unplaced || !c.query.Unplaced
		default:
			unready = append(unready, r)
		}
	}
	if !found {
		return nil, c.nothing(unready)
	}
	slices.SortFunc(wanted, func(a, b rollup.Row) int { return compare(&a, &b) })
	return wanted, nil
}

// compare brings rows into their order, in which no two are the same. It looks at what is in their keys only, so a row stays where it is.
func compare(a, b *rollup.Row) int {
	return cmp.Or(
		compareSeries(a, b),
		cmp.Compare(metricRank(a.Metric), metricRank(b.Metric)), strings.Compare(a.Metric, b.Metric),
		cmp.Compare(a.WindowStart, b.WindowStart), compareDetails(a.Detail, b.Detail),
	)
}

// compareSeries orders by what a report has parts for.
func compareSeries(a, b *rollup.Row) int {
	return cmp.Or(
		cmp.Compare(unitRank(a.Unit), unitRank(b.Unit)), strings.Compare(a.Unit, b.Unit), strings.Compare(a.Zone, b.Zone),
		strings.Compare(a.Grouping, b.Grouping), strings.Compare(a.Group, b.Group),
	)
}

func unitRank(unit string) int { return slices.Index(units, rollup.Unit(unit)) }

// compareDetails orders numbers by their size: 7d before 14d.
func compareDetails(a, b string) int {
	return cmp.Or(cmp.Compare(leadingNumber(a), leadingNumber(b)), strings.Compare(a, b))
}

func leadingNumber(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}
