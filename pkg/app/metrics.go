package app

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// collectors are what the process exports beside the Go runtime's. docs/metrics-reference.md is made from them.
//
//go:generate go test . -run TestMetricsReferenceIsCurrent -update
func (a *App) collectors() []prometheus.Collector {
	list := []prometheus.Collector{&collector{a}, a.deadLetters}
	if a.c.Runs(config.Resolve) {
		list = append(list, &resolveCollector{&a.resolved})
	}
	if a.metrics != nil {
		list = append(list, &northStarCollector{a.metrics})
	}
	return list
}

func newDeadLetterCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pqlstream_dead_letters_total",
		Help: "Dead letters made, by what is wrong with the record; those of resolve included, which are events that have waited too long. A series begins with its first letter.",
	}, []string{"stage", "code"})
}

// collector exports the stages' counters, gauges and histograms.
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
	newCounter("rejected_total", "Records that became dead letters; pqlstream_dead_letters_total says why. One that is read again after a commit that was not confirmed counts again.", func(s *stream.Stats) float64 { return float64(s.Rejected.Load()) }),
	newCounter("late_records_total", "Records folded whose event time lay before the watermark.", func(s *stream.Stats) float64 { return float64(s.Late.Load()) }),
	newCounter("states_loaded_total", "States read from the store because they were not in memory.", func(s *stream.Stats) float64 { return float64(s.Loaded.Load()) }),
	newCounter("emissions_total", "Transactions that published outputs and did not move the offset.", func(s *stream.Stats) float64 { return float64(s.Emissions.Load()) }),
	newCounter("checkpoints_total", "Transactions that moved the offset.", func(s *stream.Stats) float64 { return float64(s.Checkpoints.Load()) }),
	newCounter("commits_unconfirmed_total", "Transactions that were not confirmed; their partitions were taken over again.", func(s *stream.Stats) float64 { return float64(s.Unconfirmed.Load()) }),
	newCounter("takeovers_total", "Partitions taken over again while they were assigned.", func(s *stream.Stats) float64 { return float64(s.Takeovers.Load()) }),
	newCounter("mirror_rebuilds_total", "Mirrors filled anew from the changelog.", func(s *stream.Stats) float64 { return float64(s.Rebuilds.Load()) }),
}

// histogram is one exported histogram and where its values come from.
type histogram struct {
	desc  *prometheus.Desc
	value func(*stream.Stats) *stream.Durations
}

func newHistogram(name, help string, value func(*stream.Stats) *stream.Durations) histogram {
	return histogram{prometheus.NewDesc("pqlstream_"+name, help, []string{"stage"}, nil), value}
}

var histograms = []histogram{
	newHistogram("commit_seconds", "Time that confirmed transactions took.", func(s *stream.Stats) *stream.Durations { return &s.Commits }),
	newHistogram("publish_delay_seconds", "Time from the timestamp of a record to the confirmed transaction that published what it led to: for each partition "+
		"in a transaction, the longest. Of activation: from the usage event on the topic that it reads to the PQL; what waits for the next checkpoint, such as steps and facts of metrics, does not count. A record's timestamp is when it was produced, "+
		"or appended, as its topic says.", func(s *stream.Stats) *stream.Durations { return &s.Published }),
}

// collect exports how the durations are spread.
func (h *histogram) collect(out chan<- prometheus.Metric, s *stream.Stats, stage string) {
	n, all, within := h.value(s).Read()
	buckets := make(map[float64]uint64, len(within))
	for i, bound := range stream.DurationBounds {
		buckets[bound.Seconds()] = uint64(within[i])
	}
	out <- prometheus.MustNewConstHistogram(h.desc, uint64(n), all.Seconds(), buckets, stage)
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
	newGauge("mirror_backlog_ratio", "How full the backlog of such transactions is, from 0 to 1, of the partition where it is fullest. One that reaches 64 transactions, or "+
		"its part of 32 MiB for all partitions of the process, is full: its partition folds nothing more until the store has taken some.",
		func(g *stream.Gauges) float64 { return g.MirrorFill }),
	newGauge("states_cached", "States in memory.", func(g *stream.Gauges) float64 { return float64(g.Cached) }),
	newGauge("clock_wrong", "1 while this process's clock and the broker's differ by a minute or more: time does not pass where nothing comes. Otherwise 0.",
		func(g *stream.Gauges) float64 { return oneIf(g.ClockWrong) }),
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
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
	for _, n := range histograms {
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
		for i := range histograms {
			histograms[i].collect(out, s.Stats(), s.Stage())
		}
		now := s.Gauges()
		for _, n := range gauges {
			out <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, n.value(&now), s.Stage())
		}
		collectTimes(out, s.Stage(), now.Times)
	}
	out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, oneIf(len(c.app.ready.Waiting()) == 0))
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
