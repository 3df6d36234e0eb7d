//go:build slow

// Package browser looks at the page in Chromium, for tests that hold it against what it shows.
package browser

import (
	"context"
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
)

// Patience is how long a page may take to show what it should: the machine may be busy.
const Patience = 30 * time.Second

// Look is how a page is looked at.
type Look struct {
	Dark   bool
	Width  int64 // pixels
	Height int64
}

// What pages are looked at with.
var (
	Desktop = Look{Width: 1360, Height: 900}
	Phone   = Look{Width: 390, Height: 844}
)

// InDark is the same where the system prefers dark.
func (l Look) InDark() Look {
	l.Dark = true
	return l
}

// chromium is one for all tests of a package, each of which has a context of its own: nothing stored is shared.
var chromium = sync.OnceValues(func() (context.Context, error) {
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

// Main runs the tests of a package that looks at pages: for TestMain.
func Main(m *testing.M) {
	code := m.Run()
	stopBrowser()
	os.Exit(code)
}

// Tab is a page that is looked at, with what it has complained of and asked for.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string
	look Look
	at   time.Time

	close context.CancelFunc

	mu         sync.Mutex
	complaints []string
	asked      []string
}

// Open shows a view to a viewer in Berlin, for whom it is as late as is said; the zero time is now. What complains, or asks another origin, fails
// the test.
func Open(t testing.TB, base, view string, l Look, at time.Time) *Tab {
	t.Helper()
	p := newWindow(t, base, l, at)
	p.show(view)
	return p
}

// newWindow returns a tab that shows nothing yet, in a window that has nothing stored.
func newWindow(t testing.TB, base string, l Look, at time.Time) *Tab {
	t.Helper()
	parent, err := chromium()
	require.NoError(t, err)
	if parent == nil {
		t.Skip("the page in a browser: there is no Chromium: install one (Debian: apt-get install chromium)")
	}
	return newTab(parent, t, base, l, at, chromedp.WithNewBrowserContext())
}

// Another opens one more tab of the same window, at the same time: what is stored and what is connected is shared. It is shown in front, the
// others are hidden.
func (p *Tab) Another(view string) *Tab {
	p.t.Helper()
	another := newTab(p.ctx, p.t, p.base, p.look, p.at, chromedp.WithNewWindow(false))
	another.show(view)
	another.Front()
	return another
}

// Front shows the tab before all others of its browser.
func (p *Tab) Front() {
	p.t.Helper()
	Call(p, cdppage.BringToFront, cdp.Empty{})
}

func newTab(parent context.Context, t testing.TB, base string, l Look, at time.Time, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 4*Patience) // of all that is done with the page
	t.Cleanup(stop)
	p := &Tab{t: t, ctx: ctx, close: cancel, base: strings.TrimSuffix(base, "/"), look: l, at: at}
	require.NoError(t, chromedp.Listen(ctx, p.note))
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	Call(p, network.Enable, network.EnableParams{})
	Call(p, log.Enable, cdp.Empty{})
	Call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Berlin"})
	Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if !at.IsZero() {
		p.first(fmt.Sprintf("{ const real = Date.now, ahead = %d - real(); Date.now = () => real() + ahead; }", at.UnixMilli()))
	}
	p.Do(chromedp.EmulateViewport(l.Width, l.Height))
	t.Cleanup(p.check)
	return p
}

// first has a script run before any of a page that is shown from now on.
func (p *Tab) first(script string) {
	p.t.Helper()
	Call(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

func (p *Tab) show(view string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(p.base + "/" + view))
}

// Call sends a command of the DevTools protocol.
func Call[P, R any](p *Tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	require.NoError(p.t, err)
	return result
}

func (p *Tab) note(event any) {
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
func (p *Tab) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(p.t, p.complaints, "the browser's console")
	for _, address := range p.asked {
		u, err := url.Parse(address)
		require.NoError(p.t, err)
		assert.True(p.t, strings.HasPrefix(address, p.base) || u.Scheme == "data", "the page asked another origin: %s", address)
	}
}

// Expect takes complaints that hold the text off the list: a test has provoked them.
func (p *Tab) Expect(text string) {
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

// Do does steps of chromedp.
func (p *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, steps...))
}

// Eval returns what an expression of the page's is; promises are waited for.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, expression)
	return value
}

// Set runs an expression for what it does.
func (p *Tab) Set(expression string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](expression))
}

// Until waits for an expression to be true.
func (p *Tab) Until(expression string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && is
	}, Patience, 20*time.Millisecond, expression)
}

// Shown waits for a view to be drawn, charts included.
func (p *Tab) Shown(heading string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`document.querySelector('main h1')?.textContent === %s && !document.querySelector('main').hasAttribute('aria-busy') &&
		[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('canvas'))`, Quoted(heading)))
}

// Quoted is a text as a literal of the page's language.
func Quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// GoTo shows another view, by the address.
func (p *Tab) GoTo(view, heading string) {
	p.t.Helper()
	p.Set(fmt.Sprintf("void (document.querySelector('main h1').textContent = '', location.hash = %s)", Quoted(view)))
	p.Shown(heading)
}

// Text is that of the first element that fits.
func (p *Tab) Text(selector string) string {
	p.t.Helper()
	return Eval[string](p, fmt.Sprintf("document.querySelector(%s)?.textContent ?? 'there is none'", Quoted(selector)))
}

// Texts are those of all elements that fit.
func (p *Tab) Texts(selector string) []string {
	p.t.Helper()
	return Eval[[]string](p, fmt.Sprintf("[...document.querySelectorAll(%s)].map((e) => e.textContent)", Quoted(selector)))
}

// Click clicks on the first element that fits.
func (p *Tab) Click(selector string) {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Choose sets a choice as people do.
func (p *Tab) Choose(id, value string) {
	p.t.Helper()
	p.Set(fmt.Sprintf("void ((s) => { s.value = %s; s.dispatchEvent(new Event('change')); })(document.getElementById(%s))", Quoted(value), Quoted(id)))
}
