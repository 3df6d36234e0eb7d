package main

import (
	"context"
	"encoding/json"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

func TestTopOnce(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "30", "--days", "60")
	require.NoError(t, err)
	address := freeAddress(t)
	flags := append(flagsFor(t, servers.Brokers(), servers.RedisAddr()), "--set", "http.address="+address)
	require.Equal(t, exitDone, pqlstream(t, append([]string{"topics", "create"}, flags...)...).code)
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	defer func() { stop(); assert.Equal(t, exitDone, <-running) }()

	show := func(more ...string) result {
		return pqlstream(t, append(append([]string{"top", "--interval", "100ms"}, more...), flags...)...)
	}
	var r result
	caughtUp := regexp.MustCompile(`(?m)^activation +usage +1 +\d+ +\d+ +0$`)
	require.Eventually(t, func() bool {
		r = show()
		return r.code == exitDone && strings.Contains(r.stdout, "LATEST PQLS (") && strings.Contains(r.stdout, "1 of 1 processes ready") && caughtUp.MatchString(r.stdout)
	}, time.Minute, 20*time.Millisecond)
	assert.Regexp(t, `(?m)^activation +2 +0 +`, r.stdout, "it owns both partitions")
	assert.Regexp(t, `(?m)^acct-\d+ +(large|medium|small) +\d+ %  20`, r.stdout)
	assert.NotContains(t, r.stdout, "\x1b")
	assert.NotContains(t, r.stdout, "! ")

	var told topReport
	r = show("-o", "json")
	require.Equal(t, exitDone, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &told))
	assert.Equal(t, []process{{"http://" + address + "/metrics", true}}, told.Processes)
	require.NotEmpty(t, told.Stages)
	assert.Equal(t, "activation", told.Stages[0].Stage)
	assert.Equal(t, 2, told.Stages[0].Owned)
	assert.Len(t, told.Lag.Partitions, 2)
	assert.Len(t, told.PQLs.Items, int(min(told.PQLs.Total, 20)))
	assert.NotEmpty(t, told.PQLs.Items)
	assert.NotNil(t, told.Redis)
	assert.Empty(t, told.Missing)
	assert.Contains(t, show("-o", "yaml").stdout, "\nstages:\n  - stage: \"activation\"\n    owned: 2\n")

	r = show("--metrics-url", "http://127.0.0.1:1/metrics")
	assert.Equal(t, exitDone, r.code)
	assert.Contains(t, r.stdout, "! http://127.0.0.1:1/metrics: ", "what does not answer is said")
	assert.Contains(t, r.stdout, "0 of 1 processes ready")
	assert.Equal(t, exitMisused, show("--interval", "1ms").code)
}

func TestFramesGoBackToTheLeft(t *testing.T) {
	assert.Equal(t, "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J", frame("a\nb"))
}

// Keys that are none are passed over.
func TestUntilEnough(t *testing.T) {
	for keys, left := range map[string]int{"xyzq12": 2, "\x03": 0, "abc": 0, "Q!": 1} {
		enough := false
		in := strings.NewReader(keys)
		untilEnough(in, func() { enough = true })
		assert.True(t, enough)
		assert.Equal(t, left, in.Len(), keys)
	}
}

// freeAddress is one on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
