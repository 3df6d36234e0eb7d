package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
	"github.com/pqlstream/pqlstream/test/servers"
)

// BenchmarkStart measures how long a process takes from its execution until it has folded the first new record, when
// Redis has the states: it has asked for that record before then. It also says what the process did meanwhile, by the
// times in the log of one more start.
func BenchmarkStart(b *testing.B) {
	s := newSetup(b)
	st := &start{setup: s, store: servers.StartRedis(b), accounts: env(b, "START_ACCOUNTS", 100_000)}
	s.createTopic(input)
	st.produce(st.accounts)
	a := s.startApp(appOptions{prefix: "start", store: st.store})
	a.await("it to be done", poll, func() bool { return a.finished(int64(st.produced)) })
	a.stop()

	t := newTable("start", "bench-start")
	t.Title = fmt.Sprintf("From the start of the process, states of %s accounts in Redis, medians of %d starts.", count(st.accounts), env(b, "STARTS", 10))
	t.Of = "until"
	t.Columns = []results.Column{{Key: "ms", Name: "ms", Spread: true}}
	for range env(b, "STARTS", 10) {
		serving, owned, folded, _ := st.again("warn")
		t.Add("metrics are served", milliseconds(serving))
		t.Add("all partitions are owned", milliseconds(owned))
		t.Add("the first record is folded", milliseconds(folded))
	}
	publish(b, t)
	_, _, _, trace := st.again("debug")
	fmt.Printf("\nThe first of each line of a log, ms after the start:\n\n%s", trace)
	if out := os.Getenv("OUT"); out != "" {
		require.NoError(b, os.WriteFile(filepath.Join(out, "start-trace.txt"), []byte(trace), 0o644))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// start is a deployment that is started again and again.
type start struct {
	*setup
	store              *servers.Redis
	accounts, produced int
}

// produce adds sign-ups to the input: enough for each partition to have some.
func (s *start) produce(n int) {
	s.tb.Helper()
	_, sent := s.backlog(input, job.Stream(uint64(s.produced), n, n))
	s.produced += sent
}

// again starts the process on an input that has grown, and stops it once it is done.
func (s *start) again(logLevel string) (serving, owned, folded time.Duration, trace string) {
	s.tb.Helper()
	s.produce(1_000)
	s.awaitQuiet()
	from := time.Now()
	a := s.launchApp(appOptions{prefix: "start", store: s.store, logLevel: logLevel})
	a.await("the first record", fastPoll, func() bool {
		now, metrics := time.Since(from), scrape(a.addresses[0])
		if serving == 0 && metrics != nil {
			serving = now
		}
		if owned == 0 && metrics[partitionsOwned] == partitions {
			owned = now
		}
		if folded == 0 && metrics[recordsFolded] > 0 {
			folded = now
		}
		return owned > 0 && folded > 0
	})
	a.await("it to be done", poll, func() bool { return a.finished(int64(s.produced)) })
	a.stop()
	return serving, owned, folded, firsts(a.processes[0].Output(), from)
}

var logLine = regexp.MustCompile(`^time=(\S+) level=\S+ msg=("(?:[^"\\]|\\.)*"|\S+)(.*)`)

// firsts returns the first line of each kind in a log, with its time.
func firsts(log string, from time.Time) string {
	var b strings.Builder
	seen := map[string]bool{}
	for line := range strings.Lines(log) {
		m := logLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || seen[m[2]] {
			continue
		}
		seen[m[2]] = true
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "%5d  %s%.100s\n", at.Sub(from).Milliseconds(), m[2], m[3])
	}
	return b.String()
}
