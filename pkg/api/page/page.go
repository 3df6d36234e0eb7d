// Package page is the page in the binary: PQLs, accounts, metrics and the pipeline's health in a browser, from the API that serves
// it. It is plain HTML, CSS and ES modules. Nothing is built, nothing is loaded from elsewhere, and what the API says becomes text and never markup.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed index.html assets
var files embed.FS

// Policy is the content security policy that the page is sent with. It needs no other: no inline scripts or styles, no other origin,
// no markup made of text.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// asset is a file as it is sent.
type asset struct {
	kind    string
	tag     string // changes with the content
	plain   []byte
	gzipped []byte
}

var assets = sync.OnceValues(load)

// Handler serves the page at / and its files below /assets/. It asks for no token: the page itself does, when the API answers 401. Whether a
// client takes gzip, and how requests are refused, with 404 or 405, the API says, so that both do the same. It panics when the binary was built
// without the files.
func Handler(takesGzip func(*http.Request) bool, refuse func(w http.ResponseWriter, r *http.Request, status int)) http.Handler {
	all, err := assets()
	if err != nil {
		panic(fmt.Sprintf("page: %v", err))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := all[strings.TrimPrefix(r.URL.Path, "/")]
		switch {
		case a == nil:
			refuse(w, r, http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, r, http.StatusMethodNotAllowed)
		default:
			a.serve(w, r, takesGzip(r))
		}
	})
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request, packed bool) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // asked for again each time, so that another version is never mixed with this one
	h.Set("Vary", "Accept-Encoding")
	body, tag := a.plain, a.tag
	if packed {
		h.Set("Content-Encoding", "gzip")
		body, tag = a.gzipped, a.tag+"-gzip"
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// load reads all files, by the paths that they are served at.
func load() (map[string]*asset, error) {
	all := map[string]*asset{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		at := name
		if at == "index.html" {
			at = ""
		}
		all[at], err = newAsset(name, content)
		return err
	})
	return all, err
}

// kinds are told here, since what the machine says of them differs.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

func newAsset(name string, content []byte) (*asset, error) {
	kind := kinds[path.Ext(name)]
	if _, _, err := mime.ParseMediaType(kind); err != nil {
		return nil, fmt.Errorf("%s: there is no media type for its ending: %w", name, err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("packing %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	return &asset{kind: kind, tag: fmt.Sprintf("%x", sum[:12]), plain: content, gzipped: b.Bytes()}, nil
}
