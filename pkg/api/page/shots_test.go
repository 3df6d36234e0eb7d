//go:build slow

package page

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestScreenshots writes docs/images anew when UPDATE_SCREENSHOTS is set.
func TestScreenshots(t *testing.T) {
	if os.Getenv("UPDATE_SCREENSHOTS") == "" {
		t.Skip("screenshots for the documentation: UPDATE_SCREENSHOTS is not set")
	}
	to := filepath.Join("..", "..", "..", "docs", "images")
	require.NoError(t, os.MkdirAll(to, 0o755))
	shots := map[string][]string{"": {"pqls", "account", "metrics", "funnel", "cohorts", "pipeline"}, "-dark": {"pqls", "account", "metrics"}, "-phone": {"pqls", "metrics"}}
	for suffix, l := range map[string]look{"": desktop, "-dark": desktop.inDark(), "-phone": phone} {
		f := newFake(t, 3000)
		p := open(t, f.URL, "", l)
		p.shown("PQLs")
		for _, v := range views(f) {
			if !slices.Contains(shots[suffix], v.name) {
				continue
			}
			p.goTo(v.address, v.heading)
			if v.name == "pqls" {
				p.until("document.querySelector('#live').dataset.state === 'live'")
				for _, place := range []int{420, 77, 1205} {
					f.qualify(t, place)
				}
				p.until("document.querySelectorAll('#feed .fact').length === 3")
			}
			take := chromedp.FullScreenshot(100)
			if v.name == "pqls" || l == phone {
				take = chromedp.CaptureScreenshot() // the rest is more of the same
			}
			image, err := chromedp.Run(p.ctx, take)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, v.name+suffix+".png"), image, 0o644))
		}
	}
}

type shownView struct{ name, address, heading string }

func views(f *fake) []shownView {
	return []shownView{
		{"pqls", "#/", "PQLs"}, {"accounts", "#/accounts", "Accounts"}, {"account", "#/accounts/" + f.rows[6].AccountID, f.rows[6].AccountID}, {"metrics", "#/metrics", "Metrics"},
		{"metrics-by-tier", "#/metrics?grouping=tier", "Metrics"}, {"funnel", "#/funnel", "Funnel"}, {"cohorts", "#/cohorts", "Cohorts"}, {"pipeline", "#/pipeline", "Pipeline"},
	}
}
