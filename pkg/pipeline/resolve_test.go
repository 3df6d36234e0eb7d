package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const hour = day / 24

// resolving is an ingest stage, and the resolve stage behind it. Three events of a user are held, for two days.
func resolving(t *testing.T) (*Ingest, *Resolve) {
	in := ingestStage(t)
	in.Unresolved, in.Sources, in.Started = Topic{"unresolved", 4}, []stream.Source{{Topic: "in", Partitions: 3}}, 50
	in.Now = func() int64 { return epoch + 100*day }
	letters, err := codec.NewDeadLetterEncoder(codec.JSON, 0, 900_000)
	require.NoError(t, err)
	return in, &Resolve{
		Input: in.Inputs["in"].Input, Unresolved: in.Unresolved, Events: in.Events, Usage: in.Usage, Sources: in.Sources, Started: 60,
		Limits:      identity.Limits{Hold: 2 * day, Events: 3, Retention: 30 * day},
		DeadLetters: &DeadLetters{Stage: "resolve", Topic: "dead", Partitions: partitions, Encoder: letters, Now: func() int64 { return epoch }},
		Stats:       &ResolveStats{},
	}
}

// user is one user in the hands of the stages, without a runtime.
type user struct {
	t         *testing.T
	ingest    stream.Processor
	resolve   stream.TimerProcessor
	state     stream.State
	offset    int64
	watermark int64
	gone      bool
}

func newUser(t *testing.T, in *Ingest, s *Resolve) *user {
	return &user{t: t, ingest: in.Processor("in", 1), resolve: s.Processor("unresolved", 2).(stream.TimerProcessor), watermark: epoch - hour}
}

// ingested is what ingest makes of an event.
func (u *user) ingested(ev usage.Event) []stream.Output {
	u.t.Helper()
	r := recordOf(u.t, u.offset, ev)
	r.Timestamp, r.Headers = time.UnixMilli(ev.OccurredAt+7), []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "tracestate", Value: []byte("a=1")}}
	u.offset++
	_, err := u.ingest.Decode(0, r)
	require.NoError(u.t, err)
	turn := stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r}
	require.NoError(u.t, u.ingest.Fold(0, &turn))
	_, outputs := turn.Result()
	return outputs
}

// event sends an event through both stages, and returns what of it goes to the usage topic and to the dead letters.
func (u *user) event(ev usage.Event) (outputs []stream.Output) {
	u.t.Helper()
	for _, o := range u.ingested(ev) {
		if o.Topic == "unresolved" {
			outputs = append(outputs, u.fold(o)...)
		} else {
			outputs = append(outputs, o)
		}
	}
	return outputs
}

// fold has resolve fold what ingest has written.
func (u *user) fold(o stream.Output) []stream.Output {
	u.t.Helper()
	r := &kgo.Record{
		Topic: "unresolved", Partition: 2, Offset: 100 + u.offset, Key: o.Key, Value: o.Value, Headers: o.Headers,
		Timestamp: time.UnixMilli(epoch + u.offset*hour),
	}
	route, err := u.resolve.Decode(0, r)
	require.NoError(u.t, err)
	require.Equal(u.t, "ana", string(route.Key))
	if u.state == nil {
		u.state = u.resolve.NewState("ana", r.Offset)
	}
	return u.turn(&stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Watermark: u.watermark, Record: r, State: u.state},
		func(turn *stream.Turn) error { return u.resolve.Fold(0, turn) })
}

func (u *user) turn(turn *stream.Turn, call func(*stream.Turn) error) []stream.Output {
	u.t.Helper()
	before, err := u.state.AppendBinary(nil)
	require.NoError(u.t, err)
	require.NoError(u.t, call(turn))
	after, err := u.state.AppendBinary(nil)
	require.NoError(u.t, err)
	changed, outputs := turn.Result()
	require.True(u.t, changed || string(before) == string(after), "the state has changed without a word")
	for i := range outputs {
		if outputs[i].Headers == nil {
			continue
		}
		require.LessOrEqual(u.t, len(outputs[i].Headers), 4)
	}
	if u.gone = turn.Deleted(); u.gone {
		u.state = nil
		return outputs
	}
	u.state, err = u.resolve.LoadState("ana", after) // as after an eviction
	require.NoError(u.t, err)
	return outputs
}

// pass fires what is due up to a moment.
func (u *user) pass(to int64) (outputs []stream.Output) {
	u.t.Helper()
	u.watermark = to
	for u.state != nil {
		due := u.state.(stream.Timed).NextTimer()
		if due == 0 || due > to {
			break
		}
		outputs = append(outputs, u.turn(&stream.Turn{Topic: "unresolved", Partition: 2, Watermark: to, State: u.state}, func(turn *stream.Turn) error { return u.resolve.Fire(turn, due) })...)
		if u.state != nil {
			next := u.state.(stream.Timed).NextTimer()
			require.True(u.t, next == 0 || next > due, "a timer must lead on")
		}
	}
	return outputs
}

// of is an event of ana, so many hours after the epoch.
func of(account, name string, hours int64) usage.Event {
	return usage.Event{ID: name, AccountID: account, UserID: "ana", Name: name, OccurredAt: epoch + hours*hour, Properties: []usage.Property{{Key: "n", Value: usage.DoubleValue(2)}}, Source: "web", Quantity: 3}
}

// sent shows what went where: ACCOUNT:EVENT, or DEAD:EVENT.
func (u *user) sent(outputs []stream.Output) (list []string) {
	u.t.Helper()
	input, err := codec.NewInput(codec.JSON, usage.CanonicalMapping(), nil)
	require.NoError(u.t, err)
	for _, o := range outputs {
		value, key := o.Value, string(o.Key)
		switch {
		case o.Topic == "dead":
			letter, err := codec.DecodeDeadLetter(o.Value)
			require.NoError(u.t, err)
			value, key = letter.Value, "DEAD"
		case controlKind(&kgo.Record{Key: o.Key, Headers: o.Headers}) != "":
			c, err := decodeControl(header(o.Headers, headerControl), &kgo.Record{Value: o.Value})
			require.NoError(u.t, err)
			require.Equal(u.t, kafka.Partition([]byte(c.Account), partitions), o.Partition)
			list = append(list, fmt.Sprintf("%s:%s", c.Account, c.Kind))
			continue
		}
		var ev usage.Event
		require.NoError(u.t, input.Decoder().Decode(context.Background(), value, &ev))
		if o.Topic != "dead" {
			require.Equal(u.t, "usage", o.Topic)
			require.Equal(u.t, key, ev.AccountID)
			require.Equal(u.t, kafka.Partition(o.Key, partitions), o.Partition)
		}
		list = append(list, key+":"+ev.Name)
	}
	return list
}

func TestEventsWithoutAccountGoToTheirUsersAccount(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	require.Equal(t, []string{"acme:one"}, u.sent(u.event(of("acme", "one", 0))))
	outputs := u.event(of("", "two", 1))
	require.Equal(t, []string{"acme:two"}, u.sent(outputs))

	// It is the event that ingest would have made of it, had it named the account.
	want := in.Processor("in", 1)
	r := recordOf(t, 1, of("acme", "two", 1))
	r.Timestamp = time.UnixMilli(epoch + hour + 7)
	_, err := want.Decode(0, r)
	require.NoError(t, err)
	turn := stream.Turn{Record: r}
	require.NoError(t, want.Fold(0, &turn))
	_, direct := turn.Result()
	assert.Equal(t, string(direct[0].Value), string(outputs[0].Value))
	assert.Equal(t, []kgo.RecordHeader{
		{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "tracestate", Value: []byte("a=1")},
		{Key: "schema", Value: []byte("usage_event")}, {Key: headerPosition, Value: []byte("in:2:1")},
	}, outputs[0].Headers)
}

func TestEventsWaitForTheirUsersAccount(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	require.Empty(t, u.event(of("", "one", 0)))
	require.Empty(t, u.event(of("", "two", 2)))
	require.Empty(t, u.event(of("", "three", 1)))
	require.Empty(t, u.pass(epoch+2*day-1))
	outputs := u.event(of("acme", "signed_up", 3))
	require.Equal(t, []string{"acme:signed_up", "acme:one", "acme:two", "acme:three"}, u.sent(outputs), "in the order in which they came")
	require.Equal(t, "in:2:1", header(outputs[2].Headers, headerPosition))
	require.Equal(t, "00-1-2-01", header(outputs[2].Headers, headerTraceParent))
	require.Empty(t, u.pass(epoch+900*day), "who is known stays known")
	require.False(t, u.gone)
	require.EqualValues(t, 3, s.Stats.Held.Load())
	require.EqualValues(t, 3, s.Stats.Attributed.Load())
}

func TestEventsThatWaitTooLongAreDeadLetters(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	require.Empty(t, u.event(of("", "one", 0)))
	require.Empty(t, u.event(of("", "two", 1)))
	outputs := u.pass(epoch + 2*day)
	require.Equal(t, []string{"DEAD:one"}, u.sent(outputs))
	letter, err := codec.DecodeDeadLetter(outputs[0].Value)
	require.NoError(t, err)
	assert.Equal(t, "resolve", letter.Stage)
	assert.Equal(t, CodeUserWithoutAccount, letter.Reason)
	assert.Equal(t, account.Position{Topic: "in", Partition: 2, Offset: 0}, account.Position{Topic: letter.Topic, Partition: letter.Partition, Offset: letter.Offset})
	assert.Equal(t, epoch+7, letter.Timestamp, "the source record's")
	assert.Equal(t, "ana", string(letter.Key))
	assert.Contains(t, letter.Message, `no account of user "ana" has become known; it was held for 48h0m0s (input.identity.hold)`)
	assert.Equal(t, "00-1-2-01", header(letter.Headers, headerTraceParent))
	require.Equal(t, "in-2-0", string(outputs[0].Key))

	require.Equal(t, []string{"acme:three", "acme:two"}, u.sent(u.event(of("acme", "three", 3))), "the other one goes on")
	require.EqualValues(t, 1, s.Stats.Dropped.Load())
}

func TestTooManyEventsPushTheOldestOut(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	for _, name := range []string{"one", "two", "three"} {
		require.Empty(t, u.event(of("", name, 0)))
	}
	outputs := u.event(of("", "four", 0))
	require.Equal(t, []string{"DEAD:one"}, u.sent(outputs))
	letter, err := codec.DecodeDeadLetter(outputs[0].Value)
	require.NoError(t, err)
	require.Contains(t, letter.Message, "at most 3 events")

	large := of("", "large", 0)
	for i := range 10 {
		large.Properties = append(large.Properties, usage.Property{Key: fmt.Sprint(i), Value: usage.StringValue(strings.Repeat("v", 32_000))})
	}
	outputs = u.event(large)
	require.Equal(t, []string{"DEAD:large"}, u.sent(outputs))
	letter, err = codec.DecodeDeadLetter(outputs[0].Value)
	require.NoError(t, err)
	require.Contains(t, letter.Message, "at most 262144 bytes")
	require.Len(t, u.event(of("acme", "five", 0)), 4)
	require.Equal(t, []string{"acme:large"}, u.sent(u.event(large)), "it need not be held")
}

// Of a user who never belonged to anybody nothing is kept for good.
func TestStrangersAreForgotten(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	require.Empty(t, u.event(of("", "one", 0)))
	require.Len(t, u.pass(epoch+30*day), 1)
	require.False(t, u.gone)
	require.Empty(t, u.pass(epoch+30*day+hour))
	require.True(t, u.gone, "the record of it can't be there any more")
	require.Empty(t, u.event(of("", "two", 30*24)), "another begins anew")
}

func TestSeveralAccountsOfAUser(t *testing.T) {
	in, s := resolving(t)
	u := newUser(t, in, s)
	u.event(of("acme", "a", 0))
	u.event(of("beta", "b", 10))
	require.Equal(t, []string{"beta:x"}, u.sent(u.event(of("", "x", 11))), "never to all of them")
	require.Equal(t, []string{"acme:y"}, u.sent(u.event(of("", "y", 5))), "late, and from before")
	u.event(of("acme", "a", 12))
	require.Equal(t, []string{"acme:z"}, u.sent(u.event(of("", "z", 13))), "back on the same day")
}

func TestErasingAUserTellsTheirAccounts(t *testing.T) {
	in, s := resolving(t)
	in.Requests.EraseUser = "user_erased"
	u := newUser(t, in, s)
	u.event(of("acme", "a", 0))
	u.event(of("beta", "b", 1))
	outputs := u.event(of("gamma", "user_erased", 2))
	require.Equal(t, []string{"acme:erase-user", "beta:erase-user", "gamma:erase-user"}, u.sent(outputs))
	c, err := decodeControl(ControlEraseUser, &kgo.Record{Value: outputs[0].Value})
	require.NoError(t, err)
	require.Equal(t, &Control{Kind: ControlEraseUser, Account: "acme", User: "ana", At: epoch + 2*hour, EventID: "user_erased", Event: "user_erased"}, c)
	require.Equal(t, "in:2:2", header(outputs[0].Headers, headerPosition), "the source's record")

	require.Empty(t, u.event(of("", "c", 3)), "nothing is known of them any more")
	require.Empty(t, u.event(of("", "user_erased", 4)))
	require.EqualValues(t, 1, s.Stats.Erased.Load(), "what was held went with them")
	require.Empty(t, u.pass(epoch+3*day), "no dead letter")
	require.Equal(t, []string{"beta:d"}, u.sent(u.event(of("beta", "d", 5))))
	require.Equal(t, []string{"beta:e"}, u.sent(u.event(of("", "e", 6))), "ingest tells the link anew, on the same day")
}

// The partition that the request came through tells a link anew at once, another one with the first event of another day: docs/identity.md says so.
func TestLinksAreToldAgainAfterAnErasureInAnotherPartition(t *testing.T) {
	in, s := resolving(t)
	in.Requests.EraseUser = "user_erased"
	u := newUser(t, in, s)
	one, another := u.ingest, in.Processor("in", 2)
	u.event(of("acme", "a", 0))
	u.ingest = another
	require.Equal(t, []string{"acme:erase-user"}, u.sent(u.event(of("", "user_erased", 1))))

	u.ingest = one
	require.Empty(t, u.event(of("", "waits", 2)))
	require.Equal(t, []string{"acme:b"}, u.sent(u.event(of("acme", "b", 3))), "it takes the link for told")
	require.Equal(t, []string{"acme:c", "acme:waits"}, u.sent(u.event(of("acme", "c", 24))))

	u.ingest = another
	u.event(of("", "user_erased", 25))
	u.ingest = in.Processor("in", 1) // the process has been started again
	require.Empty(t, u.event(of("", "waits", 26)))
	require.Equal(t, []string{"acme:d", "acme:waits"}, u.sent(u.event(of("acme", "d", 27))))
}

func TestErasingNobodyLeavesNothing(t *testing.T) {
	in, s := resolving(t)
	in.Requests.EraseUser = "user_erased"
	u := newUser(t, in, s)
	outputs := u.ingested(of("", "user_erased", 0))
	require.Len(t, outputs, 1)
	require.Empty(t, u.fold(outputs[0]))
	require.Equal(t, []string{"acme:erase-user"}, u.sent(u.event(of("acme", "user_erased", 1))))
	require.Empty(t, u.pass(epoch+31*day))
	require.True(t, u.gone)
}

// The time that ingest tells resolve is ingest's alone; activation is told by both, and waits for both.
func TestBothStagesTellActivationTheTime(t *testing.T) {
	in, s := resolving(t)
	all := []stream.Source{{Topic: "in", Partitions: 3}, {Topic: "unresolved", Partitions: 4}}
	byTopic := map[string][]stream.Output{}
	for _, o := range append(in.Processor("in", 1).(stream.TimeTeller).Tell(epoch, false), s.Processor("unresolved", 2).(stream.TimeTeller).Tell(epoch-5, false)...) {
		require.EqualValues(t, len(byTopic[o.Topic])%int(partitions), o.Partition)
		byTopic[o.Topic] = append(byTopic[o.Topic], o)
	}
	require.Len(t, byTopic["unresolved"], 4)
	require.Len(t, byTopic["usage"], 2*int(partitions))
	read := func(proc stream.Processor, o stream.Output) *stream.Mark {
		route, err := proc.Decode(0, &kgo.Record{Value: o.Value, Headers: o.Headers, Timestamp: time.UnixMilli(epoch + day)})
		require.NoError(t, err)
		require.NotNil(t, route.Mark)
		return route.Mark
	}
	assert.Equal(t, &stream.Mark{Topic: "in", Partition: 1, Watermark: epoch, AsOf: 50, Sources: in.Sources}, read(s.Processor("unresolved", 2), byTopic["unresolved"][3]))
	activation := stage(t).Processor("in", 2)
	assert.Equal(t, &stream.Mark{Topic: "in", Partition: 1, Watermark: epoch, AsOf: 50, Sources: all}, read(activation, byTopic["usage"][0]))
	assert.Equal(t, &stream.Mark{Topic: "unresolved", Partition: 2, Watermark: epoch - 5, AsOf: 60, Sources: all}, read(activation, byTopic["usage"][partitions]))
}

// What somebody else has written to the topic is parked.
func TestResolveRejectsWhatItDoesNotKnow(t *testing.T) {
	_, s := resolving(t)
	proc := s.Processor("unresolved", 0)
	for name, r := range map[string]*kgo.Record{
		"no user":           recordOf(t, 0, of("acme", "one", 0)),
		"no JSON":           {Key: []byte("ana"), Value: []byte("{")},
		"another's control": {Value: []byte(`{"account":"acme","at":1}`), Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(ControlEraseAccount)}}},
		"a half link":       {Value: []byte(`{"account":"acme","at":1}`), Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(ControlLink)}}},
		"a half mark":       {Value: []byte(`{`), Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlMark)}}},
	} {
		if name == "no user" {
			r = recordOf(t, 0, usage.Event{AccountID: "acme", Name: "one", OccurredAt: epoch})
		}
		_, err := proc.Decode(0, r)
		var reject *stream.Reject
		require.ErrorAs(t, err, &reject, name)
	}
}
