package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

func TestReady(t *testing.T) {
	var state telemetry.Readiness
	server := httptest.NewServer(telemetry.Handler(prometheus.NewRegistry(), &state))
	defer server.Close()
	address := server.Listener.Addr().String()

	assert.Equal(t, result{exitDone, "ready\n", ""}, pqlstream(t, "ready", "--address", address))
	state.Set("redis", "nobody answers")
	waiting := result{exitNotReady, "waiting\nredis: nobody answers\n", "pqlstream: the process at " + address + ": it is not ready\n"}
	assert.Equal(t, waiting, pqlstream(t, "ready", "--address", address))
	r := pqlstream(t, "ready", "--address", address, "-o", "json")
	assert.JSONEq(t, `{"status": "waiting", "waiting": [{"name": "redis", "waiting_for": "nobody answers"}]}`, r.stdout)
	assert.Equal(t, exitNotReady, r.code)
	state.Clear("redis")

	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	t.Setenv("PQLSTREAM_HTTP_ADDRESS", "127.0.0.1:"+port)
	assert.Equal(t, "ready\n", pqlstream(t, "ready").stdout, "the setting counts, as for the process")
	server.Close()
	r = pqlstream(t, "ready")
	assert.Equal(t, exitUnreached, r.code)
	assert.Contains(t, r.stderr, "asking the process at 127.0.0.1:"+port)
}

func TestReadyAsksSomebodyElse(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	r := pqlstream(t, "ready", "--address", other.Listener.Addr().String())
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "its answer, 404 Not Found, is not that of pqlstream")
	assert.Equal(t, exitMisused, pqlstream(t, "ready", "--address", "a b").code)

	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	assert.Equal(t, exitUnreached, pqlstream(t, "ready", "--address", slow.Listener.Addr().String(), "--timeout", "10ms").code)
}

func TestWhereAProcessIsReached(t *testing.T) {
	for listens, want := range map[string]string{
		"0.0.0.0:1": "localhost:1", ":1": "localhost:1", "[::]:1": "localhost:1", "127.0.0.1:1": "127.0.0.1:1", "pod:1": "pod:1", "nonsense": "nonsense",
	} {
		assert.Equal(t, want, reachable(listens))
	}
}
