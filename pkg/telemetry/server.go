package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Handler serves /metrics, /healthz (200 as long as the process answers) and /readyz (200, or 503 with what the process
// waits for, as JSON).
func Handler(metrics prometheus.Gatherer, ready *Readiness) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		waiting := ready.Waiting()
		if len(waiting) > 0 {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "waiting", "waiting": waiting})
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	return mux
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only when the client has gone
}

// Server answers HTTP requests on one address. It has limits, so that slow or greedy clients can't hold up the process.
type Server struct {
	what     string
	listener net.Listener
	server   *http.Server
}

// Listen opens the address (host:port) for what is served there, in words; requests are answered once Serve is called.
func Listen(what, address string, h http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("opening the HTTP server for %s: %w", what, err)
	}
	return &Server{what: what, listener: l, server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}, nil
}

// Limit bounds how many connections are held at a time: more wait to be accepted. One over which nothing is asked is closed after the
// idle time. To be called before Serve.
func (s *Server) Limit(connections int, idle time.Duration) {
	s.listener, s.server.IdleTimeout = netutil.LimitListener(s.listener, connections), idle
}

// Address is where the server listens, with the port that the system chose when none was asked for.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Serve answers requests until the context ends, then gives those under way some seconds to finish.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", s.what, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := s.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	if err != nil {
		return fmt.Errorf("closing the HTTP server for %s: %w", s.what, err)
	}
	return nil
}
