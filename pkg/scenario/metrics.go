package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// metrics is how the metrics of a file are made.
type metrics struct {
	settings rollup.Settings
	rollup   *rollup.Rollup
}

// metricSettings are what the program's settings call metrics, by the same names.
type metricSettings struct {
	zones       []string
	weekStart   string
	units       []string
	groupings   [][]string
	maxGroups   int
	lateness    time.Duration
	restatement time.Duration
	cohortDays  []int
	paidDays    []int
}

// defaultMetrics are the settings' defaults.
func defaultMetrics() metricSettings {
	limits := rollup.DefaultLimits()
	return metricSettings{
		zones: []string{"UTC"}, weekStart: "monday", units: []string{"day", "week", "month"}, groupings: [][]string{{}, {rollup.DimTier}},
		maxGroups: limits.MaxGroups, lateness: limits.Lateness, restatement: limits.Restatement,
		cohortDays: []int{7, 14, 30}, paidDays: []int{7, 30, 60, 90},
	}
}

// field is one of the settings of metrics.
type field struct {
	name    string
	into    any
	example string
}

func (m *metricSettings) fields() []field {
	return []field{
		{"zones", &m.zones, "[UTC, Europe/Berlin]"},
		{"week_start", &m.weekStart, "monday"},
		{"units", &m.units, "[day, month]"},
		{"groupings", &m.groupings, "[[], [tier], [segment, tier]]"},
		{"max_groups", &m.maxGroups, "1000"},
		{"lateness", &m.lateness, "24h"},
		{"restatement", &m.restatement, "2880h"},
		{"cohort_days", &m.cohortDays, "[7, 14, 30]"},
		{"paid_days", &m.paidDays, "[7, 30, 60, 90]"},
	}
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"} // as time.Weekday counts

// Bounds of the work that a file can ask for.
const (
	mostZones = 8
	mostTime  = int64(5 * 366 * 24 * time.Hour / time.Millisecond) // that a scenario with metrics goes on
)

// build returns what makes the metrics, or all that is wrong with the settings.
func (m *metricSettings) build() (*metrics, error) {
	first := slices.Index(weekdays, m.weekStart)
	switch {
	case first < 0:
		return nil, fmt.Errorf("week_start: %q is none of %s", m.weekStart, strings.Join(weekdays, ", "))
	case len(m.zones) > mostZones:
		return nil, fmt.Errorf("zones: there are more than %d", mostZones)
	}
	made := &metrics{settings: rollup.Settings{Groupings: m.groupings, CohortDays: m.cohortDays, PaidDays: m.paidDays}}
	for _, zone := range m.zones {
		for _, unit := range m.units {
			w, err := rollup.NewWindows(zone, rollup.Unit(unit), time.Weekday(first))
			if err != nil {
				return nil, err
			}
			made.settings.Windows = append(made.settings.Windows, w)
		}
	}
	var err error
	made.rollup, err = rollup.NewRollup(&made.settings, rollup.Limits{MaxGroups: m.maxGroups, Lateness: m.lateness, Restatement: m.restatement})
	return made, err
}

// metricSettings reads the settings of metrics, which follow, indented.
func (p *parser) metricSettings(at int, text string) {
	p.metricsAt = at
	if text != "" {
		p.problem(at, "metrics: its settings follow in lines of their own, indented, such as `zones: [Europe/Berlin]`")
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(p.block(at), &doc); err != nil {
		p.problem(at, "metrics: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	settings, before := defaultMetrics(), len(p.problems)
	if len(doc.Content) > 0 {
		p.fields(doc.Content[0], settings.fields())
	}
	if len(p.problems) > before {
		return
	}
	made, err := settings.build()
	if err != nil {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			p.problem(at, "metrics: %s", problem)
		}
		return
	}
	p.file.metrics = made
}

// fields reads a mapping.
func (p *parser) fields(of *yaml.Node, fields []field) {
	if of.Kind != yaml.MappingNode {
		p.problem(of.Line-1, "metrics: this is no setting such as `zones: [Europe/Berlin]`")
		return
	}
	given := map[string]bool{}
	for i := 0; i < len(of.Content); i += 2 {
		key, value := of.Content[i], of.Content[i+1]
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		switch {
		case at < 0:
			p.problem(key.Line-1, "metrics.%s: is no setting of metrics; there are: %s", key.Value, fieldNames(fields))
		case given[key.Value]:
			p.problem(key.Line-1, "metrics.%s: is given twice", key.Value)
		case value.Tag == "!!null" || value.Decode(fields[at].into) != nil:
			p.problem(key.Line-1, "metrics.%s: is not like %s", key.Value, fields[at].example)
		}
		given[key.Value] = true
	}
}

func fieldNames(fields []field) string {
	all := make([]string, len(fields))
	for i := range fields {
		all[i] = fields[i].name
	}
	return strings.Join(all, ", ")
}

// measured returns how metrics are made; nil: the settings are wrong, which is said.
func (p *parser) measured() *metrics {
	if p.file.metrics == nil && !p.seen["metrics"] {
		settings := defaultMetrics()
		p.file.metrics, _ = settings.build() // nothing is wrong with them
	}
	return p.file.metrics
}

// dimensions holds the groupings against the checklist, which declares dimensions.
func (p *parser) dimensions() {
	if p.file.metrics == nil || p.file.engine == nil {
		return
	}
	for _, name := range slices.Concat(p.file.metrics.settings.Groupings...) {
		if !isDimension(name, p.file.Checklist()) {
			p.problem(p.metricsAt, "metrics.groupings: %s is none of %s, %s and %s, nor a property that the checklist marks with `dimension: true`",
				quoted(name), rollup.DimTier, rollup.DimSegment, rollup.DimChecklist)
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
