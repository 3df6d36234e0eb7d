// Package kafka is the one place that builds Kafka clients from the settings, and that knows what topics a deployment
// has.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// MaxRecordBytes is the size of a batch of records, and so of a record, that all topics of the deployment accept:
// Kafka's default. The client's own limit is a little lower.
const MaxRecordBytes = 1_048_588

// Options returns what all clients of the process have in common: where the cluster is and who the process is. The
// extra options come last and win; tests give a kgo.Dialer there. An error names the file that can't be used.
func Options(c config.Kafka, log *slog.Logger, extra ...kgo.Opt) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.WithLogger(&logger{log: log}),
		kgo.FetchMaxWait(c.FetchMaxWait),
		// Commits to topics that were just created wait for fresh metadata: with the client's default, seconds.
		kgo.MetadataMinAge(20 * time.Millisecond),
	}
	tls, err := c.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	if tls != nil {
		opts = append(opts, kgo.DialTLSConfig(tls))
	}
	if m := mechanism(c.SASL); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return append(opts, extra...), nil
}

func mechanism(c config.SASL) sasl.Mechanism {
	login := scram.Auth{User: c.Username, Pass: c.Password.Reveal()}
	switch c.Mechanism {
	case config.Plain:
		return plain.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsMechanism()
	case config.ScramSHA256:
		return login.AsSha256Mechanism()
	case config.ScramSHA512:
		return login.AsSha512Mechanism()
	}
	return nil
}

// NewClient returns a client of the cluster that neither consumes nor is in a group: for producing, for requests and,
// with kadm.NewClient, for administration. It connects when it is first used.
func NewClient(c config.Kafka, log *slog.Logger, extra ...kgo.Opt) (*kgo.Client, error) {
	opts, err := Options(c, log, extra...)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("building a Kafka client: %w", err)
	}
	return client, nil
}

// UsesConsumerProtocol says whether a client joins its group by the protocol of KIP-848 on a cluster with the features.
func UsesConsumerProtocol(c config.Kafka, f Features) bool {
	return c.GroupProtocol != config.ProtocolClassic && f.ConsumerProtocol
}

// GroupOptions returns how a client joins a group on a cluster with the features: the protocol and the static
// membership. An *Unfit says what to change.
func GroupOptions(c config.Kafka, f Features) ([]kgo.Opt, error) {
	var opts []kgo.Opt
	switch {
	case c.GroupProtocol == config.ProtocolConsumer && !f.ConsumerProtocol:
		return nil, &Unfit{errors.New("kafka.group_protocol: not every broker has the consumer protocol (KIP-848, Kafka 4.0); use classic or auto")}
	case UsesConsumerProtocol(c, f):
		// The client names the server's assignor after its balancer: sticky stands for uniform.
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	default:
		// Not the cooperative one: it lets a member that was expelled rejoin under a new id and keep, or lose, its
		// partitions without a callback. Giving all up at a rebalance costs little, since no state moves.
		opts = append(opts, kgo.Balancers(kgo.StickyBalancer()),
			kgo.SessionTimeout(c.SessionTimeout), kgo.HeartbeatInterval(min(3*time.Second, c.SessionTimeout/5)))
	}
	if c.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.InstanceID))
	}
	return opts, nil
}

// Reach fails when no broker answers before the context ends, naming the addresses.
func Reach(ctx context.Context, client *kgo.Client, c config.Kafka) error {
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("reaching Kafka at %s: %w", strings.Join(c.Brokers, ", "), err)
	}
	return nil
}
