package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every call that docs/api.md shows is made, and answered.
func TestThePageOfTheAPICanBeFollowed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "api.md"))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "checklists", "demo.yaml"))
	require.NoError(t, err)
	p := &parts{t: t, text: string(text), older: []ChecklistVersion{{Hash: "bb", Text: "a: 2"}, {Hash: "aa", Text: "a: 1"}}}
	leads := NewLeads()
	leads.Begin(1, []int64{0}, []int64{0})
	defer leads.Close()
	h := New(Parts{Accounts: p, Metrics: p, Checklists: p, Status: p, Leads: leads}, Limits{Token: token, RequestsPerSecond: 1e6, Streams: 2}, quiet())
	var answered, withToken atomic.Int32
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+token {
			withToken.Add(1)
		}
		r.Header.Set("Authorization", "Bearer "+token) // the page has come to tokens last
		answered.Add(1)
		h.ServeHTTP(w, r)
	}))
	defer at.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	value := fact(t, "acme")
	go func() { // something happens all the time
		for offset := int64(0); ctx.Err() == nil; offset++ {
			leads.Add(0, offset, value)
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	calls := 0
	for _, block := range regexp.MustCompile("(?s)```curl\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n") {
			calls++
			cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "http://127.0.0.1:7480", at.URL))
			cmd.Env = append(os.Environ(), "TOKEN="+token)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", line, out)
			assert.NotEmpty(t, out, line)
		}
	}
	assert.EqualValues(t, calls, answered.Load())
	assert.EqualValues(t, 1, withToken.Load())
	for _, r := range (&server{}).routes() {
		assert.Contains(t, string(page), strings.ReplaceAll(r.path, "{id}", "acct-00042"), "it is not told of")
	}
}
