package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/pqlstream/pqlstream/test/servers"
)

// securityPage is docs/security.md.
func securityPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	return string(page)
}

// rights are what the lines of the page give a user.
func rights(t *testing.T, user string) (list []kfake.ACL) {
	t.Helper()
	for _, line := range regexp.MustCompile(`(?m)^    kafka-acls.sh .*--allow-principal User:`+user+` (.*)$`).FindAllStringSubmatch(securityPage(t), -1) {
		a := kfake.ACL{Pattern: kmsg.ACLResourcePatternTypeLiteral, Allow: true}
		var operations []kmsg.ACLOperation
		words := strings.Fields(line[1])
		for i := 0; i < len(words); i += 2 {
			switch value := words[i+1]; words[i] {
			case "--operation":
				operation, err := kmsg.ParseACLOperation(value)
				require.NoError(t, err, value)
				operations = append(operations, operation)
			case "--resource-pattern-type":
				require.Equal(t, "prefixed", value)
				a.Pattern = kmsg.ACLResourcePatternTypePrefixed
			default:
				resource, err := kmsg.ParseACLResourceType(strings.ReplaceAll(strings.TrimPrefix(words[i], "--"), "-", "_"))
				require.NoError(t, err, words[i])
				a.Resource, a.Name = resource, value
			}
		}
		for _, o := range operations {
			a.Operation = o
			list = append(list, a)
		}
	}
	require.NotEmpty(t, list, user)
	return list
}

// redisUser gives Redis the user of the page, whose password is secret.
func redisUser(t *testing.T, address string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^    redis-cli (ACL SETUSER pqlstream .*)$`).FindStringSubmatch(securityPage(t))
	require.NotNil(t, line)
	var args []any
	for _, word := range strings.Fields(line[1]) {
		args = append(args, strings.ReplaceAll(strings.Trim(word, "'"), "PASSWORD", "secret"))
	}
	admin := redis.NewClient(&redis.Options{Addr: address})
	defer admin.Close()
	require.NoError(t, admin.Do(t.Context(), args...).Err())
}

// All stages, and the commands that look at them, do with the rights that the page gives, and so do who creates topics and who reads PQLs.
func TestTheRightsOfThePageAreEnough(t *testing.T) {
	store := servers.StartRedis(t)
	redisUser(t, store.Addr())
	const mechanism = "PLAIN"
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "usage"), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser(mechanism, "admin", "secret"),
		kfake.User(mechanism, "pqlstream", "secret", rights(t, "pqlstream")...), kfake.User(mechanism, "pqlstream-setup", "secret", rights(t, "pqlstream-setup")...),
		kfake.User(mechanism, "crm", "secret", rights(t, "crm")...), kfake.User(mechanism, "stranger", "secret"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client := func(user string, opts ...kgo.Opt) *kgo.Client {
		c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.SASL(saslplain.Auth{User: user, Pass: "secret"}.AsMechanism()))...)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	admin := client("admin")
	event := `{"account_id":"acme","user_id":"ana","event":"project_created","occurred_at":` + strconv.FormatInt(time.Now().UnixMilli(), 10) + `}`
	require.NoError(t, admin.ProduceSync(t.Context(), &kgo.Record{Topic: "usage", Key: []byte("acme"), Value: []byte(event)}).FirstErr())

	settings := write(t, fmt.Sprintf(`
stages: [ingest, resolve, activation, measure, rollup]
checklist: %s
kafka: {brokers: [%q], sasl: {mechanism: plain, username: pqlstream, password: secret}}
redis: {addresses: [%q], buckets: 16, username: pqlstream, password: secret}
registry: {directory: %s}
output: {format: json}
input:
  usage_partitions: 2
  sources: [{topic: usage, format: json}]
  identity: {users_without_account: resolve}
metrics: {enabled: true}
http: {address: "127.0.0.1:0"}
api: {address: "127.0.0.1:0"}
log: {level: warn}
`, write(t, validChecklist), cluster.ListenAddrs()[0], store.Addr(), t.TempDir()))
	flags := []string{"--config", settings}
	as := func(user string, command ...string) result {
		return pqlstream(t, append(append(command, flags...), "--set", "kafka.sasl.username="+user)...)
	}
	assert.NotEqual(t, exitDone, as("stranger", "topics", "create").code)
	r := as("pqlstream-setup", "topics", "create")
	require.Equal(t, exitDone, r.code, r.stderr)

	start(t, flags)
	for _, command := range [][]string{{"explain", "acme"}, {"metrics"}, {"lag"}, {"topics", "check"}, {"erase", "user", "ana", "--yes"}} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			r := as("pqlstream", command...)
			assert.Equal(c, exitDone, r.code, "%v: %s", command, r.stderr)
		}, time.Minute, 50*time.Millisecond)
	}
	r = as("pqlstream", "doctor")
	assert.NotContains(t, r.stdout, "we may not")
	assert.NotContains(t, r.stderr, "AUTHORIZATION")

	crm := client("crm", kgo.ConsumerGroup("crm"), kgo.ConsumeTopics("pql.events"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	records := crm.PollRecords(t.Context(), 1)
	require.NoError(t, records.Err())
	assert.Equal(t, "acme", string(records.Records()[0].Key))
	require.NoError(t, crm.CommitUncommittedOffsets(t.Context()))
	require.Error(t, crm.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.events", Value: []byte("x")}).FirstErr())
}
