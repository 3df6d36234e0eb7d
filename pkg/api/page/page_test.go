package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/api"
)

// What all files may take on the way, packed: a page that is slow to load has stopped being read.
const budget = 80 << 10

// forbidden is what the policy does not allow, and what would make markup of what the API says.
var forbidden = map[string]*regexp.Regexp{
	"inline script":      regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^<\s]`),
	"inline style":       regexp.MustCompile(`(?i)<style|\sstyle\s*=|setAttribute\('style'|style: [` + "`" + `'"]`),
	"inline handler":     regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=`),
	"eval":               regexp.MustCompile(`\beval\(|new Function\(|set(?:Timeout|Interval)\(['"` + "`" + `]`),
	"markup out of text": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|javascript:`),
	"another origin":     regexp.MustCompile(`(?:src|href)="(?:[a-z]+:)?//|url\((?:['"]?)(?:[a-z]+:)?//|@import|fetch\(['"` + "`" + `]https?:`),
}

var (
	inPage   = regexp.MustCompile(`(?:src|href)="(assets/[^"]+)"`)
	inModule = regexp.MustCompile(`from '\./([^']+)'`)
)

func all(t *testing.T) map[string]*asset {
	t.Helper()
	a, err := assets()
	require.NoError(t, err)
	return a
}

func own(name string) bool { return name != "assets/uplot.js" && name != "assets/uplot.css" }

func TestEveryFileIsReferredToAndEveryReferenceHasAFile(t *testing.T) {
	files := all(t)
	referred := map[string]bool{"": true}
	for _, m := range inPage.FindAllStringSubmatch(string(files[""].plain), -1) {
		referred[m[1]] = true
	}
	for name, a := range files {
		if strings.HasSuffix(name, ".js") && own(name) {
			for _, m := range inModule.FindAllStringSubmatch(string(a.plain), -1) {
				assert.True(t, referred["assets/"+m[1]], "the page does not load %s ahead, which %s imports", m[1], name)
			}
		}
		assert.True(t, referred[name], "nothing refers to %s", name)
	}
	for name := range referred {
		assert.Contains(t, files, name, "there is no such file")
	}
}

func TestEveryModuleIsImported(t *testing.T) {
	files := all(t)
	imported := map[string]bool{"assets/app.js": true, "assets/theme.js": true, "assets/uplot.js": true}
	for name, a := range files {
		if strings.HasSuffix(name, ".js") && own(name) {
			for _, m := range inModule.FindAllStringSubmatch(string(a.plain), -1) {
				imported["assets/"+m[1]] = true
			}
		}
	}
	for name := range files {
		if strings.HasSuffix(name, ".js") {
			assert.True(t, imported[name], "no module imports %s", name)
		}
	}
}

// TestNothingNeedsAWeakerPolicy looks for what the policy forbids, and for what would make markup of what the API says.
func TestNothingNeedsAWeakerPolicy(t *testing.T) {
	assert.NotContains(t, Policy, "unsafe")
	for name, a := range all(t) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for what, pattern := range forbidden {
			if !own(name) && what == "eval" {
				continue // its timers are given functions, which the pattern can't tell
			}
			assert.Emptyf(t, pattern.FindString(string(a.plain)), "%s has %s", name, what)
		}
	}
}

func TestWhatIsForbiddenIsFound(t *testing.T) {
	for what, sample := range map[string]string{
		"inline script": "<script>go()</script>", "inline style": `<p style="color:red">`, "inline handler": `<p onclick="go()">`, "eval": "eval('go()')",
		"markup out of text": "node.innerHTML = text", "another origin": `<link href="https://fonts.example/a.css">`,
	} {
		assert.NotEmpty(t, forbidden[what].FindString(sample), what)
	}
}

func TestFilesAreSmall(t *testing.T) {
	packed := 0
	for _, a := range all(t) {
		packed += len(a.gzipped)
	}
	assert.Less(t, packed, budget, "all files, packed")
	t.Logf("all files are %d bytes, packed", packed)
}

func TestTheLibrarysVersionIsTold(t *testing.T) {
	files := all(t)
	version := regexp.MustCompile(`uPlot \(v([0-9.]+)\)`).FindSubmatch(files["assets/uplot.js"].plain)
	require.NotNil(t, version)
	assert.Contains(t, string(files[""].plain), "uPlot "+string(version[1]))
	assert.Contains(t, string(files["assets/uplot-license.txt"].plain), "MIT License")
}

func get(t *testing.T, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Header = header
	w := httptest.NewRecorder()
	Handler(api.TakesGzip, api.Refuse).ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	for target, kind := range map[string]string{"/": "text/html", "/assets/app.js": "text/javascript", "/assets/app.css": "text/css", "/assets/icon.svg": "image/svg+xml"} {
		answer := get(t, http.MethodGet, target, http.Header{})
		assert.Equal(t, http.StatusOK, answer.Code, target)
		assert.Contains(t, answer.Header().Get("Content-Type"), kind)
		assert.Equal(t, Policy, answer.Header().Get("Content-Security-Policy"))
		assert.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))

		again := get(t, http.MethodGet, target, http.Header{"If-None-Match": {answer.Header().Get("ETag")}})
		assert.Equal(t, http.StatusNotModified, again.Code, "%s has not changed", target)
	}
	for _, target := range []string{"/index.html", "/assets", "/assets/", "/assets/no.js", "/v1/pqls", "/assets/../page.go"} {
		missing := get(t, http.MethodGet, target, http.Header{})
		assert.Equal(t, http.StatusNotFound, missing.Code, target)
		assert.Equal(t, "application/problem+json", missing.Header().Get("Content-Type"), target)
	}
	refused := get(t, http.MethodPost, "/", http.Header{})
	assert.Equal(t, http.StatusMethodNotAllowed, refused.Code)
	assert.Equal(t, "GET, HEAD", refused.Header().Get("Allow"))
	assert.Equal(t, "application/problem+json", refused.Header().Get("Content-Type"))
}

func TestPackedFilesAreTheSame(t *testing.T) {
	plain := get(t, http.MethodGet, "/assets/app.js", http.Header{})
	packed := get(t, http.MethodGet, "/assets/app.js", http.Header{"Accept-Encoding": {"br, gzip"}})
	assert.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	assert.NotEqual(t, plain.Header().Get("ETag"), packed.Header().Get("ETag"))
	r, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	unpacked, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, plain.Body.String(), string(unpacked))
	for _, accept := range []string{"gzip;q=0", "br", "x-gzip"} {
		refused := get(t, http.MethodGet, "/assets/app.js", http.Header{"Accept-Encoding": {accept}})
		assert.Empty(t, refused.Header().Get("Content-Encoding"), accept)
		assert.Equal(t, plain.Body.String(), refused.Body.String(), accept)
	}
}
