package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// metricFacts are what activation tells metrics, nil without them.
func (w *wiring) metricFacts() *pipeline.MetricFacts {
	if !w.app.c.Metrics.Enabled {
		return nil
	}
	return &pipeline.MetricFacts{Topic: w.topic(w.names.Facts), Input: w.app.c.ActivationInput(), Started: now()}
}

// measure is the stage that knows what accounts contribute to metrics.
func (w *wiring) measure() (stream.Options, error) {
	m := &pipeline.Measure{Facts: w.topic(w.names.Facts), Rollup: w.topic(w.names.Rollup), Started: now()}
	o, err := w.options(config.Measure)
	if err != nil {
		return o, err
	}
	if m.Settings, _, err = w.app.c.Metrics.Settings(); err != nil {
		return o, err
	}
	if _, err := m.Processor("", 0); err != nil {
		return o, err
	}
	o.Inputs = []stream.Input{{Topic: w.names.Facts, Changelog: w.names.MeasureChangelog}}
	o.StartAtEnd, o.Told = false, true
	o.NewProcessor = func(topic string, partition int32) stream.Processor {
		p, _ := m.Processor(topic, partition) // the settings are good, as the one before has shown
		return p
	}
	o.Store = w.app.store
	o.Definition, o.Pinned = definitionOfMetrics(&w.app.c.Metrics), pinnedMetrics
	return o, nil
}

// rollup is the stage that makes the rows of metrics.
func (w *wiring) rollup() (stream.Options, error) {
	r := &pipeline.Rollup{Topic: w.names.Rollup, Metrics: w.names.Metrics}
	o, err := w.options(config.Rollup)
	if err != nil {
		return o, err
	}
	settings, limits, err := w.app.c.Metrics.Settings()
	if err != nil {
		return o, err
	}
	if r.Counts, err = rollup.NewRollup(&settings, limits); err != nil {
		return o, err
	}
	if r.Encoder, err = codec.NewMetricEncoder(codec.Format(w.app.c.MetricsFormat()), w.ids[w.names.Metrics]); err != nil {
		return o, err
	}
	o.Inputs = []stream.Input{{Topic: w.names.Rollup, Changelog: w.names.RollupChangelog}}
	o.StartAtEnd, o.Told = false, true
	o.NewProcessor = r.Processor
	o.Store = w.app.store
	o.Definition, o.Pinned = definitionOfMetrics(&w.app.c.Metrics), pinnedMetrics
	return o, nil
}

// definitionOfMetrics is a hash of all that decides what states of metrics mean. Both stages have the same: what one of them counted under
// one of these settings and the other under another would make rows that are wrong without a sign.
func definitionOfMetrics(m *config.Metrics) string {
	text, _ := json.Marshal([]any{ // lists of texts and numbers: it can't fail
		slices.Sorted(slices.Values(m.Zones)), m.WeekStart, slices.Sorted(slices.Values(m.Units)), m.Groupings,
		slices.Sorted(slices.Values(m.CohortDays)), slices.Sorted(slices.Values(m.PaidDays)), m.MaxGroups, m.Lateness, m.Restatement,
	})
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:8])
}

// pinnedMetrics is what can be done where they are others.
const pinnedMetrics = "set metrics.zones, week_start, units, groupings, max_groups, lateness, restatement, cohort_days and paid_days back to what they were; " +
	"or begin anew: stop all processes, and give topics.facts, measure_changelog, rollup, rollup_changelog and metrics names that are not in use yet"
