package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Contents says what a view has rows of.
type Contents struct {
	Metrics   []Metric // in the order in which they are shown
	Units     []string // shortest first
	Zones     []string
	Groupings []GroupingGroups
	NorthStar *Standing // nil: none was chosen
}

// GroupingGroups are a grouping, by rollup.GroupingName, and its groups, by rollup.GroupName.
type GroupingGroups struct {
	Name   string
	Groups []string
}

// Contents returns what there are rows of now.
func (v *View) Contents() Contents {
	metrics, units, zones, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	v.mu.Lock()
	for _, l := range v.order {
		metrics[l.Metric] = true
		if l.windowless() {
			continue
		}
		units[l.Unit], zones[l.Zone] = true, true
		if groups[l.Grouping] == nil {
			groups[l.Grouping] = map[string]bool{}
		}
		groups[l.Grouping][l.Group] = true
	}
	v.mu.Unlock()
	c := Contents{Metrics: []Metric{}, Units: sorted(units), Zones: sorted(zones), Groupings: []GroupingGroups{}, NorthStar: v.NorthStar()}
	for _, m := range Metrics {
		if metrics[m.Name] {
			c.Metrics = append(c.Metrics, m)
		}
	}
	slices.SortFunc(c.Units, func(a, b string) int { return cmp.Compare(unitRank(a), unitRank(b)) })
	for _, name := range sorted(groups) {
		c.Groupings = append(c.Groupings, GroupingGroups{name, sorted(groups[name])})
	}
	return c
}

func sorted[V any](set map[string]V) []string {
	return slices.AppendSeq(make([]string, 0, len(set)), slices.Values(slices.Sorted(maps.Keys(set))))
}

// NorthStar is the one number that is watched most, and the band that it should be in.
type NorthStar struct {
	Metric, Detail, Unit, Zone, Grouping, Group string // as rows have them

	Field     string   // a column of numbers
	Low, High *float64 // the ends of the band, which are parts of it; nil: there is no such end
}

// Standing is how a north star stands: what it is in the newest window that has it for good, but for corrections.
type Standing struct {
	NorthStar
	Value       float64
	WindowStart int64 // ms since the Unix epoch
	Within      bool  // the band
	Known       bool  // there is such a window
}

// NorthStar returns how the north star stands, nil if none was chosen. The row that it is from is closed and, if it ripens, ripe. Windows in
// which there is nothing to tell, such as a rate of no accounts, don't count.
func (v *View) NorthStar() *Standing {
	if v.star == nil {
		return nil
	}
	s := &Standing{NorthStar: *v.star}
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.lines[series{s.Metric, s.Unit, s.Zone, s.Grouping, s.Group}]
	if l == nil {
		return s
	}
	for _, e := range slices.Backward(l.rows) {
		if e.detail.Value() != s.Detail || e.body[0]&packedMature == 0 {
			continue
		}
		r := l.whole(&e)
		if s.Value, s.Known = number64(&r, s.Field); s.Known {
			s.WindowStart = e.start
			s.Within = (s.Low == nil || s.Value >= *s.Low) && (s.High == nil || s.Value <= *s.High)
			break
		}
	}
	return s
}

// number64 returns the number in a row's column, if there is one.
func number64(r *rollup.Row, column string) (value float64, known bool) {
	at := slices.IndexFunc(rollup.Columns, func(c rollup.Column) bool { return c.Name == column })
	if at < 0 {
		return 0, false
	}
	switch v := rollup.Columns[at].Of(r).(type) {
	case *rollup.Null[int64]:
		return float64(v.Value), v.Known
	case *rollup.Null[float64]:
		return v.Value, v.Known
	}
	return 0, false
}
