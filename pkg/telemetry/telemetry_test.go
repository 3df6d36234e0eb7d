package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func TestTheLoggerFollowsTheSettings(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(config.Log{Level: "warn", Format: "json"}, &out)
	require.NoError(t, err)
	log.Info("quiet")
	log.Warn("loud", "partition", 3)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one line only")
	assert.Equal(t, "loud", line["msg"])
	assert.EqualValues(t, 3, line["partition"])

	out.Reset()
	log, err = NewLogger(config.Log{Level: "debug", Format: "text"}, &out)
	require.NoError(t, err)
	log.Debug("hello")
	assert.Contains(t, out.String(), "msg=hello")

	_, err = NewLogger(config.Log{Level: "loud", Format: "text"}, &out)
	require.ErrorContains(t, err, "log.level")
	_, err = NewLogger(config.Log{Level: "info", Format: "xml"}, &out)
	require.ErrorContains(t, err, "log.format")
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestReadinessSaysWhatItWaitsFor(t *testing.T) {
	var ready Readiness
	h := Handler(NewRegistry(), &ready)
	code, body := get(t, h, "/readyz")
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `{"status": "ready"}`, body)

	ready.Set("redis", "redis at localhost:6379 does not answer")
	ready.Set("kafka", "the first assignment")
	ready.Set("kafka", "the changelog of partition 3")
	code, body = get(t, h, "/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.JSONEq(t, `{"status": "waiting", "waiting": [
		{"name": "kafka", "waiting_for": "the changelog of partition 3"},
		{"name": "redis", "waiting_for": "redis at localhost:6379 does not answer"}
	]}`, body)

	ready.Clear("redis")
	ready.Clear("kafka")
	ready.Clear("never set")
	code, _ = get(t, h, "/readyz")
	assert.Equal(t, http.StatusOK, code)
}

func TestHealthAndMetrics(t *testing.T) {
	var ready Readiness
	ready.Set("redis", "it is down")
	metrics := NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "pqlstream_test_total", Help: "For the test."})
	metrics.MustRegister(counter)
	counter.Add(7)
	h := Handler(metrics, &ready)

	code, _ := get(t, h, "/healthz")
	assert.Equal(t, http.StatusOK, code, "a process that waits is alive")
	code, body := get(t, h, "/metrics")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "pqlstream_test_total 7")
	assert.Contains(t, body, "go_goroutines")
	code, _ = get(t, h, "/other")
	assert.Equal(t, http.StatusNotFound, code)
}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	h := Handler(NewRegistry(), &Readiness{})
	code, _ := get(t, h, "/debug/pprof/heap")
	assert.Equal(t, http.StatusNotFound, code)

	h = WithProfiling(h)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/debug/pprof/trace?seconds=0.01"} {
		code, body := get(t, h, path)
		assert.Equal(t, http.StatusOK, code, path)
		assert.NotEmpty(t, body, path)
	}
	// One profile of the CPU at a time: so it need not be waited for.
	_ = pprof.StartCPUProfile(io.Discard)
	defer pprof.StopCPUProfile()
	code, body := get(t, h, "/debug/pprof/profile")
	assert.Equal(t, http.StatusInternalServerError, code)
	assert.Contains(t, body, "profiling")

	code, _ = get(t, h, "/healthz")
	assert.Equal(t, http.StatusOK, code)
	code, _ = get(t, h, "/other")
	assert.Equal(t, http.StatusNotFound, code)
}

func TestTheServerFinishesRequestsWhenItStops(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	s, err := Listen("metrics", "127.0.0.1:0", slow, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()

	body := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + s.Address())
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		body <- string(text)
	}()
	<-entered
	stop()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", s.Address())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "it still accepts connections")
	close(leave)
	assert.Equal(t, "done", <-body)
	require.NoError(t, <-served)
}

// asking returns a connection over which something is asked, and whether it is answered in a time.
func asking(t *testing.T, s *Server) (c net.Conn, answered func(time.Duration) bool) {
	c, err := net.Dial("tcp", s.Address())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	return c, func(patience time.Duration) bool {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		_, err := c.Read(make([]byte, 1))
		return err == nil
	}
}

// limited serves so many connections at a time until the test ends.
func limited(t *testing.T, connections int, idle time.Duration) *Server {
	s, err := Listen("metrics", "127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s.Limit(connections, idle)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() { stop(); assert.NoError(t, <-served) })
	return s
}

// Whoever holds connections takes but so many of what the process can have open.
func TestConnectionsAreLimited(t *testing.T) {
	s := limited(t, 2, time.Hour)
	first, answered := asking(t, s)
	require.True(t, answered(time.Minute))
	_, answered = asking(t, s)
	require.True(t, answered(time.Minute))
	_, answered = asking(t, s)
	assert.False(t, answered(100*time.Millisecond), "two are held")
	require.NoError(t, first.Close())
	assert.True(t, answered(time.Minute), "it has waited")
}

func TestIdleConnectionsMakeRoom(t *testing.T) {
	s := limited(t, 1, time.Millisecond)
	_, answered := asking(t, s)
	require.True(t, answered(time.Minute))
	_, answered = asking(t, s)
	assert.True(t, answered(time.Minute))
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := Listen("metrics", "127.0.0.1:0", http.NotFoundHandler(), log)
	require.NoError(t, err)
	defer s.listener.Close()
	_, err = Listen("metrics", s.Address(), http.NotFoundHandler(), log)
	require.ErrorContains(t, err, s.Address())
}
