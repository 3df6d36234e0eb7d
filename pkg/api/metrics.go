package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// The rows of a page of metrics.
const (
	DefaultMetricRows = 1000
	MaxMetricRows     = 5000
)

// metricRows is a page of rows of metrics, each as the topic has it in JSON.
type metricRows struct {
	AsOf  *int64            `json:"as_of"`
	Items []json.RawMessage `json:"items"`
	Next  *string           `json:"next_cursor"`
}

func (s *server) metrics(r *http.Request) (any, error) {
	q := newQuery(r, []string{"from", "to", "closed", "mature", "limit", "cursor"}, []string{"metric", "unit", "zone", "grouping", "group"})
	wanted := MetricsQuery{
		Query: report.Query{
			Metrics: q.metrics(), Units: q.units(), Zones: q.texts("zone", 32, 64),
			Groupings: q.groupings(), Groups: q.texts("group", 64, 2048),
			From: q.bound("from"), To: q.bound("to"), Closed: q.flag("closed"), Mature: q.flag("mature"),
		},
		Limit: int(q.number("limit", DefaultMetricRows, 1, MaxMetricRows)), Cursor: q.text("cursor", maxCursor),
	}
	switch {
	case q.err != nil:
		return nil, q.err
	case s.parts.Metrics == nil:
		return nil, errNoMetrics
	}
	page, err := s.parts.Metrics.Rows(r.Context(), wanted)
	if err != nil {
		return nil, err
	}
	return newMetricRows(&page)
}

var errNoMetrics = fmt.Errorf("%w: this deployment makes no metrics: set metrics.enabled in the settings of all its processes", ErrUnavailable)

func newMetricRows(page *MetricsPage) (*metricRows, error) {
	encoder, err := codec.NewMetricEncoder(codec.JSON, 0)
	if err != nil {
		return nil, err
	}
	rows := &metricRows{AsOf: page.AsOf, Items: make([]json.RawMessage, len(page.Rows))}
	for i := range page.Rows {
		rows.Items[i] = encoder.AppendRow(nil, &page.Rows[i])
	}
	if page.Next != "" {
		rows.Next = &page.Next
	}
	return rows, nil
}

func (s *server) catalog(r *http.Request) (any, error) {
	if q := newQuery(r, nil, nil); q.err != nil {
		return nil, q.err
	}
	if s.parts.Metrics == nil {
		return nil, errNoMetrics
	}
	return s.parts.Metrics.Catalog(r.Context())
}

func (q *query) metrics() []string {
	metrics := q.texts("metric", 32, 64)
	for _, name := range metrics {
		if !slices.Contains(report.Names(), name) {
			q.wrong("metric: %q is none; there are %s", name, strings.Join(report.Names(), ", "))
		}
	}
	return metrics
}

func (q *query) units() (units []rollup.Unit) {
	for _, text := range q.texts("unit", 4, 8) {
		unit := rollup.Unit(text)
		if !slices.Contains([]rollup.Unit{rollup.Hour, rollup.Day, rollup.Week, rollup.Month}, unit) {
			q.wrong("unit: %q is not one of hour, day, week, month", text)
		}
		units = append(units, unit)
	}
	return units
}

// groupings are named as rows name them, but that all accounts together have a name.
func (q *query) groupings() (groupings []string) {
	for _, text := range q.texts("grouping", 32, 512) {
		if text == report.AllAccounts {
			text = ""
		}
		groupings = append(groupings, text)
	}
	return groupings
}

func (q *query) bound(name string) report.Bound {
	text := q.text(name, 32)
	if text == "" {
		return report.Bound{}
	}
	b, err := report.ParseBound(text)
	if err != nil {
		q.wrong("%s: %v", name, err)
	}
	return b
}
