package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// parts are a deployment that answers what a test says, and remembers what it was asked.
type parts struct {
	t       *testing.T
	err     error // of everything
	ids     []string
	lists   []inspect.Query
	page    inspect.Page
	metrics []MetricsQuery
	rows    MetricsPage
	star    *NorthStar
	text    string
	older   []ChecklistVersion
}

func (p *parts) Get(_ context.Context, id string, at int64) (account.View, error) {
	p.ids = append(p.ids, id)
	assert.Positive(p.t, at)
	if p.err != nil {
		return account.View{}, p.err
	}
	return everything(id), nil
}

func (p *parts) List(_ context.Context, q inspect.Query) (inspect.Page, error) {
	assert.Positive(p.t, q.At)
	q.At = 0
	p.lists = append(p.lists, q)
	return p.page, p.err
}

func (p *parts) Rows(_ context.Context, q MetricsQuery) (MetricsPage, error) {
	p.metrics = append(p.metrics, q)
	return p.rows, p.err
}

func (p *parts) Catalog(context.Context) (MetricsCatalog, error) {
	return MetricsCatalog{
		Metrics: []MetricInfo{{"pqls", "PQLs", "accounts that are PQLs"}}, Units: []string{"day"}, Zones: []string{"UTC"},
		Groupings: []Grouping{{"", []string{""}}, {"tier", []string{"large", "small"}}}, NorthStar: p.star,
	}, p.err
}

func (p *parts) Current() (string, *checklist.Checklist, error) {
	if p.err != nil {
		return "", nil, p.err
	}
	definition, err := checklist.Parse([]byte(p.text))
	require.NoError(p.t, err)
	rules, err := checklist.Compile(definition)
	return p.text, rules, err
}

func (p *parts) Versions(context.Context) ([]ChecklistVersion, error) { return p.older, p.err }

func (p *parts) Status() Report {
	watermark := int64(5000)
	return Report{
		Version: "v1", Instance: "host-1", Waiting: []telemetry.Condition{{Name: "redis", WaitingFor: "an answer"}}, StartedAt: 1000,
		Stages: []Stage{{
			Stage: "activation", Partitions: 1, Waiting: 1, Lag: 3, MirrorBacklog: 1, Cached: 9, Tasks: []Task{
				{Topic: "usage", Partition: 0, Watermark: &watermark, Lag: 3, HeldBy: &TopicPartition{"clicks", 1}},
				{Topic: "usage", Partition: 1, WaitingFor: "the partition's owner"},
			},
		}},
	}
}

// everything is a view of an account whose every field is set.
func everything(id string) account.View {
	return account.View{
		Fact: account.Fact{
			AccountID: id, Tier: "large", Rate: 0.75, Threshold: 0.35, Current: true, SignedUpAt: 1000, QualifiedAt: 5000,
			Segments: []string{"growing"}, Checklist: account.ChecklistRef{Name: "life", Version: 3, Hash: "00ff"},
			Properties: []usage.Property{
				{Key: "beta", Value: usage.BoolValue(true)}, {Key: "company_size", Value: usage.LongValue(600)}, {Key: "domain"},
				{Key: "industry", Value: usage.StringValue("steel")}, {Key: "mrr", Value: usage.DoubleValue(9.5)},
			},
			StepsDone: []account.Evidence{{Step: "a", DoneAt: 5000, UserID: "ana", EventID: "e-5",
				Position: account.Position{Topic: "usage", Partition: 3, Offset: 41}, Count: 2}},
			StepsMissing: []account.Missing{{Step: "b", Progress: 0.5, Need: "1 more b (1 of 2)"}},
			Playbook:     account.Playbook{Name: "find-colleagues", Action: "write", Queue: "sales", Owner: "eve", Message: "outreach.large", Reason: "it is large"},
			Users:        []account.UserActivity{{ID: "ana", Events: 4, LastSeen: 5000, StepsDone: 1, Rate: 0.5, Activated: true, Role: "admin"}},
			Champion:     "ana", SingleUser: true, ActiveUsers7d: 1, Activated: 1,
		},
		Weights: map[string]float64{"a": 3, "b": 1}, Nearest: []string{"b"}, Refines: "manual-outreach",
		TierBy:  []usage.Property{{Key: "company_size", Value: usage.LongValue(600)}},
		History: []account.Moment{{Type: account.SignedUp, OccurredAt: 1000}, {Type: account.StepDone, Step: "a", OccurredAt: 5000}},
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// served is an API with a client that validates.
type served struct {
	t      *testing.T
	client *http.Client
	url    string
}

var plenty = Limits{RequestsPerSecond: 1e6, Streams: 2}

func serve(t *testing.T, p *parts) *served {
	p.t = t
	return serveParts(t, Parts{Accounts: p, Metrics: p, Checklists: p, Status: p}, plenty)
}

func serveParts(t *testing.T, all Parts, limits Limits) *served {
	client, url := newClient(t, New(all, limits, quiet()))
	return &served{t, client, url}
}

// reply is what came back, beside the body.
type reply struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
}

func (s *served) do(method, path string, headers ...string) (*reply, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	require.NoError(s.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	response, err := s.client.Do(r)
	require.NoError(s.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	return &reply{response.StatusCode, response.Header, response.ContentLength}, string(body)
}

// get returns the JSON of an answer.
func (s *served) get(path string) map[string]any {
	s.t.Helper()
	response, body := s.do(http.MethodGet, path)
	require.Equal(s.t, http.StatusOK, response.StatusCode, body)
	assert.Equal(s.t, "no-store", response.Header.Get("Cache-Control"))
	var v map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(body), &v))
	return v
}

// problem returns the status and the detail of what went wrong.
func (s *served) problem(path string, headers ...string) (int, string) {
	s.t.Helper()
	response, body := s.do(http.MethodGet, path, headers...)
	var p problem
	require.NoError(s.t, json.Unmarshal([]byte(body), &p), body)
	assert.Equal(s.t, response.StatusCode, p.Status)
	assert.NotEmpty(s.t, p.Detail)
	return p.Status, p.Detail
}

func TestListsArePassedOn(t *testing.T) {
	next, at := "more", int64(5000)
	p := &parts{page: inspect.Page{Next: &next, Total: 7, Items: []inspect.Row{{
		AccountID: "acme", Tier: "large", Rate: 0.5, Threshold: 0.3, Current: true, QualifiedAt: &at, ChangedAt: at,
		Segments: []string{}, StepsDone: []string{"a"}, StepsMissing: []string{"b"}, Playbook: &inspect.Playbook{Name: "call"},
	}}}}
	s := serve(t, p)
	got := s.get("/v1/pqls?tier=large&segment=growing&playbook=call&since=1&until=9&sort=qualified_at&limit=3&cursor=abc")
	assert.Equal(t, "more", got["next_cursor"])
	assert.EqualValues(t, 7, got["total"])
	assert.Len(t, got["items"], 1)
	s.get("/v1/pqls")
	p.page = inspect.Page{}
	assert.Equal(t, map[string]any{"items": []any{}, "next_cursor": nil, "total": 0.0}, s.get("/v1/accounts?sort=-changed_at"))
	s.get("/v1/accounts?sort=changed_at&limit=200")
	assert.Equal(t, []inspect.Query{
		{List: inspect.PQLs, Tier: "large", Segment: "growing", Playbook: "call", Since: 1, Until: 9, Oldest: true, Limit: 3, Cursor: "abc"},
		{List: inspect.PQLs, Limit: 50},
		{List: inspect.All, Limit: 50},
		{List: inspect.All, Oldest: true, Limit: 200},
	}, p.lists)
}

// Accounts are named as they are, whatever characters are in it.
func TestAccountsAreExplained(t *testing.T) {
	p := &parts{}
	s := serve(t, p)
	got := s.get("/v1/accounts/acme")
	assert.Equal(t, "acme", got["account_id"])
	want, err := json.Marshal(inspect.NewAccount(new(everything("acme"))))
	require.NoError(t, err)
	_, body := s.do(http.MethodGet, "/v1/accounts/acme")
	assert.JSONEq(t, string(want), body)
	assert.Len(t, s.get("/v1/accounts/a%2Fb%20c%2F%2F/history")["items"], 2)
	assert.Equal(t, "..", s.get("/v1/accounts/%2E%2E")["account_id"])
	assert.Equal(t, []string{"acme", "acme", "a/b c//", ".."}, p.ids)
}

func TestMetricsAreWrittenAsTheTopicHasThem(t *testing.T) {
	row := rollup.Row{Metric: "pqls", Unit: "day", WindowStart: 86_400_000, WindowEnd: 172_800_000, Zone: "UTC", AsOf: 9}
	asOf := int64(9)
	p := &parts{rows: MetricsPage{AsOf: &asOf, Rows: []rollup.Row{row}, Next: "more"}}
	s := serve(t, p)
	_, body := s.do(http.MethodGet, "/v1/metrics?metric=pqls&metric=pql_rate&unit=day&zone=UTC&grouping=all&grouping=tier&group=large&from=30d&to=2025-03-01&closed=true&mature=false&limit=5&cursor=x")
	var line bytes.Buffer
	require.NoError(t, report.WriteJSON(&line, []rollup.Row{row}))
	assert.JSONEq(t, fmt.Sprintf(`{"as_of": 9, "items": [%s], "next_cursor": "more"}`, line.String()), body)
	p.rows = MetricsPage{}
	assert.Equal(t, map[string]any{"as_of": nil, "items": []any{}, "next_cursor": nil}, s.get("/v1/metrics"))

	from, err := report.ParseBound("30d")
	require.NoError(t, err)
	to, err := report.ParseBound("2025-03-01")
	require.NoError(t, err)
	assert.Equal(t, []MetricsQuery{
		{Limit: 5, Cursor: "x", Query: report.Query{Metrics: []string{"pqls", "pql_rate"}, Units: []rollup.Unit{rollup.Day}, Zones: []string{"UTC"},
			Groupings: []string{"", "tier"}, Groups: []string{"large"}, From: from, To: to, Closed: true}},
		{Limit: DefaultMetricRows},
	}, p.metrics)

	assert.Nil(t, s.get("/v1/metrics/catalog")["north_star"])
	value, within := 0.5, true
	p.star = &NorthStar{Metric: "pql_rate", Detail: "7d", Unit: "week", Zone: "UTC", Field: "rate", Low: &value, Value: &value, WindowStart: &asOf, Within: &within}
	assert.Equal(t, true, s.get("/v1/metrics/catalog")["north_star"].(map[string]any)["within"])
}

func TestChecklistsAreShownAndCompared(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "checklists", "demo.yaml"))
	require.NoError(t, err)
	older := strings.Replace(string(text), "threshold: 0.35", "threshold: 0.4", 1)
	require.NotEqual(t, older, string(text))
	p := &parts{text: string(text), older: []ChecklistVersion{
		{Name: "demo", Version: 2, Hash: "bb", Since: 2000, Text: string(text)}, {Name: "demo", Version: 1, Hash: "aa", Since: 1000, Text: older},
	}}
	s := serve(t, p)
	got := s.get("/v1/checklist")
	assert.Equal(t, string(text), got["definition"])
	assert.NotEmpty(t, got["steps"])
	assert.NotEmpty(t, got["tiers"])
	assert.Len(t, s.get("/v1/checklist/versions")["items"], 2)
	changes := s.get("/v1/checklist/diff?from=aa&to=bb")["changes"].([]any)
	require.Len(t, changes, 1)
	assert.Equal(t, "tiers.large.threshold: 0.35, was 0.4", changes[0])
	assert.Empty(t, s.get("/v1/checklist/diff?from=bb&to=bb")["changes"])
	p.older = nil
	assert.Empty(t, s.get("/v1/checklist/versions")["items"])
	status, detail := s.problem("/v1/checklist/diff?from=aa&to=bb")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, detail, "the hash aa")
}

func TestStatusIsReported(t *testing.T) {
	got := serve(t, &parts{}).get("/v1/status")
	assert.Equal(t, false, got["ready"])
	tasks := got["stages"].([]any)[0].(map[string]any)["tasks"].([]any)
	assert.Equal(t, map[string]any{"topic": "clicks", "partition": 1.0}, tasks[0].(map[string]any)["held_by"])
	assert.Nil(t, tasks[1].(map[string]any)["watermark"])
}

// What can't be asked for is refused with what is wrong.
func TestWrongRequestsAreRefused(t *testing.T) {
	p := &parts{}
	s := serve(t, p)
	long := strings.Repeat("x", 300)
	for path, says := range map[string]string{
		"/v1/pqls?limit=0":                             `limit: "0" is not a whole number between 1 and 200`,
		"/v1/pqls?limit=201":                           "between 1 and 200",
		"/v1/pqls?limit=many":                          `"many"`,
		"/v1/pqls?since=-1":                            "since",
		"/v1/pqls?until=99999999999999999999":          "until",
		"/v1/pqls?sort=changed_at":                     `sort: "changed_at" is neither -qualified_at nor qualified_at`,
		"/v1/pqls?sort=":                               "sort",
		"/v1/pqls?tier=":                               "tier is empty",
		"/v1/pqls?tier=" + long:                        "tier has 300 bytes",
		"/v1/pqls?tier=a&tier=b":                       "tier is given 2 times",
		"/v1/pqls?teir=a":                              `"teir" is no parameter of /v1/pqls`,
		"/v1/pqls?tier=%ff":                            "tier is not UTF-8",
		"/v1/pqls?tier=a%zz":                           "can't be read",
		"/v1/accounts?tier=a":                          `"tier" is no parameter`,
		"/v1/accounts/" + long:                         "300 bytes",
		"/v1/accounts/%ff":                             "not UTF-8",
		"/v1/accounts/acme?x=1":                        `"x" is no parameter`,
		"/v1/metrics?unit=year":                        `unit: "year" is not one of`,
		"/v1/metrics?from=yesterday":                   `from: "yesterday"`,
		"/v1/metrics?closed=yes":                       `closed: "yes" is neither true nor false`,
		"/v1/metrics?closed=":                          "closed",
		"/v1/metrics?metric=":                          "metric is empty",
		"/v1/metrics?metric=pqls&metric=nope":          `metric: "nope" is none; there are pqls, pql_rate, `,
		"/v1/metrics?" + strings.Repeat("zone=a&", 33): "zone is given 33 times",
		"/v1/checklist/diff?from=aa":                   `to: "" is not the hash of a checklist`,
		"/v1/checklist/diff?from=XY&to=aa":             `from: "XY"`,
		"/v1/status?verbose=1":                         `"verbose"`,
	} {
		status, detail := s.problem(path)
		assert.Equal(t, http.StatusBadRequest, status, path)
		assert.Contains(t, detail, says, path)
	}
	assert.Empty(t, p.lists)
	assert.Empty(t, p.ids)
	assert.Empty(t, p.metrics)
}

// What goes wrong is told as what it is. What is nobody's business but ours is only logged.
func TestProblemsAreTold(t *testing.T) {
	p := &parts{}
	s := serve(t, p)
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{fmt.Errorf("%w: cursor", inspect.ErrQuery), http.StatusBadRequest, "cursor"},
		{fmt.Errorf("%w %q", inspect.ErrNoAccount, "acme"), http.StatusNotFound, "acme"},
		{fmt.Errorf("%w: filling", inspect.ErrNotReady), http.StatusServiceUnavailable, "filling"},
		{fmt.Errorf("reading: %w", context.DeadlineExceeded), http.StatusServiceUnavailable, "within 10s"},
		{errors.New("redis: secret host is down"), http.StatusInternalServerError, "log"},
	} {
		p.err = c.err
		for _, path := range []string{"/v1/accounts/acme", "/v1/accounts/acme/history"} {
			status, detail := s.problem(path)
			assert.Equal(t, c.status, status)
			assert.Contains(t, detail, c.says)
			assert.NotContains(t, detail, "secret")
		}
	}
	for _, path := range []string{"/v1/pqls", "/v1/accounts", "/v1/metrics", "/v1/metrics/catalog", "/v1/checklist", "/v1/checklist/versions"} {
		p.err = fmt.Errorf("%w: not now", ErrUnavailable)
		status, _ := s.problem(path)
		assert.Equal(t, http.StatusServiceUnavailable, status)
		p.err = errors.New("oh")
		status, _ = s.problem(path)
		assert.Equal(t, http.StatusInternalServerError, status)
	}
}

// An instance that is not told of something says so.
func TestWhatIsMissingIsSaid(t *testing.T) {
	s := serveParts(t, Parts{Status: &parts{t: t}}, plenty)
	for path, says := range map[string]string{
		"/v1/pqls": "redis.addresses", "/v1/accounts": "redis.addresses", "/v1/accounts/acme": "redis.addresses", "/v1/accounts/acme/history": "checklist",
		"/v1/metrics": "metrics.enabled", "/v1/metrics/catalog": "metrics.enabled", "/v1/checklist": "checklist", "/v1/checklist/versions": "checklist",
		"/v1/pqls/events": "PQL events",
	} {
		status, detail := s.problem(path)
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, detail, says)
	}
	s.get("/v1/status")
}
