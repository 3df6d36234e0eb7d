package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// An account is not ready before anybody runs, then either unknown or explained, and not ready again once Redis has lost
// it.
func TestAccountsAreExplained(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "5", "--days", "10")
	require.NoError(t, err)
	flags := flagsFor(t, servers.Brokers(), servers.RedisAddr())
	explain := func(args ...string) result {
		return pqlstream(t, append(append([]string{"explain"}, args...), flags...)...)
	}

	require.Equal(t, exitDone, pqlstream(t, append([]string{"topics", "create"}, flags...)...).code)
	r := explain("acct-00001")
	assert.Equal(t, exitNotReady, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	require.Eventually(t, func() bool { r = explain("acct-00001"); return r.code == exitDone }, time.Minute, 50*time.Millisecond)
	assert.Contains(t, r.stdout, "Account acct-00001 is ")
	assert.Contains(t, r.stdout, ": steps done weigh ")
	assert.Contains(t, r.stdout, "\nHistory\n")

	r = explain("acct-00001", "-o", "json")
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &shown), r.stdout)
	assert.Equal(t, "acct-00001", shown["account_id"])
	assert.NotNil(t, shown["signed_up_at"])
	assert.NotEmpty(t, shown["history"])
	properties := shown["account_properties"].(map[string]any)
	assert.Equal(t, "free", properties["plan"])
	assert.Equal(t, false, properties["is_test"])
	assert.Contains(t, shown["tier_by"], "company_size")

	r = explain("nobody")
	assert.Equal(t, exitNotFound, r.code)
	assert.Contains(t, r.stderr, "pqlstream: no such account: ")
	r = explain("acct-00001", "--output", "xml")
	assert.Equal(t, `pqlstream: invalid argument "xml" for "-o, --output" flag: it is table, json or yaml`+"\n", r.stderr)

	stop()
	assert.Equal(t, exitDone, <-running)
	r = explain("acct-00001")
	assert.Equal(t, exitDone, r.code, "states can be read while nobody runs")
	require.NoError(t, redis.NewClient(&redis.Options{Addr: servers.RedisAddr()}).FlushAll(t.Context()).Err())
	r = explain("acct-00001")
	assert.Equal(t, exitNotReady, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")
}
