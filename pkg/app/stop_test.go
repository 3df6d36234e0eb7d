package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// A stop is a stop, whatever the process waits for.
func TestAProcessThatWaitsCanBeStopped(t *testing.T) {
	t.Run("for Kafka at the start", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := start(t, w.settings())
		p.awaitWaiting("kafka: ")
		p.stop()
	})
	t.Run("for Redis at the start", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).up()
		w.redisDown()
		p := start(t, w.settings())
		p.awaitWaiting("redis: ")
		p.stop()
	})
	t.Run("for Kafka", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).up()
		p := start(t, w.settings()).awaitReady()
		w.sendAll(accounts(5), "one")
		w.kafkaDown()
		p.awaitWaiting("kafka: ")
		p.stop()
	})
	t.Run("for Redis", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).up()
		c := w.settings()
		c.Runtime.ShutdownTimeout = time.Second // for which it waits for Redis
		p := start(t, c).awaitReady()
		w.redisDown()
		w.sendAll(accounts(5), "one")
		w.sendAll(accounts(5), "two")
		w.awaitCommitted("pql.activation", "usage")
		p.awaitWaiting("redis: ")
		p.stop()
		w.redisUp()
		again := start(t, w.settings()).awaitReady() // what Redis missed it gets from the changelog
		w.sendAll(accounts(5), "two")
		w.awaitCommitted("pql.activation", "usage")
		again.stop()
		w.requireQualified(accounts(5)...)
	})
	t.Run("for a registry that hangs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).up()
		registry := newBreakable(t)
		c := w.settings()
		c.Registry.URL, c.Input.Sources[0].Format = registry.URL(), config.Avro
		avro := newWriter(t, registry, canonicalSchema)
		p := start(t, c).awaitReady()
		asked := make(chan struct{}, 100)
		registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			asked <- struct{}{}
			<-r.Context().Done()
			return true
		})
		w.send(avro.record("acme", "one"))
		<-asked
		p.stop()
		require.Empty(t, w.read("pql.dead-letters"))
	})
}
