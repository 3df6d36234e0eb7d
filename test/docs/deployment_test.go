package docs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// place is where a deployment is.
type place struct {
	brokers, redis string
	http, api      string // of one of its processes
}

// newPlace starts a Kafka and a Redis in this process.
func newPlace(t *testing.T) place {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	return place{strings.Join(servers.Brokers(), ","), servers.RedisAddr(), freeAddress(t), freeAddress(t)}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// env are the settings that say where it is: they come before those of files.
func (p place) env() []string {
	if p == (place{}) {
		return nil
	}
	return []string{
		"PQLSTREAM_KAFKA_BROKERS=" + p.brokers, "PQLSTREAM_REDIS_ADDRESSES=" + p.redis,
		"PQLSTREAM_HTTP_ADDRESS=" + p.http, "PQLSTREAM_API_ADDRESS=" + p.api,
	}
}

// addressed puts its addresses where pages have the usual ones.
func (p place) addressed(line string) string {
	return strings.NewReplacer("localhost:9092", p.brokers, "kafka:9092", p.brokers, "127.0.0.1:7480", p.api,
		"localhost:9464", p.http, "pql-0:9464", p.http, "pql-1:9464", p.http).Replace(line)
}

// settingsOfTheDeployment are those of the README, with metrics, and with the stage by which accounts can be erased.
func settingsOfTheDeployment(t *testing.T) string {
	t.Helper()
	return merged(t, firstSettings(t), "stages: [ingest, activation, measure, rollup]\ninput: {mode: ingest, sources: [{topic: usage}]}\nmetrics: {enabled: true, zones: [UTC, Europe/Berlin]}\n")
}

// firstSettings are those of the README's first deployment.
func firstSettings(t *testing.T) string {
	t.Helper()
	return blockWith(t, "README.md", "kafka: {brokers:")
}

func settingsToBeginAnew(t *testing.T) string {
	t.Helper()
	return blockWith(t, "docs/migration.md", "prefix: pql2")
}

// blockWith returns the one block of a page that has a text.
func blockWith(t *testing.T, page, text string) string {
	t.Helper()
	list := slices.DeleteFunc(blocksOf(page, read(t, page)), func(b block) bool { return !strings.Contains(b.text, text) })
	require.Len(t, list, 1, "%s: %s", page, text)
	return list[0].text
}

// A deployment that has made PQLs and metrics of the simulated product, for the readers of all pages.
func deploy(t *testing.T) place {
	t.Helper()
	r := newReader(t, newPlace(t))
	for _, line := range []string{
		"pqlstream simulate --config pqlstream.yaml --create-topic", "pqlstream topics create --config pqlstream.yaml",
	} {
		code, out := r.sh(line)
		require.Zero(t, code, "%s: %s", line, out)
	}
	r.start("pqlstream run --config pqlstream.yaml")
	for _, line := range []string{
		"pqlstream lag --config pqlstream.yaml --max 50", "pqlstream metrics -c pqlstream.yaml --metric funnel --grouping tier --group large --closed",
		"curl -fsS http://127.0.0.1:7480/v1/metrics/catalog",
	} {
		r.until(line, 0)
	}
	return r.at
}

// until repeats a line until it ends with a code.
func (r *reader) until(line string, want int) (output string) {
	r.t.Helper()
	var code int
	require.Eventually(r.t, func() bool { code, output = r.sh(line); return code == want }, patience, 50*time.Millisecond, "%s", line)
	return output
}

// start starts a process, which is stopped when the test ends, and waits until it is ready.
func (r *reader) start(line string) {
	r.t.Helper()
	var log bytes.Buffer
	c := r.shell(context.WithoutCancel(r.t.Context()), "exec env "+line) // so that the signal reaches it
	c.Stdout, c.Stderr = &log, &log
	require.NoError(r.t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	r.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		assert.NoError(r.t, <-ended, "%s: %s", line, &log)
	})
	require.Eventually(r.t, func() bool {
		answer, err := http.Get(fmt.Sprintf("http://%s/readyz", r.at.http))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "%s", line)
}
