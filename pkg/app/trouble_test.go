package app

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func TestABrokerOutOfReachAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	w.kafkaDown()
	p := start(t, w.settings())
	p.awaitWaiting("kafka: ", w.brokers()[0], "connection refused")
	require.Contains(t, p.get("/healthz"), "alive")
	w.kafkaUp()
	p.awaitReady()
	w.sendAll(accounts(5), "one")
	w.sendAll(accounts(5), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified(accounts(5)...)
	requireLogged(t, p, "msg=waiting for=kafka", w.brokers()[0])
}

func TestARedisOutOfReachAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.kafkaUp()
	w.createTopic("usage", partitions)
	p := start(t, w.settings())
	p.awaitWaiting("redis: ", w.redisAddr, "connection refused")
	w.redisUp()
	p.awaitReady()
	w.sendAll(accounts(5), "one")
	w.sendAll(accounts(5), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified(accounts(5)...)
	requireLogged(t, p, "msg=waiting for=redis", w.redisAddr)
}

func requireLogged(t *testing.T, p *process, parts ...string) {
	t.Helper()
	for _, part := range parts {
		require.Contains(t, p.log.String(), part)
	}
}

func TestABrokerThatGoesAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	ids := accounts(40)
	w.sendAll(ids, "one")
	p := start(t, w.settings()).awaitReady()
	w.awaitCommitted("pql.activation", "usage")
	w.sendAll(ids[:20], "two") // some of it is under way when the broker goes
	w.kafkaDown()
	p.awaitWaiting("kafka: ", w.brokers()[0])
	w.kafkaUp()
	p.awaitReadyAgain()
	w.sendAll(ids[20:30], "two")
	w.awaitCommitted("pql.activation", "usage")
	p.awaitMetric(`pqlstream_mirror_backlog_commits{stage="activation"} 0`)
	p.stop()
	w.requireQualified(ids[:30]...)
	requireLogged(t, p, "not ready", "is back")
}

func TestARedisThatGoesAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, flush := range map[string]bool{"and comes back": false, "and comes back empty": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).up()
			ids := accounts(40)
			w.sendAll(ids, "one")
			first := start(t, w.settings()).awaitReady()
			w.awaitCommitted("pql.activation", "usage")
			first.stop()
			p := start(t, w.settings()).awaitReady() // what it knows of the accounts comes from Redis
			w.redisDown()
			p.awaitWaiting("redis: ", w.redisAddr)
			w.sendAll(ids[:30], "two")
			if flush {
				w.redis.FlushAll()
			}
			w.redisUp()
			p.awaitReadyAgain()
			w.awaitCommitted("pql.activation", "usage")
			p.awaitMetric(`pqlstream_mirror_backlog_commits{stage="activation"} 0`)
			p.stop()
			w.requireQualified(ids[:30]...)
			requireLogged(t, p, "not ready", "is back")
		})
	}
}

// breakable is a fake registry that can fail.
type breakable struct {
	*srfake.Registry
	down atomic.Bool
}

func newBreakable(t *testing.T) *breakable {
	b := &breakable{Registry: srfake.New()}
	t.Cleanup(b.Close)
	b.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if b.down.Load() {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	return b
}

func (b *breakable) address() string { return strings.TrimPrefix(b.URL(), "http://") }

func TestARegistryThatIsDownAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	registry := newBreakable(t)
	registry.down.Store(true)
	c := w.settings()
	c.Registry.URL, c.Output.Format = registry.URL(), config.Avro
	p := start(t, c)
	p.awaitWaiting("registry: ", registry.address(), "status 503")
	registry.down.Store(false)
	p.awaitReady()
	w.sendAll(accounts(3), "one")
	w.sendAll(accounts(3), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified(accounts(3)...)
}

// A registry that can't be asked is no reason to call a record bad.
func TestARegistryThatGoesDownMakesNoDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	registry := newBreakable(t)
	c := w.settings()
	c.Registry.URL, c.Input.Sources[0].Format, c.Output.Format = registry.URL(), config.Avro, config.Avro
	p := start(t, c).awaitReady()
	first := newWriter(t, registry, canonicalSchema)
	w.send(first.record("acme", "one"))
	w.awaitCommitted("pql.activation", "usage")
	second := newWriter(t, registry, evolvedSchema)
	registry.down.Store(true)
	w.send(first.record("acme", "unimportant"), second.record("acme", "two"), first.record("other", "one"))
	p.awaitWaiting("activation/usage/", "fetching schema", registry.address(), "status 503")
	registry.down.Store(false)
	p.awaitReadyAgain()
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified("acme")
	require.Empty(t, w.read("pql.dead-letters"))
}
