package doctor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/schemas"
)

const rules = "name: simple\nversion: 4\nsteps:\n  - {id: first_project, kind: event, event: project_created}\ntiers:\n  - {name: all, threshold: 1}\n"

// checked stands for the mirror's check of Redis.
type checked struct {
	err      error
	warnings []string
}

func (c *checked) Check(context.Context) error { return c.err }
func (c *checked) Warnings() []string          { return c.warnings }

// patient is a deployment in which everything is well.
func patient(t *testing.T, opts ...kfake.Opt) *Subject {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(2, "usage"))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := config.Default()
	c.Kafka.Brokers = cluster.ListenAddrs()
	c.Input.Sources = []config.Source{{Topic: "usage", Format: config.JSON}}
	c.Registry.Directory = t.TempDir()
	c.Checklist = filepath.Join(t.TempDir(), "checklist.yaml")
	require.NoError(t, os.WriteFile(c.Checklist, []byte(rules), 0o600))
	s := &Subject{Config: c, Store: &checked{}, Now: time.Now}
	s.Kafka = clientOf(t, c.Kafka)
	store := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: store.Addr(), Protocol: 2})
	t.Cleanup(func() { _ = client.Close() })
	s.Redis = client
	return s
}

func clientOf(t *testing.T, c config.Kafka) *kgo.Client {
	t.Helper()
	client, err := kafka.NewClient(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// create creates the topics of the deployment.
func create(t *testing.T, s *Subject) {
	t.Helper()
	topics := kafka.NewTopics(s.Kafka, s.Config.Kafka)
	plan, err := topics.Plan(t.Context(), s.Config)
	require.NoError(t, err)
	_, err = topics.Create(t.Context(), plan)
	require.NoError(t, err)
}

// examine returns the findings of a check.
func examine(t *testing.T, s *Subject, check string) (list []Finding) {
	t.Helper()
	for _, f := range Examine(t.Context(), s, 20*time.Second).Findings {
		if f.Check == check {
			list = append(list, f)
		}
	}
	return list
}

func one(t *testing.T, s *Subject, check string, status Status) Finding {
	t.Helper()
	list := examine(t, s, check)
	require.Len(t, list, 1, check)
	assert.Equal(t, status, list[0].Status, list[0])
	return list[0]
}

func TestAllIsWell(t *testing.T) {
	s := patient(t)
	create(t, s)
	r := Examine(t.Context(), s, 20*time.Second)
	assert.Zero(t, r.Count(Failure)+r.Count(Warning)+r.Count(Skipped), r)
	assert.Len(t, r.Findings, 14)
}

func TestStagesThatNoProcessRuns(t *testing.T) {
	s := patient(t)
	s.Config.Metrics.Enabled = true
	create(t, s)
	assert.Equal(t, "no process runs yet; the settings need the stages activation, measure, rollup", one(t, s, "kafka.stages", OK).Detail)

	join := func(r kafka.Reading) {
		member, err := kafka.NewClient(s.Config.Kafka, slog.New(slog.DiscardHandler), kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topic))
		require.NoError(t, err)
		t.Cleanup(member.CloseAllowingRebalance)
		require.Eventually(t, func() bool {
			idle, err := kafka.Idle(t.Context(), s.Kafka, []kafka.Reading{r})
			return err == nil && len(idle) == 0
		}, time.Minute, 10*time.Millisecond)
	}
	readings := kafka.Readings(s.Config)
	join(readings[0])
	f := one(t, s, "kafka.stages", Warning)
	assert.Equal(t, "processes run, but none runs measure, rollup", f.Detail)
	assert.Equal(t, "name these among the stages of a process (setting stages)", f.Remedy)
	join(readings[1])
	join(readings[2])
	assert.Equal(t, "processes run all that the settings need: activation, measure, rollup", one(t, s, "kafka.stages", OK).Detail)
}

func TestSettingsAndChecklist(t *testing.T) {
	s := patient(t)
	one(t, s, "settings", OK)
	require.NoError(t, os.WriteFile(s.Config.Checklist, []byte(strings.Replace(rules, "threshold: 1", "threshold: 7", 1)), 0o600))
	f := one(t, s, "checklist", Failure)
	assert.Contains(t, f.Detail, ":6: tiers[0].threshold: 7 is not")
	require.NoError(t, os.WriteFile(s.Config.Checklist, []byte(rules+"playbooks:\n  - {name: unused}\n"), 0o600))
	assert.Contains(t, one(t, s, "checklist", Warning).Detail, "no tier uses the playbook unused")
	s.Config.Checklist = "none.yaml"
	one(t, s, "checklist", Failure)
	s.Config.Checklist = ""
	one(t, s, "checklist", Skipped)
}

func TestServicesOutOfReachAreFailures(t *testing.T) {
	s := patient(t)
	s.Config.Kafka.Brokers = []string{"127.0.0.1:1"}
	s.Kafka = clientOf(t, s.Config.Kafka)
	s.Store = &checked{err: errors.New("dial tcp: connection refused")}
	started := time.Now()
	r := Examine(t.Context(), s, 2*time.Second)
	assert.Less(t, time.Since(started), time.Minute, "it doesn't wait without end")
	assert.Equal(t, 2, r.Count(Failure), r)
	one(t, s, "kafka.topics", Skipped)
}

func TestAnUnfitRedis(t *testing.T) {
	s := patient(t)
	s.Store = &checked{err: &state.Refused{Reason: "it may evict", Remedy: "set noeviction"}}
	assert.Equal(t, Finding{"redis.fit", Failure, "it may evict", "set noeviction"}, one(t, s, "redis.fit", Failure))
	s.Store = &checked{warnings: []string{"Redis does not tell its policy: make sure"}}
	one(t, s, "redis.fit", Warning)
	s.Redis, s.Store = nil, nil
	one(t, s, "redis.fit", Skipped)
}

func TestTopicsThatAreMissingOrWrong(t *testing.T) {
	s := patient(t)
	assert.Len(t, examine(t, s, "kafka.topics"), 6)
	one(t, s, "kafka.lag", Skipped)
	create(t, s)
	one(t, s, "kafka.topics", OK)
	_, err := kadm.NewClient(s.Kafka).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: kadm.StringPtr("delete")}},
		"pql.activation.changelog")
	require.NoError(t, err)
	f := one(t, s, "kafka.topics", Failure)
	assert.Contains(t, f.Detail, "cleanup.policy delete")
	assert.True(t, strings.HasPrefix(f.Remedy, "run kafka-configs.sh"), f.Remedy)

	s.Config.Input.Sources[0].Topic = "nowhere"
	assert.Contains(t, one(t, s, "kafka.topics", Failure).Detail, "source topic nowhere does not exist")
}

func TestPartitionsWithoutLeaderOrCopies(t *testing.T) {
	partition := func(n, leader int32, isr ...int32) kadm.PartitionDetail {
		return kadm.PartitionDetail{Topic: "t", Partition: n, Leader: leader, Replicas: []int32{1, 2, 3}, ISR: isr}
	}
	topics := kadm.TopicDetails{"t": {Topic: "t", Partitions: kadm.PartitionDetails{0: partition(0, 1, 1, 2, 3), 1: partition(1, -1, 2), 2: partition(2, 3, 3, 2)}}}
	var f findings
	f.copies(topics)
	assert.Equal(t, findings{
		{"kafka.partitions", Failure, "partition 1 of t has no leader", "bring the brokers back that hold it"},
		{"kafka.partitions", Warning, "partition 2 of t has 2 of 3 copies in sync", "look for a broker that is down or behind"},
	}, f)
}

func TestAccessInWords(t *testing.T) {
	assert.Equal(t, "write", missing([]kadm.ACLOperation{kadm.OpRead, kadm.OpWrite}, []kadm.ACLOperation{kadm.OpRead, kadm.OpDescribe}))
	assert.Equal(t, "read, write", missing([]kadm.ACLOperation{kadm.OpRead, kadm.OpWrite}, []kadm.ACLOperation{kadm.OpDescribe}))
	assert.Empty(t, missing([]kadm.ACLOperation{kadm.OpRead}, []kadm.ACLOperation{kadm.OpAll}))
	assert.Equal(t, "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:US --operation read --operation write --topic t", allow("--topic", "t", "read, write"))
}

func TestAccessIsDenied(t *testing.T) {
	allow := func(pattern kmsg.ACLResourcePatternType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: pattern, Operation: op, Allow: true}
	}
	s := patient(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "x"), kfake.User("PLAIN", "leads", "x",
		allow(kmsg.ACLResourcePatternTypeLiteral, "usage", kmsg.ACLOperationRead),
		allow(kmsg.ACLResourcePatternTypePrefixed, "pql.", kmsg.ACLOperationRead), allow(kmsg.ACLResourcePatternTypePrefixed, "pql.", kmsg.ACLOperationDescribeConfigs),
		allow(kmsg.ACLResourcePatternTypeLiteral, "pql.events", kmsg.ACLOperationWrite)))
	s.Config.Kafka.SASL = config.SASL{Mechanism: config.Plain, Username: "admin", Password: "x"}
	s.Kafka = clientOf(t, s.Config.Kafka)
	create(t, s)
	ok := one(t, s, "kafka.access", OK)
	assert.Contains(t, ok.Detail, "begin with pql.activation-activation-")

	s.Config.Kafka.SASL.Username = "leads"
	s.Kafka = clientOf(t, s.Config.Kafka)
	denied := examine(t, s, "kafka.access")
	require.NotEmpty(t, denied)
	for _, f := range denied {
		assert.Equal(t, Failure, f.Status, f)
		assert.NotContains(t, f.Detail, "pql.events:")
		assert.NotContains(t, f.Detail, "usage:")
		assert.Contains(t, f.Remedy, "--operation write --topic pql.")
	}
	assert.Contains(t, denied, Finding{"kafka.access", Failure, "topic pql.activation.changelog: we may not write",
		"kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:US --operation write --topic pql.activation.changelog"})
}

// What processes read beside the input: the checklists, and with the API what it tells of.
func TestAccessToWhatTheAPIReads(t *testing.T) {
	s := patient(t)
	plan, err := kafka.NewTopics(s.Kafka, s.Config.Kafka).Plan(t.Context(), s.Config)
	require.NoError(t, err)
	read := func() (topics []string) {
		for topic, ops := range needs(s, plan) {
			if slices.Contains(ops, kadm.OpRead) {
				topics = append(topics, topic)
			}
		}
		return topics
	}
	s.Config.API.Address = ""
	stages := []string{"usage", "pql.activation.changelog", "pql.checklists"}
	assert.ElementsMatch(t, stages, read())
	s.Config.API.Address = "127.0.0.1:7480"
	assert.ElementsMatch(t, append(stages, "pql.events"), read())
	s.Config.Metrics.Enabled = true
	assert.ElementsMatch(t, append(stages, "pql.events", "pql.metrics", "pql.facts", "pql.rollup"), read()) // the plan is the one without metrics
	assert.Equal(t, []kadm.ACLOperation{kadm.OpWrite, kadm.OpRead}, needs(s, plan)["pql.checklists"])
}

func TestTransactionalIDs(t *testing.T) {
	c := config.Default()
	c.Input.Sources = []config.Source{{Topic: "a"}, {Topic: "b"}}
	c.Groups.Activation = "leads"
	assert.Equal(t, []string{"pql.ingest-ingest-", "leads-activation-"}, transactionalIDs(c))
}

func TestClocks(t *testing.T) {
	s := patient(t)
	create(t, s)
	one(t, s, "clock.kafka", OK)
	require.NoError(t, s.Kafka.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.activation.changelog", Key: []byte("a"), Value: []byte("b")}).FirstErr())
	one(t, s, "clock.kafka", OK)
	s.Now = func() time.Time { return time.Now().Add(-time.Hour) } // our clock is behind
	assert.Contains(t, one(t, s, "clock.kafka", Failure).Detail, "ahead of ours")
	assert.Contains(t, one(t, s, "clock.redis", Failure).Detail, "is 1h0m")
}

func TestMemory(t *testing.T) {
	memory := func(used, most, changelogs int64) Finding {
		var f findings
		f.memory(&servers{all: []server{{info: map[string]string{"used_memory": itoa(used), "maxmemory": itoa(most)}}}}, changelogs)
		return f[0]
	}
	const mb = 1 << 20
	assert.Equal(t, Finding{"redis.memory", OK, "50MiB used of 1000MiB; the changelogs hold 100MiB, of which at most 300MiB come to be in Redis", ""}, memory(50*mb, 1000*mb, 100*mb))
	assert.Equal(t, Warning, memory(50*mb, 1000*mb, 400*mb).Status, "it will not fit")
	assert.Equal(t, Warning, memory(800*mb, 1000*mb, 1).Status)
	assert.Equal(t, Failure, memory(950*mb, 1000*mb, 1).Status)
	assert.Equal(t, "50MiB used", memory(50*mb, 0, -1).Detail)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestPersistence(t *testing.T) {
	persistence := func(info map[string]string) Finding {
		var f findings
		f.persistence(&servers{all: []server{{address: "a:1", info: info}}})
		return f[0]
	}
	assert.Equal(t, OK, persistence(map[string]string{"aof_enabled": "1", "aof_last_write_status": "ok"}).Status)
	assert.Contains(t, persistence(map[string]string{"aof_enabled": "0"}).Detail, "filled from Kafka")
	assert.Equal(t, Failure, persistence(map[string]string{"rdb_last_bgsave_status": "err"}).Status)
	assert.Equal(t, Failure, persistence(map[string]string{"aof_last_write_status": "err"}).Status)
	assert.Equal(t, Warning, persistence(map[string]string{"loading": "1"}).Status)
}

func TestRegistry(t *testing.T) {
	s := patient(t)
	one(t, s, "registry", OK)
	s.Config.Registry.Directory = "nowhere"
	one(t, s, "registry", Failure)
	s.Config.Registry.Directory = ""
	one(t, s, "registry", Skipped)

	registry := srfake.New()
	t.Cleanup(registry.Close)
	client, err := sr.NewClient(sr.URLs(registry.URL()))
	require.NoError(t, err)
	s.Registry, s.Schemas = client, []codec.Registration{{Topic: "pql.events", Schema: schemas.PQLEvent}}
	assert.Contains(t, one(t, s, "registry", OK).Detail, "0 schemas are there; 1 are not yet")
	_, err = codec.Register(t.Context(), client, s.Schemas)
	require.NoError(t, err)
	assert.Equal(t, "all 1 schemas are there", one(t, s, "registry", OK).Detail)
	registry.Close()
	one(t, s, "registry", Failure)
}
