package app

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/state"
)

// A Redis that has been restarted reads its file first, one that fails over is nobody's for a while: both say so to everybody who asks.
func TestARedisThatCannotAnswerYetIsWaitedFor(t *testing.T) {
	w := newWorld(t).up()
	p, served := served(t, w.settings())
	p.awaitReady()
	awaitAPI(t, served+"/v1/pqls", items(0))
	for _, says := range []string{
		"LOADING Redis is loading the dataset in memory", "CLUSTERDOWN The cluster is down", "MASTERDOWN Link with MASTER is down",
		"TRYAGAIN Multiple keys request during rehashing of slot", "READONLY You can't write against a read only replica.",
		"ERR max number of clients reached",
	} {
		w.redis.SetError(says)
		for _, path := range []string{"/v1/pqls", "/v1/accounts/acme"} {
			status, problem := ask(t, served+path)
			assert.Equal(t, http.StatusServiceUnavailable, status, problem)
			assert.Contains(t, problem["detail"], says)
		}
	}
	w.redis.SetError("ERR unknown command")
	status, _ := ask(t, served+"/v1/pqls")
	assert.Equal(t, http.StatusInternalServerError, status)
	w.redis.SetError("")
	awaitAPI(t, served+"/v1/pqls", items(0))
	p.stop()
}

// A topic that is made anew has another identity. Who reads states notices by that they are another's.
func TestItIsLookedUpAgainWhoseStatesThereAre(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	p := start(t, c).awaitReady()
	rules, err := LoadChecklist(c.Checklist)
	require.NoError(t, err)
	x := newAPIAccounts(c)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.open(ctx, w.plain, rules, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() { stop(); assert.NoError(t, <-done); x.close() })
	require.Eventually(t, func() bool { return x.read.Load() != nil }, patience, poll)

	store, err := newStore(x.redis, c)
	require.NoError(t, err)
	before := make([]state.Partition, partitions)
	for i := range before {
		before[i] = state.Partition{Stage: string(config.Activation), Topic: "usage", Number: int32(i), Identity: "before"}
	}
	x.read.Store(inspect.New(inspect.Entities{Store: store, Mirrors: before}, account.NewEngine(rules)))
	query := inspect.Query{List: inspect.All, Limit: 1, At: 1}
	_, err = x.List(ctx, query)
	require.ErrorIs(t, err, api.ErrUnavailable)
	require.ErrorIs(t, err, state.ErrForeign)
	require.Eventually(t, func() bool {
		_, err = x.List(ctx, query)
		return err == nil
	}, patience, poll, "%v", &err)
	p.stop()
}
