package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/results"
)

const page = "# Page\n<!-- measured: aims -->\nold\n<!-- end -->\nbetween\n<!-- measured: live -->\nnot yet\n<!-- end -->\n"

func catchUp() *results.Table {
	t := &results.Table{Name: "catch-up", Of: "peer", Columns: []results.Column{{Key: results.Rate, Name: "events/s"}, {Key: results.CPU, Name: "CPU"}}}
	t.Add(results.PQLStream, 1_200_000, 1)
	t.Add(results.GoRedis, 400_000, 2.6)
	return t
}

func TestWhatWasMeasuredReplacesWhatStoodThere(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, catchUp().Save(folder))
	filled, missing, err := fill(page, folder)
	require.NoError(t, err)
	require.Equal(t, []string{"live"}, missing)
	require.NotContains(t, filled, "old")
	require.Contains(t, filled, "| events/s, times go-redis's | 3.00 | ≥ 2.5 |")
	require.Contains(t, filled, "| CPU an event, go-redis's times as much | 2.60 | ≥ 2.5 |")
	require.Contains(t, filled, "| events/s, times ks-eos-tuned's | – | ≥ 7 |", "of a peer that was not there")
	require.Contains(t, filled, "<!-- end -->\nbetween\n<!-- measured: live -->\nnot yet\n<!-- end -->\n")
	again, _, err := fill(filled, folder)
	require.NoError(t, err)
	require.Equal(t, filled, again)
}

func TestBlocksThatDoNotExistAreRefused(t *testing.T) {
	_, _, err := fill("<!-- measured: nothing -->\n<!-- end -->", t.TempDir())
	require.ErrorContains(t, err, `"nothing"`)
}

func TestThePageHasBlocksThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "performance.md"))
	require.NoError(t, err)
	_, missing, err := fill(string(text), t.TempDir())
	require.NoError(t, err)
	require.Len(t, missing, len(blocks), "each block once: %v", missing)
}

func TestCostsAddUp(t *testing.T) {
	m := &results.Table{}
	for _, key := range []string{results.Rate, results.CPU, results.BrokerUs, results.PeakMB, results.StoreMB, results.Written, results.Outputs} {
		m.Columns = append(m.Columns, results.Column{Key: key})
	}
	m.Add("10,000", 10_000, 5, 10, 512, 512, 30, 10)
	n := month(m, "10,000")
	require.InDelta(t, 0.1, n.own, 1e-9)     // 10,000 x 5 us, half of it used
	require.InDelta(t, 0.6, n.brokers, 1e-9) // 10,000 x 10 us, half of it used, three times
	require.InDelta(t, 2, n.memory, 1e-9)
	require.InDelta(t, 2.592*(20+10*400), n.disk, 1e-6) // 10,000 x 86,400 s x 3 is 2.592 GB for each byte
	require.InDelta(t, 0.7*0.04*730+2*3+n.disk*0.1, n.dollars(), 1e-6)
	require.InDelta(t, 26_280, n.millions, 1e-9)
}
