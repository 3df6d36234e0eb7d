package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// ErrNothing says that there is no row of what is wanted.
var ErrNothing = errors.New("nothing to show")

// ErrNoRows is the ErrNothing of a deployment that has no rows at all.
var ErrNoRows = fmt.Errorf("%w: there are no rows yet", ErrNothing)

// nothing says why no row was found: which of the filters leaves none of those that the ones before it left, and what there is instead.
func (c *Catalog) nothing(unready []*rollup.Row) error {
	left := c.all()
	if len(left) == 0 {
		return fmt.Errorf("%w; a row appears about a second after the first event that concerns it, while processes run the stages measure and rollup",
			ErrNoRows)
	}
	filters := c.filters
	filters[0].wants = c.query.Metrics
	for i := range filters {
		f := &filters[i]
		fit := slices.DeleteFunc(slices.Clone(left), func(s series) bool { return !f.has(&s) })
		if len(fit) == 0 {
			return fmt.Errorf("%w: no rows with %s %s; there are rows of %s", ErrNothing, f.flag, names(f, f.wants), names(f, valuesOf(f, left)))
		}
		left = fit
	}
	if len(unready) > 0 {
		return c.unready(unready)
	}
	var e extent
	for _, s := range left {
		if there := c.series[s]; there.first != "" {
			e.add(there.first)
			e.add(there.last)
		}
	}
	if e.first == "" {
		return fmt.Errorf("%w: there are rows without a window only", ErrNothing)
	}
	return fmt.Errorf("%w: no window starts %s; there are those that start from %s to %s", ErrNothing, c.query.bounds(), e.first, e.last)
}

// all returns what rows there are, in order.
func (c *Catalog) all() []series {
	all := make([]series, 0, len(c.series))
	for s := range c.series {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b series) int {
		return cmp.Or(cmp.Compare(metricRank(a.Metric), metricRank(b.Metric)), cmp.Compare(unitRank(a.Unit), unitRank(b.Unit)),
			strings.Compare(a.Zone, b.Zone), strings.Compare(a.Grouping, b.Grouping), strings.Compare(a.Group, b.Group))
	})
	return all
}

// unready says when the first of the rows will be closed or ripe.
func (c *Catalog) unready(rows []*rollup.Row) error {
	first := slices.MinFunc(rows, func(a, b *rollup.Row) int { return cmp.Compare(readyAt(a), readyAt(b)) })
	at := func(ms int64) string { return moment(c.zones.at(ms, first.Zone)) }
	if c.query.Mature {
		return fmt.Errorf("%w: none of the rows has ripened yet; the first of them ripens %s", ErrNothing, at(readyAt(first)))
	}
	return fmt.Errorf("%w: none of the windows is closed yet; the first of them ends %s, and is closed once the lateness has passed as well", ErrNothing,
		at(first.WindowEnd))
}

func readyAt(r *rollup.Row) int64 { return max(r.WindowEnd, r.MatureAt.Value) }

func (q *Query) bounds() string {
	var parts []string
	if q.From.text != "" {
		parts = append(parts, "from "+q.From.text)
	}
	if q.To.text != "" {
		parts = append(parts, "to "+q.To.text)
	}
	return strings.Join(parts, " ")
}

func valuesOf(f *filter, all []series) []string {
	var values []string
	for i := range all {
		v := f.value(&all[i])
		if v == "" && (f.flag == flagUnit || f.flag == flagZone) {
			continue
		}
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// maxNames is how many names a message lists.
const maxNames = 20

func names(f *filter, values []string) string {
	shown := make([]string, 0, len(values))
	for _, v := range values {
		switch {
		case f.flag == flagGrouping:
			v = groupingName(v)
		case v == "":
			v = `""`
		case printable(v) != v:
			v = strconv.Quote(v)
		}
		shown = append(shown, v)
	}
	if n := len(shown); n > maxNames {
		return fmt.Sprintf("%s, and %d more", strings.Join(shown[:maxNames], ", "), n-maxNames)
	}
	return strings.Join(shown, ", ")
}
