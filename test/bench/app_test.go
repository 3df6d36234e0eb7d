package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

const checklistFile = "../../config/checklists/bench.yaml"

// deployment is a running pqlstream: one or more processes of one deployment.
type deployment struct {
	peer
	addresses []string // of the processes' metrics
	api       string   // address of the first process's API and page; empty: it has none
}

// appOptions say how pqlstream is run. The zero value of each means what the benchmarks have in common.
type appOptions struct {
	prefix    string
	store     *servers.Redis // one of its own
	program   []string       // in place of pqlstream
	processes int            // 1
	cores     int            // of each process; 2
	logLevel  string         // warn
	profiling bool           // serve profiles
	all       bool           // write pql.lifecycle and pql.current, too
	cache     int            // accounts; the program's default
	history   bool           // no clock says what time it is
	metrics   bool           // make metrics, too
	hours     bool           // of windows of an hour as well
	api       bool           // serve the API and the page
}

const settings = `stages: %[11]s
prefix: %[1]s
checklist: %[2]s
kafka: {brokers: [%[3]s], create_topics: true}
redis: {addresses: [%[4]s]}
registry: {directory: %[5]s}
input: {sources: [{topic: %[6]s, format: avro}]}
output: {format: avro, lifecycle: %[7]t, current: %[7]t}
http: {address: %[8]s, profiling: %[10]t}
api: {address: "%[14]s", requests_per_second: 100_000}
log: {level: %[9]s}
metrics: {enabled: %[12]t, units: [%[13]s]}
`

// startApp runs pqlstream and returns once it is ready.
func (s *setup) startApp(o appOptions) *deployment {
	s.tb.Helper()
	a := s.launchApp(o)
	a.await("it to be ready", poll, a.ready)
	return a
}

// launchApp runs pqlstream and returns at once.
func (s *setup) launchApp(o appOptions) *deployment {
	s.tb.Helper()
	if o.store == nil {
		o.store = servers.StartRedis(s.tb)
	}
	if o.program == nil {
		o.program = []string{s.binary, "run", "--print-ready"}
	}
	a := &deployment{peer: peer{s: s, name: o.prefix, store: o.store, output: o.prefix + ".events", marks: partitions}}
	a.event = func(r *kgo.Record) (string, bool) { return eventInFact(s.tb, r) }
	a.finished = a.done
	if o.metrics {
		a.finished = func(n int64) bool { return a.done(n) && a.measured() }
	}
	for range max(o.processes, 1) {
		address, api := freeAddress(s.tb), ""
		if o.api {
			api = freeAddress(s.tb)
		}
		a.addresses, a.api = append(a.addresses, address), either(a.api, api)
		args := slices.Concat(o.program[1:], []string{"--config", s.configure(&o, address, api)})
		a.run(command(either(o.cores, cores), o.program[0], args...)...)
	}
	return a
}

// configure writes a process's settings.
func (s *setup) configure(o *appOptions, address, api string) (file string) {
	s.tb.Helper()
	rules, err := filepath.Abs(checklistFile)
	require.NoError(s.tb, err)
	file = filepath.Join(s.tb.TempDir(), "pqlstream.yaml")
	stages, units := "[activation]", config.Default().Metrics.Units
	if o.metrics {
		stages = "[activation, measure, rollup]"
	}
	if o.hours {
		units = append([]string{"hour"}, units...)
	}
	text := fmt.Sprintf(settings, o.prefix, rules, s.kafka.Bootstrap(), o.store.Addr(), s.schemas, input, o.all || allOutputs(),
		address, either(o.logLevel, "warn"), o.profiling, stages, o.metrics, strings.Join(units, ", "), api)
	text += fmt.Sprintf("runtime: {cache_accounts: %d, replay: %t}\n", either(o.cache, config.Default().Runtime.CacheAccounts), o.history)
	require.NoError(s.tb, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// allOutputs says whether the environment asks for what is off here, as the other peers don't write it, and on by default.
func allOutputs() bool { return os.Getenv("OUTPUTS") == "all" }

// outputs is what titles say of that.
func outputs() string {
	if allOutputs() {
		return "pql.events, pql.lifecycle and pql.current are written"
	}
	return "of the outputs only pql.events is written"
}

func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func freeAddress(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer l.Close()
	return l.Addr().String()
}

// done says whether the group has committed n records and Redis holds what became of them.
func (a *deployment) done(n int64) bool {
	if a.committed(a.name+".activation") < n {
		return false
	}
	for _, address := range a.addresses {
		if backlog, ok := scrape(address)[mirrorBacklog]; !ok || backlog > 0 {
			return false
		}
	}
	return true
}

// balanced says whether all partitions are owned, by all processes alike.
func (a *deployment) balanced() bool {
	for _, address := range a.addresses {
		if owned, ok := scrape(address)[partitionsOwned]; !ok || int(owned) != partitions/len(a.addresses) {
			return false
		}
	}
	return true
}

// Metrics of the program.
const (
	recordsFolded   = "pqlstream_records_total"
	statesLoaded    = "pqlstream_states_loaded_total"
	partitionsOwned = "pqlstream_partitions_owned"
	mirrorBacklog   = "pqlstream_mirror_backlog_commits"
)

// metric is a figure of all processes together, 0 where they don't have it.
func (a *deployment) metric(name string) (sum float64) {
	for _, address := range a.addresses {
		sum += scrape(address)[name]
	}
	return sum
}

// scrape returns a process's metrics by name, added up over their labels; nil when it does not serve them.
func scrape(address string) map[string]float64 {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		if figure, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] += figure
		}
	}
	return all
}

// eventInFact returns the event that qualified an account, from a PQL event.
func eventInFact(tb testing.TB, r *kgo.Record) (id string, ok bool) {
	if r.Attrs.IsControl() {
		return "", false
	}
	f, _, err := codec.DecodeFact(r.Value)
	if err != nil {
		tb.Errorf("reading a PQL event: %v", err)
		return "", false
	}
	return f.EventID, f.Type == account.Qualified
}
