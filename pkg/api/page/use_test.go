//go:build slow

package page

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATokenIsAskedForAndKept(t *testing.T) {
	f := newFake(t, 60)
	f.token = "open sesame"
	p := open(t, f.URL, "", desktop)
	p.until("document.querySelector('#token-dialog').open")
	p.do(chromedp.SendKeys(chromedp.CSS("#token"), "friend"+kb.Enter))
	p.until("document.querySelector('#token-wrong').textContent !== ''")
	assert.Contains(t, p.text("#token-wrong"), "not accepted")
	p.do(chromedp.SendKeys(chromedp.CSS("#token"), f.token+kb.Enter))
	p.shown("PQLs")
	assert.False(t, eval[bool](p, "document.querySelector('#token-dialog').open"))
	p.until("document.querySelector('#live').dataset.state === 'live'")
	assert.Equal(t, f.token, eval[string](p, "sessionStorage.getItem('pqlstream.token')"))
	assert.NotContains(t, eval[string](p, "JSON.stringify(localStorage)"), f.token, "it must not outlive the tab")
	p.do(chromedp.Reload())
	p.shown("PQLs")
	p.expect("401")
}

func TestTheThemeIsTheSystemsUntilAnotherIsChosen(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/metrics", desktop.inDark())
	p.shown("Metrics")
	ground := "getComputedStyle(document.body).backgroundColor"
	dark := eval[string](p, ground)
	assert.Equal(t, "rgb(13, 16, 20)", dark)
	p.click("#theme")
	assert.Equal(t, "rgb(246, 247, 249)", eval[string](p, ground), "light was chosen")
	p.until("document.querySelectorAll('.plot canvas').length === document.querySelectorAll('.plot').length")
	p.do(chromedp.Reload())
	p.shown("Metrics")
	assert.Contains(t, p.text("#theme"), "Theme: Light")
	assert.Equal(t, "rgb(246, 247, 249)", eval[string](p, ground), "it is remembered")
	p.click("#theme")
	p.click("#theme")
	assert.Equal(t, dark, eval[string](p, ground), "as the system has it again")
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}})
	p.until(ground + " === 'rgb(246, 247, 249)'")
}

func TestAPhoneNeedsNoScrollingSideways(t *testing.T) {
	f := newFake(t, 600)
	f.rows[2].AccountID, f.rows[2].Segments, f.rows[2].Champion = evil, []string{evil}, evil
	p := open(t, f.URL, "", phone)
	p.shown("PQLs")
	for _, width := range []int64{320, 390, 768} {
		p.do(chromedp.EmulateViewport(width, 844))
		for _, v := range views(f) {
			p.goTo(v.address, v.heading)
			assert.LessOrEqual(t, eval[int64](p, "document.documentElement.scrollWidth"), width, "%s at %d", v.address, width)
		}
	}
}

func TestTheKeyboardIsEnough(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "", desktop)
	p.shown("PQLs")
	press := func(key string) { p.do(chromedp.KeyEvent(key)) }
	focused := func() string {
		return eval[string](p, "document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.tagName")
	}
	press(kb.Tab)
	assert.Equal(t, "Skip to the content", focused())
	press(kb.Enter)
	assert.Equal(t, "main", focused())
	press("/")
	assert.Equal(t, "find-id", focused())
	p.do(chromedp.KeyEvent(f.rows[0].AccountID + kb.Enter))
	p.shown(f.rows[0].AccountID)
	assert.Equal(t, "main", focused(), "a new view is where reading goes on")

	p.set("document.querySelector('nav.side a[data-view=accounts]').focus()")
	press(kb.Enter)
	p.shown("Accounts")
	reached := map[string]bool{}
	for range 250 {
		press(kb.Tab)
		id := focused()
		reached[id] = true
		if id == "page-next" {
			assert.True(t, eval[bool](p, "document.activeElement.matches(':focus-visible')"), "it shows where the focus is")
			break
		}
	}
	require.True(t, reached["page-next"])
	assert.True(t, reached["sort"])
	assert.True(t, reached[f.rows[0].AccountID])
	press(kb.Enter)
	p.until("document.querySelector('#pager-total').textContent.startsWith('Page 2')")
	p.until("!document.querySelector('main').hasAttribute('aria-busy')")
	assert.Equal(t, "page-next", focused(), "turning pages keeps the place")
}

type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func TestAccessibility(t *testing.T) {
	f := newFake(t, 30)
	for name, l := range map[string]look{"light": desktop, "dark": desktop.inDark(), "light phone": phone} {
		t.Run(name, func(t *testing.T) {
			p := open(t, f.URL, "", l)
			p.shown("PQLs")
			p.set(axe)
			for _, v := range views(f) {
				p.goTo(v.address, v.heading)
				p.set("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
				found := eval[[]violation](p, "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations)")
				for _, broken := range found {
					for _, node := range broken.Nodes[:min(3, len(broken.Nodes))] {
						assert.Fail(t, broken.ID, "%s: %s\n%s\n%s", v.address, broken.Help, node.HTML, node.Summary)
					}
				}
			}
		})
	}
}

func TestAccessibilityOfTheQuestionForAToken(t *testing.T) {
	f := newFake(t, 60)
	f.token = "open sesame"
	p := open(t, f.URL, "", desktop)
	p.until("document.querySelector('#token-dialog').open")
	p.set(axe)
	assert.Empty(t, eval[[]violation](p, "axe.run('#token-dialog', { resultTypes: ['violations'] }).then((r) => r.violations)"))
	p.expect("401")
}

// TestAPageThatLacksWhatItShows is shown where there are no metrics, and where the API fails.
func TestAPageThatLacksWhatItShows(t *testing.T) {
	f := newFake(t, 60)
	f.star, f.metrics = false, nil
	p := open(t, f.URL, "#/metrics", desktop)
	p.shown("Metrics")
	assert.Contains(t, p.text("main .note"), "There are no windows")
	p.goTo("#/funnel", "Funnel")
	p.goTo("#/cohorts", "Cohorts")
	p.goTo("#/", "PQLs")
	assert.Empty(t, p.texts("#star-line"))
	p.goTo("#/nothing", "There is no such view")
	f.goAway()
	p.set("location.hash = '#/accounts'")
	p.until("document.querySelector('main h1').textContent === 'pqlstream does not answer'")
	p.expect("net::ERR")
}

// TestFirstPaint tells how long the first view takes with many accounts, of which it reads a page. Nothing is asserted of time.
func TestFirstPaint(t *testing.T) {
	f := newFake(t, 100_000)
	p := open(t, f.URL, "#/?since=all", desktop)
	p.shown("PQLs")
	assert.Len(t, p.texts("#pqls .card"), 50)
	type times struct{ Paint, Drawn, Bytes float64 }
	took := eval[times](p, `({ Paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, Drawn: performance.now(),
		Bytes: performance.getEntriesByType('resource').reduce((sum, r) => sum + r.transferSize, 0) })`)
	started := time.Now()
	p.goTo("#/accounts", "Accounts")
	assert.True(t, strings.HasSuffix(p.text("#pager-total"), "100,000 accounts"), p.text("#pager-total"))
	t.Logf("100,000 accounts: first paint after %.0f ms, all drawn before %.0f ms, %.0f kB; the list of accounts after %v",
		took.Paint, took.Drawn, took.Bytes/1000, time.Since(started).Round(time.Millisecond))
}
