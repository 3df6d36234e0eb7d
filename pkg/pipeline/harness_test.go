package pipeline

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	day   = int64(86_400_000)
	epoch = int64(1_750_000_000_000) // when events of the tests happen
	rules = "version: 3\nname: test\nsignup: {event: signed_up}\ninactivity: {days: 0}\nconverted: {event: paid}\nchurned: {event: left}\nsales: {lost: {event: lost}}\nexclude: ['account.is_test']\n" +
		"properties: [{name: is_test, type: boolean, from: [{event: signed_up}], default: false}]\n" +
		"tiers: [{name: all, threshold: 0.5, escalate_at: 0.9}]\n" +
		"steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}, {id: three, kind: event, event: three}, {id: four, kind: event, event: four}]\n"
	partitions = int32(8)
)

// stage is an activation stage on JSON whose clock stands an hour after the epoch.
func stage(t *testing.T) *Activation { return stageOf(t, rules) }

func stageOf(t *testing.T, rules string) *Activation {
	definition, err := checklist.Parse([]byte(rules))
	require.NoError(t, err)
	compiled, err := checklist.Compile(definition)
	require.NoError(t, err)
	input, err := codec.NewInput(codec.JSON, usage.CanonicalMapping(), nil)
	require.NoError(t, err)
	facts, err := codec.NewFactEncoder(codec.JSON, 0)
	require.NoError(t, err)
	return &Activation{
		Engine: account.NewEngine(compiled), Input: input, Facts: facts,
		Events: "events", Current: "current", Lifecycle: "lifecycle", Escalations: true,
		FutureTolerance: 600_000, Now: func() int64 { return epoch + day/24 },
	}
}

// event is a record with an event of an account, one minute after the one before.
func event(t *testing.T, offset int64, accountID, name string, properties ...usage.Property) *kgo.Record {
	return recordOf(t, offset, usage.Event{AccountID: accountID, UserID: "user-1", Name: name, OccurredAt: epoch + offset*60_000, Properties: properties})
}

func recordOf(t *testing.T, offset int64, ev usage.Event) *kgo.Record {
	encoder, err := codec.NewEventEncoder(codec.JSON, 0)
	require.NoError(t, err)
	return &kgo.Record{Topic: "in", Partition: 2, Offset: offset, Key: []byte(ev.AccountID), Value: encoder.AppendUsage(nil, &ev)}
}

// entity is one account in the hands of a processor, without a runtime.
type entity struct {
	t     *testing.T
	proc  stream.Processor
	state stream.State
}

// fold folds records one after the other and returns what the last one led to.
func (a *entity) fold(records ...*kgo.Record) (changed bool, outputs []stream.Output) {
	a.t.Helper()
	for _, r := range records {
		route, err := a.proc.Decode(0, r)
		require.NoError(a.t, err)
		changed, outputs = false, nil
		if route.Ignore {
			continue
		}
		if a.state == nil {
			a.state = a.proc.NewState(string(route.Key), r.Offset)
		}
		turn := a.turn(r)
		require.NoError(a.t, a.proc.Fold(0, turn))
		changed, outputs = turn.Result()
	}
	return changed, outputs
}

func (a *entity) turn(r *kgo.Record) *stream.Turn {
	return &stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r, State: a.state}
}

// published is an output as a reader of its topic sees it.
type published struct {
	topic     string
	kind      account.Type
	tombstone bool
}

func summary(t *testing.T, outputs []stream.Output) (list []published) {
	t.Helper()
	for _, o := range outputs {
		p := published{topic: o.Topic, tombstone: o.Value == nil}
		if !p.tombstone {
			p.kind = fact(t, o).Type
			require.Equal(t, string(p.kind), header(o.Headers, codec.HeaderType), "a consumer may skip by the header")
		}
		require.Equal(t, "pql_event", header(o.Headers, codec.HeaderSchema))
		list = append(list, p)
	}
	return list
}

func fact(t *testing.T, o stream.Output) account.Fact {
	t.Helper()
	f, _, err := codec.DecodeFact(o.Value)
	require.NoError(t, err)
	return f
}

func header(headers []kgo.RecordHeader, key string) string {
	if i := slices.IndexFunc(headers, func(h kgo.RecordHeader) bool { return h.Key == key }); i >= 0 {
		return string(headers[i].Value)
	}
	return ""
}

// requireReject checks that an error makes a dead letter, and why.
func requireReject(t *testing.T, err error, code string, parts ...string) {
	t.Helper()
	var reject *stream.Reject
	require.ErrorAs(t, err, &reject)
	require.Equal(t, code, reject.Code)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}
