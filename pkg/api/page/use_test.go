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

	"github.com/pqlstream/pqlstream/test/browser"
)

func TestATokenIsAskedForAndKept(t *testing.T) {
	f := newFake(t, 60)
	f.token = "open sesame"
	p := open(t, f.URL, "", browser.Desktop)
	p.Until("document.querySelector('#token-dialog').open")
	p.Do(chromedp.SendKeys(chromedp.CSS("#token"), "friend"+kb.Enter))
	p.Until("document.querySelector('#token-wrong').textContent !== ''")
	assert.Contains(t, p.Text("#token-wrong"), "not accepted")
	p.Do(chromedp.SendKeys(chromedp.CSS("#token"), f.token+kb.Enter))
	p.Shown("PQLs")
	assert.False(t, browser.Eval[bool](p, "document.querySelector('#token-dialog').open"))
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	assert.Equal(t, f.token, browser.Eval[string](p, "sessionStorage.getItem('pqlstream.token')"))
	assert.NotContains(t, browser.Eval[string](p, "JSON.stringify(localStorage)"), f.token, "it must not outlive the tab")
	p.Do(chromedp.Reload())
	p.Shown("PQLs")
	p.Expect("401")
}

func TestTheThemeIsTheSystemsUntilAnotherIsChosen(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/metrics", browser.Desktop.InDark())
	p.Shown("Metrics")
	ground := "getComputedStyle(document.body).backgroundColor"
	dark := browser.Eval[string](p, ground)
	assert.Equal(t, "rgb(13, 16, 20)", dark)
	p.Click("#theme")
	assert.Equal(t, "rgb(246, 247, 249)", browser.Eval[string](p, ground), "light was chosen")
	p.Until("document.querySelectorAll('.plot canvas').length === document.querySelectorAll('.plot').length")
	p.Do(chromedp.Reload())
	p.Shown("Metrics")
	assert.Contains(t, p.Text("#theme"), "Theme: Light")
	assert.Equal(t, "rgb(246, 247, 249)", browser.Eval[string](p, ground), "it is remembered")
	p.Click("#theme")
	p.Click("#theme")
	assert.Equal(t, dark, browser.Eval[string](p, ground), "as the system has it again")
	browser.Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}})
	p.Until(ground + " === 'rgb(246, 247, 249)'")
}

func TestAPhoneNeedsNoScrollingSideways(t *testing.T) {
	const tall = 150 // pixels: some five lines
	f := newFake(t, 600)
	f.rows[2].AccountID, f.rows[2].Segments, f.rows[2].Champion = evil, []string{evil}, evil
	p := open(t, f.URL, "", browser.Phone)
	p.Shown("PQLs")
	p.GoTo("#/funnel", "Funnel")
	shares := "Math.max(...[...document.querySelectorAll('.funnel-bar b')].map((b) => b.getBoundingClientRect().right))"
	assert.Less(t, browser.Eval[float64](p, shares), float64(browser.Phone.Width-20), "the funnel's shares are cut off")
	for _, width := range []int64{320, 390, 768} {
		p.Do(chromedp.EmulateViewport(width, 844))
		for _, v := range views(f) {
			p.GoTo(v.address, v.heading)
			assert.LessOrEqual(t, browser.Eval[int64](p, "document.documentElement.scrollWidth"), width, "%s at %d", v.address, width)
			tallest := browser.Eval[float64](p, "Math.max(0, ...[...document.querySelectorAll('tbody tr')].map((r) => r.getBoundingClientRect().height))")
			assert.Less(t, tallest, float64(tall), "a row of %s at %d: its words are broken into letters", v.address, width)
		}
	}
}

func TestTheKeyboardIsEnough(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "", browser.Desktop)
	p.Shown("PQLs")
	press := func(key string) { p.Do(chromedp.KeyEvent(key)) }
	focused := func() string {
		return browser.Eval[string](p, "document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.tagName")
	}
	press(kb.Tab)
	assert.Equal(t, "Skip to the content", focused())
	press(kb.Enter)
	assert.Equal(t, "main", focused())
	press("/")
	assert.Equal(t, "find-id", focused())
	p.Do(chromedp.KeyEvent(f.rows[0].AccountID + kb.Enter))
	p.Shown(f.rows[0].AccountID)
	assert.Equal(t, "main", focused(), "a new view is where reading goes on")

	p.Set("document.querySelector('nav.side a[data-view=accounts]').focus()")
	press(kb.Enter)
	p.Shown("Accounts")
	reached := map[string]bool{}
	for range 250 {
		press(kb.Tab)
		id := focused()
		reached[id] = true
		if id == "page-next" {
			assert.True(t, browser.Eval[bool](p, "document.activeElement.matches(':focus-visible')"), "it shows where the focus is")
			break
		}
	}
	require.True(t, reached["page-next"])
	assert.True(t, reached["sort"])
	assert.True(t, reached[f.rows[0].AccountID])
	press(kb.Enter)
	p.Until("document.querySelector('#pager-total').textContent.startsWith('Page 2')")
	p.Until("!document.querySelector('main').hasAttribute('aria-busy')")
	assert.Equal(t, "page-next", focused(), "turning pages keeps the place")
}

func TestAccessibility(t *testing.T) {
	f := newFake(t, 30)
	for name, l := range map[string]browser.Look{"light": browser.Desktop, "dark": browser.Desktop.InDark(), "light phone": browser.Phone} {
		t.Run(name, func(t *testing.T) {
			p := open(t, f.URL, "", l)
			p.Shown("PQLs")
			for _, v := range views(f) {
				p.GoTo(v.address, v.heading)
				p.Accessible("")
			}
		})
	}
}

func TestAccessibilityOfTheQuestionForAToken(t *testing.T) {
	f := newFake(t, 60)
	f.token = "open sesame"
	p := open(t, f.URL, "", browser.Desktop)
	p.Until("document.querySelector('#token-dialog').open")
	p.Accessible("#token-dialog")
	p.Expect("401")
}

// TestAPageThatLacksWhatItShows is shown where there are no metrics, and where the API fails.
func TestAPageThatLacksWhatItShows(t *testing.T) {
	f := newFake(t, 60)
	f.star, f.metrics = false, nil
	p := open(t, f.URL, "#/metrics", browser.Desktop)
	p.Shown("Metrics")
	assert.Contains(t, p.Text("main .note"), "There are no windows")
	p.GoTo("#/funnel", "Funnel")
	p.GoTo("#/cohorts", "Cohorts")
	p.GoTo("#/", "PQLs")
	assert.Empty(t, p.Texts("#star-line"))
	p.GoTo("#/nothing", "There is no such view")
	f.goAway()
	p.Set("location.hash = '#/accounts'")
	p.Until("document.querySelector('main h1').textContent === 'pqlstream does not answer'")
	p.Expect("net::ERR")
}

// TestFirstPaint tells how long the first view takes with many accounts, of which it reads a page. Nothing is asserted of time.
func TestFirstPaint(t *testing.T) {
	f := newFake(t, 100_000)
	p := open(t, f.URL, "#/?since=all", browser.Desktop)
	p.Shown("PQLs")
	assert.Len(t, p.Texts("#pqls .card"), 50)
	type times struct{ Paint, Drawn, Bytes float64 }
	took := browser.Eval[times](p, `({ Paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, Drawn: performance.now(),
		Bytes: performance.getEntriesByType('resource').reduce((sum, r) => sum + r.transferSize, 0) })`)
	started := time.Now()
	p.GoTo("#/accounts", "Accounts")
	assert.True(t, strings.HasSuffix(p.Text("#pager-total"), "100,000 accounts"), p.Text("#pager-total"))
	t.Logf("100,000 accounts: first paint after %.0f ms, all drawn before %.0f ms, %.0f kB; the list of accounts after %v",
		took.Paint, took.Drawn, took.Bytes/1000, time.Since(started).Round(time.Millisecond))
}
