package app

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pqlstream/pqlstream/pkg/stream"
)

// collector exports the stages' counters and gauges.
type collector struct{ app *App }

// counter is one exported counter and where its value comes from.
type counter struct {
	desc  *prometheus.Desc
	value func(*stream.Stats) float64
}

func newCounter(name, help string, value func(*stream.Stats) float64) counter {
	return counter{prometheus.NewDesc("pqlstream_"+name, help, []string{"stage"}, nil), value}
}

var counters = []counter{
	newCounter("records_total", "Records folded, those that nothing listens to included.", func(s *stream.Stats) float64 { return float64(s.Records.Load()) }),
	newCounter("rejected_total", "Records that became dead letters because they could not be decoded.", func(s *stream.Stats) float64 { return float64(s.Rejected.Load()) }),
	newCounter("late_records_total", "Records folded whose event time lay before the watermark.", func(s *stream.Stats) float64 { return float64(s.Late.Load()) }),
	newCounter("states_loaded_total", "States read from the store because they were not in memory.", func(s *stream.Stats) float64 { return float64(s.Loaded.Load()) }),
	newCounter("emissions_total", "Transactions that published outputs and did not move the offset.", func(s *stream.Stats) float64 { return float64(s.Emissions.Load()) }),
	newCounter("checkpoints_total", "Transactions that moved the offset.", func(s *stream.Stats) float64 { return float64(s.Checkpoints.Load()) }),
	newCounter("commits_unconfirmed_total", "Transactions that were not confirmed; their partitions were taken over again.", func(s *stream.Stats) float64 { return float64(s.Unconfirmed.Load()) }),
	newCounter("takeovers_total", "Partitions taken over again while they were assigned.", func(s *stream.Stats) float64 { return float64(s.Takeovers.Load()) }),
	newCounter("mirror_rebuilds_total", "Mirrors filled anew from the changelog.", func(s *stream.Stats) float64 { return float64(s.Rebuilds.Load()) }),
	newCounter("commit_seconds_total", "Time spent in confirmed transactions.", func(s *stream.Stats) float64 { return float64(s.CommitNanos.Load()) / 1e9 }),
}

// gauge is one exported gauge and where its value comes from.
type gauge struct {
	desc  *prometheus.Desc
	value func(*stream.Gauges) float64
}

func newGauge(name, help string, value func(*stream.Gauges) float64) gauge {
	return gauge{prometheus.NewDesc("pqlstream_"+name, help, []string{"stage"}, nil), value}
}

var gauges = []gauge{
	newGauge("partitions_owned", "Input partitions that this process has taken over.", func(g *stream.Gauges) float64 { return float64(g.Partitions) }),
	newGauge("partitions_waiting", "Input partitions assigned to this process that are not taken over yet or are held up; /readyz says by what.", func(g *stream.Gauges) float64 { return float64(g.Waiting) }),
	newGauge("lag_records", "Records in the owned partitions, as of the newest fetch, that have not been folded.", func(g *stream.Gauges) float64 { return float64(g.Lag) }),
	newGauge("mirror_backlog_commits", "Confirmed transactions that have not reached the store.", func(g *stream.Gauges) float64 { return float64(g.MirrorBacklog) }),
	newGauge("states_cached", "States in memory.", func(g *stream.Gauges) float64 { return float64(g.Cached) }),
}

// What there is one of for each partition: an owned one, or one of those that the owned ones are told of. So the series are as
// many as partitions, not as pairs of them.
var (
	partitionLabels = []string{"stage", "topic", "partition"}
	watermarkDesc   = prometheus.NewDesc("pqlstream_watermark_seconds", "Event time up to which no event is expected any more, of each owned partition, since the Unix epoch; none while nothing is known.", partitionLabels, nil)
	heldBackDesc    = prometheus.NewDesc("pqlstream_partitions_held_back", "Owned partitions whose time is held back by this source partition, from which the least has been heard; only of stages that are told the time.", partitionLabels, nil)
)

var readyDesc = prometheus.NewDesc("pqlstream_ready", "1 when the process waits for nothing, otherwise 0; /readyz says what it waits for.", nil, nil)

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, n := range counters {
		out <- n.desc
	}
	for _, n := range gauges {
		out <- n.desc
	}
	out <- watermarkDesc
	out <- heldBackDesc
	out <- readyDesc
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.app.running() {
		for _, n := range counters {
			out <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, n.value(s.Stats()), s.Stage())
		}
		now := s.Gauges()
		for _, n := range gauges {
			out <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, n.value(&now), s.Stage())
		}
		collectTimes(out, s.Stage(), now.Times)
	}
	ready := 0.0
	if len(c.app.ready.Waiting()) == 0 {
		ready = 1
	}
	out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, ready)
}

// collectTimes exports how far time has come, and what holds it back.
func collectTimes(out chan<- prometheus.Metric, stage string, times []stream.Time) {
	type source struct {
		topic     string
		partition int32
	}
	held := map[source]int{}
	gauge := func(desc *prometheus.Desc, value float64, topic string, partition int32) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, stage, topic, strconv.Itoa(int(partition)))
	}
	for _, t := range times {
		if t.Watermark > 0 {
			gauge(watermarkDesc, float64(t.Watermark)/1000, t.Topic, t.Partition)
		}
		if t.HeldByTopic != "" {
			held[source{t.HeldByTopic, t.HeldByPartition}]++
		}
	}
	for s, n := range held {
		gauge(heldBackDesc, float64(n), s.topic, s.partition)
	}
}
