package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/schemas"
)

func TestSchemasAreExported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "schemas")
	r := pqlstream(t, "schemas", "export", dir)
	require.Equal(t, exitDone, r.code, r.stderr)
	for _, s := range schemas.All() {
		assert.Contains(t, r.stdout, s.Name)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.avsc"))
	require.NoError(t, err)
	assert.Len(t, files, len(schemas.All()))
}

// An account is not ready before anybody runs, then either unknown or explained, and not ready again once Redis has lost
// it.
func TestAccountsAreShown(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "5", "--days", "10")
	require.NoError(t, err)
	flags := flagsFor(t, servers.Brokers(), servers.RedisAddr())
	show := func(args ...string) result {
		return pqlstream(t, append(append([]string{"accounts", "show"}, args...), flags...)...)
	}

	require.Equal(t, exitDone, pqlstream(t, append([]string{"topics", "create"}, flags...)...).code)
	r := show("acct-00001")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	require.Eventually(t, func() bool { r = show("acct-00001"); return r.code == exitDone }, time.Minute, 50*time.Millisecond)
	assert.Contains(t, r.stdout, "Account acct-00001 is ")
	assert.Contains(t, r.stdout, "\nHistory\n")

	r = show("acct-00001", "--output", "json")
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &shown), r.stdout)
	assert.Equal(t, "acct-00001", shown["account_id"])
	assert.NotNil(t, shown["signed_up_at"])
	assert.NotEmpty(t, shown["history"])
	properties := shown["account_properties"].(map[string]any)
	assert.Equal(t, "free", properties["plan"])
	assert.Equal(t, false, properties["is_test"])

	r = show("nobody")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: no such account: ")
	r = show("acct-00001", "--output", "xml")
	assert.Equal(t, "pqlstream: --output xml: it is text or json\n", r.stderr)

	stop()
	assert.Equal(t, exitDone, <-running)
	r = show("acct-00001")
	assert.Equal(t, exitDone, r.code, "states can be read while nobody runs")
	require.NoError(t, redis.NewClient(&redis.Options{Addr: servers.RedisAddr()}).FlushAll(t.Context()).Err())
	r = show("acct-00001")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "pqlstream: not ready: ")
}
