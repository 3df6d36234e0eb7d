package api

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerTimeout bounds how long a request is worked on.
const answerTimeout = 10 * time.Second

// gzipFrom is the size of a body, in bytes, from which on compressing it is worth while.
const gzipFrom = 1400

// json serves what a function returns, as JSON that nobody keeps.
func (s *server) json(get func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		body, err := get(r.WithContext(ctx))
		var text []byte
		if err == nil {
			text, err = json.Marshal(body)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		respond(w, r, "application/json", append(text, '\n'))
	}
}

// fail answers with what went wrong.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, ours := problemOf(err)
	if ours {
		s.log.Error("an API request failed", "path", r.URL.Path, "error", err)
	}
	writeProblem(w, p)
}

// respond writes a body, compressed where the client can read that and it is worth while.
func respond(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(body) < gzipFrom || !TakesGzip(r) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // fails only when the client has gone
		return
	}
	h.Set("Content-Encoding", "gzip")
	if r.Method == http.MethodHead {
		return
	}
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

// TakesGzip says whether a client accepts gzip.
func TakesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		q, given := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		n, err := strconv.ParseFloat(q, 64)
		return !given || err == nil && n > 0
	}
	return false
}

var descriptionTag = func() string {
	sum := sha256.Sum256(Description)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

// description serves openapi.yaml, which may be kept as long as it is the same.
func (s *server) description(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", descriptionTag)
	h.Set("Cache-Control", "no-cache")
	if strings.Contains(r.Header.Get("If-None-Match"), descriptionTag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	respond(w, r, "application/yaml", Description)
}
