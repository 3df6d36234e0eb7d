package kafka

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func settings(stages []config.Stage, sources ...string) *config.Config {
	c := config.Default()
	c.Stages = stages
	for _, s := range sources {
		c.Input.Sources = append(c.Input.Sources, config.Source{Topic: s})
	}
	return c
}

var (
	direct = []config.Stage{config.Activation}
	both   = []config.Stage{config.Ingest, config.Activation}
)

// lines shows what there is to know about specs, one a line.
func lines(specs []Spec) []string {
	var list []string
	for _, s := range specs {
		list = append(list, strings.Join([]string{
			s.Name, string('0' + s.Partitions), s.Configs["cleanup.policy"], s.Configs["retention.ms"], s.Input,
		}, " "))
	}
	return list
}

func TestSpecsOfADirectDeployment(t *testing.T) {
	assert.Equal(t, []string{
		"pql.activation.changelog 6 compact  usage",
		"pql.events 6 delete 34560000000 usage",
		"pql.current 6 compact  usage",
		"pql.lifecycle 6 delete 34560000000 usage",
		"pql.checklists 1 compact  ",
		"pql.dead-letters 6 delete 7776000000 ",
	}, lines(Specs(settings(direct, "usage"), map[string]int32{"usage": 6, "pql.usage": 3})))
}

func TestSpecsOfTopicsThatAreLeftOut(t *testing.T) {
	c := settings(direct, "usage")
	c.Output.Current, c.Output.Lifecycle = false, false
	assert.Equal(t, []string{
		"pql.activation.changelog 6 compact  usage",
		"pql.events 6 delete 34560000000 usage",
		"pql.checklists 1 compact  ",
		"pql.dead-letters 2 delete 7776000000 ",
	}, lines(Specs(c, map[string]int32{"usage": 6, "pql.dead-letters": 2})), "dead letters go to the partitions that there are")
}

func TestSpecsOfADeploymentWithIngest(t *testing.T) {
	c := settings(both, "clicks", "billing")
	c.Prefix = "leads"
	sources := map[string]int32{"clicks": 2, "billing": 3}
	assert.Equal(t, []string{
		"leads.ingest.clicks.changelog 2 compact  clicks",
		"leads.ingest.billing.changelog 3 compact  billing",
		"leads.usage 8 delete 2592000000 ",
		"leads.activation.changelog 8 compact  leads.usage",
		"leads.events 8 delete 34560000000 leads.usage",
		"leads.current 8 compact  leads.usage",
		"leads.lifecycle 8 delete 34560000000 leads.usage",
		"leads.checklists 1 compact  ",
		"leads.dead-letters 8 delete 7776000000 ",
	}, lines(Specs(c, sources)))

	sources["leads.usage"] = 4
	assert.EqualValues(t, 4, Specs(c, sources)[3].Partitions, "a usage topic that exists decides, not the setting")
}

func TestSpecsOfADeploymentThatResolvesUsers(t *testing.T) {
	c := settings(both, "clicks")
	c.Input.Identity.UsersWithoutAccount = config.ResolveUsers
	assert.Equal(t, []string{
		"pql.ingest.clicks.changelog 2 compact  clicks",
		"pql.usage 4 delete 2592000000 ",
		"pql.unresolved 8 delete 2592000000 ",
		"pql.resolve.changelog 8 compact  pql.unresolved",
		"pql.activation.changelog 4 compact  pql.usage",
	}, lines(Specs(c, map[string]int32{"clicks": 2, "pql.usage": 4}))[:5])
	assert.EqualValues(t, 3, Specs(c, map[string]int32{"clicks": 2, "pql.unresolved": 3})[3].Partitions)
}

func TestSpecsOfADeploymentWithMetrics(t *testing.T) {
	c := settings(both, "clicks")
	c.Metrics.Enabled, c.Output.Current, c.Output.Lifecycle = true, false, false
	assert.Equal(t, []string{
		"pql.ingest.clicks.changelog 2 compact  clicks",
		"pql.usage 3 delete 2592000000 ",
		"pql.activation.changelog 3 compact  pql.usage",
		"pql.events 3 delete 34560000000 pql.usage",
		"pql.facts 3 delete 604800000 pql.usage",
		"pql.measure.changelog 3 compact  pql.facts",
		"pql.rollup 4 delete 604800000 ",
		"pql.rollup.changelog 4 compact  pql.rollup",
		"pql.metrics 4 compact  pql.rollup",
		"pql.checklists 1 compact  ",
		"pql.dead-letters 3 delete 7776000000 ",
	}, lines(Specs(c, map[string]int32{"clicks": 2, "pql.usage": 3})))

	specs := Specs(c, map[string]int32{"clicks": 2, "pql.usage": 3, "pql.rollup": 9})
	assert.Equal(t, "pql.metrics 9 compact  pql.rollup", lines(specs)[8], "a rollup topic that exists decides")
}

func TestOrderOfPoliciesDoesNotMatter(t *testing.T) {
	assert.Equal(t, policies("compact,delete"), policies("delete, compact"))
	assert.NotEqual(t, policies("compact,delete"), policies("compact"))
}

func TestCreatedTopicsPassTheCheck(t *testing.T) {
	for name, stages := range map[string][]config.Stage{"direct": direct, "ingest": both, "metrics": both} {
		t.Run(name, func(t *testing.T) {
			cluster := newCluster(t, 3, kfake.SeedTopics(5, "usage"))
			topics, admin := cluster.topics(t)
			c := settings(stages, "usage")
			c.Metrics.Enabled = name == "metrics"
			plan, err := topics.Plan(t.Context(), c)
			require.NoError(t, err)
			stale, err := topics.Plan(t.Context(), c)
			require.NoError(t, err)
			created, err := topics.Create(t.Context(), plan)
			require.NoError(t, err)
			assert.Len(t, created, len(plan.Specs))
			warnings, err := topics.Check(t.Context(), plan)
			require.NoError(t, err)
			assert.Empty(t, warnings)

			for name, again := range map[string]*Plan{"that plan": plan, "one made before": stale} {
				created, err = topics.Create(t.Context(), again)
				require.NoError(t, err, name)
				assert.Empty(t, created, "nothing was left to create by %s", name)
				warnings, err := topics.Check(t.Context(), again)
				require.NoError(t, err, name)
				assert.Empty(t, warnings, name)
			}

			found, err := admin.ListTopics(t.Context(), "pql.activation.changelog")
			require.NoError(t, err)
			assert.Equal(t, 3, found["pql.activation.changelog"].Partitions.NumReplicas())
			config := describe(t, admin, "pql.activation.changelog")
			assert.Equal(t, "compact", config["cleanup.policy"])
			assert.Equal(t, "2", config["min.insync.replicas"])
			assert.Equal(t, "false", config["unclean.leader.election.enable"])
			assert.Equal(t, "604800000", config["delete.retention.ms"])
			assert.Equal(t, "LogAppendTime", describe(t, admin, "pql.events")["message.timestamp.type"])
		})
	}
}

// A start waits for each request.
func TestTopicsThatAreThereTakeTwoRequests(t *testing.T) {
	cluster := newCluster(t, 3, kfake.SeedTopics(5, "usage"))
	topics, _ := cluster.topics(t)
	plan, err := topics.Plan(t.Context(), settings(both, "usage"))
	require.NoError(t, err)
	_, err = topics.Create(t.Context(), plan)
	require.NoError(t, err)

	topics, _ = cluster.topics(t)
	asked := map[string]int{}
	cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if key := req.Key(); key != kmsg.ApiVersions.Int16() { // a connection begins with one
			asked[kmsg.NameForKey(key)]++
		}
		return nil, nil, false
	})
	plan, err = topics.Plan(t.Context(), settings(both, "usage"))
	require.NoError(t, err)
	created, err := topics.Create(t.Context(), plan)
	require.NoError(t, err)
	assert.Empty(t, created)
	_, err = topics.Check(t.Context(), plan)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"Metadata": 1, "DescribeConfigs": 1}, asked)
	for _, s := range plan.Specs {
		assert.Equal(t, s.Partitions, plan.Partitions()[s.Name])
	}
}

func describe(t *testing.T, admin *kadm.Client, topic string) map[string]string {
	t.Helper()
	described, err := admin.DescribeTopicConfigs(t.Context(), topic)
	require.NoError(t, err)
	values := map[string]string{}
	for _, c := range described[0].Configs {
		values[c.Key] = c.MaybeValue()
	}
	return values
}

func TestProcessesMayCreateTogether(t *testing.T) {
	cluster := newCluster(t, 3, kfake.SeedTopics(5, "usage"))
	var starts sync.WaitGroup
	for range 4 {
		topics, _ := cluster.topics(t)
		starts.Go(func() {
			plan, err := topics.Plan(t.Context(), settings(both, "usage"))
			if assert.NoError(t, err) {
				_, err = topics.Create(t.Context(), plan)
				assert.NoError(t, err)
			}
		})
	}
	starts.Wait()
}

func TestOneBrokerGetsOneReplica(t *testing.T) {
	cluster := newCluster(t, 1, kfake.SeedTopics(1, "usage"))
	topics, admin := cluster.topics(t)
	plan, err := topics.Plan(t.Context(), settings(direct, "usage"))
	require.NoError(t, err)
	_, err = topics.Create(t.Context(), plan)
	require.NoError(t, err)
	assert.Equal(t, "1", describe(t, admin, "pql.events")["min.insync.replicas"])
	warnings, err := topics.Check(t.Context(), plan)
	require.NoError(t, err)
	assert.Empty(t, warnings)

	cluster.config.Replication = 2
	topics, _ = cluster.topics(t)
	plan, err = topics.Plan(t.Context(), settings(direct, "usage"))
	require.NoError(t, err)
	plan.Specs[0].Name = "pql.more"
	_, err = topics.Create(t.Context(), plan)
	require.ErrorContains(t, err, "creating topic pql.more (1 partitions, 2 replicas): INVALID_REPLICATION_FACTOR")
}

func TestMissingSourcesAreAllNamed(t *testing.T) {
	topics, _ := newCluster(t, 3, kfake.SeedTopics(1, "clicks")).topics(t)
	_, err := topics.Plan(t.Context(), settings(both, "usage", "clicks", "billing"))
	require.EqualError(t, err, "source topic billing does not exist; whoever publishes to it has to create it, or input.sources names it wrongly\n"+
		"source topic usage does not exist; whoever publishes to it has to create it, or input.sources names it wrongly")
}

func TestCheckListsAllProblemsWithRemedies(t *testing.T) {
	cluster := newCluster(t, 3, kfake.SeedTopics(5, "usage"))
	topics, admin := cluster.topics(t)
	create := func(name string, partitions int32, replicas int16, configs map[string]*string) {
		_, err := admin.CreateTopic(t.Context(), partitions, replicas, configs, name)
		require.NoError(t, err)
	}
	value := kadm.StringPtr
	size := value("1048588")
	create("pql.activation.changelog", 4, 3, map[string]*string{"cleanup.policy": value("delete"), "min.insync.replicas": value("2"), "max.message.bytes": size})
	create("pql.current", 5, 1, map[string]*string{"cleanup.policy": value("compact"), "max.message.bytes": value("1000"), "min.insync.replicas": value("1")})
	create("pql.lifecycle", 5, 3, map[string]*string{
		"retention.ms": value("1000"), "max.message.bytes": size, "min.insync.replicas": value("2"), "unclean.leader.election.enable": value("true"),
	})
	create("pql.dead-letters", 1, 3, map[string]*string{
		"retention.ms": value("-1"), "message.timestamp.type": value("LogAppendTime"), "max.message.bytes": size, "min.insync.replicas": value("2"),
	})

	plan, err := topics.Plan(t.Context(), settings(direct, "usage"))
	require.NoError(t, err)
	warnings, err := topics.Check(t.Context(), plan)
	const alter = "kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic "
	require.Error(t, err)
	assert.Equal(t, []string{
		"topic pql.activation.changelog has 4 partitions, its input usage has 5; the count belongs to the identity of the states and can't change: " +
			"use another prefix, or delete pql.activation.changelog if nobody needs what it holds",
		"topic pql.events does not exist; run `pqlstream topics create`, or set kafka.create_topics",
		"topic pql.checklists does not exist; run `pqlstream topics create`, or set kafka.create_topics",
		"topic pql.activation.changelog has cleanup.policy delete, it has to be compact; run " + alter + "pql.activation.changelog --add-config cleanup.policy=compact",
		"topic pql.activation.changelog has delete.retention.ms 86400000: a mirror that is brought forward might miss deletions; run " +
			alter + "pql.activation.changelog --add-config delete.retention.ms=604800000",
		"topic pql.current has max.message.bytes 1000, which a state or an event may pass; run " + alter + "pql.current --add-config max.message.bytes=1048588",
	}, strings.Split(err.Error(), "\n"))
	assert.Equal(t, []string{
		"topic pql.current has 1 replicas, not 3; a broker that is lost may take data with it",
		"topic pql.current has min.insync.replicas 1: a record may be acknowledged by one broker and lost with it; run " + alter + "pql.current --add-config min.insync.replicas=2",
		"topic pql.lifecycle keeps records for 1000 ms, less than the usual 34560000000 ms",
		"topic pql.lifecycle has message.timestamp.type CreateTime: Kafka may delete old events that are replayed before they are read; run " +
			alter + "pql.lifecycle --add-config message.timestamp.type=LogAppendTime",
		"topic pql.lifecycle has unclean.leader.election.enable true: acknowledged records may be lost; run " + alter + "pql.lifecycle --add-config unclean.leader.election.enable=false",
	}, warnings)
}
