package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/simulate"
)

var update = flag.Bool("update", false, "write testdata/small.txt anew")

const golden = "testdata/small.txt"

func small(t *testing.T, change func(*Options)) string {
	t.Helper()
	var out bytes.Buffer
	o := Options{
		Seed: 1, Accounts: 40, Days: 40, Epoch: simulate.DefaultEpoch, Out: &out, Style: report.Style{Width: report.PipeWidth},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	change(&o)
	require.NoError(t, Run(t.Context(), o))
	// When rows were made depends on how far the slowest partition was.
	return regexp.MustCompile(`as of [0-9: -]+`).ReplaceAllString(out.String(), "as of then")
}

func TestTheSameSeedGivesTheSameOutput(t *testing.T) {
	first := small(t, func(*Options) {})
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(first), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), first, "go test ./pkg/app/demo -update writes it anew")
	require.Equal(t, first, small(t, func(*Options) {}))
	require.NotEqual(t, first, small(t, func(o *Options) { o.Seed = 2 }))
}

// A demo with a folder that ended halfway through is shown whole by the next.
func TestADemoInAFolderGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	whole := small(t, func(*Options) {})
	ctx, cancel := context.WithCancel(t.Context())
	out := &stopper{stop: cancel}
	err := Run(ctx, Options{Seed: 1, Accounts: 40, Days: 40, Epoch: simulate.DefaultEpoch, Dir: dir, Out: out, Log: slog.New(slog.DiscardHandler)})
	require.ErrorIs(t, err, ErrStopped)
	require.NotEqual(t, whole, out.String())
	for range 2 {
		require.Equal(t, whole, small(t, func(o *Options) { o.Dir = dir }))
	}
	err = Run(t.Context(), Options{Seed: 2, Accounts: 40, Days: 40, Dir: dir})
	require.ErrorContains(t, err, "keeps the demo of seed 1 with 40 accounts over 40 days from 2025-06-02 on")
}

// stopper stops a demo once it shows the first leads.
type stopper struct {
	bytes.Buffer
	stop func()
}

func (s *stopper) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("  PQL  ")) {
		s.stop()
	}
	return s.Buffer.Write(b)
}

func TestSizesAreBounded(t *testing.T) {
	require.EqualError(t, Run(t.Context(), Options{Days: 366}), "days: 366 are more than 365")
}

func TestTheSummaryCounts(t *testing.T) {
	rules, err := app.LoadChecklist("../../../config/checklists/demo.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{"large", "medium", "small"}, tierNames(rules))
	const day = 86_400_000
	lead := func(tier string, at int64) account.View {
		return account.View{Fact: account.Fact{Tier: tier, SignedUpAt: day, QualifiedAt: at, Current: true}}
	}
	paid := lead("large", 3*day)
	paid.Current, paid.Converted = false, true
	other := account.View{Fact: account.Fact{Tier: "small"}, Converted: true}
	excluded := account.View{Fact: account.Fact{Tier: "small", Excluded: true}}
	active := lead("large", 5*day)
	active.ActiveUsers7d, active.AccountID = 4, "active"
	s := summarize([]account.View{paid, lead("large", 2*day), lead("large", 9*day), active, other, excluded}, rules)

	assert.Equal(t, tally{name: "large", threshold: 0.35, accounts: 4, qualified: 4, open: 3, paid: 1, took: []int64{2 * day, day, 8 * day, 4 * day}}, s.tiers[0])
	assert.Equal(t, tally{name: "small", threshold: 0.75, accounts: 1, otherPaid: 1}, s.tiers[2])
	assert.Equal(t, 5, s.all.accounts)
	assert.Equal(t, 1, s.excluded)
	assert.Equal(t, "2 days", median(s.tiers[0].took))
	require.Len(t, s.first, topLeads)
	assert.Equal(t, "active", s.first[0].AccountID)
}

func tierNames(rules *checklist.Checklist) (names []string) {
	for _, t := range rules.Tiers() {
		names = append(names, t.Name)
	}
	return names
}

func TestFactsWaitForSlowerPartitions(t *testing.T) {
	var shown []string
	show := func(f *account.Fact) { shown = append(shown, f.AccountID) }
	at := func(ms int64, id string) account.Fact { return account.Fact{OccurredAt: ms, AccountID: id} }
	f := &follower{pending: []account.Fact{at(7, "d"), at(9, "e"), at(2, "a"), at(5, "c"), at(5, "b")}}
	f.release(7, show)
	assert.Equal(t, []string{"a", "b", "c"}, shown)
	f.pending = append(f.pending, at(8, "d2"))
	f.release(10, show)
	assert.Equal(t, []string{"a", "b", "c", "d", "d2", "e"}, shown)
}

// A live demo serves the page once all is told, goes on with events that happen now, and is no failure when it is stopped.
func TestALiveDemoGoesOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "demo")
	began := time.Now().UnixMilli()
	o := Options{
		Seed: 1, Accounts: 60, Days: 30, Dir: dir, Live: true, Out: io.Discard, Log: slog.New(slog.DiscardHandler), Version: "v1.2.3",
		Watch: func(page string) {
			defer stop()
			var status struct{ Version string }
			ask(t, page+"v1/status", &status)
			assert.Equal(t, "v1.2.3", status.Version)
			var changed struct {
				Items []struct {
					ChangedAt int64 `json:"changed_at"`
				}
			}
			assert.Eventually(t, func() bool {
				ask(t, page+"v1/accounts?limit=1", &changed)
				return len(changed.Items) == 1 && changed.Items[0].ChangedAt >= began
			}, time.Minute, 20*time.Millisecond, "nothing happens")
			var rows struct{ Items []struct{ Metric string } }
			assert.Eventually(t, func() bool {
				ask(t, page+"v1/metrics?unit=week&metric=pql_rate", &rows)
				return len(rows.Items) > 0
			}, time.Minute, 20*time.Millisecond, "there are no metrics")
		},
	}
	watch := o.Watch
	o.Watch = func(page string) { go watch(page) }
	require.NoError(t, Run(ctx, o))
	o.Live = false
	require.NoError(t, Run(t.Context(), o), "the folder keeps what has happened since")
}

func ask(t *testing.T, url string, answer any) {
	response, err := http.Get(url)
	if !assert.NoError(t, err) {
		return
	}
	defer response.Body.Close()
	assert.NoError(t, json.NewDecoder(response.Body).Decode(answer))
}
