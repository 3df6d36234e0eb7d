package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// resolve is the stage that finds the accounts of users.
func (w *wiring) resolve() (stream.Options, error) {
	c := w.app.c
	o, err := w.options(config.Resolve)
	if err != nil {
		return o, err
	}
	s := &pipeline.Resolve{
		Unresolved: w.topic(w.names.Unresolved),
		Usage:      w.topic(w.names.Usage),
		Sources:    w.sources(),
		Started:    now(),
		Limits: identity.Limits{
			Hold: c.Input.Identity.Hold.Milliseconds(), Events: c.Input.Identity.HoldEvents, Retention: kafka.UnresolvedRetention.Milliseconds(),
		},
		Stats: &w.app.resolved,
	}
	if s.Input, err = codec.NewInput(w.format(), usage.CanonicalMapping(), w.own); err != nil {
		return o, err
	}
	if s.Events, err = codec.NewEventEncoder(w.format(), w.ids[w.names.Usage]); err != nil {
		return o, err
	}
	if s.DeadLetters, err = w.deadLetters(config.Resolve); err != nil {
		return o, err
	}
	o.Inputs = []stream.Input{{Topic: w.names.Unresolved, Changelog: w.names.ResolveChangelog}}
	// What is in the topic ingest has begun where the settings say.
	o.StartAtEnd, o.Told = false, true
	o.NewProcessor = s.Processor
	o.Store = w.app.store
	return o, nil
}

// resolveCollector exports what became of events that name only a user.
type resolveCollector struct{ stats *pipeline.ResolveStats }

var userEventsDesc = prometheus.NewDesc("pqlstream_user_events_total", "Events that name only a user: attributed to an account, held because none "+
	"was known, dropped as dead letters, erased with the user.", []string{"outcome"}, nil)

// Describe implements prometheus.Collector.
func (c *resolveCollector) Describe(out chan<- *prometheus.Desc) { out <- userEventsDesc }

// Collect implements prometheus.Collector.
func (c *resolveCollector) Collect(out chan<- prometheus.Metric) {
	for outcome, n := range map[string]int64{
		"attributed": c.stats.Attributed.Load(), "held": c.stats.Held.Load(), "dropped": c.stats.Dropped.Load(), "erased": c.stats.Erased.Load(),
	} {
		out <- prometheus.MustNewConstMetric(userEventsDesc, prometheus.CounterValue, float64(n), outcome)
	}
}
