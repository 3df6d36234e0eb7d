package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/inspect"
)

// Lists are those of a process that has folded the sample data: as many accounts as there are, and those PQLs that explain says are such.
func TestAccountsAndPQLsAreListed(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "300", "--days", "60")
	require.NoError(t, err)
	flags := flagsFor(t, servers.Brokers(), servers.RedisAddr())
	run := func(args ...string) result { return pqlstream(t, append(args, flags...)...) }
	require.Equal(t, exitDone, run("topics", "create").code)
	assert.Equal(t, exitNotReady, run("pqls", "list").code)

	ctx, stop := context.WithCancel(t.Context())
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	list := func(args ...string) (page inspect.Page) {
		r := run(append(args, "-o", "json")...)
		if r.code == exitDone {
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &page))
		}
		return page
	}
	require.Eventually(t, func() bool { return run("lag", "--max", "0").code == exitDone && list("pqls", "list").Total > 0 }, time.Minute, 50*time.Millisecond)
	stop()
	require.Equal(t, exitDone, <-running)

	accounts := list("accounts", "list", "--limit", "0")
	assert.Len(t, accounts.Items, int(accounts.Total))
	assert.Nil(t, accounts.Next)
	pqls := list("pqls", "list", "--limit", "0")
	for i, row := range pqls.Items {
		assert.True(t, row.Current, row.AccountID)
		assert.Contains(t, run("explain", row.AccountID).stdout, "is a PQL", row.AccountID)
		if i > 0 {
			assert.GreaterOrEqual(t, *pqls.Items[i-1].QualifiedAt, *row.QualifiedAt, "the newest first")
		}
	}
	tier := pqls.Items[0].Tier
	of := list("pqls", "list", "--tier", tier, "--limit", "0")
	assert.Less(t, len(of.Items), len(pqls.Items))
	for _, row := range of.Items {
		assert.Equal(t, tier, row.Tier)
	}
	first := list("pqls", "list", "--limit", "1")
	require.NotNil(t, first.Next)
	second := list("pqls", "list", "--limit", "1", "--cursor", *first.Next)
	assert.Equal(t, pqls.Items[:2], append(first.Items, second.Items...))

	r := run("pqls", "list", "--limit", "2")
	assert.Regexp(t, `^ACCOUNT +TIER +RATE +NEEDED +STANDING +QUALIFIED \(UTC\) +CHANGED \(UTC\) +CHAMPION +NEXT\nacct-\d+ .* PQL `, r.stdout)
	assert.Contains(t, r.stdout, fmt.Sprintf("\n2 of %d; for more: --cursor ", pqls.Total))
	recent := list("pqls", "list", "--since", "30d")
	assert.NotEmpty(t, recent.Items, "sample data ends now")
	assert.Less(t, recent.Total, pqls.Total)
	r = run("pqls", "list", "--until", "90d")
	assert.Equal(t, "none\n", r.stdout, "nor does it begin earlier than that: %s", r.stderr)
	assert.Equal(t, run("explain", "acct-00001", "-o", "json").stdout, run("accounts", "show", "acct-00001", "-o", "json").stdout, "they are one")

	r = run("pqls", "list", "--tier", "huge")
	assert.Equal(t, exitMisused, r.code)
	assert.Contains(t, r.stderr, `the checklist has no tier "huge"`)
	assert.Contains(t, r.stderr, "; it has large, medium, small", "the names are listed")
	r = run("accounts", "list", "--playbook", "nope")
	assert.Equal(t, exitMisused, r.code)
	assert.Contains(t, r.stderr, `has a playbook "nope"; they have manual-outreach`)
}

func TestMoments(t *testing.T) {
	now := time.Date(2025, 3, 8, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"7d": "2025-03-01T12:00:00Z", "36h": "2025-03-07T00:00:00Z", "90m": "2025-03-08T10:30:00Z", "1w": "2025-03-01T12:00:00Z",
		"2025-03-02": "2025-03-02T00:00:00Z", "2025-03-02T01:02:03+01:00": "2025-03-02T00:02:03Z",
	} {
		got, err := momentOf("since", text, now)
		require.NoError(t, err, text)
		assert.Equal(t, want, time.UnixMilli(got).UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"yesterday", "0d", "-1d", "7", "2025-02-30"} {
		_, err := momentOf("since", text, now)
		assert.True(t, is[misuse](err), text)
	}
	got, err := momentOf("since", "", now)
	require.NoError(t, err)
	assert.Zero(t, got)
}

// More rows than a page has are put together from pages.
func TestPagesArePutTogether(t *testing.T) {
	const all = 450
	var limits []int
	list := func(_ context.Context, q inspect.Query) (page inspect.Page, _ error) {
		limits = append(limits, q.Limit)
		begin := len(q.Cursor)
		end := min(begin+q.Limit, all)
		page.Items, page.Total = make([]inspect.Row, end-begin), all
		if end < all {
			cursor := strings.Repeat("x", end)
			page.Next = &cursor
		}
		return page, nil
	}
	for limit, want := range map[int][]int{0: {200, 200, 200}, 50: {50}, 250: {200, 50}, 450: {200, 200, 50}, 1000: {200, 200, 200}} {
		limits = nil
		f := listFlags{limit: limit}
		page, err := f.pages(t.Context(), list, progressOn(&strings.Builder{}, ""))
		require.NoError(t, err)
		assert.Equal(t, want, limits, limit)
		n := all
		if limit > 0 {
			n = min(limit, all)
		}
		assert.Len(t, page.Items, n)
		assert.Equal(t, n < all, page.Next != nil)
	}
}
