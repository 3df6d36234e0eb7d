//go:build slow

package page

import (
	"testing"

	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/test/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }

// open shows a view. It is AsOf there.
func open(t *testing.T, base, view string, l browser.Look) *browser.Tab {
	t.Helper()
	return browser.Open(t, base, view, l, reporttest.AsOf)
}

type shownView struct{ name, address, heading string }

func views(f *fake) []shownView {
	return []shownView{
		{"pqls", "#/", "PQLs"}, {"accounts", "#/accounts", "Accounts"}, {"account", "#/accounts/" + f.rows[6].AccountID, f.rows[6].AccountID}, {"metrics", "#/metrics", "Metrics"},
		{"metrics-by-tier", "#/metrics?grouping=tier", "Metrics"}, {"funnel", "#/funnel", "Funnel"}, {"cohorts", "#/cohorts", "Cohorts"}, {"pipeline", "#/pipeline", "Pipeline"},
	}
}
