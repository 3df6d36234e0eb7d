//go:build slow

package page

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/test/browser"
)

// ask is what the API answers to those who don't come through the page.
func ask[T any](t *testing.T, f *fake, path string) (answer T) {
	t.Helper()
	response, err := http.Get(f.URL + "/v1/" + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode, path)
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer
}

// today is midnight in Berlin before AsOf.
func today(t *testing.T) int64 {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := reporttest.AsOf.In(berlin)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, berlin).UnixMilli()
}

func ids(rows []inspect.Row) []string {
	all := make([]string, len(rows))
	for i := range rows {
		all[i] = rows[i].AccountID
	}
	return all
}

func spaced(steps []string) []string {
	all := make([]string, len(steps))
	for i, s := range steps {
		all[i] = strings.ReplaceAll(s, "_", " ")
	}
	return all
}

func TestPQLsShowEvidenceAndTheNextStep(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "", browser.Desktop)
	p.Shown("PQLs")
	list := ask[inspect.Page](t, f, fmt.Sprint("pqls?since=", today(t)))
	require.NotEmpty(t, list.Items)
	assert.Equal(t, ids(list.Items), p.Texts("#pqls .card h2"))
	assert.Equal(t, fmt.Sprintf("Page 1 · %d PQLs", list.Total), p.Text("#pager-total"))
	for i, row := range list.Items {
		card := fmt.Sprintf("#pqls .card:nth-child(%d) ", i+1)
		assert.Equal(t, spaced(row.StepsDone), cut(p.Texts(card+".done"), "done: "))
		assert.Equal(t, spaced(row.StepsMissing), cut(p.Texts(card+".missing"), "missing: "))
		assert.Equal(t, fmt.Sprintf("%.0f %% / %.0f %%", 100*row.Rate, 100*row.Threshold), p.Text(card+".of"))
		assert.Equal(t, row.Playbook.Name, p.Text(card+".next h3"))
		assert.Equal(t, row.Playbook.Action, p.Text(card+".next .action"))
		assert.Contains(t, p.Text(card+".next"), row.Playbook.Queue)
	}
	for _, tier := range []string{"large", "medium", "small"} {
		n := ask[inspect.Page](t, f, fmt.Sprintf("pqls?tier=%s&since=%d", tier, today(t))).Total
		assert.Equal(t, fmt.Sprint(n, tier), p.Text("#tier-"+tier))
	}
}

func cut(texts []string, prefix string) []string {
	all := []string{}
	for _, text := range texts {
		all = append(all, strings.TrimPrefix(text, prefix))
	}
	return all
}

func TestPQLsAreFilteredAndPaged(t *testing.T) {
	f := newFake(t, 1500)
	p := open(t, f.URL, "#/?since=all", browser.Desktop)
	p.Shown("PQLs")
	all := ask[inspect.Page](t, f, "pqls")
	require.NotNil(t, all.Next)
	second := ask[inspect.Page](t, f, "pqls?cursor="+*all.Next)
	first := p.Texts("#pqls .card h2")
	assert.Equal(t, ids(all.Items), first)

	p.Click("#page-next")
	p.Until("document.querySelector('#pager-total').textContent.startsWith('Page 2')")
	assert.Equal(t, ids(second.Items), p.Texts("#pqls .card h2"))
	p.Click("#page-back")
	p.Until("document.querySelector('#pager-total').textContent.startsWith('Page 1')")
	assert.Equal(t, first, p.Texts("#pqls .card h2"))

	p.Click("#tier-large")
	p.Until("document.querySelector('#tier-large').getAttribute('aria-pressed') === 'true'")
	assert.Equal(t, ids(ask[inspect.Page](t, f, "pqls?tier=large").Items), p.Texts("#pqls .card h2"))
	p.Choose("sort", "qualified_at")
	oldest := ids(ask[inspect.Page](t, f, "pqls?tier=large&sort=qualified_at").Items)
	p.Until(fmt.Sprintf("document.querySelector('#pqls .card h2').textContent === %s", browser.Quoted(oldest[0])))
	assert.Equal(t, oldest, p.Texts("#pqls .card h2"))
	p.Choose("playbook", "guided-trial")
	p.Until("document.querySelectorAll('#pqls .card').length === 0")
	assert.Contains(t, p.Text("main .note"), "No account fits")
	assert.Contains(t, p.Text("#pager-total"), "chosen from", "a total that filters are not counted out of must not pass for theirs")

	p.GoTo("#/?since=7d&playbook=nobody", "PQLs")
	p.Click("main .note button")
	p.Until("location.hash.includes('since=all') && !document.querySelector('main .note button')") // there is nothing wider to look at
	p.Shown("PQLs")
}

func TestANewPQLAppearsWithoutReload(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "", browser.Desktop)
	p.Shown("PQLs")
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	p.Set("window.sameDocument = true")
	before := len(p.Texts("#pqls .card"))
	f.qualify(t, 150)
	id := f.rows[150].AccountID
	p.Until(fmt.Sprintf("document.querySelector('#pqls .card h2')?.textContent === %s", browser.Quoted(id)))
	assert.Contains(t, p.Text("#feed .fact"), id+" qualified")
	assert.Equal(t, f.rows[150].Playbook.Action, p.Text("#pqls .card .action"))
	p.Until(fmt.Sprintf("document.querySelector('#pager-total').textContent === 'Page 1 · %d PQLs'", before+1))
	assert.Len(t, p.Texts("#pqls .card"), before+1)
	assert.True(t, browser.Eval[bool](p, "window.sameDocument === true"))

	f.hangUp()
	p.Until("document.querySelector('#live').dataset.state !== 'live'")
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	f.qualify(t, 151)
	p.Until(fmt.Sprintf("document.querySelector('#pqls .card h2')?.textContent === %s", browser.Quoted(f.rows[151].AccountID)))
	p.Expect("net::ERR")
}

func TestAccountsAreListedAPageAtATime(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "#/accounts", browser.Desktop)
	p.Shown("Accounts")
	list := ask[inspect.Page](t, f, "accounts")
	assert.Equal(t, ids(list.Items), p.Texts("tbody th"))
	assert.Equal(t, "Page 1 · 600 accounts", p.Text("#pager-total"))
	for i, row := range list.Items[:10] {
		line := fmt.Sprintf("tbody tr:nth-child(%d)", i+1)
		assert.Equal(t, fmt.Sprintf("%.0f %% / %.0f %%", 100*row.Rate, 100*row.Threshold), p.Text(line+" .of"))
		assert.Len(t, p.Texts(line+" .full"), len(row.StepsDone))
		assert.Contains(t, p.Text(line+" .dots"), fmt.Sprintf("%d of %d", len(row.StepsDone), len(row.StepsDone)+len(row.StepsMissing)))
		assert.Equal(t, row.Tier, p.Text(line+" td:nth-child(2)"))
	}
	p.Click("#page-next")
	p.Until("document.querySelector('#pager-total').textContent.startsWith('Page 2')")
	assert.Equal(t, ids(ask[inspect.Page](t, f, "accounts?cursor="+*list.Next).Items), p.Texts("tbody th"))
	p.Do(chromedp.Reload())
	p.Shown("Accounts")
	assert.Contains(t, p.Text("#pager-total"), "Page 2")
	assert.False(t, browser.Eval[bool](p, "document.querySelector('#page-first').disabled"), "the way back is not lost with a reload")
}

func TestAnAccountShowsItsChecklistFillingUp(t *testing.T) {
	f := newFake(t, 60)
	id := f.rows[1].AccountID
	p := open(t, f.URL, "#/accounts/"+id, browser.Desktop)
	p.Shown(id)
	a := ask[inspect.Account](t, f, "accounts/"+id)
	require.NotEmpty(t, a.StepsDone)
	require.NotEmpty(t, a.StepsMissing)
	done, missing := []string{}, []string{}
	for _, s := range a.StepsDone {
		done = append(done, strings.ReplaceAll(s.ID, "_", " "))
	}
	for _, s := range a.StepsMissing {
		missing = append(missing, s.Need)
	}
	assert.Equal(t, done, p.Texts("section[aria-labelledby=done-title] tbody th"))
	assert.Equal(t, missing, p.Texts(".todo li .small.muted"))
	assert.Contains(t, p.Text("section[aria-labelledby=done-title]"), fmt.Sprintf("%s/%d @ %d", a.StepsDone[0].Topic, a.StepsDone[0].Partition, a.StepsDone[0].Offset))
	assert.Len(t, p.Texts("#history li"), len(a.History))
	assert.Len(t, p.Texts("section[aria-labelledby=users-title] tbody tr"), len(a.Users))
	assert.Contains(t, p.Text("section[aria-labelledby=next-title]"), a.Playbook.Action)
	rates := p.Texts("section[aria-labelledby=filling-title] tbody td.number")
	require.Len(t, rates, len(a.History))
	assert.Equal(t, "0 %", rates[0], "it signed up with nothing done")
	assert.Equal(t, fmt.Sprintf("%.0f %%", 100*a.Rate), rates[len(rates)-1])
	at := time.UnixMilli(a.StepsDone[0].DoneAt)
	shown := browser.Eval[map[string]string](p, `((t) => ({ text: t.textContent, title: t.title }))(document.querySelector('section[aria-labelledby=done-title] tbody time'))`)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	assert.Equal(t, at.In(berlin).Format("02 Jan, 15:04"), shown["text"], "the viewer's zone")
	assert.Contains(t, shown["title"], at.UTC().Format("2006-01-02 15:04:05"), "UTC on hover")
	assert.Contains(t, shown["title"], "UTC")
}

func TestAnAccountIsOpenedByItsID(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/accounts/nobody", browser.Desktop)
	p.Shown("Nothing is known of this account")
	p.Expect("404")
	p.Set("document.getElementById('find-id').value = " + browser.Quoted(f.rows[5].AccountID) + "; document.getElementById('find').requestSubmit()")
	p.Shown(f.rows[5].AccountID)
}

func TestValuesAreTextWhateverTheyHold(t *testing.T) {
	f := newFake(t, 60)
	f.rows[2].AccountID, f.rows[2].Segments, f.rows[2].Champion = evil, []string{evil}, evil
	p := open(t, f.URL, "#/?since=all", browser.Desktop)
	p.Shown("PQLs")
	assert.Contains(t, p.Texts("#pqls .card h2"), evil)
	f.qualify(t, 2)
	p.Until("document.querySelector('#feed .fact')")
	assert.Contains(t, p.Text("#feed .fact"), evil)
	p.GoTo("#/accounts", "Accounts")
	assert.Contains(t, p.Texts("tbody th"), evil)
	p.Set("[...document.querySelectorAll('tbody th a')][2].click()")
	p.Shown(evil)
	asked := f.asked()
	path, err := url.PathUnescape(asked[len(asked)-1])
	require.NoError(t, err)
	assert.Contains(t, path, "/v1/accounts/"+evil)
	assert.Zero(t, browser.Eval[int](p, "document.querySelectorAll('img').length"))
}

// percent rounds halves up, as browsers do: fmt rounds them to even.
func percent(v float64) string { return fmt.Sprintf("%.1f %%", math.Round(1000*v)/10) }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func TestMetricsAreTheAPIs(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/metrics", browser.Desktop)
	p.Shown("Metrics")
	const weeks = 12
	pqls := f.find("pqls", "", "")
	ended := pqls
	for ended[len(ended)-1].WindowEnd > reporttest.AsOf.UnixMilli() {
		ended = ended[:len(ended)-1]
	}
	raw := 0.0
	for _, r := range ended[len(ended)-weeks:] {
		raw += *r.Raw
	}
	assert.Equal(t, number(*pqls[len(pqls)-1].CurrentEnd), p.Text("#pqls-current"))
	assert.Equal(t, number(raw), p.Text("#pqls-raw"))

	first := ended[len(ended)-weeks].WindowStart
	for _, metric := range []string{"pql_rate", "pql_to_paid"} {
		for _, detail := range []string{"7d", "30d"} {
			n, of := 0.0, 0.0
			for _, r := range f.find(metric, detail, "") {
				if r.Mature && r.WindowStart >= first {
					n, of = n+*r.Numerator, of+*r.Denominator
				}
			}
			assert.Equal(t, percent(n/of), p.Text("#"+metric+"-"+detail), "%s within %s", metric, detail)
		}
	}
	star := f.newestClosed("pql_rate", "14d")
	assert.Equal(t, percent(*star.Rate), p.Text("#star-value"))
	assert.Contains(t, p.Text("section.star"), "within its band")

	assert.Equal(t, len(ended[len(ended)-weeks:])+len(pqls)-len(ended), len(p.Texts(".panel.pqls .behind tbody tr")), "a line a window, the open one too")
	newest := pqls[len(pqls)-1]
	line := p.Texts(".panel.pqls .behind tbody tr:first-child td")
	assert.Equal(t, []string{number(*newest.CurrentEnd), number(*newest.Raw)}, line[:2])
	assert.Equal(t, "still open", line[len(line)-1])
}

func TestMetricsAreChosenByUnitZoneAndGroup(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/metrics", browser.Desktop)
	p.Shown("Metrics")
	p.Choose("grouping", "tier")
	p.Until("document.querySelector('#group')")
	p.Shown("Metrics")
	assert.Equal(t, []string{"large", "medium", "small"}, p.Texts(".panel.pqls > .scroll tbody th"))
	for i, tier := range []string{"large", "medium", "small"} {
		rows := f.find("pqls", "", tier)
		assert.Contains(t, p.Text(fmt.Sprintf(".panel.pqls > .scroll tbody tr:nth-child(%d)", i+1)), number(*rows[len(rows)-1].CurrentEnd)+" now", tier)
	}
	p.Choose("group", "large")
	p.Until("document.querySelector('#pqls-current')")
	rows := f.find("pqls", "", "large")
	assert.Equal(t, number(*rows[len(rows)-1].CurrentEnd), p.Text("#pqls-current"))
	p.Choose("zone", "Europe/Berlin")
	p.Until("location.hash.includes('zone=Europe') && document.querySelector('#zone')?.value === 'Europe/Berlin'")
	p.Shown("Metrics")
	p.Choose("unit", "day")
	p.Until("document.querySelector('#last')?.value === '30'")
	p.Shown("Metrics")
	assert.Len(t, p.Texts(".panel.pqls .behind tbody tr"), 31)
	assert.Contains(t, strings.Join(f.asked(), "\n"), "unit=day&zone=Europe%2FBerlin&grouping=tier&group=large")
	assert.NotEmpty(t, p.Texts(".delta b"))
	p.Click("#compare")
	p.Until("location.hash.includes('compare=no') && document.querySelectorAll('.delta').length === 0")
}

func TestTheFunnelIsTheAPIs(t *testing.T) {
	f := newFake(t, 60)
	// Nobody has done the last step in the newest windows: there are no rows of that.
	newest := f.find("funnel", "step-1", "")
	young := newest[len(newest)-3].WindowStart
	f.metrics = slices.DeleteFunc(slices.Clone(f.metrics), func(m metricRow) bool {
		return m.Metric == "funnel" && m.Detail == "step-4" && m.WindowStart >= young
	})
	p := open(t, f.URL, "#/funnel?last=4", browser.Desktop)
	p.Shown("Funnel")
	signedUp := over(newest)
	of, before := 0.0, 0.0
	for i := range 4 {
		of, before = of+*signedUp[len(signedUp)-1-i].Denominator, before+*signedUp[len(signedUp)-5-i].Denominator
	}
	first := signedUp[len(signedUp)-4].WindowStart
	for _, step := range []string{"step-1", "step-2", "step-3", "step-4"} {
		n := 0.0
		for _, r := range over(f.find("funnel", step, "")) {
			if r.WindowStart >= first {
				n += *r.Numerator
			}
		}
		line := p.Texts(fmt.Sprintf("tr[data-step=%q] td", step))
		assert.Equal(t, []string{number(n), percent(n / of)}, line[:2], step)
	}
	assert.Equal(t, "signed up", p.Text("tbody tr:first-child th"))
	assert.Equal(t, number(of), p.Text("tbody tr:first-child td"))
	assert.Contains(t, p.Text("tbody tr:first-child .delta b"), fmt.Sprintf("%.0f %%", 100*math.Abs(of/before-1)), "as many windows as before")
}

// over are the windows that are over.
func over(rows []metricRow) []metricRow {
	return slices.DeleteFunc(slices.Clone(rows), func(m metricRow) bool { return m.WindowEnd > reporttest.AsOf.UnixMilli() })
}

// Windows of which not all have had the time yet look worse than those before: what has not ripened is not compared.
func TestTheFunnelComparesWhatIsOfAnAge(t *testing.T) {
	f := newFake(t, 60)
	newest := over(f.find("funnel", "step-1", ""))
	f.ripen(newest[len(newest)-3].WindowStart)
	p := open(t, f.URL, "#/funnel?last=4", browser.Desktop)
	p.Shown("Funnel")
	share := func(rows []metricRow) float64 {
		n, of := 0.0, 0.0
		for _, r := range rows {
			if r.Mature {
				n, of = n+*r.Numerator, of+*r.Denominator
			}
		}
		return n / of
	}
	points := func(rows []metricRow) string {
		rows = over(rows)
		return fmt.Sprintf("%.1f points", 100*math.Abs(share(rows[len(rows)-4:])-share(rows[len(rows)-8:len(rows)-4])))
	}
	assert.Contains(t, p.Text("tr[data-step=step-2] .delta b"), points(f.find("funnel", "step-2", "")))
	assert.Contains(t, p.Text("tr[data-step=qualified] .delta b"), points(f.find("pql_rate", "30d", "")))

	f.ripen(newest[len(newest)-5].WindowStart)
	p.GoTo("#/accounts", "Accounts")
	p.GoTo("#/funnel?last=4", "Funnel")
	assert.Empty(t, p.Texts("tr[data-step=step-2] .delta"), "those now have had less time than those before")
}

func TestCohortsAreTheAPIs(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/cohorts", browser.Desktop)
	p.Shown("Cohorts")
	lines := 0
	for i, detail := range []string{"7d", "14d", "30d"} {
		rows := f.find("pql_rate", detail, "")
		for _, r := range rows[len(rows)-13:] {
			cell := p.Text(fmt.Sprintf("tr[data-window=\"%d\"] td:nth-child(%d)", r.WindowStart, i+3))
			assert.True(t, strings.HasPrefix(cell, percent(*r.Rate)+number(*r.Numerator)+"/"+number(*r.Denominator)), "%s: %s", detail, cell)
			assert.Equal(t, !r.Mature, strings.HasSuffix(cell, "unripe"))
			lines++
		}
	}
	assert.Equal(t, 3*13, lines)
	p.Choose("metric", "pql_to_paid")
	p.Until("document.querySelector('thead').textContent.includes('90 days')")
}

func TestThePipelineIsTheAPIs(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/pipeline", browser.Desktop)
	p.Shown("Pipeline")
	assert.Equal(t, []string{"ingest", "activation", "measure", "rollup"}, p.Texts("section[aria-labelledby=stages-title] tbody th"))
	assert.Equal(t, "1,026", p.Text("#lag"))
	assert.Equal(t, []string{"4", "0", "768", "1", "48,211"}, p.Texts("tr[data-stage=activation] td.number"))
	assert.Equal(t, []string{"pql.usage/0", "pql.usage/1", "pql.usage/2", "pql.usage/3"}, p.Texts("section[aria-labelledby=stage-activation] tbody th"))
	assert.Contains(t, p.Text("section[aria-labelledby=stage-activation] tbody tr:nth-child(4)"), "usage/2")
	assert.Contains(t, p.Text(".alarm"), "rollup/0: its first mark of time")
	asked := func() int { return strings.Count(strings.Join(f.asked(), "\n"), "/v1/status") }
	once := asked()
	require.Eventually(t, func() bool { return asked() > once }, browser.Patience, 50*time.Millisecond, "it is asked again by itself")
}
