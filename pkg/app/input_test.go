package app

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	canonicalSchema = `{"type":"record","name":"Usage","fields":[
		{"name":"account_id","type":["null","string"]},
		{"name":"event","type":"string"},
		{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"properties","type":{"type":"map","values":["null","string","long",{"type":"array","items":"long"}]}}]}`

	// evolvedSchema has the same fields in another order, and more of them.
	evolvedSchema = `{"type":"record","name":"Usage","fields":[
		{"name":"session","type":{"type":"record","name":"Session","fields":[{"name":"id","type":"long"},{"name":"pages","type":{"type":"array","items":"string"}}]}},
		{"name":"properties","type":{"type":"map","values":["null","string","long",{"type":"array","items":"long"}]}},
		{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"event","type":"string"},
		{"name":"user_id","type":"string"},
		{"name":"account_id","type":["null","string"]}]}`
)

// writer encodes events with a registered schema, as a producer does.
type writer struct {
	t      *testing.T
	schema *avro.Schema
	id     int
}

func newWriter(t *testing.T, registry *breakable, schema string) *writer {
	t.Helper()
	id, _, err := registry.RegisterSchema("usage-value", sr.Schema{Type: sr.TypeAvro, Schema: schema})
	require.NoError(t, err)
	return &writer{t, avro.MustParse(schema), id}
}

func (w *writer) record(accountID, name string) *kgo.Record {
	w.t.Helper()
	return w.encode(accountID, map[string]any{"account_id": accountID, "event": name})
}

func (w *writer) encode(key string, fields map[string]any) *kgo.Record {
	w.t.Helper()
	all := map[string]any{
		"occurred_at": time.Now().Add(-time.Hour).UnixMilli(), "properties": map[string]any{"plan": "free"},
		"user_id": "user", "session": map[string]any{"id": int64(7), "pages": []string{"/"}},
	}
	for k, v := range fields {
		all[k] = v
	}
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(w.id))
	b, err := w.schema.AppendEncode(b, all)
	require.NoError(w.t, err)
	return &kgo.Record{Topic: "usage", Key: []byte(key), Value: b}
}

// bad is a record that can't be used, and why.
type bad struct {
	reason string
	record *kgo.Record
}

func badAvro(w *writer) []bad {
	unknown := w.record("acme", "one")
	binary.BigEndian.PutUint32(unknown.Value[1:], 4711)
	short := w.record("acme", "one")
	short.Value = short.Value[:len(short.Value)-3]
	return []bad{
		{usage.CodeUndecodable, &kgo.Record{Value: []byte("not Avro at all")}},
		{usage.CodeUndecodable, short},
		{usage.CodeUndecodable, &kgo.Record{}},
		{usage.CodeUnknownSchema, unknown},
		{usage.CodeAccountIDMissing, w.encode("", map[string]any{"account_id": nil, "event": "one"})},
		{"account_id_too_long", w.record(strings.Repeat("a", 257), "one")},
		{usage.CodeTimestampInFuture, w.encode("acme", map[string]any{"account_id": "acme", "event": "one", "occurred_at": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()})},
		{usage.CodePropertyWrongType, w.encode("acme", map[string]any{"account_id": "acme", "event": "one", "properties": map[string]any{"plan": []int64{1}}})},
	}
}

func badJSON() []bad {
	value := func(more string) *kgo.Record {
		return &kgo.Record{Value: []byte(`{"event":"one",` + more + `}`)}
	}
	return []bad{
		{usage.CodeUndecodable, &kgo.Record{Value: []byte{0, 0, 0, 0, 1, 2}}},
		{usage.CodeUndecodable, &kgo.Record{}},
		{usage.CodeAccountIDMissing, value(`"occurred_at":1750000000000`)},
		{"account_id_too_long", value(`"occurred_at":1750000000000,"account_id":"` + strings.Repeat("a", 257) + `"`)},
		{usage.CodeTimestampInFuture, value(`"occurred_at":"2099-01-01T00:00:00Z","account_id":"acme"`)},
		{usage.CodeTimestampOutOfRange, value(`"occurred_at":-5,"account_id":"acme"`)},
		{usage.CodePropertyWrongType, value(`"occurred_at":1750000000000,"account_id":"acme","properties":["plan"]`)},
	}
}

// Each bad record lands among the dead letters as it was, and what comes after it is processed.
func TestBadInputBecomesDeadLetters(t *testing.T) {
	for _, test := range []struct {
		name   string
		format config.Format
		stages []config.Stage
	}{
		{"Avro read directly", config.Avro, []config.Stage{config.Activation}},
		{"JSON read directly", config.JSON, []config.Stage{config.Activation}},
		{"Avro through ingest", config.Avro, []config.Stage{config.Ingest, config.Activation}},
		{"JSON through ingest", config.JSON, []config.Stage{config.Ingest, config.Activation}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).up()
			registry := newBreakable(t)
			c := w.settings()
			c.Stages, c.Input.UsagePartitions = test.stages, partitions
			c.Registry.URL, c.Input.Sources[0].Format, c.Output.Format = registry.URL(), test.format, test.format
			all, good := badJSON(), usageOf
			if test.format == config.Avro {
				avro := newWriter(t, registry, canonicalSchema)
				all, good = badAvro(avro), avro.record
			}
			p := start(t, c).awaitReady()
			w.send(good("acme", "one"))
			sent := w.sendBad(all)
			for _, id := range accounts(12) { // behind the bad ones in every partition
				w.send(good(id, "one"), good(id, "two"))
			}
			w.send(good("acme", "two"))
			w.awaitCommitted(c.Group(test.stages[0]), "usage")
			if !c.Direct() {
				w.awaitCommitted("pql.activation", "pql.usage")
			}
			p.awaitMetric(fmt.Sprintf(`pqlstream_rejected_total{stage=%q} %d`, test.stages[0], len(all)))
			p.stop()
			w.requireQualified(append(accounts(12), "acme")...)
			w.requireDeadLetters(sent, test.stages[0])
		})
	}
}

// sendBad sends bad records, spread over the partitions, with headers.
func (w *world) sendBad(all []bad) []bad {
	w.t.Helper()
	sent := slices.Clone(all)
	for i := range sent {
		r := sent[i].record
		r.Topic, r.Partition = "usage", int32(i%partitions)
		r.Headers = []kgo.RecordHeader{{Key: "n", Value: []byte{byte(i), 0xff}}, {Key: "empty"}}
		require.NoError(w.t, w.plain.ProduceSync(w.t.Context(), r).FirstErr())
	}
	return sent
}

func (w *world) requireDeadLetters(sent []bad, stage config.Stage) {
	w.t.Helper()
	byPlace := map[string]codec.DeadLetter{}
	for _, r := range w.read("pql.dead-letters") {
		letter, err := codec.DecodeDeadLetter(r.Value)
		require.NoError(w.t, err)
		require.NotContains(w.t, byPlace, string(r.Key), "twice")
		byPlace[string(r.Key)] = letter
	}
	require.Len(w.t, byPlace, len(sent))
	for _, b := range sent {
		r := b.record
		got, ok := byPlace[fmt.Sprintf("usage-%d-%d", r.Partition, r.Offset)]
		require.True(w.t, ok, b.reason)
		assert.NotEmpty(w.t, got.Message)
		assert.InDelta(w.t, time.Now().UnixMilli(), got.FailedAt, 600_000)
		got.Message, got.FailedAt = "", 0
		assert.Equal(w.t, codec.DeadLetter{
			Reason: b.reason, Stage: string(stage), Topic: "usage", Partition: r.Partition, Offset: r.Offset,
			Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Headers: r.Headers, Value: r.Value,
		}, got, b.reason)
	}
}

// Reading directly, a record in a partition that its account does not hash to is one more: its producer hashes otherwise.
func TestAttack07ForeignHashesBecomeDeadLetters(t *testing.T) {
	w := newWorld(t).up()
	p := start(t, w.settings()).awaitReady()
	w.send(usageOf("acme", "one"))
	stray := usageOf("acme", "two")
	for partition := range int32(partitions) {
		r := *stray
		r.Partition = partition
		require.NoError(t, w.plain.ProduceSync(t.Context(), &r).FirstErr())
	}
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified("acme")
	reasons := map[string]int{}
	for _, r := range w.read("pql.dead-letters") {
		letter, err := codec.DecodeDeadLetter(r.Value)
		require.NoError(t, err)
		reasons[letter.Reason]++
	}
	require.Equal(t, map[string]int{"wrong_partition": partitions - 1}, reasons)
}

// A producer may add fields and reorder them: one account's events come in both forms, mixed.
func TestSchemasEvolve(t *testing.T) {
	for _, stages := range [][]config.Stage{{config.Activation}, {config.Ingest, config.Activation}} {
		t.Run(fmt.Sprint(stages), func(t *testing.T) {
			w := newWorld(t).up()
			registry := newBreakable(t)
			c := w.settings()
			c.Stages, c.Input.UsagePartitions = stages, partitions
			c.Registry.URL, c.Input.Sources[0].Format, c.Output.Format = registry.URL(), config.Avro, config.Avro
			p := start(t, c).awaitReady()
			old := newWriter(t, registry, canonicalSchema)
			w.send(old.record("before", "one"), old.record("across", "one"), old.record("back", "unimportant"))
			evolved := newWriter(t, registry, evolvedSchema)
			require.NotEqual(t, old.id, evolved.id)
			w.send(old.record("before", "two"), evolved.record("across", "two"), evolved.record("back", "one"), old.record("back", "two"),
				evolved.record("after", "one"), evolved.record("after", "two"), evolved.record("half", "two"))
			w.awaitCommitted(c.Group(stages[0]), "usage")
			if !c.Direct() {
				w.awaitCommitted("pql.activation", "pql.usage")
			}
			p.stop()
			w.requireQualified("before", "across", "back", "after")
			require.Empty(t, w.read("pql.dead-letters"))
			for _, r := range w.read("pql.events") {
				f, _, err := codec.DecodeFact(r.Value)
				require.NoError(t, err)
				if f.AccountID == "across" {
					require.Equal(t, "user", f.UserID, "the added field is read")
				}
			}
		})
	}
}

// The topic of dead letters is readable by whoever has to look into it.
func TestDeadLettersNameTheFault(t *testing.T) {
	w := newWorld(t).up()
	p := start(t, w.settings()).awaitReady()
	w.send(&kgo.Record{Topic: "usage", Key: []byte("acme"), Value: []byte(`{"account_id":"acme","event":"one","occurred_at":"2099-01-01T00:00:00Z"}`)})
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	letters := w.read("pql.dead-letters")
	require.Len(t, letters, 1)
	var letter map[string]any
	require.NoError(t, json.Unmarshal(letters[0].Value, &letter))
	require.Equal(t, "timestamp_in_future", letter["reason"])
	require.Contains(t, letter["message"], "occurred_at: 2099-01-01T00:00:00Z is ")
}
