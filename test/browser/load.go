//go:build slow

package browser

import (
	"fmt"
	"testing"
	"time"
)

// Loading is how a view came about, from the start of the navigation on.
type Loading struct {
	Paint    float64 // ms until the first content was painted
	Drawn    float64 // ms until what the view is about was painted
	Bytes    float64 // that came over the network, with headers
	Requests float64 // that had been answered by then
}

// drawn notes when the first element that fits was painted: a frame with it has then been made.
const drawn = `new MutationObserver((_, observer) => {
	if (!document.querySelector(%s)) return;
	observer.disconnect();
	requestAnimationFrame(() => setTimeout(() => { window.drawnAfter = performance.now(); }));
}).observe(document, { childList: true, subtree: true });`

// loading is a Loading. The page itself is no resource of its own.
const loading = `(([page, ...resources]) => ({
	Paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
	Drawn: drawnAfter,
	Bytes: resources.reduce((sum, r) => sum + r.transferSize, page.transferSize),
	Requests: 1 + resources.length,
}))([...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter((r) => r.responseEnd > 0 && r.responseEnd <= drawnAfter)])`

// Load shows a view in a window that has nothing stored, until an element is there that fits the selector, and closes it.
func Load(t testing.TB, base, view string, l Look, selector string) Loading {
	t.Helper()
	p := newWindow(t, base, l, time.Time{})
	defer p.close()
	p.first(fmt.Sprintf(drawn, Quoted(selector)))
	p.show(view)
	p.Until("window.drawnAfter && performance.getEntriesByName('first-contentful-paint').length > 0")
	return Eval[Loading](p, loading)
}
