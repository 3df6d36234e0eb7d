package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/schemas"
	"github.com/pqlstream/pqlstream/test/servers"
)

const (
	partitions = 8
	poll       = 20 * time.Millisecond
	// patience is how long anything may take before the benchmark gives up.
	patience = 10 * time.Minute
)

// setup is a broker, a Redis and the program.
type setup struct {
	tb      testing.TB
	kafka   *servers.Kafka
	redis   *servers.Redis
	client  *kgo.Client
	admin   *kadm.Client
	encoder *codec.EventEncoder
	binary  string
	schemas string // folder
}

func newSetup(tb testing.TB) *setup {
	s := &setup{tb: tb, redis: servers.StartRedis(tb), kafka: servers.StartKafka(tb,
		servers.KafkaJVM("-Xms1g", "-Xmx1g", "-XX:+UseG1GC"), // as in production, but for the size
		servers.KafkaSetting("log.cleaner.backoff.ms", "15000"),
		servers.KafkaSetting("num.io.threads", "8"), servers.KafkaSetting("num.network.threads", "3"))}
	var err error
	s.client, err = kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(5*time.Millisecond))
	require.NoError(tb, err)
	tb.Cleanup(s.client.Close)
	s.admin = kadm.NewClient(s.client)
	s.encoder, err = codec.NewEventEncoder(codec.Avro, schemas.UsageEvent.LocalID)
	require.NoError(tb, err)
	s.schemas = tb.TempDir()
	require.NoError(tb, codec.ExportSchemas(s.schemas))
	s.binary = filepath.Join(tb.TempDir(), "pqlstream")
	build := exec.Command("go", "build", "-o", s.binary, "./cmd/pqlstream")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(tb, err, "building pqlstream: %s", out)
	return s
}

// createTopic creates a topic and waits until the broker, too, has heard of it.
func (s *setup) createTopic(name string) {
	s.tb.Helper()
	_, err := s.admin.CreateTopic(s.tb.Context(), partitions, 1, nil, name)
	require.NoError(s.tb, err)
	require.Eventually(s.tb, func() bool {
		found, err := s.admin.ListTopics(s.tb.Context(), name)
		return err == nil && found.Error() == nil
	}, time.Minute, poll)
}

// app is a running pqlstream with a deployment of its own.
type app struct {
	s      *setup
	p      *servers.Process
	prefix string
	input  string
	http   string
}

const settings = `stages: [activation]
prefix: %s
checklist: %s
kafka: {brokers: [%s], create_topics: true}
redis: {addresses: [%s]}
registry: {directory: %s}
input: {sources: [{topic: %s, format: avro}]}
output: {format: avro, lifecycle: %[7]t, current: %[7]t}
http: {address: %[8]s}
log: {level: warn}
`

// start runs the program on an input and returns once it is ready.
func (s *setup) start(prefix, input string) *app {
	s.tb.Helper()
	rules, err := filepath.Abs(checklistFile)
	require.NoError(s.tb, err)
	a := &app{s: s, prefix: prefix, input: input, http: freeAddress(s.tb)}
	file := filepath.Join(s.tb.TempDir(), "pqlstream.yaml")
	text := fmt.Sprintf(settings, prefix, rules, s.kafka.Bootstrap(), s.redis.Addr(), s.schemas, input, os.Getenv("OUTPUTS") == "all", a.http)
	require.NoError(s.tb, os.WriteFile(file, []byte(text), 0o600))
	a.p = servers.StartProcess(s.tb, s.binary, "run", "--config", file, "--print-ready")
	a.await("it to be ready", func() bool { return strings.Contains(a.p.Output(), "READY\n") })
	return a
}

func freeAddress(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer l.Close()
	return l.Addr().String()
}

// await waits for a condition, but not for a program that has ended.
func (a *app) await(what string, condition func() bool) {
	a.s.tb.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	giveUp := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-a.p.Done():
			a.s.tb.Fatalf("waiting for %s: the program ended:\n%s", what, a.p.Output())
		case <-giveUp:
			a.s.tb.Fatalf("waiting for %s: not within %v:\n%s", what, patience, a.p.Output())
		}
	}
}

// awaitDone waits until the group has committed n records and Redis holds what became of them.
func (a *app) awaitDone(n int64) {
	a.s.tb.Helper()
	a.await("the input to be committed", func() bool { return a.committed() >= n })
	a.await("the mirror to be up to date", func() bool {
		backlog, ok := a.metric("pqlstream_mirror_backlog_commits")
		return ok && backlog == 0
	})
}

func (a *app) committed() (n int64) {
	offsets, err := a.s.admin.FetchOffsets(a.s.tb.Context(), a.prefix+".activation")
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

func (a *app) metric(name string) (float64, bool) {
	resp, err := http.Get("http://" + a.http + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	found := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`).FindSubmatch(body)
	if err != nil || found == nil {
		return 0, false
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	return value, err == nil
}

func (a *app) meter() *meter { return newMeter(a.p.PID(), a.s.redis.PID(), a.s.kafka.PID()) }

// written is how many bytes the logs of the deployment's own topics take.
func (a *app) written() (bytes int64) {
	a.s.tb.Helper()
	all, err := a.s.admin.DescribeAllLogDirs(a.s.tb.Context(), nil)
	require.NoError(a.s.tb, err)
	all.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if strings.HasPrefix(p.Topic, a.prefix+".") {
				bytes += p.Size
			}
		})
	})
	return bytes
}

// remove stops the program and deletes what it has made.
func (a *app) remove() {
	a.s.tb.Helper()
	require.NoError(a.s.tb, a.p.Stop())
	require.Equal(a.s.tb, 0, a.p.ExitCode(), "%s", lazy(a.p.Output))
	ctx := context.WithoutCancel(a.s.tb.Context())
	topics, err := a.s.admin.ListTopics(ctx)
	require.NoError(a.s.tb, err)
	var own []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, a.prefix+".") {
			own = append(own, name)
		}
	}
	_, err = a.s.admin.DeleteTopics(ctx, own...)
	require.NoError(a.s.tb, err)
	require.NoError(a.s.tb, a.s.redis.FlushAll())
}

// lazy is a text that is made when it is printed.
type lazy func() string

func (l lazy) String() string { return l() }

// follow passes on the records of a topic, committed ones only, from its start until the context ends.
func (s *setup) follow(ctx context.Context, topic string, each func(*kgo.Record)) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		s.tb.Error(err)
		return
	}
	defer client.Close()
	for ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(each)
	}
}
