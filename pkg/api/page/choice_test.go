//go:build slow

package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pqlstream/pqlstream/test/browser"
)

func TestTheGroupOfThoseThatHaveNoneCanBeChosen(t *testing.T) {
	f := newFake(t, 60)
	f.metrics = slices.Clone(f.metrics)
	for i := range f.metrics {
		if m := &f.metrics[i]; m.Grouping == "tier" && m.Group == "small" {
			m.Group, m.json = "", []byte(strings.Replace(string(m.json), `"group":"small"`, `"group":""`, 1))
		}
	}
	f.groups = []string{"", "large", "medium"}
	p := open(t, f.URL, "#/metrics?grouping=tier", browser.Desktop)
	p.Shown("Metrics")
	p.Choose("group", "")
	p.Until("document.querySelector('#pqls-current')")
	assert.Equal(t, "", browser.Eval[string](p, "document.querySelector('#group').value"))
	var rows []metricRow
	for _, m := range f.metrics {
		if m.Metric == "pqls" && m.Unit == "week" && m.Zone == "UTC" && m.Grouping == "tier" && m.Group == "" {
			rows = append(rows, m)
		}
	}
	newest := slices.MaxFunc(rows, func(a, b metricRow) int { return int((a.WindowStart - b.WindowStart) / second) })
	assert.Equal(t, number(*newest.CurrentEnd), p.Text("#pqls-current"))
	p.Choose("group", "*")
	p.Until("!document.querySelector('#pqls-current')")
}

func TestRowsThatAreNotReadAreTold(t *testing.T) {
	f := newFake(t, 60)
	p := open(t, f.URL, "#/cohorts", browser.Desktop)
	p.Shown("Cohorts")
	assert.NotContains(t, strings.Join(p.Texts("main .note"), " "), "more rows")
	f.mu.Lock()
	row := f.find("pql_rate", "7d", "")[0]
	f.metrics = append(slices.Repeat([]metricRow{row}, 20_001), f.metrics...)
	f.mu.Unlock()
	p.GoTo("#/accounts", "Accounts")
	p.GoTo("#/cohorts?last=52", "Cohorts")
	assert.Contains(t, strings.Join(p.Texts("main .note"), " "), "more rows than are read here, 20,000 of a metric")
}
