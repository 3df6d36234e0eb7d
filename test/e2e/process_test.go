package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pqlstream-e2e-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary is the program, built once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "pqlstream")
	args := append(append([]string{"build"}, buildFlags...), "-o", path, "./cmd/pqlstream")
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building pqlstream: %w:\n%s", err, out)
	}
	return path, err
})

// setup is a broker and a Redis of the test's own, with settings for processes on them.
type setup struct {
	*world
	kafka *servers.Kafka
	redis *servers.Redis
	file  string // with the settings
}

const processPartitions = 8

// newSetup starts the servers. Members that are silent for 3 s lose their partitions, by either group protocol, and
// transactions time out after 3 s, so that takeovers are what takes time in these tests, not waiting for them.
func newSetup(t *testing.T, protocol config.Protocol, seed uint64, opts ...servers.KafkaOption) *setup {
	return newSetupOf(t, func(_ *testing.T, c *config.Config) {
		c.Input.Sources = []config.Source{{Topic: "usage", Format: config.Avro}}
	}, protocol, seed, opts...)
}

// newSetupOf is newSetup with other settings of what is read and how it is judged.
func newSetupOf(t *testing.T, set func(*testing.T, *config.Config), protocol config.Protocol, seed uint64, opts ...servers.KafkaOption) *setup {
	const session = 3 * time.Second
	ms := strconv.FormatInt(session.Milliseconds(), 10)
	for key, value := range map[string]string{
		"group.consumer.min.session.timeout.ms":    ms,
		"group.consumer.session.timeout.ms":        ms,
		"group.consumer.min.heartbeat.interval.ms": "200",
		"group.consumer.heartbeat.interval.ms":     "300",
		"group.min.session.timeout.ms":             "1000",
	} {
		opts = append(opts, servers.KafkaSetting(key, value))
	}
	s := &setup{kafka: servers.StartKafka(t, opts...), redis: servers.StartRedis(t)}
	c := config.Default()
	c.Checklist = checklistFile
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.GroupProtocol = []string{s.kafka.Bootstrap()}, true, protocol
	c.Kafka.SessionTimeout = session
	c.Redis.Addresses, c.Redis.Buckets = []string{s.redis.Addr()}, 64
	set(t, c)
	c.Registry.Directory = t.TempDir()
	require.NoError(t, codec.ExportSchemas(c.Registry.Directory))
	var err error
	c.Checklist, err = filepath.Abs(c.Checklist)
	require.NoError(t, err)
	c.Runtime.TransactionTimeout, c.Runtime.CheckpointInterval = 3*time.Second, 500*time.Millisecond
	c.Runtime.CacheAccounts = 8000
	s.world = newWorld(t, c, seed, processPartitions)
	s.file = writeSettings(t, c)
	t.Cleanup(s.tellTrouble)
	return s
}

// writeSettings writes down those of the settings that are not the defaults.
func writeSettings(t *testing.T, c *config.Config) string {
	file := filepath.Join(t.TempDir(), "pqlstream.yaml")
	text := fmt.Sprintf(`checklist: %q
stages: %s
kafka: {brokers: [%q], create_topics: true, group_protocol: %s, session_timeout: %s}
redis: {addresses: [%q], buckets: %d}
registry: {directory: %q}
runtime: {transaction_timeout: %s, checkpoint_interval: %s, cache_accounts: %d, replay: %t}
http: {address: "127.0.0.1:0"}
api: {address: ""}
input:
  sources: %s
  identity: {users_without_account: %s, hold: %s, hold_events: %d}
`, c.Checklist, list(c.Stages, func(s config.Stage) string { return string(s) }), c.Kafka.Brokers[0], c.Kafka.GroupProtocol, c.Kafka.SessionTimeout,
		c.Redis.Addresses[0], c.Redis.Buckets, c.Registry.Directory, c.Runtime.TransactionTimeout, c.Runtime.CheckpointInterval,
		c.Runtime.CacheAccounts, c.Runtime.Replay,
		list(c.Input.Sources, func(s config.Source) string { return fmt.Sprintf("{topic: %s, format: %s}", s.Topic, s.Format) }),
		c.Input.Identity.UsersWithoutAccount, c.Input.Identity.Hold, c.Input.Identity.HoldEvents)
	if in := &c.Input.Identity; in.Merge.Event != "" {
		text = strings.TrimSuffix(text, "}\n") + fmt.Sprintf(", merge: {event: %s, from: %s}, erase_account: {event: %s}, erase_user: {event: %s}}\n",
			in.Merge.Event, in.Merge.From, in.EraseAccount.Event, in.EraseUser.Event)
	}
	if m := &c.Metrics; m.Enabled {
		text += fmt.Sprintf("metrics: {enabled: true, zones: [%s], units: [%s], lateness: %s}\n", strings.Join(m.Zones, ", "), strings.Join(m.Units, ", "), m.Lateness)
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// list is a list in YAML.
func list[T any](of []T, text func(T) string) string {
	var all []string
	for _, one := range of {
		all = append(all, text(one))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// process is one pqlstream.
type process struct {
	*servers.Process
	s *setup
}

// run starts a process; it may take a while to be ready.
func (s *setup) run() *process {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	return &process{servers.StartProcess(s.t, path, "run", "--config", s.file), s}
}

var servingAt = regexp.MustCompile(`serving metrics and health.* address=(\S+)`)

// get asks the process over HTTP, "" when it does not answer.
func (p *process) get(path string) (status int, body string) {
	found := servingAt.FindAllStringSubmatch(p.Output(), -1)
	if len(found) == 0 {
		return 0, ""
	}
	ctx, cancel := context.WithTimeout(p.s.t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+found[len(found)-1][1]+path, nil)
	if err != nil {
		return 0, ""
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(response.Body); err != nil {
		return 0, ""
	}
	return response.StatusCode, b.String()
}

// metric returns a metric of the activation stage, -1 when the process does not answer.
func (p *process) metric(name string) float64 {
	_, body := p.get("/metrics")
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "pqlstream_"+name+`{stage="activation"} `); ok {
			f, err := strconv.ParseFloat(value, 64)
			require.NoError(p.s.t, err)
			return f
		}
	}
	return -1
}

func (p *process) ready() bool {
	status, _ := p.get("/readyz")
	return status == http.StatusOK
}

// owns says whether the process has taken over so many partitions at least, and waits for none.
func (p *process) owns(n int) bool {
	return p.ready() && p.metric("partitions_owned") >= float64(n) && p.metric("partitions_waiting") == 0
}

// stop ends a process gracefully, which has to be a success.
func (p *process) stop() {
	p.s.t.Helper()
	require.NoError(p.s.t, p.Stop())
	require.Equal(p.s.t, 0, p.ExitCode(), p.Output())
}

// share lets processes divide the partitions among them.
func (s *setup) share(processes ...*process) {
	s.t.Helper()
	for _, p := range processes {
		s.eventually("every process has partitions", func() bool {
			select {
			case <-p.Done():
				require.Fail(s.t, "a process has ended", p.Output())
			default:
			}
			return p.owns(1)
		})
	}
	s.eventually("all partitions are taken over", func() bool {
		n := 0.0
		for _, p := range processes {
			n += p.metric("partitions_owned")
		}
		return n == processPartitions
	})
}

// finish waits until everything is committed, stops the processes and compares.
func (s *setup) finish(processes ...*process) {
	s.t.Helper()
	s.flush()
	s.eventually("everything committed", s.caughtUp)
	s.awaitTimers()
	if s.c.Metrics.Enabled {
		s.awaitRows()
	}
	s.share(processes...) // one that has only just been started would not know what a signal means
	for _, p := range processes {
		p.stop()
	}
	s.verify()
}
