package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// viewed is a view that follows the world's topic of metrics, behind an API.
type viewed struct {
	*world
	c       *config.Config
	view    *metricsView
	handler http.Handler
	log     *record
}

func (w *world) viewed(change func(*config.Config)) *viewed {
	w.t.Helper()
	v := &viewed{world: w, c: w.settings(), log: &record{to: w.t.Output()}}
	v.c.API.Address, v.c.Metrics.Enabled = "127.0.0.1:0", true
	change(v.c)
	log := slog.New(slog.NewTextHandler(v.log, nil))
	v.view = newMetricsView(v.c, log)
	v.handler = api.New(api.Parts{Metrics: v.view}, api.Limits{RequestsPerSecond: 1e6, Streams: 1}, log)
	client, err := kafka.NewClient(v.c.Kafka, log)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); v.view.follow(ctx, client) }()
	w.t.Cleanup(func() { cancel(); <-ended; client.Close() })
	return v
}

func (v *viewed) get(path string, query url.Values) (int, []byte) {
	answer := httptest.NewRecorder()
	v.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path+"?"+query.Encode(), nil))
	return answer.Code, answer.Body.Bytes()
}

// rows returns all that the API answers, page by page, a line of JSON each.
func (v *viewed) rows(query url.Values, limit string) (lines []string) {
	v.t.Helper()
	query.Set("limit", limit)
	for {
		status, body := v.get("/v1/metrics", query)
		require.Equal(v.t, http.StatusOK, status, "%s", body)
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  *string           `json:"next_cursor"`
		}
		require.NoError(v.t, json.Unmarshal(body, &page))
		for _, item := range page.Items {
			var line bytes.Buffer
			require.NoError(v.t, json.Compact(&line, item))
			lines = append(lines, line.String())
		}
		if page.Next == nil {
			return lines
		}
		query.Set("cursor", *page.Next)
	}
}

// printed is what `pqlstream metrics -o json` prints for a query.
func (v *viewed) printed(q report.Query) []string {
	v.t.Helper()
	catalog := report.NewCatalog(q)
	rows, err := MetricRows(v.t.Context(), v.c, slog.New(slog.DiscardHandler), catalog.Wants)
	require.NoError(v.t, err)
	if rows, err = catalog.Select(rows); errors.Is(err, report.ErrNothing) {
		return nil
	}
	require.NoError(v.t, err)
	var b bytes.Buffer
	require.NoError(v.t, report.WriteJSON(&b, rows))
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func (v *viewed) awaitRows(n int) {
	v.t.Helper()
	require.Eventually(v.t, func() bool {
		view, err := v.view.now()
		return err == nil && view.Len() == n
	}, patience, poll)
}

// records are rows as the rollup publishes them, each in the partition of its grouping.
func records(t *testing.T, format codec.Format, rows ...rollup.Row) (list []*kgo.Record) {
	t.Helper()
	e, err := codec.NewMetricEncoder(format, 7)
	require.NoError(t, err)
	for i := range rows {
		list = append(list, &kgo.Record{Topic: "pql.metrics", Partition: int32(len(rows[i].Grouping) % 2), Key: []byte(rows[i].Key()), Value: e.AppendRow(nil, &rows[i])})
	}
	return list
}

func (v *viewed) put(list ...*kgo.Record) {
	v.t.Helper()
	require.NoError(v.t, v.plain.ProduceSync(v.t.Context(), list...).FirstErr())
}

// made are some rows of all metrics.
func made(t *testing.T) (some []rollup.Row) {
	t.Helper()
	rows, err := reporttest.Rows()
	require.NoError(t, err)
	for i := range rows {
		if i%5 == 0 || rows[i].Unit == "week" || rows[i].Metric == rollup.MetricBeyond {
			some = append(some, rows[i])
		}
	}
	return some
}

// The topic holds rows of all metrics, after older versions of them, in two formats; some were removed. The last transaction was aborted.
func TestTheAPIHasTheRowsThatTheCommandLineHas(t *testing.T) {
	w := newWorld(t).up()
	v := w.viewed(func(*config.Config) {})
	status, body := v.get("/v1/metrics", nil)
	assert.Equal(t, http.StatusServiceUnavailable, status, "%s", body)
	assert.Contains(t, string(body), "not ready")
	require.Eventually(t, func() bool {
		_, body = v.get("/v1/metrics/catalog", nil)
		return strings.Contains(string(body), "there is no topic pql.metrics; run `pqlstream topics create`")
	}, patience, poll, "%s", lazy(func() string { return string(body) }))

	w.createTopic("pql.metrics", 2)
	rows := made(t)
	older := make([]rollup.Row, 0, len(rows))
	for _, r := range rows {
		older = append(older, rollup.Row{Metric: r.Metric, Detail: r.Detail, Unit: r.Unit, WindowStart: r.WindowStart, Zone: r.Zone, Grouping: r.Grouping, Group: r.Group})
	}
	v.put(records(t, codec.JSON, older...)...)
	v.put(records(t, codec.Avro, rows...)...)
	for i, r := range records(t, codec.Avro, rows[:100]...) {
		if r.Value = nil; i%2 == 0 {
			v.put(r)
		}
	}
	aborted, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...), kgo.TransactionalID("aborted"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer aborted.Close()
	require.NoError(t, aborted.BeginTransaction())
	require.NoError(t, aborted.ProduceSync(t.Context(), records(t, codec.Avro, older[:200]...)...).FirstErr())
	require.NoError(t, aborted.EndTransaction(t.Context(), kgo.TryAbort))

	v.awaitRows(len(rows) - 50)
	for _, query := range []string{
		"", "unit=week&zone=UTC", "metric=pql_rate&metric=funnel&unit=month&grouping=tier&grouping=all", "group=large&mature=true", "from=30d&to=7d&closed=true&unit=day",
		"from=2025-05-01&to=2025-05-31&zone=Europe/Berlin", "metric=beyond_horizon", "zone=Mars/Base",
	} {
		asked, err := url.ParseQuery(query)
		require.NoError(t, err)
		q := report.Query{Metrics: asked["metric"], Zones: asked["zone"], Groups: asked["group"], Closed: asked.Get("closed") == "true", Mature: asked.Get("mature") == "true"}
		for _, u := range asked["unit"] {
			q.Units = append(q.Units, rollup.Unit(u))
		}
		for _, g := range asked["grouping"] {
			q.Groupings = append(q.Groupings, strings.TrimPrefix(g, "all"))
		}
		for name, to := range map[string]*report.Bound{"from": &q.From, "to": &q.To} {
			if text := asked.Get(name); text != "" {
				*to, err = report.ParseBound(text)
				require.NoError(t, err)
			}
		}
		want := v.printed(q)
		require.Equal(t, query == "zone=Mars/Base", len(want) == 0, query)
		require.Equal(t, want, v.rows(asked, "311"), query)
	}
	status, body = v.get("/v1/metrics", url.Values{"cursor": {"eA"}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, string(body), "it is no cursor of a page of metrics")
	_, body = v.get("/v1/metrics", url.Values{"limit": {"1"}})
	assert.Contains(t, string(body), `"as_of":1750799160000`)
	status, body = v.get("/v1/metrics/catalog", nil)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, string(body), `"units":["day","week","month"],"zones":["Europe/Berlin","UTC"],"groupings":[{"name":"","groups":[""]},{"name":"tier","groups":["large","medium","small"]}],"north_star":null}`)
}

// Kafka refuses, goes away and comes back, the topic is another one, and there are records in it that are no rows.
func TestTheAPIsMetricsFollowTheirTopic(t *testing.T) {
	w := newWorld(t).up()
	w.createTopic("pql.metrics", 2)
	v := w.viewed(func(*config.Config) {})
	rows := made(t)[:300]
	v.awaitRows(0)
	_, body := v.get("/v1/metrics", nil)
	assert.JSONEq(t, `{"as_of":null,"items":[],"next_cursor":null}`, string(body))
	v.put(&kgo.Record{Topic: "pql.metrics", Key: []byte("acme"), Value: []byte("{}")}, &kgo.Record{Topic: "pql.metrics", Key: []byte(rows[299].Key()), Value: []byte("nonsense")})
	v.put(records(t, codec.Avro, rows[:100]...)...)
	v.awaitRows(100)
	assert.Equal(t, 1, strings.Count(v.log.String(), "leave out what is no row"))

	w.kafka.ControlKey(kmsg.ListOffsets.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		answer := request.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range request.(*kmsg.ListOffsetsRequest).Topics {
			t := kmsg.ListOffsetsResponseTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				t.Partitions = append(t.Partitions, kmsg.ListOffsetsResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
			}
			answer.Topics = append(answer.Topics, t)
		}
		return answer, nil, true
	})
	require.Eventually(t, func() bool { return strings.Contains(v.log.String(), "the API's metrics wait") }, patience, poll)
	w.kafkaDown()
	require.Len(t, v.rows(url.Values{"grouping": {"all", "tier"}}, "1000"), 100, "what was read is told")
	w.kafkaUp()
	v.put(records(t, codec.Avro, rows[100:200]...)...)
	v.awaitRows(200)
	for _, r := range records(t, codec.Avro, rows[:3]...) {
		r.Value = nil
		v.put(r)
	}
	v.awaitRows(197)

	_, err := w.admin().DeleteTopic(t.Context(), "pql.metrics")
	require.NoError(t, err)
	w.createTopic("pql.metrics", 2)
	w.plain.PurgeTopicsFromProducing("pql.metrics")
	v.put(records(t, codec.Avro, rows[:7]...)...)
	v.awaitRows(7)
}

func TestTheNorthStarIsExported(t *testing.T) {
	w := newWorld(t).up()
	w.createTopic("pql.metrics", 2)
	v := w.viewed(func(c *config.Config) {
		c.Metrics.Zones = []string{"UTC", "Europe/Berlin"}
		c.Metrics.NorthStar = config.NorthStar{Metric: "pql_rate", Detail: "14d", Grouping: "tier", Group: "large", Field: "rate", Low: "0.5"}
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(&northStarCollector{v.view})
	exported := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		values := map[string]float64{}
		for _, f := range families {
			require.Len(t, f.GetMetric(), 1)
			for _, l := range f.GetMetric()[0].GetLabel() {
				want := map[string]string{"metric": "pql_rate", "detail": "14d", "unit": "week", "zone": "UTC", "grouping": "tier", "group": "large", "field": "rate"}
				require.Equal(t, want[l.GetName()], l.GetValue())
			}
			values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return values
	}
	v.awaitRows(0)
	require.Equal(t, map[string]float64{"pqlstream_north_star_low": 0.5}, exported())
	rows := made(t)
	v.put(records(t, codec.Avro, rows...)...)
	v.awaitRows(len(rows))

	var newest rollup.Row
	for _, r := range rows {
		if r.Metric == "pql_rate" && r.Detail == "14d" && r.Unit == "week" && r.Zone == "UTC" && r.Group == "large" && r.Mature && r.WindowStart > newest.WindowStart {
			newest = r
		}
	}
	require.Less(t, newest.Rate.Value, 0.5)
	require.Equal(t, map[string]float64{"pqlstream_north_star_low": 0.5, "pqlstream_north_star_value": newest.Rate.Value, "pqlstream_north_star_within": 0}, exported())
	_, body := v.get("/v1/metrics/catalog", nil)
	var catalog api.MetricsCatalog
	require.NoError(t, json.Unmarshal(body, &catalog))
	low, within := 0.5, false
	require.Equal(t, &api.NorthStar{Metric: "pql_rate", Detail: "14d", Unit: "week", Zone: "UTC", Grouping: "tier", Group: "large", Field: "rate", Low: &low,
		Value: &newest.Rate.Value, WindowStart: &newest.WindowStart, Within: &within}, catalog.NorthStar)
}
