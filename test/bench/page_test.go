//go:build slow

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
	"github.com/pqlstream/pqlstream/test/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }

// requests is how often the API is asked for each thing.
const requests = 200

// BenchmarkPage measures how long the page takes in a browser that has nothing stored, and the API by itself, when every account is a PQL,
// some of which have just qualified.
func BenchmarkPage(b *testing.B) {
	accounts, loads := env(b, "PAGE_ACCOUNTS", 100_000), env(b, "PAGE_LOADS", 5)
	s := newSetup(b)
	s.createTopic(input)
	now := time.Now()
	want, n := s.backlog(input, job.Qualifying(uint64(env(b, "SEED", 1)), accounts, now.UnixMilli()))
	require.Len(b, want, accounts)
	a := s.startApp(appOptions{prefix: "page", metrics: true, api: true})
	a.await("it to be done", poll, func() bool { return a.finished(int64(n)) })
	a.requirePQLs(want)
	s.awaitQuiet()
	p := &page{tb: b, base: "http://" + a.api, accounts: accounts, today: now.Add(-time.Hour).UnixMilli()}
	views, lists := p.views(loads), p.lists()
	a.stop()
	publish(b, views)
	publish(b, lists)
}

// page is what is looked at.
type page struct {
	tb       testing.TB
	base     string // URL
	accounts int    // all are PQLs
	today    int64  // ms since the Unix epoch: those qualified today did so since
}

// one is the account that is looked at: it has just qualified.
const one = "acct-000000"

// views loads each view several times, in turns, each in a new window.
func (p *page) views(loads int) *results.Table {
	t := newTable("page", "bench-page")
	t.Title = fmt.Sprintf("The page with %s accounts, all of them PQLs, in Chromium with nothing stored, medians of %d loads: from the start of the navigation on.",
		count(p.accounts), loads)
	t.Of = "view"
	t.Columns = []results.Column{{Key: "paint", Name: "first contentful paint, ms", Spread: true}, {Key: "drawn", Name: "drawn, ms", Spread: true},
		{Key: "kb", Name: "kB received", Decimals: 1}, {Key: "requests", Name: "requests"}}
	views := []struct{ name, address, drawn string }{
		{"PQLs of today", "#/", "#pqls .card"},
		{"all PQLs", "#/?since=all", "#pqls .card"},
		{"accounts", "#/accounts", "main table a"},
		{"an account, with its chart", "#/accounts/" + one, ".plot canvas"},
	}
	browser.Load(p.tb, p.base, views[0].address, browser.Desktop, views[0].drawn) // starts Chromium
	for range loads {
		for _, v := range views {
			l := browser.Load(p.tb, p.base, v.address, browser.Desktop, v.drawn)
			t.Add(v.name, l.Paint, l.Drawn, l.Bytes/1000, l.Requests)
		}
	}
	return t
}

// lists asks the API for what the views show, and for pages far behind, one request after the other.
func (p *page) lists() *results.Table {
	t := newTable("page-api", "bench-page")
	t.Title = fmt.Sprintf("The API with %s accounts, all of them PQLs, %d requests each, one after the other.", count(p.accounts), requests)
	t.Of = "request"
	t.Columns = []results.Column{{Key: "p50", Name: "p50 ms", Decimals: 2}, {Key: "p99", Name: "p99 ms", Decimals: 2}, {Key: "max", Name: "max ms", Decimals: 2},
		{Key: "rows", Name: "rows"}, {Key: "total", Name: "of"}}
	all := url.Values{"limit": {strconv.Itoa(inspect.MaxLimit)}}
	for _, r := range []struct {
		name, path string
		query      url.Values
	}{
		{"PQLs of today", "pqls", url.Values{"since": {strconv.FormatInt(p.today, 10)}}},
		{"all PQLs", "pqls", nil},
		{"all PQLs of a tier", "pqls", url.Values{"tier": {"small"}}},
		{"all PQLs, the longest page", "pqls", all},
		{"all PQLs, the longest page in the middle", "pqls", p.middle("pqls", all)},
		{"accounts", "accounts", nil},
		{"accounts, the longest page in the middle", "accounts", p.middle("accounts", all)},
		{"an account", "accounts/" + one, nil},
		{"its history", "accounts/" + one + "/history", nil},
	} {
		var ms []float64
		var got listed
		for range requests {
			from := time.Now()
			body := p.get(r.path, r.query)
			ms = append(ms, milliseconds(time.Since(from)))
			got = listed{}
			require.NoError(p.tb, json.Unmarshal(body, &got))
		}
		t.Add(r.name, results.Quantile(ms, 0.5), results.Quantile(ms, 0.99), results.Quantile(ms, 1), float64(len(got.Items)), float64(got.Total))
	}
	return t
}

// listed is a page of a list.
type listed struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next_cursor"`
	Total int               `json:"total"`
}

// middle turns the pages of a list up to the middle and returns the query of the page that is there.
func (p *page) middle(path string, query url.Values) url.Values {
	p.tb.Helper()
	at := maps.Clone(query)
	for passed := 0; passed < p.accounts/2; {
		var l listed
		require.NoError(p.tb, json.Unmarshal(p.get(path, at), &l))
		require.NotEmpty(p.tb, l.Next)
		require.Equal(p.tb, p.accounts, l.Total)
		passed += len(l.Items)
		at.Set("cursor", l.Next)
	}
	return at
}

// get asks the API and returns its answer.
func (p *page) get(path string, query url.Values) []byte {
	p.tb.Helper()
	response, err := http.Get(p.base + "/v1/" + path + "?" + query.Encode())
	require.NoError(p.tb, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(p.tb, err)
	require.Equal(p.tb, http.StatusOK, response.StatusCode, "%s: %s", path, body)
	return body
}
