package app

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// awaitListed waits until exactly some accounts are on a list, in whatever order.
func (w *world) awaitListed(c *config.Config, q inspect.Query, want ...string) {
	w.t.Helper()
	a, err := OpenAccounts(w.t.Context(), c, slog.New(slog.NewTextHandler(w.t.Output(), nil)))
	require.NoError(w.t, err)
	defer a.Close()
	var got []string
	require.Eventually(w.t, func() bool {
		p, err := a.List(w.t.Context(), q)
		got = nil
		for _, row := range p.Items {
			got = append(got, row.AccountID)
		}
		slices.Sort(got)
		return err == nil && slices.Equal(want, got)
	}, patience, 10*poll, "%v", lazy(func() string { return strings.Join(got, " ") }))
}

// Accounts are on lists from the events that put them there to those that take them off, and under another checklist on those of that.
func TestAccountsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(teamRules), 0o600))
	c := w.resolving(allStages...)
	c.Input.Identity.Merge = config.MergeEvent{Event: "account_merged", From: "properties.old"}
	p := start(t, c).awaitReady()
	all, pqls := inspect.Query{List: inspect.All}, inspect.Query{List: inspect.PQLs}
	w.awaitListed(c, all)
	w.send(told("acme", "ana", "one", 9*time.Hour), told("acme", "ana", "joined", 8*time.Hour), told("acme", "bob", "joined", 7*time.Hour),
		told("acme", "cleo", "joined", 6*time.Hour), told("beta", "bob", "one", 5*time.Hour), told("old", "dora", "report", 5*time.Hour))
	w.awaitListed(c, all, "acme", "beta", "old")
	w.awaitListed(c, pqls, "acme")
	w.awaitListed(c, inspect.Query{List: inspect.PQLs, Tier: "all"}, "acme")

	w.send(told("acme", "", "account_merged", time.Hour, usage.Property{Key: "old", Value: usage.StringValue("old")}))
	w.awaitListed(c, all, "acme", "beta")
	w.erase(w.eraser(c).FindAccount(t.Context(), "acme"))
	w.awaitListed(c, all, "beta")
	w.awaitListed(c, pqls)
	w.send(told("acme", "ana", "one", -time.Minute), told("acme", "ana", "joined", -time.Minute))
	w.awaitListed(c, all, "acme", "beta")
	p.stop()

	easier := strings.Replace(teamRules, "{name: all, threshold: 0.5}", "{name: most, threshold: 0.3}", 1)
	require.NoError(t, os.WriteFile(w.checklist, []byte(easier), 0o600))
	start(t, c).awaitReady()
	w.awaitListed(c, all, "acme", "beta")
	w.send(told("beta", "bob", "report", -2*time.Minute))
	w.awaitListed(c, inspect.Query{List: inspect.PQLs, Tier: "most"}, "beta")
}
