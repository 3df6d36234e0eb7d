package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/servers"
)

const (
	partitions = 8
	cores      = 2 // that each peer may use
	input      = "usage-events"
	poll       = 20 * time.Millisecond
	// patience is how long anything may take before the benchmark gives up.
	patience = 10 * time.Minute
)

// setup is a broker and what the peers are built to.
type setup struct {
	tb      testing.TB
	kafka   *servers.Kafka
	client  *kgo.Client
	admin   *kadm.Client
	binary  string // pqlstream
	schemas string // folder
	built   string // folder
}

func newSetup(tb testing.TB) *setup {
	s := &setup{tb: tb, kafka: servers.StartKafka(tb,
		servers.KafkaJVM("-Xms1g", "-Xmx1g", "-XX:+UseG1GC"),       // as in production, but for the size
		servers.KafkaSetting("log.cleaner.backoff.ms", "86400000"), // logs keep all that was written, to be counted
		servers.KafkaSetting("num.io.threads", "8"), servers.KafkaSetting("num.network.threads", "3"))}
	var err error
	s.client, err = kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()))
	require.NoError(tb, err)
	tb.Cleanup(s.client.Close)
	s.admin = kadm.NewClient(s.client)
	s.schemas, s.built = tb.TempDir(), tb.TempDir()
	require.NoError(tb, os.WriteFile(filepath.Join(s.schemas, fmt.Sprintf("%d.avsc", job.SchemaID)), []byte(job.Schema), 0o600))
	s.binary = s.build("cmd/pqlstream")
	return s
}

// build compiles a command of the module and returns its path.
func (s *setup) build(folder string, flags ...string) string {
	s.tb.Helper()
	path := filepath.Join(s.built, filepath.Base(folder))
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath"}, flags...), "-o", path, "./"+folder)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(s.tb, err, "building %s: %s", folder, out)
	return path
}

// createTopic creates a topic, be it that one of the same name is just being deleted, and waits until the broker, too,
// has heard of it.
func (s *setup) createTopic(name string) {
	s.tb.Helper()
	var id kadm.TopicID
	require.Eventually(s.tb, func() bool {
		created, err := s.admin.CreateTopic(s.tb.Context(), partitions, 1, nil, name)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			return false
		}
		require.NoError(s.tb, err)
		id = created.ID
		return true
	}, time.Minute, poll)
	require.Eventually(s.tb, func() bool {
		found, err := s.admin.ListTopics(s.tb.Context(), name)
		return err == nil && found.Error() == nil && found[name].ID == id
	}, time.Minute, poll)
}

// deleteTopics deletes the topics whose names begin with a prefix.
func (s *setup) deleteTopics(prefix string) {
	s.tb.Helper()
	ctx := context.WithoutCancel(s.tb.Context())
	topics, err := s.admin.ListTopics(ctx)
	require.NoError(s.tb, err)
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, prefix) {
			_, err := s.admin.DeleteTopics(ctx, name)
			require.NoError(s.tb, err)
		}
	}
}

// producer returns a client for one load: it knows nothing of a topic of the same name that there was before.
func (s *setup) producer(linger time.Duration) *kgo.Client {
	s.tb.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(linger))
	require.NoError(s.tb, err)
	return client
}

// backlog fills a topic with events and returns which of them qualify an account, and how many events there are.
func (s *setup) backlog(topic string, events ...iter.Seq[*usage.Event]) (want map[string]bool, total int) {
	s.tb.Helper()
	client := s.producer(50 * time.Millisecond)
	defer client.Close()
	want, rules := map[string]bool{}, rules{}
	for _, part := range events {
		n, err := simulate.Run(s.tb.Context(), client, part, simulate.Load{Topic: topic, Append: rules.append(want)})
		require.NoError(s.tb, err)
		total += n
	}
	return want, total
}

// rules are the accounts of the job as it is written by hand: what the right PQLs are.
type rules map[string]*job.Account

// append returns a function that encodes events and notes which of them qualify an account.
func (r rules) append(want map[string]bool) func([]byte, *usage.Event) []byte {
	return func(b []byte, e *usage.Event) []byte {
		if r.qualifies(e) {
			want[e.ID] = true
		}
		return job.Append(b, e)
	}
}

func (r rules) qualifies(e *usage.Event) bool {
	a := r[e.AccountID]
	if a == nil {
		a = &job.Account{}
		r[e.AccountID] = a
	}
	_, qualifies := a.Apply(e)
	return qualifies
}

// logBytes is how many bytes the logs of some topics take.
func (s *setup) logBytes(of func(topic string) bool) (bytes int64) {
	s.tb.Helper()
	all, err := s.admin.DescribeAllLogDirs(s.tb.Context(), nil)
	require.NoError(s.tb, err)
	all.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if of(p.Topic) {
				bytes += p.Size
			}
		})
	})
	return bytes
}

// internalBytes is what the broker's own topics take: offsets and transactions.
func (s *setup) internalBytes() int64 {
	return s.logBytes(func(topic string) bool { return strings.HasPrefix(topic, "__") })
}

// read passes on the committed records of a topic up to its present end.
func (s *setup) read(topic string, each func(*kgo.Record)) {
	s.tb.Helper()
	ends, err := s.admin.ListEndOffsets(s.tb.Context(), topic)
	require.NoError(s.tb, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	ctx, stop := context.WithTimeout(s.tb.Context(), time.Minute)
	defer stop()
	s.follow(ctx, topic, func(r *kgo.Record) {
		if r.Offset+1 >= left[r.Partition] {
			delete(left, r.Partition)
		}
		if !r.Attrs.IsControl() {
			each(r)
		}
		if len(left) == 0 {
			stop()
		}
	})
	require.Empty(s.tb, left, "not read to their ends within a minute: partitions of %s", topic)
}

// follow passes on the committed records of a topic and the marks of transactions, from its start until the context
// ends.
func (s *setup) follow(ctx context.Context, topic string, each func(*kgo.Record)) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Bootstrap()), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
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

// awaitQuiet waits until the machine is under 10 % of one core for a second, for so long as QUIET at most.
func (s *setup) awaitQuiet() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	giveUp := time.Now().Add(envDuration(s.tb, "QUIET", 10*time.Second))
	for before := busy(); time.Now().Before(giveUp); {
		<-tick.C
		now := busy()
		if now-before < 0.1 {
			return
		}
		before = now
	}
}
