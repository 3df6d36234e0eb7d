package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/schemas"
)

// settings are those of a process on embedded servers that reads JSON from one topic.
func settings(servers *embedded.Servers) *config.Config {
	c := config.Default()
	c.Checklist = "../../config/checklists/demo.yaml"
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.FetchMaxWait = servers.Brokers(), true, 50*time.Millisecond
	c.Redis.Addresses, c.Redis.Buckets = []string{servers.RedisAddr()}, 16
	c.Input.Sources = []config.Source{{Topic: "usage", Format: config.JSON}}
	c.Output.Format = config.JSON
	c.HTTP.Address = "127.0.0.1:0"
	return c
}

func TestSampleDataBecomesPQLs(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	c := settings(servers)
	n := load(t, servers, c, 60)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	ready := make(chan struct{})
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	go func() { done <- Run(ctx, c, log, OnReady(func() { close(ready) })) }()
	select {
	case <-ready:
	case err := <-done:
		require.NoError(t, err)
	}
	awaitCommitted(t, servers, c, n)
	cancel()
	require.NoError(t, <-done)

	qualified := map[string]int{}
	for _, f := range facts(t, servers, c.TopicNames().Events) {
		if f.Type == account.Qualified {
			qualified[f.AccountID]++
		}
	}
	require.NotEmpty(t, qualified)
	for id, times := range qualified {
		require.Equal(t, 1, times, id)
	}
}

func load(t *testing.T, servers *embedded.Servers, c *config.Config, accounts int) int {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 4, 1, nil, c.Input.Sources[0].Topic)
	require.NoError(t, err)
	encoder, err := codec.NewEventEncoder(codec.Format(c.Input.Sources[0].Encoding()), schemas.UsageEvent.LocalID)
	require.NoError(t, err)
	sample, err := simulate.New(simulate.Options{Seed: 1, Accounts: accounts, Days: 30})
	require.NoError(t, err)
	n, err := simulate.Run(t.Context(), client, sample.Events(), simulate.Load{Topic: c.Input.Sources[0].Topic, Append: encoder.AppendUsage})
	require.NoError(t, err)
	return n
}

func awaitCommitted(t *testing.T, servers *embedded.Servers, c *config.Config, n int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	require.Eventually(t, func() bool {
		offsets, err := admin.FetchOffsets(t.Context(), c.Group(config.Activation))
		if err != nil {
			return false
		}
		at := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { at += max(o.At, 0) })
		return at == int64(n)
	}, 60*time.Second, 20*time.Millisecond)
}

// facts returns what is committed in a topic now.
func facts(t *testing.T, servers *embedded.Servers, topic string) (out []account.Fact) {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			f, _, err := codec.DecodeFact(r.Value)
			require.NoError(t, err)
			out = append(out, f)
		})
	}
	return out
}
