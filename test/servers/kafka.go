package servers

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka is a broker of the test's own: broker and controller in one KRaft node, without authentication. Its data
// outlives Kill and Restart.
type Kafka struct {
	*Process
	port      int
	clusterID string
}

// Release names the jars in build/kafka that a broker runs; test/servers/pom.xml says which versions they are.
type Release string

// The releases that there are jars for. Kafka39 comes with `make kafka-3.9`, which `make test-slow` calls.
const (
	Kafka4  Release = "4"
	Kafka39 Release = "3.9"
)

// KafkaOption changes how StartKafka starts the broker.
type KafkaOption func(*kafkaOptions)

type kafkaOptions struct {
	release  Release
	settings map[string]string
	jvm      []string
}

// KafkaRelease chooses the broker's release; Kafka4 without it.
func KafkaRelease(r Release) KafkaOption {
	return func(o *kafkaOptions) { o.release = r }
}

// KafkaSetting sets a broker setting, as in server.properties.
func KafkaSetting(key, value string) KafkaOption {
	return func(o *kafkaOptions) { o.settings[key] = value }
}

// KafkaJVM sets how the broker's JVM runs; without it, it is made quick to start and small.
func KafkaJVM(options ...string) KafkaOption {
	return func(o *kafkaOptions) { o.jvm = options }
}

// StartKafka starts a broker and waits until it answers. It creates no topics by itself.
func StartKafka(tb testing.TB, opts ...KafkaOption) *Kafka {
	tb.Helper()
	o := kafkaOptions{release: Kafka4, settings: map[string]string{}, jvm: []string{
		"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", // no second compiler on few cores
	}}
	for _, set := range opts {
		set(&o)
	}
	java, jars, err := findKafka(o.release)
	if err != nil {
		lacking(tb, "Kafka: "+err.Error())
	}
	k, err := newKafka(tb, java, jars, o)
	if err == nil {
		err = k.Restart()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// newKafka prepares a broker: ports, settings and a formatted folder for its data.
func newKafka(tb testing.TB, java, jars string, o kafkaOptions) (*Kafka, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	controller, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := tb.TempDir()
	file := filepath.Join(dir, "server.properties")
	if err := writeProperties(file, brokerSettings(port, controller, filepath.Join(dir, "data"), o.settings)); err != nil {
		return nil, fmt.Errorf("preparing Kafka: %w", err)
	}
	jvm := append(slices.Clone(o.jvm),
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(jars, "*"),
	)
	id := newClusterID()
	format := append(append([]string{}, jvm...), "kafka.tools.StorageTool", "format", "-t", id, "-c", file)
	if out, err := exec.Command(java, format...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("formatting Kafka's folder: %w:\n%s", err, out)
	}
	k := &Kafka{Process: newProcess(tb, "kafka", java, append(jvm, "kafka.Kafka", file)...), port: port, clusterID: id}
	k.up = k.answers
	return k, nil
}

// Bootstrap returns host and port, for a client to start from.
func (k *Kafka) Bootstrap() string { return address(k.port) }

// ClusterID returns the cluster's id, another for each broker started.
func (k *Kafka) ClusterID() string { return k.clusterID }

func (k *Kafka) answers(ctx context.Context) error {
	if err := owns(k.PID(), k.port); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Bootstrap()), kgo.RequestRetries(0),
		kgo.DialTimeout(time.Second), kgo.RequestTimeoutOverhead(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client) // after an ApiVersions request of the client's own
	if err != nil {
		return err
	}
	if len(meta.Brokers) == 0 {
		return fmt.Errorf("the broker at %s is not registered yet", k.Bootstrap())
	}
	return nil
}

// brokerSettings returns the settings of a single node for tests: small, quick to start, and quick to notice.
func brokerSettings(port, controller int, data string, more map[string]string) map[string]string {
	s := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        "1",
		"controller.quorum.voters":       "1@" + address(controller),
		"controller.listener.names":      "CONTROLLER",
		"listeners":                      "PLAINTEXT://" + address(port) + ",CONTROLLER://" + address(controller),
		"advertised.listeners":           "PLAINTEXT://" + address(port),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":     "PLAINTEXT",
		"log.dirs":                       data,
		"auto.create.topics.enable":      "false",

		"offsets.topic.num.partitions":                                "4",
		"offsets.topic.replication.factor":                            "1",
		"transaction.state.log.num.partitions":                        "4",
		"transaction.state.log.replication.factor":                    "1",
		"transaction.state.log.min.isr":                               "1",
		"share.coordinator.state.topic.num.partitions":                "1",
		"share.coordinator.state.topic.replication.factor":            "1",
		"share.coordinator.state.topic.min.isr":                       "1",
		"group.initial.rebalance.delay.ms":                            "0",
		"num.network.threads":                                         "2",
		"num.io.threads":                                              "4",
		"log.retention.ms":                                            "-1",   // sample data may be dated long ago
		"broker.session.timeout.ms":                                   "3000", // so long after a Kill the controller takes the broker for alive, and its successor for a double
		"broker.heartbeat.interval.ms":                                "500",
		"log.cleaner.dedupe.buffer.size":                              "16777216",
		"log.cleaner.backoff.ms":                                      "500", // compaction within a test's patience
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
	}
	for key, value := range more {
		s[key] = value
	}
	return s
}

func writeProperties(file string, settings map[string]string) error {
	lines := make([]string, 0, len(settings))
	for key, value := range settings {
		lines = append(lines, key+"="+value+"\n")
	}
	sort.Strings(lines)
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o644)
}

// newClusterID returns a random id as Kafka writes it.
func newClusterID() string {
	id := uuid.New()
	id[0] &= 0x7f // never a leading dash, which would read as an option
	return base64.RawURLEncoding.EncodeToString(id[:])
}
