//go:build slow

package page

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
)

//go:embed testdata/axe.min.js
var axe string

// patience is how long a page may take to show what it should: the machine may be busy.
const patience = 30 * time.Second

// look is how a page is looked at.
type look struct {
	dark   bool
	width  int64
	height int64
}

var (
	desktop = look{width: 1360, height: 900}
	phone   = look{width: 390, height: 844}
)

func (l look) inDark() look {
	l.dark = true
	return l
}

// browser is one Chromium for all tests of the package, each of which has a context of its own: nothing stored is shared.
var browser = sync.OnceValues(func() (context.Context, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		return nil, nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.Flag("lang", "en"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(ctx)
	stopBrowser = stop
	return ctx, chromedp.Do(ctx)
})

var stopBrowser = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopBrowser()
	os.Exit(code)
}

// tab is a page that is looked at, with what it has complained of and asked for.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu         sync.Mutex
	complaints []string
	asked      []string
}

// open shows a view. It is AsOf there, and the viewer is in Berlin. What complains, or asks another origin, fails the test.
func open(t *testing.T, base, view string, l look) *tab {
	t.Helper()
	parent, err := browser()
	require.NoError(t, err)
	if parent == nil {
		t.Skip("the page in a browser: there is no Chromium: install one (Debian: apt-get install chromium)")
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 4*patience) // of all that is done with the page
	t.Cleanup(stop)
	p := &tab{t: t, ctx: ctx, base: base}
	require.NoError(t, chromedp.Listen(ctx, p.note))
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	clock := fmt.Sprintf("{ const real = Date.now, ahead = %d - real(); Date.now = () => real() + ahead; }", reporttest.AsOf.UnixMilli())
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Berlin"})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	call(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: clock})
	p.do(chromedp.EmulateViewport(l.width, l.height), chromedp.Navigate(base+"/"+view))
	t.Cleanup(p.check)
	return p
}

func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	require.NoError(p.t, err)
	return result
}

func (p *tab) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.complaints = append(p.complaints, text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			p.complaints = append(p.complaints, fmt.Sprint(e.Type, " ", string(e.Args[0].Value), e.Args[0].Description))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.complaints = append(p.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	}
}

// check is made of every page that was opened.
func (p *tab) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(p.t, p.complaints, "the browser's console")
	for _, address := range p.asked {
		u, err := url.Parse(address)
		require.NoError(p.t, err)
		assert.True(p.t, strings.HasPrefix(address, p.base) || u.Scheme == "data", "the page asked another origin: %s", address)
	}
}

// expect takes complaints that hold the text off the list: a test has provoked them.
func (p *tab) expect(text string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var others []string
	for _, c := range p.complaints {
		if !strings.Contains(c, text) {
			others = append(others, c)
		}
	}
	assert.Less(p.t, len(others), len(p.complaints), "nobody has complained of %q", text)
	p.complaints = others
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, steps...))
}

// eval returns what an expression of the page's is; promises are waited for.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, expression)
	return value
}

// set runs an expression for what it does.
func (p *tab) set(expression string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](expression))
}

// until waits for an expression to be true.
func (p *tab) until(expression string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && is
	}, patience, 20*time.Millisecond, expression)
}

// shown waits for a view to be drawn, charts included.
func (p *tab) shown(heading string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector('main h1')?.textContent === %s && !document.querySelector('main').hasAttribute('aria-busy') &&
		[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('canvas'))`, quoted(heading)))
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// goTo shows another view, by the address.
func (p *tab) goTo(view, heading string) {
	p.t.Helper()
	p.set(fmt.Sprintf("void (document.querySelector('main h1').textContent = '', location.hash = %s)", quoted(view)))
	p.shown(heading)
}

func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%s)?.textContent ?? 'there is none'", quoted(selector)))
}

func (p *tab) texts(selector string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf("[...document.querySelectorAll(%s)].map((e) => e.textContent)", quoted(selector)))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// choose sets a choice as people do.
func (p *tab) choose(id, value string) {
	p.t.Helper()
	p.set(fmt.Sprintf("void ((s) => { s.value = %s; s.dispatchEvent(new Event('change')); })(document.getElementById(%s))", quoted(value), quoted(id)))
}
