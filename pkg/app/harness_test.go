package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

const (
	// patience is how long a test waits for what must come.
	patience   = 40 * time.Second
	poll       = 5 * time.Millisecond
	partitions = 4
)

// rules qualify an account that has done one and two. Time does nothing: what waits for Redis is what the tests say.
const rules = `
version: 1
name: test
inactivity: {days: 0}
tiers: [{name: all, threshold: 1.0, playbook: call}]
playbooks: [{name: call, action: Call them.}]
properties: [{name: plan, type: string, from: [{event: one}]}]
steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}]
`

// world is a Kafka and a Redis at addresses that stay the same, whether they are up or not.
type world struct {
	t         *testing.T
	kafkaPort int
	seeds     []string // of a cluster other than its own
	dir       string   // what Kafka keeps while it is down
	kafka     *kfake.Cluster
	redis     *miniredis.Miniredis
	redisAddr string
	checklist string
	plain     *kgo.Client
}

// newWorld prepares both; nothing is up yet.
func newWorld(t *testing.T) *world {
	w := &world{t: t, kafkaPort: freePort(t), dir: t.TempDir(), redisAddr: fmt.Sprintf("127.0.0.1:%d", freePort(t)), redis: miniredis.NewMiniRedis()}
	w.checklist = filepath.Join(t.TempDir(), "checklist.yaml")
	require.NoError(t, os.WriteFile(w.checklist, []byte(rules), 0o600))
	t.Cleanup(func() { w.kafkaDown(); w.redisDown() })
	return w
}

// up starts both, and creates the topic usage.
func (w *world) up() *world {
	w.kafkaUp()
	w.redisUp()
	w.createTopic("usage", partitions)
	return w
}

func (w *world) kafkaUp() {
	w.t.Helper()
	var err error
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(w.kafkaPort), kfake.DataDir(w.dir), kfake.ClusterID("test"),
		kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "100"}))
	require.NoError(w.t, err)
	w.plain, err = kgo.NewClient(kgo.SeedBrokers(w.brokers()...), kgo.MetadataMinAge(20*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
}

func (w *world) kafkaDown() {
	if w.kafka != nil {
		w.plain.Close()
		w.kafka.Close()
		w.kafka = nil
	}
}

func (w *world) redisUp()   { w.t.Helper(); require.NoError(w.t, w.redis.StartAddr(w.redisAddr)) }
func (w *world) redisDown() { w.redis.Close() }

func (w *world) brokers() []string {
	if w.seeds != nil {
		return w.seeds
	}
	return []string{fmt.Sprintf("127.0.0.1:%d", w.kafkaPort)}
}

func (w *world) admin() *kadm.Client { return kadm.NewClient(w.plain) }

func (w *world) createTopic(name string, partitions int32) {
	w.t.Helper()
	_, err := w.admin().CreateTopic(w.t.Context(), partitions, 1, nil, name)
	require.NoError(w.t, err)
}

// settings are those of a process that reads JSON directly from usage.
func (w *world) settings() *config.Config {
	c := config.Default()
	c.Checklist = w.checklist
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.FetchMaxWait = w.brokers(), true, 50*time.Millisecond
	c.Redis.Addresses, c.Redis.Buckets = []string{w.redisAddr}, 16
	c.Input.Sources = []config.Source{{Topic: "usage", Format: config.JSON}}
	c.Output.Format = config.JSON
	c.Runtime.CheckpointInterval = 100 * time.Millisecond
	c.HTTP.Address, c.API.Address = fmt.Sprintf("127.0.0.1:%d", freePort(w.t)), ""
	return c
}

// freePort returns a port on which nothing listens, below the range that systems take ephemeral ports from: a client
// that redials a server that is down must not be given that port as its own.
func freePort(t *testing.T) int {
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// process is a running App.
type process struct {
	t      *testing.T
	http   string
	cancel context.CancelFunc
	ready  chan struct{}
	done   chan error
	log    *record
}

// record keeps what a process logs.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
	to io.Writer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.Write(p)
	return r.to.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func start(t *testing.T, c *config.Config, options ...Option) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, http: c.HTTP.Address, cancel: cancel, ready: make(chan struct{}), done: make(chan error, 1), log: &record{to: t.Output()}}
	go func() {
		p.done <- Run(ctx, c, slog.New(slog.NewTextHandler(p.log, nil)), append(options, OnReady(func() { close(p.ready) }))...)
	}()
	t.Cleanup(func() { cancel(); _ = p.ended() })
	return p
}

// ended waits until the process has ended, and returns how.
func (p *process) ended() error {
	err := <-p.done
	p.done <- err
	return err
}

// stop ends the process as SIGTERM does.
func (p *process) stop() {
	p.t.Helper()
	p.cancel()
	require.NoError(p.t, p.ended())
}

// awaitReady waits until the process is ready for the first time.
func (p *process) awaitReady() *process {
	p.t.Helper()
	select {
	case <-p.ready:
	case err := <-p.done:
		p.done <- err
		require.NoError(p.t, err)
		require.Fail(p.t, "it has ended")
	case <-time.After(patience):
		require.Fail(p.t, "not ready", p.get("/readyz"))
	}
	return p
}

// get returns the body of what the process serves, "" while it serves nothing.
func (p *process) get(path string) string {
	resp, err := http.Get("http://" + p.http + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// awaitWaiting waits until /readyz says that the process waits for something, in words that hold all the parts.
func (p *process) awaitWaiting(parts ...string) {
	p.t.Helper()
	body := ""
	require.Eventually(p.t, func() bool {
		body = p.get("/readyz")
		var answer struct {
			Waiting []struct {
				Name       string `json:"name"`
				WaitingFor string `json:"waiting_for"`
			} `json:"waiting"`
		}
		if json.Unmarshal([]byte(body), &answer) != nil {
			return false
		}
		for _, w := range answer.Waiting {
			if holdsAll(w.Name+": "+w.WaitingFor, parts) {
				return true
			}
		}
		return false
	}, patience, poll, "waiting for %v, the last answer of /readyz: %s", parts, lazy(func() string { return body }))
}

// awaitReadyAgain waits until /readyz says so.
func (p *process) awaitReadyAgain() {
	p.t.Helper()
	body := ""
	require.Eventually(p.t, func() bool {
		body = p.get("/readyz")
		return strings.Contains(body, `"ready"`)
	}, patience, poll, "%s", lazy(func() string { return body }))
}

// lazy is a text that is made when it is printed.
type lazy func() string

func (l lazy) String() string { return l() }

func holdsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// awaitMetric waits until a metric has a value.
func (p *process) awaitMetric(line string) {
	p.t.Helper()
	body := ""
	require.Eventually(p.t, func() bool {
		body = p.get("/metrics")
		return strings.Contains(body, "\n"+line+"\n")
	}, patience, poll, "%s in %s", line, lazy(func() string { return body }))
}

// refused runs a process that must refuse to start, and returns why.
func refused(t *testing.T, c *config.Config) error {
	t.Helper()
	p := start(t, c)
	select {
	case err := <-p.done:
		p.done <- err
		require.Error(t, err)
		return err
	case <-time.After(patience):
		require.Fail(t, "it was not refused", p.get("/readyz"))
		return nil
	}
}
