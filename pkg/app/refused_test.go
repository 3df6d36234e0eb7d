package app

import (
	"net"
	"os"
	"testing"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// requireParts checks that a refusal says what is wrong and what to do about it.
func requireParts(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}

func TestMissingTopicsAreRefused(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Kafka.CreateTopics = false
	requireParts(t, refused(t, c),
		"topic pql.activation.changelog does not exist", "topic pql.events does not exist", "topic pql.dead-letters does not exist",
		"run `pqlstream topics create`", "kafka.create_topics")

	c.Kafka.CreateTopics = true // not ours to create
	c.Input.Sources[0].Topic = "clicks"
	requireParts(t, refused(t, c), "source topic clicks does not exist", "input.sources")
}

func TestAnInputAndAChangelogOfDifferentSizesAreRefused(t *testing.T) {
	w := newWorld(t).up()
	w.createTopic("pql.activation.changelog", partitions+1)
	requireParts(t, refused(t, w.settings()), "topic pql.activation.changelog has 5 partitions, its input usage has 4", "use another prefix")
}

func TestARedisThatMayEvictIsRefused(t *testing.T) {
	w := newWorld(t).up()
	w.tellPolicy("allkeys-lru")
	requireParts(t, refused(t, w.settings()), w.redisAddr, "may evict", "maxmemory-policy is allkeys-lru", "CONFIG SET maxmemory-policy noeviction")
}

// tellPolicy makes Redis say which keys it evicts.
func (w *world) tellPolicy(policy string) {
	w.redis.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		if cmd == "INFO" {
			p.WriteBulk("redis_version:7.2.4\r\nmaxmemory_policy:" + policy + "\r\n")
		}
		return cmd == "INFO"
	})
}

// One that is told to evict while it is in use is noticed too.
func TestARedisThatMayEvictLaterIsSaidSo(t *testing.T) {
	w := newWorld(t).up()
	p := start(t, w.settings()).awaitReady()
	w.tellPolicy("allkeys-lfu")
	p.awaitWaiting("redis: ", w.redisAddr, "allkeys-lfu", "CONFIG SET maxmemory-policy noeviction")
	w.tellPolicy("noeviction")
	p.awaitReadyAgain()
	p.stop()
}

func TestTheRedisOfAnotherClusterIsRefused(t *testing.T) {
	one := newWorld(t).up()
	one.work()
	other := newWorld(t).up()
	c := other.settings()
	c.Redis.Addresses = []string{one.redisAddr}
	requireParts(t, refused(t, c), "state of another deployment", "usage-", "a Redis database or prefix of its own")
}

// work lets a process qualify one account, and stops it.
func (w *world) work() {
	w.t.Helper()
	w.send(usageOf("acme", "one"), usageOf("acme", "two"))
	p := start(w.t, w.settings()).awaitReady()
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
}

func TestAnInputMadeAnewIsRefused(t *testing.T) {
	w := newWorld(t).up()
	w.work()
	_, err := w.admin().DeleteTopic(t.Context(), "usage")
	require.NoError(t, err)
	w.createTopic("usage", partitions)
	requireParts(t, refused(t, w.settings()), "pql.activation.changelog-", "another prefix")
}

func TestTheStateOfAnotherInputIsRefused(t *testing.T) {
	w := newWorld(t).up()
	w.work()
	w.createTopic("clicks", partitions)
	c := w.settings()
	c.Input.Sources[0].Topic = "clicks"
	requireParts(t, refused(t, c), "pql.activation.changelog-", "holds state, but group pql.activation has no offset committed for clicks-", "another prefix")
}

func TestASecondGroupOnThePrefixIsRefused(t *testing.T) {
	w := newWorld(t).up()
	w.work()
	c := w.settings()
	c.Groups.Activation = "second"
	requireParts(t, refused(t, c), "holds state, but group second has no offset", "written by group pql.activation", "another prefix")
}

// The checklist is read before anything is waited for: nothing is up here.
func TestAllFaultsOfAChecklistAreListedAtOnce(t *testing.T) {
	w := newWorld(t)
	faulty := "version: 1\nname: faulty\ntiers: [{name: all, threshold: 1.4}]\n" +
		"steps: [{id: one, kind: event, event: one, weight: -1}, {id: one, kind: count, event: two}]\n"
	require.NoError(t, os.WriteFile(w.checklist, []byte(faulty), 0o600))
	requireParts(t, refused(t, w.settings()), w.checklist, "tiers[0].threshold", "steps[0].weight", "steps[1].id", "steps[1].at_least")

	c := w.settings()
	c.Checklist += ".missing"
	requireParts(t, refused(t, c), c.Checklist, "no such file")
}

func TestAnIncompatibleRegistryIsRefused(t *testing.T) {
	w := newWorld(t).up()
	registry := srfake.New()
	t.Cleanup(registry.Close)
	_, _, err := registry.RegisterSchema("pql.events-value", sr.Schema{Type: sr.TypeAvro, Schema: `{"type":"record","name":"Other","fields":[{"name":"a","type":"int"}]}`})
	require.NoError(t, err)
	c := w.settings()
	c.Registry.URL, c.Output.Format = registry.URL(), config.Avro
	requireParts(t, refused(t, c), "pql.events-value", "choose another topic prefix")
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	l, err := net.Listen("tcp", c.HTTP.Address)
	require.NoError(t, err)
	defer l.Close()
	requireParts(t, refused(t, c), c.HTTP.Address)
}
