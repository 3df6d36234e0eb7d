package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/usage"
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

// timesOf returns when the events on records of JSON have happened.
func timesOf(t *testing.T, records []*kgo.Record) (times []int64) {
	for _, r := range records {
		var e struct {
			OccurredAt int64 `json:"occurred_at"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		times = append(times, e.OccurredAt)
	}
	return times
}

// Unless it is told when it begins, the sample data ends now.
func TestSampleDataEndsNow(t *testing.T) {
	now := time.Date(2026, time.March, 4, 15, 30, 0, 0, time.UTC)
	all := func(epoch string) (events []*usage.Event) {
		f := simulateFlags{data: sampleData, seed: 1, accounts: 20, days: 10, epoch: epoch}
		data, err := f.source(now)
		require.NoError(t, err)
		require.Nil(t, data.live)
		return slices.Collect(data.past)
	}
	events := all("")
	require.WithinDuration(t, now, time.UnixMilli(events[len(events)-1].ReceivedAt), 2*time.Hour)
	require.Less(t, events[len(events)-1].ReceivedAt, now.UnixMilli())
	require.Equal(t, events, all(""), "the same now, the same events")
	whole := all("2026-02-22")
	require.Equal(t, whole, events[:len(whole)], "that is the day that they begin on")
}

func TestWhatIsLiveFollowsTheSampleData(t *testing.T) {
	before := time.Now()
	args := []string{"--format", "json", "--accounts", "20", "--days", "10", "--live", "1000"}
	f := simulateFlags{data: sampleData, seed: 1, accounts: 20, days: 10, live: 1000}
	data, err := f.source(before)
	require.NoError(t, err)
	past := len(slices.Collect(data.past))
	records, _ := runSimulate(t, past+100, append(args, "--events", strconv.Itoa(past+100))...)
	live := 0
	for _, at := range timesOf(t, records) {
		if at >= before.UnixMilli() {
			live++
		}
	}
	require.GreaterOrEqual(t, live, 90, "some of the past may have come to be while the test began")
	require.Less(t, live, past)
}

// What is live goes on until somebody stops it, which is no failure.
func TestWhatIsLiveIsStopped(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, stop := context.WithCancel(t.Context())
	f := simulateFlags{topic: "usage", createTopic: true, partitions: 1, data: sampleData, accounts: 5, days: 1, live: 1000}
	require.NoError(t, f.prepareTopic(ctx, client))
	data, err := f.source(time.Now())
	require.NoError(t, err)
	data.past, err = f.missing(ctx, client, data.past)
	require.NoError(t, err)
	require.NotEmpty(t, slices.Collect(data.past), "the topic is empty")
	require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "usage", Value: []byte("an event")}).FirstErr())
	data.past, err = f.missing(ctx, client, data.past)
	require.NoError(t, err)
	require.Empty(t, slices.Collect(data.past), "the topic holds events")
	made := 0
	n, err := f.send(ctx, client, data, func(to []byte, e *usage.Event) []byte {
		if made++; made == 20 {
			stop()
		}
		return append(to, e.ID...)
	})
	require.NoError(t, err)
	require.LessOrEqual(t, n, made)
	_, err = f.send(ctx, client, source{past: data.live}, func(to []byte, e *usage.Event) []byte { return append(to, e.ID...) })
	require.ErrorIs(t, err, context.Canceled, "it was stopped before its end")
}

func TestSimulateFindsKafkaInTheConfiguration(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	f := simulateFlags{}
	_, err = f.load()
	require.EqualError(t, err, "give --brokers or --config: it is not known where Kafka is")
	f.config = filepath.Join(t.TempDir(), "missing.yaml")
	_, err = f.load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	f.brokers, f.config = servers.Brokers(), ""
	c, err := f.load()
	require.NoError(t, err)
	require.Equal(t, servers.Brokers(), c.Kafka.Brokers)
}

func TestSimulateRefusesWhatMakesNoSense(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--accounts", "0"}, "--accounts and --days must be 1 or more, --events, --rate and --live 0 or more"},
		{[]string{"--data", "random", "--live", "1"}, "--live: only sample data goes on"},
		{[]string{"--epoch", "2025-06-02", "--live", "1"}, "--live goes on from now, and --epoch has the data end before: give one of them"},
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

// The error says what a client warns of meanwhile, and nothing else is to be seen.
func TestSimulateLeavesToItsErrorWhatClientsWarnOf(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var out bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	cmd := newSimulateCommand()
	cmd.SetArgs([]string{"--brokers", "127.0.0.1:1"})
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	require.ErrorContains(t, cmd.ExecuteContext(ctx), "looking for topic usage: ")
	require.Empty(t, out.String())
}
