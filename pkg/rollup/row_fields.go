package rollup

import (
	"maps"
	"slices"
)

// The columns that metrics of a kind have.
var (
	shareFields    = []string{"numerator", "denominator", "rate", "low", "high"}
	controlFields  = []string{"control_numerator", "control_denominator", "control_rate", "lift", "difference", "difference_low", "difference_high"}
	durationFields = []string{"count", "mean", "min", "max", "p50", "p75", "p90", "p99"}
	pqlFields      = []string{"first", "repeated", "raw", "current_start", "current_end", "inflow", "outflow", "in_qualified", "in_requalified", "in_segment_changed",
		"out_inactive", "out_trial_ended", "out_step_undone", "out_excluded", "out_tier_changed", "out_segment_changed", "out_definition_changed", "out_converted", "out_other"}
)

// metricFields are the numbers that rows of metrics have. docs/metrics.md says what they mean.
var metricFields = map[string][]string{
	MetricPQLs:           pqlFields,
	MetricPQLRate:        shareFields,
	MetricPQLRatePeriod:  {"numerator", "denominator", "rate"},
	MetricTimeToPQL:      slices.Concat(durationFields, []string{"signup_unknown"}),
	MetricTimeToPQLSince: durationFields,
	MetricPaid:           shareFields,
	MetricPaidSince:      slices.Concat(shareFields, controlFields),
	MetricHoldOut:        slices.Concat(shareFields, controlFields),
	MetricTimeToPaid:     durationFields,
	MetricFunnel:         slices.Concat(shareFields, []string{"position", "previous"}, durationFields),
	MetricActivation:     shareFields,
	MetricPrecision:      shareFields,
	MetricAcceptance:     shareFields,
	MetricSales:          {"count"},
}

// Fields returns the columns in which a metric's rows can have numbers, nil when there is no such metric of windows.
func Fields(metric string) []string { return slices.Clone(metricFields[metric]) }

// Names returns the names of all metrics of windows, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(metricFields)) }

// HasDetail says whether a metric can have rows of a detail; it is empty where a metric has one row a window. What the steps of a funnel
// are called, nobody but the checklist knows.
func (s *Settings) HasDetail(metric, detail string) bool {
	among := func(days []int) bool {
		return slices.ContainsFunc(days, func(n int) bool { return daysName(int32(n)) == detail })
	}
	switch metric {
	case MetricPQLRate, MetricPaidSince:
		return among(s.CohortDays)
	case MetricPaid, MetricHoldOut:
		return among(s.PaidDays)
	case MetricActivation:
		return slices.Contains([]string{"0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"}, detail)
	case MetricSales:
		return slices.Contains(sayings[:], detail)
	case MetricFunnel:
		return detail != ""
	}
	return detail == ""
}
