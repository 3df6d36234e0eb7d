package api

import (
	"net/http"
	"strings"
)

// server answers requests with the parts.
type server struct {
	parts   Parts
	streams chan struct{} // one entry a client that follows leads
	log     logger
}

// logger is what the server says about itself.
type logger interface {
	Error(msg string, args ...any)
}

// route is a path that can be read. openapi.yaml has the same.
type route struct {
	path  string
	serve http.HandlerFunc
}

func (s *server) routes() []route {
	return []route{
		{"/v1/pqls", s.json(s.pqls)},
		{"/v1/pqls/events", s.events},
		{"/v1/accounts", s.json(s.accounts)},
		{"/v1/accounts/{id}", s.json(s.account)},
		{"/v1/accounts/{id}/history", s.json(s.history)},
		{"/v1/metrics", s.json(s.metrics)},
		{"/v1/metrics/catalog", s.json(s.catalog)},
		{"/v1/checklist", s.json(s.checklist)},
		{"/v1/checklist/versions", s.json(s.versions)},
		{"/v1/checklist/diff", s.json(s.diff)},
		{"/v1/status", s.json(s.status)},
		{"/v1/openapi.yaml", s.description},
	}
}

// methods are what a route can be asked by.
var methods = strings.Join([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, ", ")

// ServeHTTP serves reading, says what else there is, and refuses the rest.
func (r route) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		r.serve(w, req)
	case http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", methods)
		Refuse(w, req, http.StatusMethodNotAllowed)
	}
}

// missing is at all paths that nothing else is at.
func missing(w http.ResponseWriter, r *http.Request) { Refuse(w, r, http.StatusNotFound) }

// page serves the page where there is one.
func (s *server) page() http.Handler {
	if s.parts.Page == nil {
		return http.HandlerFunc(missing)
	}
	return s.parts.Page
}
