package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

var requests = Requests{Merge: "account_merged", MergedFrom: "old", EraseAccount: "account_erased", EraseUser: "user_erased"}

func TestControlsComeBackAsTheyWere(t *testing.T) {
	cause := Control{At: epoch, EventID: `e "1"`, Event: "merged <it>", Visited: []string{"a", "b"}, Canonical: "a"}
	for _, c := range []Control{
		{Kind: ControlLink, User: "ana", Account: "acme"}, {Kind: ControlMerge, Account: "b", Into: "a"},
		{Kind: ControlAbsorb, Account: "a", From: "b", State: []byte("\x04\x00\x00state\x00")}, {Kind: ControlEraseAccount, Account: "a"},
		{Kind: ControlEraseUser, User: "ana"}, {Kind: ControlEraseUser, User: "ana", Account: "acme"},
	} {
		c.At, c.EventID, c.Event, c.Visited, c.Canonical = cause.At, cause.EventID, cause.Event, cause.Visited, cause.Canonical
		source := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}}}
		o := c.output(Topic{"usage", partitions}, "acme", source, account.Position{Topic: "in", Partition: 3, Offset: 9}, 0)
		assert.Empty(t, o.Key)
		assert.Equal(t, kafka.Partition([]byte("acme"), partitions), o.Partition)
		r := &kgo.Record{Topic: "usage", Value: o.Value, Headers: o.Headers}
		assert.Equal(t, c.Kind, controlKind(r))
		assert.Equal(t, account.Position{Topic: "in", Partition: 3, Offset: 9}, position(r))
		assert.Equal(t, "00-1-2-01", header(o.Headers, "traceparent"))
		got, err := decodeControl(c.Kind, r)
		require.NoError(t, err)
		require.Equal(t, &c, got)
		clear(r.Value)
		require.Equal(t, &c, got, "it aliases the record")
	}
}

// A header alone makes no control of an event: whoever publishes to a source may set any.
func TestRecordsWithKeysAreEvents(t *testing.T) {
	r := &kgo.Record{Key: []byte("acme"), Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(ControlMerge)}}}
	require.Empty(t, controlKind(r))
	require.Empty(t, controlKind(&kgo.Record{}))
}

func TestMalformedControlsAreRejected(t *testing.T) {
	long := strings.Repeat("x", 257)
	for name, c := range map[string]struct{ kind, value string }{
		"no JSON": {ControlMerge, "{"}, "another kind": {"rename", `{"account":"a"}`}, "nobody": {ControlEraseAccount, `{"at":1}`}, "into nobody": {ControlMerge, `{"account":"a"}`},
		"a long id": {ControlEraseAccount, `{"account":"` + long + `"}`}, "far away": {ControlEraseAccount, `{"account":"a","visited":["` + strings.Repeat(`a","`, 64) + `b"]}`},
		"a long way": {ControlEraseAccount, `{"account":"a","visited":["` + long + `"]}`}, "no time": {ControlEraseAccount, `{"account":"a","at":-1}`},
	} {
		_, err := decodeControl(c.kind, &kgo.Record{Value: []byte(c.value)})
		require.Error(t, err, name)
		requireReject(t, err, usage.CodeUndecodable, c.kind)
	}
}

func TestMergesAreAskedOfTheAccountThatGoes(t *testing.T) {
	for _, old := range []usage.Value{usage.StringValue("17"), usage.LongValue(17)} {
		in := ingestStage(t)
		in.Requests = requests
		ev := usage.Event{ID: "e1", AccountID: "acme", UserID: "ana", Name: "account_merged", OccurredAt: epoch, Properties: []usage.Property{{Key: "old", Value: old}}}
		outputs, err := ingestOne(t, in, recordOf(t, 5, ev))
		require.NoError(t, err)
		require.Len(t, outputs, 1, "it is no usage")
		assert.Equal(t, kafka.Partition([]byte("17"), partitions), outputs[0].Partition)
		c, err := decodeControl(header(outputs[0].Headers, headerControl), &kgo.Record{Value: outputs[0].Value})
		require.NoError(t, err)
		require.Equal(t, &Control{Kind: ControlMerge, Account: "17", Into: "acme", At: epoch, EventID: "e1", Event: "account_merged"}, c)
		require.Equal(t, "in:2:5", header(outputs[0].Headers, headerPosition))
	}
}

func TestImpossibleRequestsAreDeadLetters(t *testing.T) {
	old := func(v usage.Value) []usage.Property { return []usage.Property{{Key: "old", Value: v}} }
	for name, test := range map[string]struct {
		ev   usage.Event
		code string
	}{
		"nobody merged":          {usage.Event{AccountID: "acme", Name: "account_merged"}, CodeMergedAccountMissing},
		"merged with true":       {usage.Event{AccountID: "acme", Name: "account_merged", Properties: old(usage.BoolValue(true))}, CodeMergedAccountWrongType},
		"merged with itself":     {usage.Event{AccountID: "acme", Name: "account_merged", Properties: old(usage.StringValue("acme"))}, CodeMergeIntoItself},
		"a long name":            {usage.Event{AccountID: "acme", Name: "account_merged", Properties: old(usage.StringValue(strings.Repeat("x", 257)))}, CodeMergedAccountTooLong},
		"merged into nobody":     {usage.Event{UserID: "ana", Name: "account_merged", Properties: old(usage.StringValue("b"))}, usage.CodeAccountIDMissing},
		"nobody erased":          {usage.Event{UserID: "ana", Name: "account_erased"}, usage.CodeAccountIDMissing},
		"no user erased":         {usage.Event{AccountID: "acme", Name: "user_erased"}, usage.CodeUserIDMissing},
		"a user whose is erased": {usage.Event{UserID: "ana", Name: "user_erased"}, usage.CodeAccountIDMissing},
		"of tomorrow":            {usage.Event{AccountID: "acme", Name: "account_erased", OccurredAt: epoch + 200*day}, usage.CodeTimestampInFuture},
	} {
		in, _ := resolving(t)
		if test.ev.OccurredAt == 0 {
			test.ev.OccurredAt = epoch
		}
		if in.Requests = requests; name == "a user whose is erased" {
			in.Unresolved = Topic{}
		}
		_, err := ingestOne(t, in, recordOf(t, 0, test.ev))
		require.Error(t, err, name)
		requireReject(t, err, test.code)
		if name == "a user whose is erased" {
			require.ErrorContains(t, err, "set input.identity.users_without_account to resolve")
		}
	}
}

// Without resolve nothing is as it was not: such events are dead letters, and no links are told.
func TestUsersAreLeftAloneWithoutResolve(t *testing.T) {
	in := ingestStage(t)
	in.Requests = requests
	_, err := ingestOne(t, in, recordOf(t, 0, of("", "one", 0)))
	requireReject(t, err, usage.CodeAccountIDMissing)
	outputs, err := ingestOne(t, in, recordOf(t, 0, of("acme", "one", 0)))
	require.NoError(t, err)
	require.Len(t, outputs, 1)
	outputs, err = ingestOne(t, in, recordOf(t, 0, of("acme", "user_erased", 0)))
	require.NoError(t, err)
	require.Len(t, outputs, 1)
	require.Equal(t, "usage", outputs[0].Topic)
	require.Equal(t, kafka.Partition([]byte("acme"), partitions), outputs[0].Partition)
}

// A link is told once a day for a user and an account, and with each change.
func TestLinksAreToldAsSeldomAsWillDo(t *testing.T) {
	in, _ := resolving(t)
	proc := in.Processor("in", 1)
	told := func(user, account string, at int64) bool {
		r := recordOf(t, 0, usage.Event{AccountID: account, UserID: user, Name: "one", OccurredAt: at})
		r.Timestamp = time.UnixMilli(at)
		_, err := proc.Decode(0, r)
		require.NoError(t, err)
		turn := stream.Turn{Record: r}
		require.NoError(t, proc.Fold(0, &turn))
		_, outputs := turn.Result()
		require.Equal(t, "usage", outputs[0].Topic)
		if len(outputs) == 1 {
			return false
		}
		require.Len(t, outputs, 2)
		require.Equal(t, "unresolved", outputs[1].Topic)
		require.Equal(t, kafka.Partition([]byte(user), 4), outputs[1].Partition)
		c, err := decodeControl(header(outputs[1].Headers, headerControl), &kgo.Record{Value: outputs[1].Value})
		require.NoError(t, err)
		require.Equal(t, &Control{Kind: ControlLink, User: user, Account: account, At: at}, c)
		return true
	}
	midnight := epoch - epoch%day
	assert.True(t, told("ana", "acme", midnight))
	assert.False(t, told("ana", "acme", midnight+day-1))
	assert.True(t, told("ana", "acme", midnight-1))
	assert.True(t, told("ana", "acme", midnight))
	assert.True(t, told("ana", "beta", midnight))
	assert.True(t, told("ana", "acme", midnight))
	assert.True(t, told("bob", "acme", midnight))
	assert.False(t, told("ana", "acme", midnight))
	assert.False(t, told("", "acme", midnight), "nobody did it")

	in.Requests = requests
	proc = in.Processor("in", 1)
	assert.True(t, told("ana", "acme", midnight), "after a takeover it may be told again")
	for i := range 100 {
		assert.True(t, told(fmt.Sprint("user-", i), "acme", midnight))
	}
}
