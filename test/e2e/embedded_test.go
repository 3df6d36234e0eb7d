package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// TestPipelineEqualsOracle runs the whole pipeline in this process, by one member or by up to four that join and leave
// while it works, and compares all that it publishes and keeps with the oracle.
func TestPipelineEqualsOracle(t *testing.T) {
	for seed := range embeddedRuns {
		comparePipeline(t, 100*(seed+1))
	}
}

func comparePipeline(t *testing.T, seed uint64) {
	for _, mode := range []struct {
		name    string
		set     func(*testing.T, *config.Config)
		members []int
	}{{"direct", direct, []int{1, 4}}, {"ingest", ingest, []int{1, 4}}, {"identity", identity, []int{4}}, {"metrics", measured, []int{4}}} {
		for _, partitions := range []int32{1, 8} {
			for _, members := range mode.members {
				seed++
				t.Run(fmt.Sprintf("%s/%d partitions/%d members/seed %d", mode.name, partitions, members, seed), func(t *testing.T) {
					c := embeddedSettings(t, partitions)
					mode.set(t, c)
					runEmbedded(t, c, seed, partitions, members)
				})
			}
		}
	}
}

// direct reads one topic that is keyed by account, and writes JSON.
func direct(_ *testing.T, c *config.Config) {
	c.Input.Sources = []config.Source{{Topic: "usage", Format: config.JSON}}
	c.Output.Format = config.JSON
}

// ingest reads three topics of any key: Avro, JSON, and JSON in which everything is elsewhere; and writes Avro.
func ingest(t *testing.T, c *config.Config) {
	c.Stages = []config.Stage{config.Ingest, config.Activation}
	c.Input.Sources = []config.Source{
		{Topic: "backend", Format: config.Avro},
		{Topic: "web", Format: config.JSON},
		{Topic: "crm", Format: config.JSON, Fields: mappedFields},
	}
	c.Registry.Directory = t.TempDir()
	require.NoError(t, codec.ExportSchemas(c.Registry.Directory))
}

func embeddedSettings(t *testing.T, partitions int32) *config.Config {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	c := config.Default()
	c.Checklist = checklistFile
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.FetchMaxWait = servers.Brokers(), true, 50*time.Millisecond
	c.Redis.Addresses, c.Redis.Buckets = []string{servers.RedisAddr()}, 16
	c.Input.UsagePartitions = int(partitions)
	c.Runtime.CheckpointInterval = 100 * time.Millisecond
	c.HTTP.Address, c.API.Address = "127.0.0.1:0", ""
	return c
}

const (
	embeddedEvents   = 6000
	embeddedAccounts = 120
	embeddedPortions = 10
	lastThatIsFull   = 200 // seed of a stream in which everything happens
)

// runEmbedded produces in portions. After each, once a random share of what there is has been committed, somebody joins
// or leaves.
func runEmbedded(t *testing.T, c *config.Config, seed uint64, partitions int32, most int) {
	w := newWorld(t, c, seed, partitions)
	all := inputs
	if w.wholeLives() {
		all = livesInputs
	}
	if c.Metrics.Enabled {
		all = payingInputs
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	members := []*member{w.join()}
	var rows *reader
	if c.Metrics.Enabled {
		rows = w.follow()
	}
	i, before := 0, int64(0) // event time at the change before
	for in := range all(seed, embeddedEvents, embeddedAccounts) {
		w.put(in)
		if i++; i%(embeddedEvents/embeddedPortions) != 0 {
			continue
		}
		share := int(float64(w.flush()) * (0.8 + 0.2*rng.Float64()))
		w.eventually("progress", func() bool { return w.committed() >= share && rows.reached(before) })
		before = w.reached()
		if most == 1 {
			continue
		}
		if n := rng.IntN(len(members)); len(members) == most || len(members) > 1 && rng.IntN(2) == 0 {
			members[n].leave(t)
			members = append(members[:n], members[n+1:]...)
		} else {
			members = append(members, w.join())
		}
	}
	w.flush()
	w.eventually("everything committed", w.caughtUp)
	w.awaitTimers()
	if c.Metrics.Enabled {
		w.awaitRows()
	}
	w.eventually("Redis has what is committed", w.mirrored) // a partition may just have gone to another member
	for _, m := range members {
		m.leave(t)
	}
	if rows != nil {
		rows.require()
	}
	w.verify()
	switch {
	case seed > lastThatIsFull: // some lack what happens seldom
	case w.wholeLives():
		w.requireWholeLives(shortLifeFacts)
	default:
		requireVariety(t, w.judge)
	}
}

// member is one pqlstream, here in this process.
type member struct {
	cancel context.CancelFunc
	done   chan error
}

// join starts a member and waits until it is ready.
func (w *world) join() *member {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{cancel, make(chan error, 1)}
	ready := make(chan struct{})
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	go func() { m.done <- app.Run(ctx, w.c, log, app.OnReady(func() { close(ready) })) }()
	w.t.Cleanup(cancel)
	select {
	case <-ready:
	case err := <-m.done:
		require.NoError(w.t, err, "the member ended before it was ready")
	case <-time.After(patience):
		require.Fail(w.t, "the member is not ready")
	}
	return m
}

// leave stops a member as a signal would.
func (m *member) leave(t *testing.T) {
	t.Helper()
	m.cancel()
	require.NoError(t, <-m.done)
}
