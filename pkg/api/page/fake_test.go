//go:build slow

package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// fake answers as the API does by openapi.yaml, out of made-up accounts and rows, beside the page. What it has answered is known, so that
// tests can hold the page against it.
type fake struct {
	*httptest.Server
	rows    []inspect.Row // the newest change first
	pqls    []int         // places in rows, the newest qualification first
	metrics []metricRow
	star    bool
	groups  []string          // by tier
	token   string            // "": none is asked for
	advice  *inspect.Playbook // of who qualifies; nil: the tier's

	mu        sync.Mutex
	streams   map[chan []byte]bool
	told      [][]byte // events
	requested []string
}

// metricRow is a row with what it is found by.
type metricRow struct {
	Metric      string   `json:"metric"`
	Detail      string   `json:"detail"`
	Unit        string   `json:"unit"`
	Zone        string   `json:"zone"`
	Grouping    string   `json:"grouping"`
	Group       string   `json:"group"`
	WindowStart int64    `json:"window_start"`
	WindowEnd   int64    `json:"window_end"`
	Closed      bool     `json:"closed"`
	Mature      bool     `json:"mature"`
	CurrentEnd  *float64 `json:"current_end"`
	Raw         *float64 `json:"raw"`
	Numerator   *float64 `json:"numerator"`
	Denominator *float64 `json:"denominator"`
	Rate        *float64 `json:"rate"`
	Count       *float64 `json:"count"`
	Mean        *float64 `json:"mean"`
	P50         *float64 `json:"p50"`
	json        json.RawMessage
}

var rowsOnce = sync.OnceValues(func() ([]metricRow, error) {
	made, err := reporttest.Rows()
	if err != nil {
		return nil, err
	}
	var rows []metricRow
	for _, r := range made {
		var b bytes.Buffer
		if err := report.WriteJSON(&b, []rollup.Row{r}); err != nil {
			return nil, err
		}
		row := metricRow{json: bytes.TrimSpace(b.Bytes())}
		if err := json.Unmarshal(row.json, &row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
})

func newFake(t *testing.T, accounts int) *fake {
	t.Helper()
	metrics, err := rowsOnce()
	require.NoError(t, err)
	f := &fake{metrics: metrics, star: true, groups: []string{"large", "medium", "small"}, streams: map[chan []byte]bool{}}
	f.rows = makeRows(accounts)
	for i := range f.rows {
		if f.rows[i].Current && !f.rows[i].HoldOut {
			f.pqls = append(f.pqls, i)
		}
	}
	slices.SortFunc(f.pqls, func(a, b int) int { return cmp.Compare(*f.rows[b].QualifiedAt, *f.rows[a].QualifiedAt) })
	f.Server = httptest.NewServer(f.routes())
	t.Cleanup(f.Close)
	return f
}

func (f *fake) routes() http.Handler {
	answers := http.NewServeMux()
	answers.HandleFunc("GET /v1/pqls", f.listPQLs)
	answers.HandleFunc("GET /v1/pqls/events", f.events)
	answers.HandleFunc("GET /v1/accounts", f.listAccounts)
	answers.HandleFunc("GET /v1/accounts/{id}", f.account)
	answers.HandleFunc("GET /v1/accounts/{id}/history", f.account)
	answers.HandleFunc("GET /v1/metrics", f.listMetrics)
	answers.HandleFunc("GET /v1/metrics/catalog", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.catalog()) })
	answers.HandleFunc("GET /v1/checklist", func(w http.ResponseWriter, _ *http.Request) { answer(w, sampleChecklist()) })
	answers.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, sampleStatus()) })
	mux := http.NewServeMux()
	mux.Handle("/", Handler(api.TakesGzip, api.Refuse))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requested = append(f.requested, r.URL.RequestURI())
		f.mu.Unlock()
		if f.token != "" && r.Header.Get("Authorization") != "Bearer "+f.token {
			problem(w, http.StatusUnauthorized, "A token is needed")
			return
		}
		answers.ServeHTTP(w, r)
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": title, "status": status, "detail": title + "."})
}

func (f *fake) listAccounts(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	places := make([]int, len(f.rows))
	for i := range places {
		places[i] = i
	}
	f.list(w, r.URL.Query(), places, "changed_at")
}

func (f *fake) listPQLs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, _ := strconv.ParseInt(q.Get("since"), 10, 64)
	f.mu.Lock()
	defer f.mu.Unlock()
	places := slices.DeleteFunc(slices.Clone(f.pqls), func(i int) bool {
		row := &f.rows[i]
		return q.Has("tier") && row.Tier != q.Get("tier") || *row.QualifiedAt < since ||
			q.Has("segment") && !slices.Contains(row.Segments, q.Get("segment")) || q.Has("playbook") && row.Playbook.Name != q.Get("playbook") && row.Playbook.Refines != q.Get("playbook")
	})
	f.list(w, q, places, "qualified_at")
}

// list answers with a page of the rows at places. It needs the lock.
func (f *fake) list(w http.ResponseWriter, q url.Values, places []int, oldest string) {
	if q.Get("sort") == oldest {
		slices.Reverse(places)
	}
	from, limit := page(q, 50, 200)
	p := inspect.Page{Items: []inspect.Row{}, Total: int64(len(places))}
	for _, i := range places[min(from, len(places)):min(from+limit, len(places))] {
		p.Items = append(p.Items, f.rows[i])
	}
	if from+limit < len(places) {
		next := fmt.Sprint("at-", from+limit)
		p.Next = &next
	}
	answer(w, p)
}

func page(q url.Values, usual, most int) (from, limit int) {
	from, _ = strconv.Atoi(strings.TrimPrefix(q.Get("cursor"), "at-"))
	if limit, _ = strconv.Atoi(q.Get("limit")); limit == 0 {
		limit = usual
	}
	return from, min(limit, most)
}

func (f *fake) account(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.rows, func(row inspect.Row) bool { return row.AccountID == r.PathValue("id") })
	if i < 0 {
		problem(w, http.StatusNotFound, "Nothing is known of this account")
		return
	}
	a := explain(&f.rows[i])
	if strings.HasSuffix(r.URL.Path, "/history") {
		answer(w, map[string]any{"items": a.History})
		return
	}
	answer(w, a)
}

func (f *fake) listMetrics(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	has := func(name, value string) bool { return !q.Has(name) || slices.Contains(q[name], value) }
	if !q.Has("grouping") {
		q.Set("grouping", "")
	}
	found := []json.RawMessage{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.metrics {
		m := &f.metrics[i]
		if has("metric", m.Metric) && has("unit", m.Unit) && has("zone", m.Zone) && has("grouping", m.Grouping) && has("group", m.Group) && m.WindowStart > since(q.Get("from")) {
			found = append(found, m.json)
		}
	}
	from, limit := page(q, 1000, 5000)
	to := min(from+limit, len(found))
	var next *string
	if to < len(found) {
		text := fmt.Sprint("at-", to)
		next = &text
	}
	answer(w, map[string]any{"as_of": reporttest.AsOf.UnixMilli(), "items": found[min(from, len(found)):to], "next_cursor": next})
}

// ripen has the rows of sign-ups up to a window ripen, and no others.
func (f *fake) ripen(until int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.metrics = slices.Clone(f.metrics)
	for i := range f.metrics {
		m := &f.metrics[i]
		if is := m.WindowStart <= until; (m.Metric == "funnel" || m.Metric == "pql_rate") && m.Mature != is {
			was, will := fmt.Sprintf(`"mature":%t`, m.Mature), fmt.Sprintf(`"mature":%t`, is)
			m.Mature, m.json = is, bytes.Replace(m.json, []byte(was), []byte(will), 1)
		}
	}
}

// since is a time back from the newest window, which begins on the day of AsOf.
func since(back string) int64 {
	if back == "" {
		return 0
	}
	n, _ := strconv.Atoi(back[:len(back)-1])
	hours := map[byte]int{'h': 1, 'd': 24, 'w': 7 * 24}[back[len(back)-1]]
	return reporttest.AsOf.Truncate(24*time.Hour).UnixMilli() - int64(n*hours)*time.Hour.Milliseconds()
}

// events streams what has been told since the event that a client has had, and what is told from now on.
func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	stream := make(chan []byte, 100)
	f.mu.Lock()
	f.streams[stream] = true
	if had, err := strconv.Atoi(r.Header.Get("Last-Event-ID")); err == nil {
		for _, event := range f.told[had:] {
			stream <- event
		}
	}
	f.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, ": hello\n\n")
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			f.mu.Lock()
			delete(f.streams, stream)
			f.mu.Unlock()
			return
		case event := <-stream:
			_, _ = w.Write(event)
			w.(http.Flusher).Flush()
		}
	}
}

// qualify makes an account a PQL and tells so.
func (f *fake) qualify(t *testing.T, place int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	row := &f.rows[place]
	at := reporttest.AsOf.UnixMilli()
	row.StepsDone, row.StepsMissing, row.Champion = slices.Clone(steps[:5]), slices.Clone(steps[5:]), cmp.Or(row.Champion, people[place%len(people)])
	row.Current, row.HoldOut, row.QualifiedAt, row.ChangedAt, row.Rate, row.Playbook = true, false, &at, at, 0.84, cmp.Or(f.advice, playbooks[row.Tier])
	f.pqls = append([]int{place}, slices.DeleteFunc(f.pqls, func(i int) bool { return i == place })...)
	fact, err := json.Marshal(factOf(row))
	require.NoError(t, err)
	f.told = append(f.told, fmt.Appendf(nil, "id: %d\nevent: qualified\ndata: %s\n\n", len(f.told)+1, fact))
	for stream := range f.streams {
		stream <- f.told[len(f.told)-1]
	}
}

// followers is how many follow what happens.
func (f *fake) followers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.streams)
}

// hangUp ends all streams, as an instance that is restarted does.
func (f *fake) hangUp() { f.CloseClientConnections() }

// goAway ends for good. Close would wait for streams to end.
func (f *fake) goAway() {
	_ = f.Listener.Close()
	f.hangUp()
}

// asked returns what was asked of the API.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requested)
}
