package pipeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// clientTakes is what the client that writes takes of a batch, less what surrounds the one record that is in it.
func clientTakes(t *testing.T) int {
	client, err := kgo.NewClient()
	require.NoError(t, err)
	defer client.Close()
	return int(client.OptValue(kgo.ProducerBatchMaxBytes).(int32)) - 128
}

func sizeOf(o *stream.Output) int {
	size := len(o.Key) + len(o.Value)
	for _, h := range o.Headers {
		size += len(h.Key) + len(h.Value) + headerOverhead
	}
	return size
}

// longID is an id as long as ids may be that begins with a number, of one character.
func longID(n int, of string) string {
	return fmt.Sprintf("%03d", n) + strings.Repeat(of, (usage.MaxIDBytes-3)/len(of))
}

// merged is acme, which has become part of the last of many accounts with long ids that were merged one into the other, and the way that
// something has come which has passed all others.
func merged(t *testing.T, of string) (*waiting, along) {
	w := newWaiting(t)
	w.tell(0)
	w.ask(&Control{Kind: ControlMerge, Account: "acme", Into: longID(0, of)}, -1, 1)
	require.NotEmpty(t, w.state.Alias())
	way := along{Account: "acme"}
	for i := range identity.MaxVisited - 1 {
		way.Visited = append(way.Visited, longID(1+i, of))
	}
	return w, way
}

// largest is an event of as many bytes as ingest lets pass.
func largest(t *testing.T) []byte {
	ev := usage.Event{ID: "i", AccountID: longID(1, "x"), UserID: "bob", Name: "one", OccurredAt: hours(2)}
	for len(recordOf(t, 0, ev).Value) < MaxEventBytes-usage.MaxPropertyBytes-100 {
		ev.Properties = append(ev.Properties, usage.Property{
			Key: fmt.Sprintf("p%03d", len(ev.Properties)), Value: usage.StringValue(strings.Repeat("x", usage.MaxPropertyBytes)),
		})
	}
	last := len(ev.Properties)
	ev.Properties = append(ev.Properties, usage.Property{Key: "last", Value: usage.StringValue("")})
	ev.Properties[last].Value = usage.StringValue(strings.Repeat("x", MaxEventBytes-len(recordOf(t, 0, ev).Value)))
	value := recordOf(t, 0, ev).Value
	require.Len(t, value, MaxEventBytes)
	return value
}

func TestWhatGrowsOnItsWayCanBeWritten(t *testing.T) {
	takes := clientTakes(t)
	state := make([]byte, 900_000) // as large as an account may be, carried by a merge; an alias doesn't look at it
	for name, of := range map[string]string{"plain": "x", "escaped in HTML": "<", "in quotes": `"`, "line separators": "\u2028"} {
		t.Run(name, func(t *testing.T) {
			w, way := merged(t, of)
			encoded, err := json.Marshal(way)
			require.NoError(t, err)
			w.bring(&kgo.Record{Value: largest(t), Headers: []kgo.RecordHeader{
				{Key: headerControl, Value: []byte(controlEvent)}, {Key: headerAlong, Value: encoded},
			}}, 1, 2)
			w.ask(&Control{Kind: ControlAbsorb, Account: "acme", From: way.Visited[0], Visited: way.Visited, EventID: longID(0, of), Event: longID(0, of), State: state}, 1, 2)
			require.Len(t, w.sent, 2)
			assert.Empty(t, w.letters)
			for _, o := range w.sent {
				assert.Less(t, sizeOf(&o), takes)
			}
			to, err := forwarded(&kgo.Record{Headers: w.sent[0].Headers})
			require.NoError(t, err)
			assert.Equal(t, longID(0, of), to.To)
			assert.Equal(t, append(way.Visited, "acme"), to.Via.Visited)
		})
	}
}

func TestWhatNoRecordCanHoldIsNotSentOn(t *testing.T) {
	w, way := merged(t, "\x01") // which JSON has six bytes for
	before, err := w.state.AppendBinary(nil)
	require.NoError(t, err)
	encoded, err := json.Marshal(way)
	require.NoError(t, err)
	w.bring(&kgo.Record{Value: largest(t), Headers: []kgo.RecordHeader{
		{Key: headerControl, Value: []byte(controlEvent)}, {Key: headerAlong, Value: encoded},
	}}, 1, 2)
	w.ask(&Control{Kind: ControlAbsorb, Account: "acme", From: way.Visited[0], Visited: way.Visited, State: make([]byte, 900_000)}, 1, 2)
	assert.Empty(t, w.sent)
	require.Len(t, w.letters, 2)
	takes := clientTakes(t)
	for _, o := range w.letters {
		assert.Less(t, sizeOf(&o), takes)
		letter, err := codec.DecodeDeadLetter(o.Value)
		require.NoError(t, err)
		assert.Equal(t, CodeTooLarge, letter.Reason)
	}
	after, err := w.state.AppendBinary(nil)
	require.NoError(t, err)
	assert.Equal(t, before, after)

	w.bring(&kgo.Record{Value: recordOf(t, 0, usage.Event{AccountID: "first", Name: "one", OccurredAt: hours(3)}).Value, Headers: []kgo.RecordHeader{
		{Key: headerControl, Value: []byte(controlEvent)}, {Key: headerAlong, Value: encoded},
	}}, 1, 3)
	assert.Len(t, w.sent, 1, "a smaller one goes the same way")
}

// Ingest has written Avro, and resolve is to write JSON: the settings have changed in between.
func TestResolvedEventsThatNoRecordCanHoldAreDeadLetters(t *testing.T) {
	in, s := resolving(t)
	id := schemas.UsageEvent.LocalID
	var err error
	s.Input, err = codec.NewInput(codec.Avro, usage.CanonicalMapping(), codec.Schemas{id: schemas.UsageEvent.Text})
	require.NoError(t, err)
	avro, err := codec.NewEventEncoder(codec.Avro, id)
	require.NoError(t, err)
	u := newUser(t, in, s)
	control := func(kind string) stream.Output {
		return (&Control{Kind: kind, User: "ana", Account: "acme", At: epoch}).output(in.Unresolved, "ana", nil, account.Position{Topic: "in"}, 0)
	}
	event := func() stream.Output {
		ev := usage.Event{ID: "e", UserID: "ana", Name: "one", OccurredAt: epoch, ReceivedAt: epoch}
		for i := range 7 { // JSON has six bytes for each of these
			ev.Properties = append(ev.Properties, usage.Property{Key: fmt.Sprint(i), Value: usage.StringValue(strings.Repeat("\x01", usage.MaxPropertyBytes))})
		}
		return in.Unresolved.event([]byte("ana"), avro.AppendUsage(nil, &ev), nil, []byte("in:1:5"))
	}
	require.Empty(t, u.fold(event()), "it is held")
	letters := u.fold(control(ControlLink))
	require.Len(t, letters, 1)
	assert.Equal(t, "dead", letters[0].Topic)
	letter, err := codec.DecodeDeadLetter(letters[0].Value)
	require.NoError(t, err)
	assert.Equal(t, CodeTooLarge, letter.Reason)

	o := event()
	r := &kgo.Record{Topic: "unresolved", Key: o.Key, Value: o.Value, Headers: o.Headers}
	_, err = u.resolve.Decode(0, r)
	require.NoError(t, err)
	requireReject(t, u.resolve.Fold(0, &stream.Turn{Record: r, State: u.state}), CodeTooLarge)
	assert.EqualValues(t, 0, s.Stats.Attributed.Load())
}
