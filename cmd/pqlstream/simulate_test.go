package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/schemas"
)

// runSimulate runs the command against a Kafka of its own and returns the records that it made.
func runSimulate(t *testing.T, want int, args ...string) ([]*kgo.Record, string) {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	out, err := simulateOn(t, servers, append(args, "--create-topic", "--partitions", "3")...)
	require.NoError(t, err)

	c, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...), kgo.ConsumeTopics("usage"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < want {
		fetches := c.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	require.Len(t, records, want)
	return records, out
}

func simulateOn(t *testing.T, servers *embedded.Servers, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newSimulateCommand()
	cmd.SetArgs(append(args, "--brokers", servers.Brokers()[0]))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSimulateWritesJSON(t *testing.T) {
	records, out := runSimulate(t, 500, "--format", "json", "--accounts", "20", "--events", "500")
	require.Contains(t, out, "500 events on usage in ")
	partitions := map[int32]bool{}
	for _, r := range records {
		var e map[string]any
		require.NoError(t, json.Unmarshal(r.Value, &e))
		require.Equal(t, string(r.Key), e["account_id"])
		partitions[r.Partition] = true
	}
	require.Len(t, partitions, 3)
}

func TestSimulateWritesAvroWithTheLocalSchemaID(t *testing.T) {
	records, _ := runSimulate(t, 700, "--data", "random", "--events", "700")
	require.Equal(t, uint32(schemas.UsageEvent.LocalID), binary.BigEndian.Uint32(records[0].Value[1:]))
}

func TestSimulateRegistersItsSchema(t *testing.T) {
	registry := srfake.New()
	defer registry.Close()
	records, _ := runSimulate(t, 10, "--events", "10", "--registry", registry.URL())
	require.Equal(t, uint32(1), binary.BigEndian.Uint32(records[0].Value[1:]))
	require.True(t, registry.SubjectExists("usage-value"))
}

func TestSimulateFindsKafkaInTheConfiguration(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	f := simulateFlags{}
	_, err = f.cluster()
	require.EqualError(t, err, "give --brokers or --config: it is not known where Kafka is")
	f.config = filepath.Join(t.TempDir(), "missing.yaml")
	_, err = f.cluster()
	require.ErrorIs(t, err, fs.ErrNotExist)
	f.brokers, f.config = servers.Brokers(), ""
	k, err := f.cluster()
	require.NoError(t, err)
	require.Equal(t, servers.Brokers(), k.Brokers)
}

func TestSimulateRefusesWhatMakesNoSense(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--accounts", "0"}, "--accounts and --days must be 1 or more, --events and --rate 0 or more"},
		{[]string{"--data", "real"}, "--data real: it is sample or random"},
		{[]string{"--epoch", "monday"}, "--epoch monday: it is a day such as 2025-06-02"},
		{[]string{"--epoch", "9000-01-01"}, "the data would end on 9000-03-02, and events from the future become dead letters: choose an earlier --epoch or fewer --days"},
		{[]string{"--format", "xml"}, "--format xml: it is avro or json"},
		{[]string{"--topic", "nowhere"}, "topic nowhere does not exist: create it, or let --create-topic do so"},
	} {
		_, err := simulateOn(t, servers, c.args...)
		require.EqualError(t, err, c.want)
	}
}
