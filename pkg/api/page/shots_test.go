//go:build slow

package page

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestScreenshots writes docs/images anew when UPDATE_SCREENSHOTS is set.
func TestScreenshots(t *testing.T) {
	if os.Getenv("UPDATE_SCREENSHOTS") == "" {
		t.Skip("screenshots for the documentation: UPDATE_SCREENSHOTS is not set")
	}
	f := newFake(t, 3000)
	to := filepath.Join("..", "..", "..", "docs", "images")
	require.NoError(t, os.MkdirAll(to, 0o755))
	for suffix, l := range map[string]look{"": desktop, "-dark": desktop.inDark(), "-phone": phone} {
		p := open(t, f.URL, "", l)
		p.shown("PQLs")
		for _, v := range views(f) {
			p.goTo(v.address, v.heading)
			if v.name == "pqls" {
				require.Eventually(t, f.followed, patience, 10*time.Millisecond)
			}
			image, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, v.name+suffix+".png"), image, 0o644))
		}
	}
}

type shownView struct{ name, address, heading string }

func views(f *fake) []shownView {
	return []shownView{
		{"pqls", "#/", "PQLs"}, {"accounts", "#/accounts", "Accounts"}, {"account", "#/accounts/" + f.rows[0].AccountID, f.rows[0].AccountID}, {"metrics", "#/metrics", "Metrics"},
		{"metrics-by-tier", "#/metrics?grouping=tier", "Metrics"}, {"funnel", "#/funnel", "Funnel"}, {"cohorts", "#/cohorts", "Cohorts"}, {"pipeline", "#/pipeline", "Pipeline"},
	}
}
