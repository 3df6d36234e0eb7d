package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// rowLine is a line that says which row of the metrics it is about: metric, detail, unit, window, zone, group.
type rowLine struct {
	tokens  []token // those that are still to be read
	metrics *metrics
	steps   []string // ids of the checklist's
	clock   clock
	row     rollup.Row // of which nothing but its key is told
}

// metricKind is one of the metrics.
type metricKind struct {
	name    string
	details func(r *rowLine) []string // that its rows have; nil: none
	extent  extent
}

// extent is what rows of a metric are about.
type extent uint8

const (
	ofWindow extent = iota
	ofUnit          // all windows of a unit in a zone
	ofAll           // all windows
)

// metricKinds is the one list of the metrics there are.
var metricKinds = []metricKind{
	{rollup.MetricPQLs, nil, ofWindow},
	{rollup.MetricPQLRate, cohortDays, ofWindow},
	{rollup.MetricPQLRatePeriod, nil, ofWindow},
	{rollup.MetricTimeToPQL, nil, ofWindow},
	{rollup.MetricTimeToPQLSince, nil, ofWindow},
	{rollup.MetricPaid, paidDays, ofWindow},
	{rollup.MetricPaidSince, cohortDays, ofWindow},
	{rollup.MetricHoldOut, paidDays, ofWindow},
	{rollup.MetricTimeToPaid, nil, ofWindow},
	{rollup.MetricFunnel, func(r *rowLine) []string { return r.steps }, ofWindow},
	{rollup.MetricActivation, tenths, ofWindow},
	{rollup.MetricPrecision, nil, ofWindow},
	{rollup.MetricAcceptance, nil, ofWindow},
	{rollup.MetricSales, sayings, ofWindow},
	{rollup.MetricOther, nil, ofAll},
	{rollup.MetricBeyond, nil, ofUnit},
}

func cohortDays(r *rowLine) []string { return dayNames(r.metrics.settings.CohortDays) }
func paidDays(r *rowLine) []string   { return dayNames(r.metrics.settings.PaidDays) }

func dayNames(days []int) (all []string) {
	for _, n := range days {
		all = append(all, strconv.Itoa(n)+"d")
	}
	return all
}

func tenths(*rowLine) (all []string) {
	for percent := 0; percent <= 100; percent += 10 {
		all = append(all, strconv.Itoa(percent))
	}
	return all
}

func sayings(*rowLine) (all []string) {
	for _, t := range []account.Type{account.LeadAccepted, account.LeadRejected, account.MeetingBooked, account.LeadWon, account.LeadLost} {
		all = append(all, string(t))
	}
	return all
}

// row reads which row of the metrics is looked at, and what it holds.
func (p *parser) row(s *statement, tokens []token) (err error) {
	s.kind = rowIs
	made := p.measured()
	if made == nil || p.engine == nil { // what is wrong with them is said
		return nil
	}
	r := rowLine{tokens: tokens, metrics: made, clock: p.file.clock}
	for _, step := range p.engine.Checklist().Steps() {
		r.steps = append(r.steps, step.ID)
	}
	if err := r.read(); err != nil {
		return err
	}
	s.row = r.row.Key()
	w := want{line: s.line, end: tokens[len(tokens)-1].to(), keyEnd: tokens[len(tokens)-len(r.tokens)-1].to()}
	if w.attributes, err = readAttributes(r.tokens, ofRows, p.file.clock); err != nil {
		return err
	}
	if len(w.attributes) > 1 && slices.ContainsFunc(w.attributes, func(a attribute) bool { return a.spec == noRow }) {
		return fmt.Errorf("%s: nothing else can be said of a row that is not there", noRow.words)
	}
	s.wants = []want{w}
	return nil
}

func (r *rowLine) read() error {
	kind, err := r.metric()
	if err != nil {
		return err
	}
	switch kind.extent {
	case ofAll:
		return r.grouping()
	case ofUnit:
		_, err := r.windows(nil)
		if err != nil {
			return err
		}
		return r.grouping()
	}
	var when []token
	w, err := r.windows(&when)
	if err != nil {
		return err
	}
	if r.row.WindowStart, err = r.start(w, when); err != nil {
		return err
	}
	return r.group()
}

// next takes a word.
func (r *rowLine) next(what string) (string, error) {
	if len(r.tokens) == 0 {
		return "", fmt.Errorf("%s is missing, such as `metric pqls day 2026-03-02 tier=small  raw 1`", what)
	}
	raw := r.tokens[0].raw
	r.tokens = r.tokens[1:]
	return raw, nil
}

func (r *rowLine) metric() (*metricKind, error) {
	name, err := r.next("a metric")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(metricKinds, func(k metricKind) bool { return k.name == name })
	if at < 0 {
		all := make([]string, len(metricKinds))
		for i := range metricKinds {
			all[i] = metricKinds[i].name
		}
		return nil, fmt.Errorf("%q is no metric; there are: %s", name, strings.Join(all, ", "))
	}
	kind := &metricKinds[at]
	r.row.Metric = name
	if kind.details == nil {
		return kind, nil
	}
	details := kind.details(r)
	raw, err := r.next("one of " + strings.Join(details, ", "))
	if r.row.Detail = unquoted(raw); err == nil && !slices.Contains(details, r.row.Detail) {
		err = fmt.Errorf("%s needs one of %s, not %q", name, strings.Join(details, ", "), raw)
	}
	return kind, err
}

// windows reads a unit, the words for when, if it is asked for, and a zone: the first one there is, if it is left out.
func (r *rowLine) windows(when *[]token) (*rollup.Windows, error) {
	all := r.metrics.settings.Windows
	unit, err := r.next("a unit")
	if err != nil {
		return nil, err
	}
	if when != nil {
		*when = r.tokens[:min(1, len(r.tokens))]
		if len(r.tokens) > 1 && timeOfDay.MatchString(r.tokens[1].raw) {
			*when = r.tokens[:2]
		}
		r.tokens = r.tokens[len(*when):]
	}
	zone := all[0].Zone()
	if len(r.tokens) > 1 && r.tokens[0].raw == "in" {
		zone = r.tokens[1].raw
		r.tokens = r.tokens[2:]
	}
	at := slices.IndexFunc(all, func(w *rollup.Windows) bool { return string(w.Unit()) == unit && w.Zone() == zone })
	if at < 0 {
		return nil, fmt.Errorf("there are no windows of %q in %q; there are: %s", unit, zone, strings.Join(windowNames(all), ", "))
	}
	r.row.Unit, r.row.Zone = unit, zone
	return all[at], nil
}

func windowNames(all []*rollup.Windows) (names []string) {
	for _, w := range all {
		names = append(names, string(w.Unit())+" in "+w.Zone())
	}
	return names
}

var (
	monthOnly = regexp.MustCompile(`^\d{4}-\d{2}$`)
	errWindow = errors.New("is no window: write the day of one, such as 2026-03-02 or +3d, of a month 2026-03, and of an hour also the time, such as " +
		"+3d 10:00 or 2026-10-25T02:00+01:00")
)

// start returns the start of the window that holds what the words say. They mean the clocks of the window's zone.
func (r *rowLine) start(w *rollup.Windows, when []token) (int64, error) {
	if len(when) == 0 {
		return 0, errors.New("a window is missing, such as `day 2026-03-02`")
	}
	zone, err := time.LoadLocation(w.Zone())
	if err != nil {
		return 0, err
	}
	s := r.clock.start
	c := clock{time.Date(s.Year(), s.Month(), s.Day(), s.Hour(), s.Minute(), s.Second(), s.Nanosecond(), zone)}
	text := when[0].raw
	if w.Unit() == rollup.Month && monthOnly.MatchString(text) {
		text += "-01"
	}
	var at time.Time
	switch isDay := calendar.MatchString(text) || daysAfter.MatchString(text); {
	case isDay && len(when) == 1 && w.Unit() != rollup.Hour:
		at, _, err = c.read([]token{{raw: text}, {raw: "12:00"}}) // every day has a noon
	case isDay && len(when) == 2, isDay && daysAfter.MatchString(text), withOffset.MatchString(text) && len(when) == 1:
		at, _, err = c.read(when)
	case timeAfter.MatchString(text) && len(text) > 1 && len(when) == 1:
		at, _, err = r.clock.read(when)
	default:
		return 0, fmt.Errorf("%q %w", text, errWindow)
	}
	if err == nil && !inRange(at) {
		err = fmt.Errorf("%s is not between 1970 and 9999", at.Format(time.RFC3339))
	}
	start, _ := w.At(at.UnixMilli())
	return start, err
}

// group reads whose row it is: those with some values of dimensions, or all beyond the limit.
func (r *rowLine) group() error {
	if len(r.tokens) > 1 && r.tokens[0].raw == rollup.OtherGroup && r.tokens[1].raw == "of" {
		r.tokens, r.row.Group = r.tokens[1:], rollup.OtherGroup
		return r.grouping()
	}
	var dimensions, values []string
	for len(r.tokens) > 0 {
		raw := r.tokens[0].raw
		at := outside(raw, '=')
		if at < 1 {
			break
		}
		value := unquoted(raw[at+1:])
		if raw[at+1:] == nothing {
			value = ""
		}
		dimensions, values = append(dimensions, unquoted(raw[:at])), append(values, value)
		r.tokens = r.tokens[1:]
	}
	r.row.Group = rollup.GroupName(values)
	return r.groupedBy(dimensions)
}

// grouping reads the dimensions that accounts are grouped by, `of tier,plan`; nothing: they are not.
func (r *rowLine) grouping() error {
	if len(r.tokens) < 2 || r.tokens[0].raw != "of" {
		return r.groupedBy(nil)
	}
	dimensions := listed(r.tokens[1].raw)
	r.tokens = r.tokens[2:]
	return r.groupedBy(dimensions)
}

func (r *rowLine) groupedBy(dimensions []string) error {
	all := r.metrics.settings.Groupings
	if !slices.ContainsFunc(all, func(g []string) bool { return slices.Equal(g, dimensions) }) {
		return fmt.Errorf("accounts are not grouped by [%s]: the groupings are %s", rollup.GroupingName(dimensions), groupingNames(all))
	}
	r.row.Grouping = rollup.GroupingName(dimensions)
	return nil
}

func groupingNames(all [][]string) string {
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = "[" + rollup.GroupingName(g) + "]"
	}
	return strings.Join(names, ", ")
}
