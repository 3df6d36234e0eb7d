//go:build slow

package browser

import (
	"os"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Picture writes what is shown to a file, as PNG. Whole is all of the page, not only what the window shows.
func (p *Tab) Picture(file string, whole bool) {
	p.t.Helper()
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	image, err := chromedp.Run(p.ctx, take)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(file, image, 0o644))
}
