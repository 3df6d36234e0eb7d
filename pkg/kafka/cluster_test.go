package kafka

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// fakeCluster is a Kafka in this process, on a network of its own.
type fakeCluster struct {
	*kfake.Cluster
	config config.Kafka
	dialer kgo.Opt
}

func newCluster(t *testing.T, brokers int, opts ...kfake.Opt) *fakeCluster {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	ports := []int{9092, 9093, 9094}[:brokers]
	cluster, err := kfake.NewCluster(append(opts, kfake.ListenFn(network.Listen), kfake.Ports(ports...))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := config.Default().Kafka
	c.Brokers = cluster.ListenAddrs()
	return &fakeCluster{cluster, c, kgo.Dialer(network.DialContext)}
}

func (c *fakeCluster) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := NewClient(c.config, slog.New(slog.DiscardHandler), append(opts, c.dialer)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func (c *fakeCluster) topics(t *testing.T) (*Topics, *kadm.Client) {
	t.Helper()
	client := c.client(t)
	return NewTopics(client, c.config), kadm.NewClient(client)
}
