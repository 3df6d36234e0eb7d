// Package report shows rows of metrics: it picks those that are wanted, prints them as tables with small charts, writes them for
// other programs to read, and keeps them in memory to be asked for. It knows no Kafka and no clock.
package report

import (
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Metric is what there is to say of a metric. docs/metrics.md defines them.
type Metric struct {
	Name  string // as in rows
	Title string
	Says  string // what its tables show
	table layout
}

// Metrics are all metrics, in the order in which they are shown.
var Metrics = []Metric{
	{rollup.MetricPQLs, "PQLs", "accounts that are PQLs as the window ends, and who came and went", pqlsTable},
	{rollup.MetricPQLRate, "PQL rate", "of the accounts that signed up in the window, those that qualified within so many days", shareTable("qualified", "signed up")},
	{rollup.MetricPQLRatePeriod, "PQL rate by period", "accounts that qualified for the first time in the window, for those that signed up in it",
		shareTable("qualified", "signed up")},
	{rollup.MetricTimeToPQL, "Time to PQL", "from sign-up, of the accounts that qualified for the first time in the window", timeTable("qualified")},
	{rollup.MetricTimeToPQLSince, "Time to PQL by cohort", "from sign-up, of the accounts that signed up in the window and have qualified since", timeTable("qualified")},
	{rollup.MetricPaid, "PQL to paid", "of the accounts that qualified in the window, those that converted within so many days", shareTable("converted", "qualified")},
	{rollup.MetricPaidSince, "PQL to paid by cohort", "of the accounts that signed up in the window, those that converted: of those that had qualified by day N, and of the others",
		againstTable("had qualified", "had not")},
	{rollup.MetricHoldOut, "Hold-out", "of the accounts that qualified in the window, those that converted within so many days: of treated accounts, and of those held out",
		againstTable("treated", "held out")},
	{rollup.MetricTimeToPaid, "Time to paid", "from qualifying, of the accounts that qualified in the window and have converted since", timeTable("converted")},
	{rollup.MetricFunnel, "Funnel", "of the accounts that signed up in the window, those that have done each step", funnelTable},
	{rollup.MetricActivation, "Activation rate", "of the accounts that signed up in the window, those at each rate", activationTable},
	{rollup.MetricPrecision, "Precision", "of the accounts that qualified in the window, those that have converted since", shareTable("converted", "qualified")},
	{rollup.MetricAcceptance, "Sales acceptance", "of the leads that sales answered in the window, those that it accepted", shareTable("accepted", "answered")},
	{rollup.MetricSales, "Sales", "what sales said in the window, and how often", countTable("said", "times")},
	{rollup.MetricOther, "Other groups", "contributions of groups beyond the limit, which are in the group 'other'", countTable("", "contributions")},
	{rollup.MetricBeyond, "Beyond the horizon", "contributions that came when their windows could no longer be corrected", countTable("", "contributions")},
}

// Overview names the metrics that are shown where none is asked for.
var Overview = []string{rollup.MetricPQLs, rollup.MetricPQLRate, rollup.MetricTimeToPQL, rollup.MetricPaid}

// Unplaced names the metrics of what is in no window's row.
var Unplaced = []string{rollup.MetricOther, rollup.MetricBeyond}

// Names returns the names of all metrics.
func Names() []string {
	names := make([]string, len(Metrics))
	for i := range Metrics {
		names[i] = Metrics[i].Name
	}
	return names
}

func metricRank(name string) int {
	at := slices.IndexFunc(Metrics, func(m Metric) bool { return m.Name == name })
	if at < 0 {
		return len(Metrics)
	}
	return at
}

// units are all units of windows, shortest first.
var units = []rollup.Unit{rollup.Hour, rollup.Day, rollup.Week, rollup.Month}

// AllAccounts is how the grouping that has all accounts in one group is called where it needs a name.
const AllAccounts = "all"

func groupingName(grouping string) string {
	if grouping == "" {
		return AllAccounts
	}
	return grouping
}

// groupTitle is how a group is called in a text: "tier large".
func groupTitle(grouping, group string) string {
	if grouping == "" {
		return "all accounts"
	}
	if group == "" {
		group = "none"
	}
	return strings.ReplaceAll(grouping, ",", ", ") + " " + strings.ReplaceAll(group, ",", ", ")
}
