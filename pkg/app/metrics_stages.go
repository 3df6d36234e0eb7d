package app

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
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
	m := &pipeline.Measure{Facts: w.topic(w.names.Facts), Rollup: w.topic(w.names.Rollup), Started: now(), Under: under(&w.app.c.Metrics)}
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
	o.Definition = fmt.Sprintf("%08x", m.Under)
	return o, nil
}

// rollup is the stage that makes the rows of metrics.
func (w *wiring) rollup() (stream.Options, error) {
	r := &pipeline.Rollup{Topic: w.names.Rollup, Metrics: w.names.Metrics, Under: under(&w.app.c.Metrics)}
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
	o.Definition = fmt.Sprintf("%08x %v %v", r.Under, limits.Lateness, limits.Restatement) // what timers depend on
	return o, nil
}

// under identifies the settings that states of metrics are made under.
func under(m *config.Metrics) pipeline.Under {
	text, _ := json.Marshal([]any{ // lists of texts and numbers: it can't fail
		slices.Sorted(slices.Values(m.Zones)), m.WeekStart, slices.Sorted(slices.Values(m.Units)), m.Groupings,
		slices.Sorted(slices.Values(m.CohortDays)), slices.Sorted(slices.Values(m.PaidDays)),
	})
	return pipeline.Under(crc32.ChecksumIEEE(text))
}
