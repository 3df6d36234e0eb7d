package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// metricsView answers what the API is asked about metrics, from rows in memory. It follows their topic: any process can, whatever stages
// it runs. What it has once read it goes on to tell while Kafka is out of reach.
type metricsView struct {
	c    *config.Config
	log  *slog.Logger
	rows atomic.Pointer[report.View] // nil before all of the topic has been read
	why  atomic.Pointer[error]       // the newest reason that it has not been read
}

// newMetricsView returns nil where there is nobody to ask for metrics, or nothing to tell.
func newMetricsView(c *config.Config, log *slog.Logger) *metricsView {
	if c.API.Address == "" || !c.Metrics.Enabled {
		return nil
	}
	return &metricsView{c: c, log: log}
}

const (
	// viewInterval is how long after the last record the topic is looked at again. A row is published once a second at most.
	viewInterval = 500 * time.Millisecond
	// viewBatch is how many rows become visible together at most.
	viewBatch = 10_000
)

// follow reads the topic until the context ends.
func (m *metricsView) follow(ctx context.Context, client *kgo.Client) {
	for ctx.Err() == nil {
		m.followOne(ctx, client)
	}
}

// followOne reads the topic from its start until it has become another one, or the context ends. Until all of it has been read, what was
// told before is told.
func (m *metricsView) followOne(ctx context.Context, client *kgo.Client) {
	topic := m.c.TopicNames().Metrics
	reader, into := stream.NewTopicReader(client, topic), viewFeed{view: m.newView(), topic: topic, log: m.log}
	failing := ""
	for {
		err := reader.ReadOn(ctx, into.take)
		into.flush()
		switch _, refused := errors.AsType[*stream.Refusal](err); {
		case ctx.Err() != nil:
			return
		case err == nil:
			m.rows.Store(into.view)
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			err = noMetrics(m.c)
		case refused:
			m.log.Warn("reading the metrics' topic anew", "error", err)
			pauseFor(ctx, viewInterval)
			return
		}
		m.why.Store(&err)
		if text := fmt.Sprint(err); err != nil && text != failing {
			m.log.Warn("the API's metrics wait", "for", err)
			failing = text
		} else if err == nil {
			failing = ""
		}
		pauseFor(ctx, viewInterval)
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (m *metricsView) newView() *report.View {
	n, chosen := m.c.Metrics.ChosenNorthStar()
	if !chosen {
		return report.NewView(m.c.Metrics.APIHours, nil)
	}
	star := &report.NorthStar{Metric: n.Metric, Detail: n.Detail, Unit: n.Unit, Zone: n.Zone, Grouping: n.Grouping, Group: n.Group, Field: n.Field}
	if low, has := n.Low.Value(); has {
		star.Low = &low
	}
	if high, has := n.High.Value(); has {
		star.High = &high
	}
	return report.NewView(m.c.Metrics.APIHours, star)
}

// viewFeed brings records into a view. What is no row it leaves out: somebody else has written it, and the rows are still right.
type viewFeed struct {
	view   *report.View
	topic  string
	log    *slog.Logger
	newest newestRows
	told   bool // that there is something that is no row
}

func (f *viewFeed) take(r *kgo.Record) error {
	if _, err := rollup.ParseKey(string(r.Key)); err != nil {
		f.tell(fmt.Errorf("%s-%d, the record at offset %d: %w", r.Topic, r.Partition, r.Offset, err))
		return nil
	}
	if f.newest == nil {
		f.newest = newestRows{}
	}
	if f.newest.take(r); len(f.newest) == viewBatch {
		f.flush()
	}
	return nil
}

func (f *viewFeed) flush() {
	rows, removed, err := f.newest.decode(f.topic)
	if err != nil {
		f.tell(err)
	}
	f.view.Put(rows...)
	f.view.Remove(removed...)
	f.newest = nil
}

func (f *viewFeed) tell(err error) {
	if !f.told {
		f.log.Warn("the API's metrics leave out what is no row; only the first is told", "error", err)
		f.told = true
	}
}

// now returns the rows, or why there are none. api.ErrUnavailable.
func (m *metricsView) now() (*report.View, error) {
	if view := m.rows.Load(); view != nil {
		return view, nil
	}
	if why := m.why.Load(); why != nil {
		return nil, fmt.Errorf("%w: not ready: %w", api.ErrUnavailable, *why)
	}
	return nil, fmt.Errorf("%w: not ready: the rows of metrics are being read", api.ErrUnavailable)
}

// Rows implements api.Metrics.
func (m *metricsView) Rows(_ context.Context, q api.MetricsQuery) (api.MetricsPage, error) {
	view, err := m.now()
	if err != nil {
		return api.MetricsPage{}, err
	}
	page, err := view.Page(q.Query, q.Cursor, q.Limit)
	if errors.Is(err, report.ErrCursor) {
		err = fmt.Errorf("%w: cursor: %w", api.ErrQuery, err)
	}
	if err != nil {
		return api.MetricsPage{}, err
	}
	answer := api.MetricsPage{Rows: page.Rows, Next: page.Next}
	if page.AsOf > 0 {
		answer.AsOf = &page.AsOf
	}
	return answer, nil
}

// Catalog implements api.Metrics.
func (m *metricsView) Catalog(context.Context) (api.MetricsCatalog, error) {
	view, err := m.now()
	if err != nil {
		return api.MetricsCatalog{}, err
	}
	has := view.Contents()
	c := api.MetricsCatalog{Metrics: []api.MetricInfo{}, Units: has.Units, Zones: has.Zones, Groupings: []api.Grouping{}}
	for _, one := range has.Metrics {
		c.Metrics = append(c.Metrics, api.MetricInfo{Name: one.Name, Title: one.Title, Says: one.Says})
	}
	for _, g := range has.Groupings {
		c.Groupings = append(c.Groupings, api.Grouping(g))
	}
	if s := has.NorthStar; s != nil {
		c.NorthStar = &api.NorthStar{
			Metric: s.Metric, Detail: s.Detail, Unit: s.Unit, Zone: s.Zone, Grouping: s.Grouping, Group: s.Group, Field: s.Field, Low: s.Low, High: s.High,
		}
		if s.Known {
			c.NorthStar.Value, c.NorthStar.WindowStart, c.NorthStar.Within = &s.Value, &s.WindowStart, &s.Within
		}
	}
	return c, nil
}

// northStarCollector exports how the north star stands.
type northStarCollector struct{ view *metricsView }

var (
	northStarLabels = []string{"metric", "detail", "unit", "zone", "grouping", "group", "field"}
	northStarValue  = prometheus.NewDesc("pqlstream_north_star_value", "What metrics.north_star is in the newest window that is closed and ripe; durations in seconds. None before there is such a window.", northStarLabels, nil)
	northStarLow    = prometheus.NewDesc("pqlstream_north_star_low", "The least that it should be; none where the settings have none.", northStarLabels, nil)
	northStarHigh   = prometheus.NewDesc("pqlstream_north_star_high", "The most that it should be; none where the settings have none.", northStarLabels, nil)
	northStarWithin = prometheus.NewDesc("pqlstream_north_star_within", "1 while it is neither below low nor above high, otherwise 0. None before there is such a window.", northStarLabels, nil)
)

// Describe implements prometheus.Collector.
func (c *northStarCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{northStarValue, northStarLow, northStarHigh, northStarWithin} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *northStarCollector) Collect(out chan<- prometheus.Metric) {
	view, err := c.view.now()
	if err != nil {
		return // not read yet
	}
	s := view.NorthStar()
	if s == nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, s.Metric, s.Detail, s.Unit, s.Zone, s.Grouping, s.Group, s.Field)
	}
	if s.Low != nil {
		gauge(northStarLow, *s.Low)
	}
	if s.High != nil {
		gauge(northStarHigh, *s.High)
	}
	if s.Known {
		gauge(northStarValue, s.Value)
		gauge(northStarWithin, oneIf(s.Within))
	}
}
