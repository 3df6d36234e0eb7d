//go:build slow

package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/test/browser"
)

// Browsers hold six connections to a host. Tabs that nobody looks at take none of them, and miss nothing.
func TestManyTabsAreOpen(t *testing.T) {
	f := newFake(t, 600)
	first := open(t, f.URL, "", browser.Desktop)
	first.Shown("PQLs")
	first.Until("document.querySelector('#live').dataset.state === 'live'")
	f.qualify(t, 150)
	first.Until("document.querySelectorAll('#feed .fact').length === 1")
	last := first
	for range 7 {
		before := last
		last = first.Another("#/accounts")
		before.Until("document.hidden")
		last.Shown("Accounts")
		last.Until("document.querySelector('#live').dataset.state === 'live'")
	}
	require.Eventually(t, func() bool { return f.followers() == 1 }, browser.Patience, 20*time.Millisecond, "only the one that is looked at follows")
	f.qualify(t, 151)
	f.qualify(t, 152)
	assert.Len(t, first.Texts("#feed .fact"), 1)
	first.Front()
	first.Until("document.querySelectorAll('#feed .fact').length === 3")
	assert.Contains(t, first.Text("#feed .fact"), f.rows[152].AccountID)
	first.Until(fmt.Sprintf("document.querySelector('#pqls .card h2').textContent === %s", browser.Quoted(f.rows[152].AccountID)))
}

// Who leaves before anything has happened has no id to go on from: the list is read again.
func TestATabThatHasHeardNothingLooksAgain(t *testing.T) {
	f := newFake(t, 600)
	first := open(t, f.URL, "", browser.Desktop)
	first.Shown("PQLs")
	first.Until("document.querySelector('#live').dataset.state === 'live'")
	second := first.Another("#/accounts")
	first.Until("document.hidden")
	second.Shown("Accounts")
	require.Eventually(t, func() bool { return f.followers() <= 1 }, browser.Patience, 20*time.Millisecond)
	f.qualify(t, 150)
	first.Front()
	first.Until(fmt.Sprintf("document.querySelector('#pqls .card h2').textContent === %s", browser.Quoted(f.rows[150].AccountID)))
}

// All who look share what the API answers: facts have the list and its totals read again, and nothing else.
func TestFactsHaveNothingReadButTheList(t *testing.T) {
	f := newFake(t, 600)
	p := open(t, f.URL, "", browser.Desktop)
	p.Shown("PQLs")
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	before := browser.Eval[int](p, "document.querySelectorAll('#pqls .card').length")
	asked := len(f.asked())
	p.Set("document.querySelector('#segment').value = 'enter'; document.querySelector('#segment').focus()")
	for i := range 3 {
		f.qualify(t, 150+i)
	}
	p.Until(fmt.Sprintf("document.querySelector('#pager-total').textContent === 'Page 1 · %d PQLs'", before+3))
	assert.Equal(t, fmt.Sprint(before+3), p.Text("#tier-all .value"))
	later := f.asked()[asked:]
	assert.LessOrEqual(t, len(later), 4, "the list and the totals of three tiers: %v", later)
	for _, path := range later {
		assert.True(t, strings.HasPrefix(path, "/v1/pqls?"), path)
	}
	assert.Equal(t, "enter", browser.Eval[string](p, "document.activeElement.value"), "what is being typed stays")
}

// Totals don't tell how many a segment or a playbook picks: none is shown that is not the list's.
func TestNoTotalContradictsTheList(t *testing.T) {
	f := newFake(t, 600)
	f.advice = &inspect.Playbook{Name: "find-colleagues", Refines: "manual-outreach", Action: "Ask who else may want it.", Queue: "sales"}
	p := open(t, f.URL, "#/?since=all&playbook=manual-outreach", browser.Desktop)
	p.Shown("PQLs")
	assert.Equal(t, []string{"All tiers", "large", "medium", "small"}, p.Texts(".strip button"))
	p.Until("document.querySelector('#live').dataset.state === 'live'")
	place := 200
	for f.rows[place].Tier != "large" {
		place++
	}
	f.qualify(t, place)
	p.Until(fmt.Sprintf("document.querySelector('#pqls .card.fresh h2')?.textContent === %s", browser.Quoted(f.rows[place].AccountID)))
	p.GoTo("#/?since=all", "PQLs")
	assert.Len(t, p.Texts(".strip .value"), 4)
}
