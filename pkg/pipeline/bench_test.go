package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// jobSchema is that of the benchmark job's usage events.
const jobSchema = `{"type": "record", "name": "UsageEvent", "namespace": "bench", "fields": [
  {"name": "event_id", "type": "string"}, {"name": "account_id", "type": "string"}, {"name": "user_id", "type": "string"},
  {"name": "event", "type": "string"}, {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "properties", "type": {"type": "map", "values": "string"}}, {"name": "quantity", "type": "double"}]}`

// jobEvents are events as the benchmark job's generator makes them: a tenth sign-ups, the others' names the rarer the
// further back, 0 to 4 properties, ids that are UUIDs.
func jobEvents(n int) (events []usage.Event) {
	names := []string{"page_viewed", "session_started", "report_run", "feature_used", "storage_used", "project_updated",
		"invite_accepted", "comment_added", "created_project", "export_downloaded", "premium_viewed", "integration_connected"}
	properties := []usage.Property{
		{Key: "plan", Value: usage.StringValue("starter")}, {Key: "source", Value: usage.StringValue("web")},
		{Key: "region", Value: usage.StringValue("eu-west-1")}, {Key: "browser", Value: usage.StringValue("firefox-143")},
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		a := r.IntN(100_000)
		e := usage.Event{
			ID:        fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48)),
			AccountID: fmt.Sprintf("acct-%06d", a), UserID: fmt.Sprintf("user-%06d-%d", a, r.IntN(5)),
			OccurredAt: 1_748_822_400_000 + int64(i)*1000, Quantity: 1,
		}
		if i%10 == 0 {
			e.Name = "signed_up"
			e.Properties = append(e.Properties, usage.Property{Key: "company_size", Value: usage.StringValue(strconv.Itoa(1 + r.IntN(500)))})
		}
		for rank := 0; e.Name == ""; rank = (rank + 1) % len(names) {
			if r.Float64() < 0.35/float64(rank+1) {
				e.Name = names[rank]
			}
		}
		e.Properties = append(e.Properties, properties[:r.IntN(len(properties)+1-len(e.Properties))]...)
		events = append(events, e)
	}
	return events
}

// jobForms are how the benchmark job's events come to the activation stage: from their own topic, or through ingest.
var jobForms = []struct {
	name    string
	format  codec.Format
	mapping usage.Mapping
	schema  schemas.Schema
}{
	{"avro", codec.Avro, usage.DefaultMapping(), schemas.Schema{LocalID: 1, Text: jobSchema}},
	{"ingested", codec.Avro, usage.CanonicalMapping(), schemas.UsageEvent},
	{"json", codec.JSON, usage.CanonicalMapping(), schemas.UsageEvent},
}

// jobProcessor is that of an activation stage with the benchmark job's rules.
func jobProcessor(tb testing.TB, f codec.Format, m usage.Mapping, s schemas.Schema) stream.Processor {
	text, err := os.ReadFile("../../config/checklists/bench.yaml")
	require.NoError(tb, err)
	definition, err := checklist.Parse(text)
	require.NoError(tb, err)
	rules, err := checklist.Compile(definition)
	require.NoError(tb, err)
	input, err := codec.NewInput(f, m, codec.Schemas{s.LocalID: s.Text})
	require.NoError(tb, err)
	a := &Activation{Engine: account.NewEngine(rules), Input: input, Partitions: partitions, Now: func() int64 { return epoch + day }}
	return a.Processor("in", 2)
}

// jobRecords are the benchmark job's records of one partition. They lie one after the other, as in a fetch.
func jobRecords(tb testing.TB, f codec.Format, s schemas.Schema, n int) (records []*kgo.Record) {
	encoder, err := codec.NewEventEncoder(f, s.LocalID)
	require.NoError(tb, err)
	var all []byte
	for _, e := range jobEvents(n * int(partitions)) {
		if p := kafka.Partition([]byte(e.AccountID), partitions); p != 0 {
			continue
		}
		at := len(all)
		if s.Text == jobSchema {
			all = appendJob(all, &e)
		} else {
			all = encoder.AppendUsage(all, &e)
		}
		records = append(records, &kgo.Record{Topic: "usage", Offset: int64(len(records)), Value: all[at:len(all):len(all)]})
	}
	return records
}

// appendJob encodes an event as the job's schema has it.
func appendJob(b []byte, e *usage.Event) []byte {
	text := func(s string) { b = append(binary.AppendVarint(b, int64(len(s))), s...) }
	b = append(b, 0, 0, 0, 0, 1)
	text(e.ID)
	text(e.AccountID)
	text(e.UserID)
	text(e.Name)
	b = binary.AppendVarint(b, e.OccurredAt)
	if len(e.Properties) > 0 {
		b = binary.AppendVarint(b, int64(len(e.Properties)))
		for _, p := range e.Properties {
			text(p.Key)
			text(p.Value.Str())
		}
	}
	return binary.LittleEndian.AppendUint64(append(b, 0), math.Float64bits(e.Quantity))
}

// BenchmarkDecodeJob decodes, validates and routes the benchmark job's events.
func BenchmarkDecodeJob(b *testing.B) {
	for _, form := range jobForms {
		b.Run(form.name, func(b *testing.B) {
			const batch = 512
			records := jobRecords(b, form.format, form.schema, 8*batch)
			proc := jobProcessor(b, form.format, form.mapping, form.schema)
			size, ignored := 0, 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := records[i%len(records)]
				route, err := proc.Decode(i%batch, r)
				if err != nil {
					b.Fatal(err)
				}
				if size += len(r.Value); route.Ignore {
					ignored++
				}
			}
			b.SetBytes(int64(size / b.N))
			b.ReportMetric(float64(ignored)/float64(b.N), "ignored/op")
		})
	}
}

// In the steady state decoding allocates nothing, whatever the form.
func TestDecodingTheJobAllocatesNothing(t *testing.T) {
	for _, form := range jobForms {
		records := jobRecords(t, form.format, form.schema, 100)
		proc := jobProcessor(t, form.format, form.mapping, form.schema)
		heard := 0
		require.Zero(t, testing.AllocsPerRun(10, func() {
			for i, r := range records {
				route, err := proc.Decode(i, r)
				if err != nil {
					t.Fatal(err)
				}
				if !route.Ignore {
					heard++
				}
			}
		}), form.name)
		require.Greater(t, heard, len(records))
	}
}
