package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/inspect"
)

const token = "0123456789abcdef"

func TestTheTokenIsAskedFor(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := serveParts(t, Parts{Status: &parts{t: t}, Page: page}, Limits{Token: token, RequestsPerSecond: 1e6, Streams: 1})
	for _, header := range []string{"Bearer " + token, "bearer " + token, "Bearer  " + token} {
		response, _ := s.do(http.MethodGet, "/v1/status", "Authorization", header)
		assert.Equal(t, http.StatusOK, response.StatusCode, header)
	}
	for _, header := range []string{"Bearer", "Bearer ", "Bearer " + token + "0", "Bearer " + token[1:], "Basic " + token, token, "Bearer x " + token} {
		response, _ := s.do(http.MethodGet, "/v1/status", "Authorization", header)
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, header)
		assert.Contains(t, response.Header.Get("WWW-Authenticate"), "Bearer")
	}
	for _, path := range []string{"/v1/openapi.yaml", "/v1/pqls/events", "/v1/nothing"} {
		status, _ := s.problem(path)
		assert.Equal(t, http.StatusUnauthorized, status, path)
	}
	response, _ := s.do(http.MethodGet, "/v1/status", "Authorization", "Bearer "+token, "Host", "pql.example.org")
	assert.Equal(t, http.StatusOK, response.StatusCode, "with a token it may go by any name")
	response, _ = s.do(http.MethodGet, "/assets/app.js")
	assert.Equal(t, http.StatusNoContent, response.StatusCode, "the page asks for the token itself")
}

// Without a token a page of another site can't have its name stand for this machine and read what is here.
func TestWithoutATokenOnlyThisMachineIsAnswered(t *testing.T) {
	s := serveParts(t, Parts{Status: &parts{t: t}}, plenty)
	for _, host := range []string{"localhost", "localhost:7480", "LOCALHOST", "127.0.0.1:1", "127.9.9.9", "[::1]:7480", "[::1]"} {
		response, _ := s.do(http.MethodGet, "/v1/status", "Host", host)
		assert.Equal(t, http.StatusOK, response.StatusCode, host)
	}
	for _, host := range []string{"evil.example", "localhost.evil.example:7480", "10.0.0.1", "127.0.0.1.evil.example", "[2001:db8::1]:80"} {
		status, detail := s.problem("/v1/status", "Host", host)
		assert.Equal(t, http.StatusForbidden, status, host)
		assert.Contains(t, detail, "api.token_file")
	}
}

func TestRequestsAreLimited(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := serveParts(t, Parts{Status: &parts{t: t}, Page: page}, Limits{RequestsPerSecond: 0.001, Streams: 1})
	response, _ := s.do(http.MethodGet, "/v1/status")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	response, _ = s.do(http.MethodGet, "/v1/status")
	assert.Equal(t, http.StatusTooManyRequests, response.StatusCode)
	assert.Regexp(t, `^(1000|99\d)$`, response.Header.Get("Retry-After"))
	response, _ = s.do(http.MethodGet, "/assets/app.js")
	assert.Equal(t, http.StatusNoContent, response.StatusCode, "the page's own files are no load")
}

// Who may not be answered takes nothing of what those get who may, and is told to slow down.
func TestStrangersDoNotUseUpTheRate(t *testing.T) {
	for _, c := range []struct {
		name             string
		limits           Limits
		stranger, client [2]string
		refused          int
	}{
		{"without the token", Limits{Token: token}, [2]string{"Authorization", "Bearer no"}, [2]string{"Authorization", "Bearer " + token}, http.StatusUnauthorized},
		{"to another host", Limits{}, [2]string{"Host", "evil.example"}, [2]string{"Host", "localhost"}, http.StatusForbidden},
		{"from another site", Limits{}, [2]string{"Sec-Fetch-Site", "cross-site"}, [2]string{"Sec-Fetch-Site", "same-origin"}, http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.limits.RequestsPerSecond, c.limits.Streams = 0.001, 1
			s := serveParts(t, Parts{Status: &parts{t: t}}, c.limits)
			told := map[int]int{}
			for told[http.StatusTooManyRequests] == 0 {
				response, _ := s.do(http.MethodGet, "/v1/status", c.stranger[:]...)
				told[response.StatusCode]++
				if response.StatusCode == http.StatusTooManyRequests {
					assert.Equal(t, "1", response.Header.Get("Retry-After"))
				}
			}
			assert.GreaterOrEqual(t, told[c.refused], 2*refusalsPerSecond)
			assert.Len(t, told, 2)
			response, _ := s.do(http.MethodGet, "/v1/status", c.client[:]...)
			assert.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
}

// Without a token nothing but the browser tells a page of another site from one's own. Links to the page itself work.
func TestPagesOfOtherSitesAreNotAnswered(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := serveParts(t, Parts{Status: &parts{t: t}, Page: page}, plenty)
	status, detail := s.problem("/v1/status", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, detail, "another site")
	for _, from := range []string{"same-origin", "same-site", "none"} {
		response, _ := s.do(http.MethodGet, "/v1/status", "Sec-Fetch-Site", from)
		assert.Equal(t, http.StatusOK, response.StatusCode, from)
	}
	response, _ := s.do(http.MethodGet, "/", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
}

func TestOnlyReadingIsServed(t *testing.T) {
	s := serve(t, &parts{})
	response, body := s.do(http.MethodHead, "/v1/status")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Empty(t, body)
	assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
	_, whole := s.do(http.MethodGet, "/v1/status")
	assert.EqualValues(t, len(whole), response.ContentLength)

	response, _ = s.do(http.MethodOptions, "/v1/pqls")
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
	assert.Equal(t, "GET, HEAD, OPTIONS", response.Header.Get("Allow"))
	assert.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		response, _ = s.do(method, "/v1/accounts/acme")
		assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
		assert.Equal(t, "GET, HEAD, OPTIONS", response.Header.Get("Allow"))
	}
	for _, path := range []string{"/v1/nothing", "/v1/nothing/at/all", "/"} {
		status, detail := s.problem(path)
		assert.Equal(t, http.StatusNotFound, status)
		assert.Contains(t, detail, path)
	}
}

// A path that others would tidy up leads nowhere: what it was meant to name is not what it would lead to.
func TestNoPathLeadsToAnother(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := New(Parts{Accounts: &parts{t: t}, Status: &parts{t: t}, Page: page}, plenty, quiet())
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost/", nil)
		r.Host = "localhost"
		var err error
		r.URL, err = url.ParseRequestURI(path)
		require.NoError(t, err)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/v1", "/v1/", "/v1//pqls", "//v1/status", "//", "/v1/accounts/.", "/v1/accounts/..", "/v1/accounts/../history", "/v1/./status",
		"/v1/status/", "/assets/../v1/status", "/.", "*"} {
		for _, method := range []string{http.MethodGet, http.MethodConnect, http.MethodOptions} {
			if path == "*" && method == http.MethodGet {
				continue // servers refuse it before
			}
			w := ask(method, path)
			assert.Equal(t, http.StatusNotFound, w.Code, "%s %s", method, path)
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), "%s %s", method, path)
			holdSchema(t, "Problem", w.Body.Bytes())
		}
	}
	assert.Contains(t, ask(http.MethodGet, "/v1/accounts/..").Body.String(), "write %2E or %2E%2E")
	for path, status := range map[string]int{"/v1/accounts/%2E": http.StatusOK, "/v1/accounts/%2e%2e/history": http.StatusOK, "/": http.StatusNoContent, "/assets/": http.StatusNoContent, "/...": http.StatusNoContent} {
		assert.Equal(t, status, ask(http.MethodGet, path).Code, path)
	}
}

func TestBodiesAreRefused(t *testing.T) {
	h := New(Parts{Status: &parts{t: t}}, plenty, quiet())
	for _, length := range []int64{1, 1 << 40, -1} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/status", strings.NewReader("x"))
		r.ContentLength = length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
		holdSchema(t, "Problem", w.Body.Bytes())
	}
}

// Whatever is answered tells browsers to load nothing from elsewhere, to be shown nowhere else and to keep nothing.
func TestAnswersAreForThisSiteOnly(t *testing.T) {
	s := serve(t, &parts{})
	for _, path := range []string{"/v1/status", "/v1/nothing", "/v1/pqls?limit=0", "/"} {
		response, _ := s.do(http.MethodGet, path, "Origin", "https://evil.example")
		h := response.Header
		assert.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
		assert.NotContains(t, h.Get("Content-Security-Policy"), "http")
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		assert.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"))
		assert.Equal(t, "no-store", h.Get("Cache-Control"))
		assert.Empty(t, h.Get("Access-Control-Allow-Origin"))
	}
}

func TestTheDescriptionMayBeKept(t *testing.T) {
	s := serve(t, &parts{})
	response, body := s.do(http.MethodGet, "/v1/openapi.yaml")
	assert.Equal(t, string(Description), body)
	tag := response.Header.Get("ETag")
	require.NotEmpty(t, tag)
	assert.Equal(t, "no-cache", response.Header.Get("Cache-Control"))
	response, body = s.do(http.MethodGet, "/v1/openapi.yaml", "If-None-Match", `"other", `+tag)
	assert.Equal(t, http.StatusNotModified, response.StatusCode)
	assert.Empty(t, body)
	response, _ = s.do(http.MethodGet, "/v1/openapi.yaml", "If-None-Match", `"other"`)
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

// What is long is compressed for those who can read that. The client has undone it, so that what is short of it is seen by its length.
func TestLongAnswersAreCompressed(t *testing.T) {
	many := make([]inspect.Row, 50)
	for i := range many {
		many[i] = inspect.Row{AccountID: "acme", Segments: []string{}, StepsDone: []string{}, StepsMissing: []string{}}
	}
	p := &parts{t: t, page: inspect.Page{Items: many}}
	h := New(Parts{Accounts: p, Status: p}, plenty, quiet())
	for _, c := range []struct {
		path, accept string
		compressed   bool
	}{
		{"/v1/accounts", "gzip", true}, {"/v1/accounts", "br, gzip;q=0.5", true}, {"/v1/accounts", "gzip;q=0", false}, {"/v1/accounts", "", false},
		{"/v1/accounts", "br", false}, {"/v1/status", "gzip", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, c.compressed, w.Header().Get("Content-Encoding") == "gzip", c)
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		if c.compressed {
			assert.Less(t, w.Body.Len(), 1000)
		}
	}
}
