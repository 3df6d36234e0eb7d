package config

import (
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// NorthStar chooses the one number of metrics that is watched most, and says in which band it should be.
type NorthStar struct {
	// The metric, such as pql_rate; empty: there is no north star.
	Metric string `mapstructure:"metric"`
	// Which of the metric's rows, such as 14d; empty for metrics that have one row a window.
	Detail string `mapstructure:"detail"`
	// Windows of which length, one of metrics.units. Without one: week, or the first there is.
	Unit string `mapstructure:"unit"`
	// Windows of which time zone, one of metrics.zones; empty: the first.
	Zone string `mapstructure:"zone"`
	// Of which grouping, one of metrics.groupings, its dimensions with commas between them; empty: all accounts together.
	Grouping string `mapstructure:"grouping"`
	// Of which group of the grouping, such as large; values of several dimensions have commas between them.
	Group string `mapstructure:"group"`
	// Which number of the row, such as rate or current_end. docs/metrics.md says what there is.
	Field string `mapstructure:"field"`
	// The least that the number should be; empty: it may be as low as it likes.
	Low Number `mapstructure:"low"`
	// The most that the number should be; empty: it may be as high as it likes.
	High Number `mapstructure:"high"`
}

// ChosenNorthStar returns the north star with what was left out filled in, false where none is chosen.
func (m *Metrics) ChosenNorthStar() (NorthStar, bool) {
	n := m.NorthStar
	if n.Unit == "" {
		n.Unit = string(rollup.Week)
		if !slices.Contains(m.Units, n.Unit) && len(m.Units) > 0 {
			n.Unit = m.Units[0]
		}
	}
	if n.Zone == "" && len(m.Zones) > 0 {
		n.Zone = m.Zones[0]
	}
	return n, n.Metric != ""
}

func (m *Metrics) validateNorthStar(p *Problems, at string) {
	n, chosen := m.ChosenNorthStar()
	if !chosen {
		if m.NorthStar != (NorthStar{}) {
			p.add(at+".metric", "there is none; name one of %s", strings.Join(rollup.Names(), ", "))
		}
		return
	}
	if !m.Enabled {
		p.add(at+".metric", "it needs metrics.enabled")
	}
	fields := rollup.Fields(n.Metric)
	if fields == nil {
		p.add(at+".metric", "%q is not one of %s", n.Metric, strings.Join(rollup.Names(), ", "))
	} else {
		if !slices.Contains(fields, n.Field) {
			p.add(at+".field", "%q is not one of those of %s: %s", n.Field, n.Metric, strings.Join(fields, ", "))
		}
		s := rollup.Settings{CohortDays: m.CohortDays, PaidDays: m.PaidDays}
		if !s.HasDetail(n.Metric, n.Detail) {
			p.add(at+".detail", "%s has no rows of %q", n.Metric, n.Detail)
		}
	}
	oneOf(p, at+".unit", n.Unit, m.Units...)
	oneOf(p, at+".zone", n.Zone, m.Zones...)
	m.validateNorthStarsGroup(p, at)
	low, hasLow := n.Low.Value()
	high, hasHigh := n.High.Value()
	switch {
	case !hasLow && !hasHigh:
		p.add(at+".low", "there is neither low nor high: a north star needs a band, of which one end may be missing")
	case hasLow && hasHigh && low > high:
		p.add(at+".low", "%s is more than high, %s", n.Low, n.High)
	}
}

func (m *Metrics) validateNorthStarsGroup(p *Problems, at string) {
	n := &m.NorthStar
	names := make([]string, len(m.Groupings))
	for i, g := range m.Groupings {
		names[i] = rollup.GroupingName(g)
	}
	switch {
	case !slices.Contains(names, n.Grouping):
		p.add(at+".grouping", "%q is not one of metrics.groupings", n.Grouping)
	case n.Grouping == "" && n.Group != "":
		p.add(at+".group", "%q: all accounts are one group, without a name; say of which grouping it is", n.Group)
	}
}
