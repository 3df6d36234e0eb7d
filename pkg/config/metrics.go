package config

import (
	"slices"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Metrics says which rows of metrics are made of what happens to accounts. They count from the moment on at which they are enabled.
//
// All but enabled, format, api_hours and north_star decide what the numbers mean, and must stay as they are while the deployment lives.
type Metrics struct {
	// Make metrics. This needs two stages more: some processes of the deployment must run measure and rollup.
	Enabled bool `mapstructure:"enabled"`
	// How rows are encoded: avro (in the registry's wire format), json, or connect, which is json with a schema in each value, as Kafka
	// Connect reads it; empty: as output.format. What is on the topic already stays as it is.
	Format Format `mapstructure:"format"`
	// The time zones by whose clocks windows begin and end, as IANA names them: UTC, Europe/Berlin. Each has windows of its own.
	Zones []string `mapstructure:"zones"`
	// The day that weeks begin with, such as monday.
	WeekStart string `mapstructure:"week_start"`
	// How long windows are, any of hour, day, week and month. A year has 8,760 hours: with them there are some fifteen times as many rows, of a
	// few accounts each.
	Units []string `mapstructure:"units"`
	// By what accounts are told apart: a list of groupings, each a list of dimensions. These are tier, segment, checklist (its
	// version), and the properties that the checklist marks with `dimension: true`. [] is all accounts together. An account is counted in
	// each of its segments.
	Groupings [][]string `mapstructure:"groupings"`
	// How many groups of one grouping are told apart. All that come after the first so many count as one, named other.
	MaxGroups int `mapstructure:"max_groups"`
	// How long after its end a window is closed. From then on it changes only by corrections, and its rows say what has corrected them.
	Lateness time.Duration `mapstructure:"lateness"`
	// How long after its end a window can be corrected. What comes later is counted in rows of its own.
	Restatement time.Duration `mapstructure:"restatement"`
	// Within how many days of their sign-up accounts qualify: a row of the rate of PQLs for each.
	CohortDays []int `mapstructure:"cohort_days"`
	// Within how many days of qualifying accounts convert: a row for each. The most of them is how long sign-up cohorts are followed.
	PaidDays []int `mapstructure:"paid_days"`
	// How far back from the newest window the API answers for windows of an hour. Those rows, and all of the other units, are in the memory
	// of each process that serves the API.
	APIHours time.Duration `mapstructure:"api_hours"`
	// The number that is watched most.
	NorthStar NorthStar `mapstructure:"north_star"`
}

func defaultMetrics() Metrics {
	return Metrics{
		Zones: []string{"UTC"}, WeekStart: "monday", Units: []string{"day", "week", "month"},
		Groupings: [][]string{{}, {rollup.DimTier}}, MaxGroups: 1000, Lateness: 24 * time.Hour, Restatement: 120 * 24 * time.Hour,
		CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90},
		APIHours: 14 * 24 * time.Hour,
	}
}

// Settings returns what is measured, and for how long windows change. The settings must be valid.
func (m *Metrics) Settings() (rollup.Settings, rollup.Limits, error) {
	s := rollup.Settings{Groupings: m.Groupings, CohortDays: m.CohortDays, PaidDays: m.PaidDays}
	for _, zone := range m.Zones {
		for _, unit := range m.Units {
			w, err := rollup.NewWindows(zone, rollup.Unit(unit), m.weekStart())
			if err != nil {
				return s, rollup.Limits{}, err
			}
			s.Windows = append(s.Windows, w)
		}
	}
	return s, rollup.Limits{MaxGroups: m.MaxGroups, Lateness: m.Lateness, Restatement: m.Restatement}, nil
}

// MetricsFormat is how rows of metrics are encoded.
func (c *Config) MetricsFormat() Format {
	if c.Metrics.Format == "" {
		return c.Output.Format
	}
	return c.Metrics.Format
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"} // as time.Weekday counts

func (m *Metrics) weekStart() time.Weekday { return time.Weekday(slices.Index(weekdays, m.WeekStart)) }

func (m *Metrics) validate(p *Problems, at string) {
	before := len(*p)
	const day = 24 * time.Hour
	if m.Format != "" {
		oneOf(p, at+".format", m.Format, Avro, JSON, Connect)
	}
	for i, zone := range m.Zones {
		if _, err := rollup.NewWindows(zone, rollup.Day, time.Monday); err != nil {
			p.add(index(at+".zones", i), "%v", err)
		}
	}
	for i, unit := range m.Units {
		oneOf(p, index(at+".units", i), rollup.Unit(unit), rollup.Hour, rollup.Day, rollup.Week, rollup.Month)
	}
	if m.weekStart() < 0 {
		p.add(at+".week_start", "%q is not one of %s", m.WeekStart, strings.Join(weekdays, ", "))
	}
	between(p, at+".max_groups", m.MaxGroups, 1, 10_000)
	between(p, at+".lateness", m.Lateness, 0, 365*day)
	between(p, at+".restatement", m.Restatement, day, 3*365*day)
	between(p, at+".api_hours", m.APIHours, time.Hour, 3*365*day)
	m.validateNorthStar(p, at+".north_star")
	if len(*p) > before {
		return // what follows looks at all of them together
	}
	s, limits, err := m.Settings()
	if err == nil {
		_, err = rollup.NewRollup(&s, limits)
	}
	if err != nil {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			p.add(at, "%s", problem)
		}
	}
}

// checkDimensions holds the groupings of the metrics against the checklist, which declares their dimensions.
func (c *Config) checkDimensions(p *Problems, list *checklist.Checklist) {
	if !c.Metrics.Enabled {
		return
	}
	for i, grouping := range c.Metrics.Groupings {
		for j, name := range grouping {
			if at := index(index("metrics.groupings", i), j); !isDimension(name, list) {
				p.add(at, "%q is neither tier, segment nor checklist, nor a property that %s marks with dimension: true", name, c.Checklist)
			}
		}
	}
}

func isDimension(name string, list *checklist.Checklist) bool {
	switch name {
	case rollup.DimTier, rollup.DimSegment, rollup.DimChecklist:
		return true
	}
	return slices.ContainsFunc(list.Properties(), func(p checklist.Property) bool { return p.Name == name && p.Dimension })
}

func (c *Config) validateMetrics(p *Problems) {
	c.Metrics.validate(p, "metrics")
	if c.Metrics.Enabled {
		return
	}
	for i, s := range c.Stages {
		if s == Measure || s == Rollup {
			p.add(index("stages", i), "%s has nothing to do while metrics.enabled is false: set that to true, or leave the stage out", s)
		}
	}
}
