//go:build slow

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
	"github.com/pqlstream/pqlstream/test/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }

// lived is a demo that goes on while a test looks at it.
type lived struct {
	page string
	c    *config.Config
}

func live(t *testing.T) *lived {
	t.Helper()
	l := &lived{}
	shown, over := make(chan string, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		over <- Run(ctx, Options{
			Seed: 1, Accounts: 400, Days: 180, Live: true, Out: io.Discard, Log: slog.New(slog.DiscardHandler), Version: "v1.2.3",
			Settings: func(c *config.Config) { l.c = c }, Watch: func(page string) { shown <- page },
		})
	}()
	t.Cleanup(func() {
		stop()
		if l.page != "" {
			assert.NoError(t, <-over)
		}
	})
	select {
	case l.page = <-shown:
	case err := <-over:
		require.NoError(t, err)
		require.Fail(t, "the demo has ended")
	}
	return l
}

func asked[T any](t require.TestingT, l *lived, path string) (answer T) {
	response, err := http.Get(l.page + "v1/" + path)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode, path)
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer
}

type metricsPage struct {
	Items []json.RawMessage `json:"items"`
}

// row is what the test looks at of a row of metrics.
type row struct {
	WindowStart int64   `json:"window_start"`
	WindowEnd   int64   `json:"window_end"`
	AsOf        int64   `json:"as_of"`
	Mature      bool    `json:"mature"`
	Raw         float64 `json:"raw"`
	CurrentEnd  float64 `json:"current_end"`
	Numerator   float64 `json:"numerator"`
	Denominator float64 `json:"denominator"`
	Rate        float64 `json:"rate"`
	Detail      string  `json:"detail"`
}

// rows are those of a metric by weeks, the oldest first.
func (l *lived) rows(t require.TestingT, metric, detail string) (rows []row) {
	for _, item := range asked[metricsPage](t, l, "metrics?limit=5000&unit=week&metric="+metric).Items {
		var r row
		require.NoError(t, json.Unmarshal(item, &r))
		if r.Detail == detail {
			rows = append(rows, r)
		}
	}
	return rows
}

// over are the rows of windows that are over.
func over(rows []row) []row {
	asOf := int64(0)
	for _, r := range rows {
		asOf = max(asOf, r.AsOf)
	}
	return slices.DeleteFunc(rows, func(r row) bool { return r.WindowEnd > asOf })
}

// agree holds what is shown against what the API says, as often as it takes: both change while the product is used.
func agree(t *testing.T, p *browser.Tab, view, heading string, compare func(t *assert.CollectT)) {
	t.Helper()
	elsewhere := "#/accounts"
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		p.GoTo(elsewhere, "Accounts")
		p.GoTo(view, heading)
		compare(c)
	}, 2*browser.Patience, time.Millisecond)
}

func TestThePageOfTheDemoShowsWhatItsAPISays(t *testing.T) {
	l := live(t)
	p := browser.Open(t, l.page, "#/?since=7d", browser.Desktop, time.Time{})
	p.Shown("PQLs")
	p.Accessible("")

	agree(t, p, "#/?since=30d", "PQLs", func(c *assert.CollectT) {
		since := time.Now().Add(-30 * 24 * time.Hour).Truncate(time.Minute).UnixMilli()
		list := asked[inspect.Page](c, l, fmt.Sprint("pqls?since=", since))
		require.NotEmpty(c, list.Items)
		assert.Equal(c, ids(list.Items), p.Texts("#pqls .card h2"))
		assert.Equal(c, fmt.Sprintf("Page 1 · %d PQLs", list.Total), p.Text("#pager-total"))
		assert.Equal(c, list.Items[0].Playbook.Action, p.Text("#pqls .card:first-child .next .action"))
	})
	id := asked[inspect.Page](t, l, "pqls?sort=qualified_at").Items[3].AccountID
	agree(t, p, "#/accounts/"+id, id, func(c *assert.CollectT) {
		a := asked[inspect.Account](c, l, "accounts/"+id)
		done := []string{}
		for _, s := range a.StepsDone {
			done = append(done, spaced(s.ID))
		}
		assert.Equal(c, done, p.Texts("section[aria-labelledby=done-title] tbody th"))
		assert.Len(c, p.Texts("#history li"), len(a.History))
		rates := p.Texts("section[aria-labelledby=filling-title] tbody td.number")
		assert.Equal(c, fmt.Sprintf("%.0f %%", 100*a.Rate), rates[len(rates)-1])
	})
	p.Accessible("")
	agree(t, p, "#/metrics", "Metrics", func(c *assert.CollectT) { metricsAgree(c, l, p) })
	p.Accessible("")
	agree(t, p, "#/funnel", "Funnel", func(c *assert.CollectT) {
		weeks := over(l.rows(c, "pql_rate", "7d")) // some sign up in each
		first := weeks[len(weeks)-12].WindowStart
		for _, step := range []string{"first_project", "weekly_habit", "invited_team"} {
			n := 0.0
			for _, r := range over(l.rows(c, "funnel", step)) {
				if r.WindowStart >= first {
					n += r.Numerator
				}
			}
			assert.Equal(c, number(n), p.Text("tr[data-step="+step+"] td"), step)
		}
	})
	p.Accessible("")
	agree(t, p, "#/cohorts", "Cohorts", func(c *assert.CollectT) {
		for i, detail := range []string{"7d", "14d", "30d"} {
			rows := l.rows(c, "pql_rate", detail)
			for _, r := range rows[len(rows)-13:] {
				cell := p.Text(fmt.Sprintf("tr[data-window=\"%d\"] td:nth-child(%d)", r.WindowStart, i+3))
				assert.True(c, strings.HasPrefix(cell, fmt.Sprintf("%s%.0f/%.0f", percent(r.Rate), r.Numerator, r.Denominator)), "%s of %d: %s", detail, r.WindowStart, cell)
			}
		}
	})
	p.Accessible("")
	agree(t, p, "#/pipeline", "Pipeline", func(c *assert.CollectT) {
		status := asked[api.Report](c, l, "status")
		var stages []string
		for _, s := range status.Stages {
			stages = append(stages, s.Stage)
			var tasks []string
			for _, task := range s.Tasks {
				tasks = append(tasks, fmt.Sprintf("%s/%d", task.Topic, task.Partition))
			}
			assert.Equal(c, tasks, p.Texts("section[aria-labelledby=stage-"+s.Stage+"] tbody th"))
		}
		assert.Equal(c, stages, p.Texts("section[aria-labelledby=stages-title] tbody th"))
	})
	p.Accessible("")
}

// metricsAgree holds the figures of the last twelve weeks that are over against the rows.
func metricsAgree(t *assert.CollectT, l *lived, p *browser.Tab) {
	pqls, cohorts := l.rows(t, "pqls", ""), l.rows(t, "pql_rate", "7d") // some sign up in each week, some qualify later only
	newest := pqls[len(pqls)-1]
	assert.Equal(t, number(newest.CurrentEnd), p.Text("#pqls-current"))
	cohorts = slices.DeleteFunc(cohorts, func(r row) bool { return r.WindowEnd > newest.AsOf })
	from := cohorts[len(cohorts)-12].WindowStart
	raw := 0.0
	for _, r := range pqls {
		if r.WindowStart >= from && r.WindowEnd <= newest.AsOf {
			raw += r.Raw
		}
	}
	assert.Equal(t, number(raw), p.Text("#pqls-raw"))
	for _, of := range []struct{ metric, detail string }{{"pql_rate", "7d"}, {"pql_rate", "30d"}, {"pql_to_paid", "7d"}, {"pql_to_paid", "30d"}} {
		n, total := 0.0, 0.0
		for _, r := range l.rows(t, of.metric, of.detail) {
			if r.Mature && r.WindowStart >= from {
				n, total = n+r.Numerator, total+r.Denominator
			}
		}
		require.Positive(t, total, "%v: nothing has ripened", of)
		assert.Equal(t, percent(n/total), p.Text("#"+of.metric+"-"+of.detail), of)
	}
}

// The API's rows are those that `pqlstream metrics` reads.
func TestTheRowsOfTheDemosAPIAreThoseOfKafka(t *testing.T) {
	l := live(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		catalog := report.NewCatalog(report.Query{Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}})
		rows, err := app.MetricRows(t.Context(), l.c, slog.New(slog.DiscardHandler), catalog.Wants)
		require.NoError(c, err)
		rows, err = catalog.Select(rows)
		require.NoError(c, err)
		var lines bytes.Buffer
		require.NoError(c, report.WriteJSON(&lines, rows))
		var told []string
		for _, item := range asked[metricsPage](c, l, "metrics?limit=5000&unit=week&zone=UTC").Items {
			told = append(told, string(item))
		}
		assert.Greater(c, len(told), 300)
		assert.Equal(c, strings.Split(strings.TrimSpace(lines.String()), "\n"), told)
	}, 2*browser.Patience, 10*time.Millisecond)
}

func TestAnEventMakesAPQLAppear(t *testing.T) {
	l := live(t)
	p := browser.Open(t, l.page, "", browser.Desktop, time.Time{})
	p.Shown("PQLs")
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	p.Set("void (window.loaded = true)")
	id := l.oneStepAway(t)
	l.use(t, id, "premium_viewed")
	p.Until(fmt.Sprintf("document.querySelector('#pqls .card[data-account=%q]')", id))
	p.Until(fmt.Sprintf("[...document.querySelectorAll('#feed .fact.qualified a')].some((a) => a.textContent === %q)", id))
	assert.True(t, browser.Eval[bool](p, "window.loaded"), "the page was loaded anew")
	require.Eventually(t, func() bool { return asked[inspect.Account](t, l, "accounts/"+id).Current }, browser.Patience, 20*time.Millisecond)
}

// oneStepAway finds an account that a look at a paid feature makes a PQL.
func (l *lived) oneStepAway(t *testing.T) string {
	t.Helper()
	for query := "accounts?limit=200"; ; {
		list := asked[inspect.Page](t, l, query)
		for _, a := range list.Items {
			steps := float64(len(a.StepsDone) + len(a.StepsMissing))
			if a.QualifiedAt == nil && !a.Converted && a.Rate+1/steps >= a.Threshold && slices.Contains(a.StepsMissing, "saw_premium") {
				return a.AccountID
			}
		}
		require.NotNil(t, list.Next, "nobody is one step away")
		query = "accounts?limit=200&cursor=" + url.QueryEscape(*list.Next)
	}
}

// use has somebody use the product.
func (l *lived) use(t *testing.T, account, event string) {
	t.Helper()
	client, err := kafka.NewClient(l.c.Kafka, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer client.Close()
	encoder, err := codec.NewEventEncoder(codec.Avro, schemas.UsageEvent.LocalID)
	require.NoError(t, err)
	now := time.Now().UnixMilli()
	value := encoder.AppendUsage(nil, &usage.Event{ID: "of-the-test", AccountID: account, UserID: "ana", Name: event, OccurredAt: now, ReceivedAt: now, Source: "app"})
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(account), Value: value}).FirstErr())
}

// TestPictures takes those of docs/images anew when UPDATE_SCREENSHOTS is set.
func TestPictures(t *testing.T) {
	if os.Getenv("UPDATE_SCREENSHOTS") == "" {
		t.Skip("screenshots for the documentation: UPDATE_SCREENSHOTS is not set")
	}
	l := live(t)
	to := filepath.Join("..", "..", "..", "docs", "images")
	id := asked[inspect.Page](t, l, "pqls?tier=medium").Items[2].AccountID
	for suffix, look := range map[string]browser.Look{"": browser.Desktop, "-dark": browser.Desktop.InDark()} {
		p := browser.Open(t, l.page, "#/?since=7d", look, time.Time{})
		p.Shown("PQLs")
		p.Until("document.querySelectorAll('#feed .fact').length >= 2")
		p.Until("!document.querySelector('main').hasAttribute('aria-busy')")
		p.Picture(filepath.Join(to, "pqls"+suffix+".png"), false)
		p.GoTo("#/accounts/"+id, id)
		p.Picture(filepath.Join(to, "account"+suffix+".png"), false)
		p.GoTo("#/metrics", "Metrics")
		p.Picture(filepath.Join(to, "metrics"+suffix+".png"), true)
	}
}

func ids(rows []inspect.Row) []string {
	all := make([]string, len(rows))
	for i := range rows {
		all[i] = rows[i].AccountID
	}
	return all
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// percent rounds halves up, as browsers do: fmt rounds them to even.
func percent(v float64) string { return fmt.Sprintf("%.1f %%", math.Round(1000*v)/10) }
