package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/schemas"
)

func TestSampleDataBecomesPQLs(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Checklist = "../../config/checklists/demo.yaml"
	encoder, err := codec.NewEventEncoder(codec.JSON, schemas.UsageEvent.LocalID)
	require.NoError(t, err)
	sample, err := simulate.New(simulate.Options{Seed: 1, Accounts: 60, Days: 30})
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...))
	require.NoError(t, err)
	defer client.Close()
	_, err = simulate.Run(t.Context(), client, sample.Events(), simulate.Load{Topic: "usage", Append: encoder.AppendUsage})
	require.NoError(t, err)

	p := start(t, c).awaitReady()
	w.awaitCommitted(c.Group(config.Activation), "usage")
	p.stop()
	qualified := w.qualified()
	require.NotEmpty(t, qualified)
	for id, times := range qualified {
		require.Equal(t, 1, times, id)
	}
}

// Ingest and activation in one process, on the servers that the demo runs on.
func TestBothStagesOnEmbeddedServers(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	w := newWorld(t)
	w.seeds = servers.Brokers()
	w.plain, err = kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...))
	require.NoError(t, err)
	defer w.plain.Close()
	w.createTopic("clicks", 3)
	c := w.settings()
	c.Redis.Addresses = []string{servers.RedisAddr()}
	c.Stages = []config.Stage{config.Ingest, config.Activation}
	c.Input.UsagePartitions = partitions
	c.Input.Sources = []config.Source{{Topic: "clicks", Format: config.JSON, Fields: config.Fields{AccountID: "context.groupId", OccurredAt: "at"}}}
	for _, name := range []string{"one", "two"} {
		value := []byte(`{"event":"` + name + `","at":"2025-06-02T10:00:00Z","context":{"groupId":"acme"}}`)
		require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "clicks", Key: []byte("session"), Value: value}).FirstErr())
	}
	p := start(t, c).awaitReady()
	w.awaitCommitted("pql.ingest", "clicks")
	w.awaitCommitted("pql.activation", "pql.usage")
	p.stop()
	w.requireQualified("acme")
}

func TestMetricsSayWhereTheStagesStand(t *testing.T) {
	w := newWorld(t).up()
	p := start(t, w.settings()).awaitReady()
	w.send(usageOf("acme", "one"), usageOf("acme", "nobody listens"), &kgo.Record{Topic: "usage", Key: []byte("acme"), Value: []byte("{")})
	for _, line := range []string{
		`pqlstream_records_total{stage="activation"} 3`, `pqlstream_rejected_total{stage="activation"} 1`,
		`pqlstream_partitions_owned{stage="activation"} 4`, `pqlstream_partitions_waiting{stage="activation"} 0`,
		`pqlstream_lag_records{stage="activation"} 0`, `pqlstream_mirror_backlog_commits{stage="activation"} 0`,
		`pqlstream_states_cached{stage="activation"} 1`, `pqlstream_ready 1`,
	} {
		p.awaitMetric(line)
	}
	require.Contains(t, p.get("/healthz"), "alive")
	p.stop()
}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	p := start(t, c).awaitReady()
	require.NotContains(t, p.get("/debug/pprof/goroutine?debug=1"), "goroutine profile")
	p.stop()
	c.HTTP.Profiling = true
	p = start(t, c).awaitReady()
	require.Contains(t, p.get("/debug/pprof/goroutine?debug=1"), "goroutine profile")
	p.stop()
}

func TestNothingIsServedWithoutAnAddress(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.HTTP.Address = ""
	p := start(t, c).awaitReady()
	require.NotContains(t, p.log.String(), "serving")
	p.stop()
}
