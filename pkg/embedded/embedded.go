// Package embedded runs a Kafka and a Redis inside the process, for the demo, for trying pqlstream out and for tests.
//
// They speak the real protocols on loopback, so that nothing else knows the difference: transactions, read-committed
// and both group protocols work as on a broker, Lua scripts as on a Redis. They are one broker without replicas and a
// Redis without persistence: not a place for data that matters.
package embedded

import (
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Options say how the servers run.
type Options struct {
	// Dir is the folder in which Kafka keeps topics, records and offsets; it is created when missing, and a later
	// Start with the same folder goes on where Close left off. One process may use it at a time. Empty: everything
	// lives in memory and is gone after Close.
	//
	// Redis is never kept: it holds a mirror, which the owner of a partition rebuilds from the changelog.
	Dir string
}

// Servers are a running Kafka and Redis.
type Servers struct {
	kafka *kfake.Cluster
	redis *miniredis.Miniredis
}

// minSession lets a member of a classic group ask for a session shorter than Kafka's 6 s, so that the partitions of a
// member that died move on soon.
const minSession = 500 * time.Millisecond

// brokerConfigs are Kafka's settings of the new group protocol made for one machine: a member learns of its partitions
// at a heartbeat, and Kafka's 5 s would be most of a demo's time. And nothing is compacted or deleted (for ten years):
// this broker's compaction moves the start of a log, as if a changelog had lost its beginning.
var brokerConfigs = map[string]string{
	"group.consumer.heartbeat.interval.ms": "250",
	"group.consumer.session.timeout.ms":    "10000",
	"log.cleaner.backoff.ms":               "315360000000",
}

// Start starts both servers on free ports of the loopback interface.
func Start(o Options) (*Servers, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("pqlstream-embedded"),
		kfake.GroupMinSessionTimeout(minSession),
		kfake.BrokerConfigs(brokerConfigs),
	}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	kafka, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded Kafka: %w", err)
	}
	redis, err := miniredis.Run()
	if err != nil {
		kafka.Close()
		return nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	return &Servers{kafka: kafka, redis: redis}, nil
}

// Brokers returns the addresses to reach Kafka at, host:port.
func (s *Servers) Brokers() []string { return s.kafka.ListenAddrs() }

// RedisAddr returns the address to reach Redis at, host:port.
func (s *Servers) RedisAddr() string { return s.redis.Addr() }

// Close stops both servers and, where a folder was given, writes out what Kafka holds. Close the clients before.
func (s *Servers) Close() {
	s.kafka.Close()
	s.redis.Close()
}
