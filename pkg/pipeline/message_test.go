package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// keyed is ingest's topic with an activation behind it, whose tasks fold what lies in their partitions.
type keyed struct {
	t      *testing.T
	stage  *Activation
	tasks  []stream.Processor
	states []map[string]stream.State
	ends   []int64
	queue  []*kgo.Record
	facts  []account.Fact
	rows   map[string]bool // who has one in the topic of current PQLs
}

func newKeyed(t *testing.T, rules string) *keyed {
	k := &keyed{t: t, stage: stageOf(t, rules), rows: map[string]bool{}, ends: make([]int64, partitions)}
	k.stage.Usage, k.stage.Retention = Topic{Name: "usage", Partitions: partitions}, 30*day
	for range partitions {
		k.tasks = append(k.tasks, k.stage.Processor("in", int32(len(k.tasks))))
		k.states = append(k.states, map[string]stream.State{})
	}
	return k
}

// write appends a record, and says where it lies.
func (k *keyed) write(o stream.Output) {
	require.Equal(k.t, "usage", o.Topic)
	k.queue = append(k.queue, &kgo.Record{
		Topic: o.Topic, Partition: o.Partition, Offset: k.ends[o.Partition], Key: o.Key, Value: o.Value, Headers: o.Headers, Timestamp: time.UnixMilli(epoch),
	})
	k.ends[o.Partition]++
}

func (k *keyed) event(minute int64, accountID, name string, properties ...usage.Property) {
	r := event(k.t, minute, accountID, name, properties...)
	r.Offset = 100 + minute // where the source's record lies
	k.write(k.stage.Usage.event(r.Key, r.Value, nil, formatPosition(positionOf(r))))
}

func (k *keyed) ask(c *Control, minute int64) {
	c.At, c.EventID, c.Event = epoch+minute*60_000, "asked", "by_an_event"
	r := &kgo.Record{Topic: "in", Partition: 2, Offset: 100 + minute}
	k.write(c.output(k.stage.Usage, c.Account, r, positionOf(r), 0))
}

// run folds until nothing is left, through an encoding of the states each time.
func (k *keyed) run() (rejects []error) {
	for n := 0; len(k.queue) > 0; n++ {
		require.Less(k.t, n, 1000, "records go round for ever")
		r := k.queue[0]
		k.queue = k.queue[1:]
		if err := k.fold(r); err != nil {
			rejects = append(rejects, err)
		}
	}
	return rejects
}

func (k *keyed) fold(r *kgo.Record) error {
	proc, states := k.tasks[r.Partition], k.states[r.Partition]
	route, err := proc.Decode(0, r)
	if err != nil || route.Ignore || route.Mark != nil {
		return err
	}
	id := strings.Clone(string(route.Key))
	turn := &stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r, State: states[id]}
	if turn.State == nil {
		turn.State = proc.NewState(id, r.Offset)
	}
	if err := proc.Fold(0, turn); err != nil {
		return err
	}
	changed, outputs := turn.Result()
	if changed {
		encoded, err := turn.State.AppendBinary(nil)
		require.NoError(k.t, err)
		states[id], err = proc.LoadState(id, encoded)
		require.NoError(k.t, err)
	}
	k.publish(outputs)
	return nil
}

func (k *keyed) publish(outputs []stream.Output) {
	for _, o := range outputs {
		switch o.Topic {
		case "usage":
			k.write(o)
		case "lifecycle":
			k.facts = append(k.facts, fact(k.t, o))
		case "current":
			k.rows[string(o.Key)] = o.Value != nil
		}
	}
}

func (k *keyed) state(id string) *account.State {
	s, _ := k.states[k.stage.Usage.partition([]byte(id))][id].(*account.State)
	return s
}

// told are the types of an account's facts since they were told last.
func (k *keyed) told(id string) (types []account.Type) {
	kept := k.facts[:0]
	for _, f := range k.facts {
		if f.AccountID == id {
			types = append(types, f.Type)
		} else {
			kept = append(kept, f)
		}
	}
	k.facts = kept
	return types
}

func TestMergedAccountsAreOne(t *testing.T) {
	k := newKeyed(t, rules)
	k.event(1, "part", "one")
	k.event(2, "part", "two")
	k.event(3, "whole", "three")
	require.Empty(t, k.run())
	assert.True(t, k.rows["part"])
	k.facts = nil

	k.ask(&Control{Kind: ControlMerge, Account: "part", Into: "whole"}, 4)
	k.event(5, "part", "four")
	require.Empty(t, k.run())
	assert.Equal(t, "whole", k.state("part").Alias())
	assert.Equal(t, map[string]bool{"part": false, "whole": true}, k.rows)
	assert.Equal(t, account.ReasonMerged, k.facts[0].Reason)
	assert.Equal(t, []account.Type{account.Disqualified, account.Merged}, k.told("part"))
	last := k.facts[len(k.facts)-1]
	require.Len(t, last.StepsDone, 4)
	assert.Equal(t, "user-1", last.StepsDone[3].UserID)
	assert.Equal(t, account.Position{Topic: "in", Partition: 2, Offset: 105}, last.StepsDone[3].Position, "where the source's record lies")
	assert.Equal(t, []account.Type{account.Absorbed, account.StepDone, account.StepDone, account.Qualified, account.StepDone, account.Escalated}, k.told("whole"))

	k.ask(&Control{Kind: ControlMerge, Account: "part", Into: "whole"}, 6)
	require.Empty(t, k.run())
	assert.Empty(t, k.facts, "merging again changes nothing")
}

// Account a is merged into b and b into a: each forwards to the other for ever.
func TestAttack20MergedIntoEachOther(t *testing.T) {
	k := newKeyed(t, rules)
	k.event(1, "a", "one")
	k.event(2, "b", "two")
	k.ask(&Control{Kind: ControlMerge, Account: "a", Into: "b"}, 3)
	k.ask(&Control{Kind: ControlMerge, Account: "b", Into: "a"}, 4)
	k.event(5, "a", "three")
	k.event(6, "b", "four")
	require.Empty(t, k.run())
	require.Empty(t, k.state("a").Alias())
	require.Equal(t, "a", k.state("b").Alias())
	view := k.stage.Engine.View(k.state("a"), epoch)
	require.Len(t, view.StepsDone, 4)
}

func TestErasedAccountsLeaveAStubThatGoes(t *testing.T) {
	k := newKeyed(t, rules)
	k.event(1, "acme", "one")
	k.event(2, "acme", "two")
	require.Empty(t, k.run())
	k.facts = nil
	k.ask(&Control{Kind: ControlEraseAccount, Account: "acme"}, 3)
	require.Empty(t, k.run())
	assert.Equal(t, map[string]bool{"acme": false}, k.rows)
	for _, f := range k.facts {
		assert.Empty(t, f.UserID+f.Champion+f.Tier)
		assert.Empty(t, f.StepsDone)
	}
	assert.Equal(t, []account.Type{account.Disqualified, account.Erased}, k.told("acme"))

	s := k.state("acme")
	due := s.NextTimer()
	assert.InDelta(t, epoch+30*day, due, float64(day)/24)
	turn := &stream.Turn{Topic: "usage", State: s, Watermark: due}
	require.NoError(t, k.tasks[0].(stream.TimerProcessor).Fire(turn, due))
	assert.True(t, turn.Deleted())

	k.event(4, "acme", "one")
	require.Empty(t, k.run())
	assert.Equal(t, []account.Type{account.Active, account.StepDone}, k.told("acme"), "it begins from nothing")
}

// A checklist that no time changes has stubs that go all the same; reading a source directly, nothing is erased.
func TestTimersAreForErasedAccountsToo(t *testing.T) {
	s := stageOf(t, rules)
	_, timed := s.Processor("in", 2).(stream.TimerProcessor)
	assert.True(t, timed)
	s.Partitions = partitions
	_, timed = s.Processor("in", 2).(stream.TimerProcessor)
	assert.False(t, timed)
}

func TestErasedUsersAreInNoRow(t *testing.T) {
	k := newKeyed(t, rules)
	k.event(1, "acme", "one")
	k.event(2, "acme", "two")
	k.ask(&Control{Kind: ControlMerge, Account: "acme", Into: "whole"}, 3)
	require.Empty(t, k.run())
	k.facts = nil
	k.ask(&Control{Kind: ControlEraseUser, Account: "acme", User: "user-1"}, 4)
	require.Empty(t, k.run())
	require.Len(t, k.facts, 1)
	f := k.facts[0]
	assert.Equal(t, account.UserErased, f.Type)
	assert.Equal(t, "whole", f.AccountID, "where the alias leads")
	for _, e := range f.StepsDone {
		assert.Empty(t, e.UserID)
	}
	encoded, err := k.state("whole").AppendBinary(nil)
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "user-1")
}

// A source may be another deployment's usage topic, read directly: what its stages say to one another is no usage.
func TestWhatIsSaidToAccountsNeedsIngest(t *testing.T) {
	k := newKeyed(t, rules)
	k.ask(&Control{Kind: ControlMerge, Account: "part", Into: "whole"}, 1)
	k.event(2, "part", "one")
	var all []*kgo.Record
	for len(k.queue) > 0 {
		all = append(all, k.queue[0])
		require.NoError(t, k.fold(k.queue[0]))
		k.queue = k.queue[1:]
	}
	require.Len(t, all, 3)
	direct := stageOf(t, rules)
	direct.Partitions = partitions
	proc := direct.Processor("usage", 0)
	_, err := proc.Decode(0, all[0])
	requireReject(t, err, CodeNeedsIngest, "merge", "ingest stage")
	route, err := proc.Decode(0, all[1])
	require.NoError(t, err)
	assert.False(t, route.Ignore)
	route, err = proc.Decode(0, all[2])
	require.NoError(t, err)
	assert.True(t, route.Ignore, "it was forwarded: it is there already")
}

func TestMessagesThatMakeNoSenseAreDeadLetters(t *testing.T) {
	k := newKeyed(t, rules)
	k.ask(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", State: []byte("rubbish")}, 1)
	k.ask(&Control{Kind: ControlLink, Account: "acme", User: "u"}, 2)
	k.ask(&Control{Kind: "unheard-of", Account: "acme"}, 3)
	k.ask(&Control{Kind: ControlEraseUser, User: "u"}, 4)
	far := (&Control{Kind: ControlEraseAccount, Account: "acme", At: 1 << 62}).output(k.stage.Usage, "acme", nil, account.Position{Topic: "in"}, 0)
	k.write(far)
	e := event(t, 5, "acme", "one")
	for _, way := range []string{"", "{", `{"account":""}`} {
		o := stream.Output{Topic: "usage", Value: e.Value, Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlEvent)}}}
		if way != "" {
			o.Headers = append(o.Headers, kgo.RecordHeader{Key: headerAlong, Value: []byte(way)})
		}
		k.write(o)
	}
	rejects := k.run()
	require.Len(t, rejects, 8)
	requireReject(t, rejects[0], CodeMessage, "merging account part into acme")
	requireReject(t, rejects[1], usage.CodeUndecodable, "link")
	codes := map[string]int{}
	for _, err := range rejects {
		var reject *stream.Reject
		require.ErrorAs(t, err, &reject)
		codes[reject.Code]++
	}
	assert.Equal(t, map[string]int{usage.CodeUndecodable: 7, CodeMessage: 1}, codes)
	assert.Nil(t, k.state("acme"))
}

func TestMessagesKeepWhatTheySay(t *testing.T) {
	for _, m := range []account.Message{
		{Asks: account.ToMerge, Other: "into"},
		{Asks: account.ToAbsorb, Other: "from", Carried: []byte{0, 1, 0, 255}},
		{Asks: account.ToErase},
		{Asks: account.ToEraseUser, User: "u"},
	} {
		m.To, m.Via = "acme", identity.Via{Visited: []string{"x", "y"}, Canonical: "x"}
		m.Control = account.Control{At: 7, EventID: "e", EventName: "n", Position: account.Position{Topic: "in", Partition: 3, Offset: 9}}
		o := controlOf(&m).output(Topic{Name: "usage", Partitions: 4}, m.To, nil, m.Position, 0)
		r := &kgo.Record{Topic: "usage", Value: o.Value, Headers: o.Headers}
		got, err := messageOf(controlKind(r), r)
		require.NoError(t, err)
		require.Equal(t, &m, got)
	}
}
