package telemetry

import (
	"net/http"
	"net/http/pprof"
)

// WithProfiling serves the Go runtime's profiles at /debug/pprof/ beside what the handler does.
func WithProfiling(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // the named profiles, too
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
