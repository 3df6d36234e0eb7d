package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Query says which rows are wanted.
type Query struct {
	Metrics   []string      // empty: all
	Units     []rollup.Unit // empty: all
	Zones     []string      // empty: all
	Groupings []string      // by rollup.GroupingName; empty: all accounts, or with Groups any
	Groups    []string      // by rollup.GroupName; empty: all
	From, To  Bound         // of windows' starts
	Closed    bool          // only rows of windows that are closed
	Mature    bool          // only rows that have ripened
	Unplaced  bool          // also rows of what is in no window, whatever the metrics
}

// Bound is the first or the last day, or so long before the newest window. The zero Bound is none.
type Bound struct {
	date string // such as 2025-03-01, of the row's zone
	back int64  // ms
	text string
}

var backForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([hdw])$`)

// ParseBound reads a date such as 2025-03-01, or how far back from the newest window: 36h, 30d, 12w.
func ParseBound(text string) (Bound, error) {
	if m := backForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		hours := map[string]int64{"h": 1, "d": 24, "w": 7 * 24}[m[2]]
		return Bound{back: n * hours * time.Hour.Milliseconds(), text: text}, err
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return Bound{}, fmt.Errorf("%q is neither a date such as 2025-03-01 nor a time back from the newest window such as 36h, 30d or 12w", text)
	}
	return Bound{date: text, text: text}, nil
}

// dated says whether a row's window starts within the bounds that are dates. A row without a window does.
func (q *Query) dated(r *rollup.Row, zones *zones) bool {
	if q.From.date == "" && q.To.date == "" || windowless(r) {
		return true
	}
	date := zones.at(r.WindowStart, r.Zone).Format(time.DateOnly)
	return date >= q.From.date && (q.To.date == "" || date <= q.To.date)
}

// recent says whether a row's window starts within the bounds that count back from the newest.
func (q *Query) recent(r *rollup.Row, newest int64) bool {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if q.From.back > 0 {
		from = newest - q.From.back
	}
	if q.To.back > 0 {
		to = newest - q.To.back
	}
	return windowless(r) || r.WindowStart > from && r.WindowStart <= to
}

// within says whether a row's window starts within the bounds.
func (q *Query) within(r *rollup.Row, newest int64, zones *zones) bool {
	return q.dated(r, zones) && q.recent(r, newest)
}

// final says whether a row is as final as is asked for.
func (q *Query) final(closed, mature bool) bool {
	return (closed || !q.Closed) && (mature || !q.Mature)
}

// windowless says whether a row is of no window: it counts what is in none.
func windowless(r *rollup.Row) bool { return slices.Contains(Unplaced, r.Metric) }

// series is what filters see of a row: all but its window and detail.
type series struct{ Metric, Unit, Zone, Grouping, Group string }

func seriesOf(r *rollup.Row) series { return series{r.Metric, r.Unit, r.Zone, r.Grouping, r.Group} }

// filter is one thing that rows are chosen by, with the flag that says so.
type filter struct {
	flag  string
	value func(*series) string
	wants []string // empty: all
}

// has says whether a row is wanted. Rows without a window have no zone or unit, and are of all.
func (f *filter) has(s *series) bool {
	v := f.value(s)
	return len(f.wants) == 0 || slices.Contains(f.wants, v) || v == "" && (f.flag == flagUnit || f.flag == flagZone)
}

// passes says whether rows of a series are wanted.
func passes(filters []filter, s *series) bool {
	for i := range filters {
		if !filters[i].has(s) {
			return false
		}
	}
	return true
}

const (
	flagMetric   = "--metric"
	flagUnit     = "--unit"
	flagZone     = "--zone"
	flagGrouping = "--grouping"
	flagGroup    = "--group"
)

func (q *Query) filters() []filter {
	wantedUnits := make([]string, len(q.Units))
	for i, u := range q.Units {
		wantedUnits[i] = string(u)
	}
	groupings := q.Groupings
	if len(groupings) == 0 && len(q.Groups) == 0 {
		groupings = []string{""}
	}
	metrics := q.Metrics
	if q.Unplaced && len(metrics) > 0 {
		metrics = slices.Concat(metrics, Unplaced)
	}
	return []filter{
		{flagMetric, func(s *series) string { return s.Metric }, metrics},
		{flagUnit, func(s *series) string { return s.Unit }, wantedUnits},
		{flagZone, func(s *series) string { return s.Zone }, q.Zones},
		{flagGrouping, func(s *series) string { return s.Grouping }, groupings},
		{flagGroup, func(s *series) string { return s.Group }, q.Groups},
	}
}

// zones tells times in time zones, by their names.
type zones map[string]*time.Location

func (z *zones) at(ms int64, zone string) time.Time {
	loc := (*z)[zone]
	if loc == nil {
		var err error
		if loc, err = time.LoadLocation(zone); err != nil {
			loc = time.UTC
		}
		if *z == nil {
			*z = zones{}
		}
		(*z)[zone] = loc
	}
	return time.UnixMilli(ms).In(loc)
}
