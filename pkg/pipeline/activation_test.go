package pipeline

import (
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestWhichFactsGoWhere(t *testing.T) {
	a := &entity{t: t, proc: stage(t).Processor("in", 2)}
	steps := []struct {
		event string
		want  []published
	}{
		{"signed_up", []published{{topic: "lifecycle", kind: account.SignedUp}}},
		{"one", []published{{topic: "lifecycle", kind: account.Active}, {topic: "lifecycle", kind: account.StepDone}}},
		// Of the facts of one event only the last is the account's standing.
		{"two", []published{
			{topic: "lifecycle", kind: account.StepDone},
			{topic: "lifecycle", kind: account.Qualified}, {topic: "events", kind: account.Qualified}, {topic: "current", kind: account.Qualified},
		}},
		// While it is a PQL, every transition is news for its row.
		{"three", []published{{topic: "lifecycle", kind: account.StepDone}, {topic: "current", kind: account.StepDone}}},
		{"four", []published{
			{topic: "lifecycle", kind: account.StepDone},
			{topic: "lifecycle", kind: account.Escalated}, {topic: "events", kind: account.Escalated}, {topic: "current", kind: account.Escalated},
		}},
		{"paid", []published{
			{topic: "lifecycle", kind: account.Converted}, {topic: "events", kind: account.Converted}, {topic: "current", tombstone: true},
		}},
		{"left", []published{{topic: "lifecycle", kind: account.Churned}}},
		{"lost", []published{{topic: "lifecycle", kind: account.LeadLost}}},
	}
	for i, s := range steps {
		changed, outputs := a.fold(event(t, int64(i), "acme", s.event))
		require.True(t, changed, s.event)
		assert.Equal(t, s.want, summary(t, outputs), s.event)
		for _, o := range outputs {
			require.Equal(t, "acme", string(o.Key))
			require.EqualValues(t, 2, o.Partition, "outputs lie beside their input")
			require.Equal(t, o.Topic != "events", o.Lazy, "what is for those who act on leads is not kept waiting")
		}
	}
}

func TestAnAccountThatIsExcludedLeaves(t *testing.T) {
	a := &entity{t: t, proc: stage(t).Processor("in", 2)}
	a.fold(event(t, 0, "acme", "one"), event(t, 1, "acme", "two"))
	_, outputs := a.fold(event(t, 2, "acme", "signed_up", usage.Property{Key: "is_test", Value: usage.BoolValue(true)}))
	require.Equal(t, []published{
		{topic: "lifecycle", kind: account.SignedUp}, {topic: "lifecycle", kind: account.ShutOut},
		{topic: "lifecycle", kind: account.Disqualified}, {topic: "events", kind: account.Disqualified}, {topic: "current", tombstone: true},
	}, summary(t, outputs))
	require.Equal(t, account.Excluded, fact(t, outputs[2]).Reason)
}

// An account of the control group lives on lifecycle alone, and is told of there as all others are.
func TestWhoIsHeldOutIsOnLifecycleOnly(t *testing.T) {
	a := &entity{t: t, proc: stageOf(t, rules+"hold_out: {share: 1}\nnear_miss: true\n").Processor("in", 2)}
	topics := map[string]int{}
	for i, name := range []string{"signed_up", "one", "two", "three", "four", "paid", "left", "lost"} {
		_, outputs := a.fold(event(t, int64(i), "acme", name))
		for _, o := range outputs {
			topics[o.Topic]++
			assert.True(t, fact(t, o).HoldOut)
		}
	}
	assert.Equal(t, map[string]int{"lifecycle": 12}, topics)
}

func TestNearMissesAreForThoseWhoActOnLeads(t *testing.T) {
	a := &entity{t: t, proc: stageOf(t, rules+"near_miss: true\n").Processor("in", 2)}
	_, outputs := a.fold(event(t, 0, "acme", "one"))
	assert.Equal(t, []published{
		{topic: "lifecycle", kind: account.Active}, {topic: "lifecycle", kind: account.StepDone},
		{topic: "lifecycle", kind: account.NearMiss}, {topic: "events", kind: account.NearMiss},
	}, summary(t, outputs))
	assert.Equal(t, "two", fact(t, outputs[3]).Step)
}

func TestASilentAccountLosesItsRow(t *testing.T) {
	s := stageOf(t, strings.Replace(rules, "days: 0", "days: 3", 1))
	a := &entity{t: t, proc: s.Processor("in", 2)}
	a.fold(event(t, 0, "acme", "one"), event(t, 1, "acme", "two"))
	turn := &stream.Turn{Topic: "in", Partition: 2, State: a.state}
	require.NoError(t, a.proc.(timedActivation).Fire(turn, a.state.(*account.State).NextTimer()))
	_, outputs := turn.Result()
	require.Equal(t, []published{
		{topic: "lifecycle", kind: account.Disqualified}, {topic: "events", kind: account.Disqualified}, {topic: "current", tombstone: true},
	}, summary(t, outputs))
	require.Equal(t, account.ReasonInactive, fact(t, outputs[0]).Reason)
}

func TestConvertingWithoutHavingQualifiedTouchesNoRow(t *testing.T) {
	a := &entity{t: t, proc: stage(t).Processor("in", 2)}
	_, outputs := a.fold(event(t, 0, "acme", "paid"))
	require.Equal(t, []published{{topic: "lifecycle", kind: account.Converted}, {topic: "events", kind: account.Converted}}, summary(t, outputs))
}

func TestEscalationsCanBeKeptFromEvents(t *testing.T) {
	s := stage(t)
	s.Escalations = false
	a := &entity{t: t, proc: s.Processor("in", 2)}
	_, outputs := a.fold(event(t, 0, "acme", "one"), event(t, 1, "acme", "two"), event(t, 2, "acme", "three"), event(t, 3, "acme", "four"))
	require.Equal(t, []published{
		{topic: "lifecycle", kind: account.StepDone}, {topic: "lifecycle", kind: account.Escalated}, {topic: "current", kind: account.Escalated},
	}, summary(t, outputs))
}

func TestFactsSayWhetherTheyAreHistory(t *testing.T) {
	for name, test := range map[string]struct {
		replay bool
		age    int64
		want   codec.Detection
	}{
		"live":     {false, 5_000, codec.Detection{}},
		"a day":    {false, day, codec.Detection{}},
		"backfill": {false, day + 1, codec.Detection{Backfill: true}},
		"replay":   {true, 5_000, codec.Detection{Replay: true}},
	} {
		s := stage(t)
		s.Replay, s.Now = test.replay, func() int64 { return epoch + test.age }
		a := &entity{t: t, proc: s.Processor("in", 2)}
		_, outputs := a.fold(event(t, 0, "acme", "one"))
		_, got, err := codec.DecodeFact(outputs[0].Value)
		require.NoError(t, err)
		test.want.DetectedAt = epoch + test.age
		assert.Equal(t, test.want, got, name)
	}
}

func TestTraceContextIsPassedOn(t *testing.T) {
	r := event(t, 0, "acme", "one")
	r.Headers = []kgo.RecordHeader{
		{Key: "tracestate", Value: []byte("vendor=1")}, {Key: "authorization", Value: []byte("secret")},
		{Key: "traceparent", Value: []byte("00-0af7-b7ad-01")}, {Key: "traceparent", Value: []byte("second")},
	}
	_, outputs := (&entity{t: t, proc: stage(t).Processor("in", 2)}).fold(r)
	clear(r.Headers[2].Value) // the fetch buffer is the client's
	require.Equal(t, []kgo.RecordHeader{
		{Key: "traceparent", Value: []byte("00-0af7-b7ad-01")}, {Key: "tracestate", Value: []byte("vendor=1")},
		{Key: "schema", Value: []byte("pql_event")}, {Key: "type", Value: []byte("active")},
	}, outputs[0].Headers)
}

// An output that a broker refuses at every try would hold up the partition for ever.
func TestOversizedTraceContextIsLeftOut(t *testing.T) {
	r := event(t, 0, "acme", "one")
	r.Headers = []kgo.RecordHeader{
		{Key: "traceparent", Value: make([]byte, 200_000)}, {Key: "tracestate", Value: make([]byte, 513)},
	}
	_, outputs := (&entity{t: t, proc: stage(t).Processor("in", 2)}).fold(r)
	require.Len(t, outputs[0].Headers, 2)
	require.Empty(t, header(outputs[0].Headers, "traceparent"))
}

func TestEvidenceNamesTheSourceRecord(t *testing.T) {
	for name, test := range map[string]struct {
		header string
		want   account.Position
	}{
		"read directly":    {"", account.Position{Topic: "in", Partition: 2, Offset: 7}},
		"through ingest":   {"web.clicks:3:1234567890123", account.Position{Topic: "web.clicks", Partition: 3, Offset: 1234567890123}},
		"no text":          {"web\xff:3:1", account.Position{Topic: "in", Partition: 2, Offset: 7}},
		"no topic":         {":3:1", account.Position{Topic: "in", Partition: 2, Offset: 7}},
		"too long a topic": {strings.Repeat("a", 250) + ":3:1", account.Position{Topic: "in", Partition: 2, Offset: 7}},
		"a long topic":     {strings.Repeat("a", 249) + ":3:1", account.Position{Topic: strings.Repeat("a", 249), Partition: 3, Offset: 1}},
		"a foreign header": {"somewhere else", account.Position{Topic: "in", Partition: 2, Offset: 7}},
	} {
		r := event(t, 7, "acme", "one")
		if test.header != "" {
			r.Headers = []kgo.RecordHeader{{Key: headerPosition, Value: []byte(test.header)}}
		}
		_, outputs := (&entity{t: t, proc: stage(t).Processor("in", 2)}).fold(r)
		f := fact(t, outputs[1])
		assert.Equal(t, test.want, f.Position, name)
		assert.Equal(t, test.want, f.StepsDone[0].Position, name)
	}
}

// Producers with different hash functions on one topic would split an account over two partitions, and it would
// qualify in both.
func TestAttack07KeysInForeignPartitions(t *testing.T) {
	s := stage(t)
	s.Partitions = partitions
	proc := s.Processor("in", 2)
	strangers := 0
	for i := range int64(50) {
		r := event(t, i, "account-"+strings.Repeat("x", int(i)), "one")
		hash := fnv.New32a()
		_, _ = hash.Write(r.Key)
		r.Partition = int32(hash.Sum32() % uint32(partitions)) // as some client libraries do
		_, err := proc.Decode(0, r)
		if own := kafka.Partition(r.Key, partitions); r.Partition != own {
			strangers++
			requireReject(t, err, CodeWrongPartition, "account_id", "needs the ingest stage")
			r.Partition = own
			_, err = proc.Decode(0, r)
		}
		require.NoError(t, err)
	}
	require.Greater(t, strangers, 25)

	// The account decides, not the record's key.
	r := event(t, 0, "acme", "one")
	r.Key, r.Partition = nil, kafka.Partition([]byte("acme"), partitions)
	_, err := proc.Decode(0, r)
	require.NoError(t, err)
}

func TestBadRecordsAreRejectedWithTheirReason(t *testing.T) {
	good := event(t, 0, "acme", "one").Value
	for name, test := range map[string]struct {
		value []byte
		code  string
	}{
		"a tombstone":         {nil, usage.CodeUndecodable},
		"nothing":             {[]byte{}, usage.CodeUndecodable},
		"not JSON":            {[]byte("\x00\x01"), usage.CodeUndecodable},
		"cut short":           {good[:len(good)-1], usage.CodeUndecodable},
		"no account":          {[]byte(`{"event":"one","occurred_at":1750000000000}`), usage.CodeAccountIDMissing},
		"an empty account":    {[]byte(`{"account_id":"","event":"one","occurred_at":1750000000000}`), usage.CodeAccountIDMissing},
		"an account too long": {[]byte(`{"account_id":"` + strings.Repeat("a", 257) + `","event":"one","occurred_at":1750000000000}`), "account_id_too_long"},
		"no time":             {[]byte(`{"account_id":"acme","event":"one"}`), usage.CodeTimestampMissing},
		"the future":          {[]byte(`{"account_id":"acme","event":"one","occurred_at":4070908800000}`), usage.CodeTimestampInFuture},
		"a wrong type":        {[]byte(`{"account_id":["acme"],"event":"one","occurred_at":1750000000000}`), "account_id_wrong_type"},
		"a property's":        {[]byte(`{"account_id":"acme","event":"signed_up","occurred_at":1750000000000,"properties":[1]}`), usage.CodePropertyWrongType},
		"no UTF-8":            {[]byte("{\"account_id\":\"acme\",\"event\":\"page_viewed\",\"occurred_at\":1750000000000,\"properties\":{\"a\":\"\xff\"}}"), usage.CodeUndecodable},
		"cut short, unheard":  {[]byte(`{"account_id":"acme","event":"page_viewed","occurred_at":1750000000000,"properties":{"a":1}`), usage.CodeUndecodable},
		"unheard, no account": {[]byte(`{"event":"page_viewed","occurred_at":1750000000000}`), usage.CodeAccountIDMissing},
	} {
		r := event(t, 0, "acme", "one")
		r.Value = test.value
		_, err := stage(t).Processor("in", 2).Decode(0, r)
		requireReject(t, err, test.code)
		assert.NotEmpty(t, err.Error(), name)
	}
}

func TestEventsThatNothingListensToAreIgnored(t *testing.T) {
	route, err := stage(t).Processor("in", 2).Decode(0, event(t, 3, "acme", "page_viewed"))
	require.NoError(t, err)
	require.True(t, route.Ignore)
	require.Equal(t, epoch+3*60_000, route.EventTime, "it still moves time")
}

// What no rule reads is not looked at, so that it costs nothing. It must not end up in the dead letters by chance, only
// for some events or some formats.
func TestWhatNobodyReadsMayBeAnything(t *testing.T) {
	for event, want := range map[string][]usage.Property{
		"page_viewed": nil, "one": nil, "signed_up": {{Key: "is_test", Value: usage.BoolValue(true)}},
	} {
		proc, r := stage(t).Processor("in", 2).(timedActivation), unsound(t, event)
		_, err := proc.Decode(0, r)
		require.NoError(t, err, event)
		require.Equal(t, want, proc.slots[0].event.Properties, event)
		require.Empty(t, proc.slots[0].event.Source)
		require.Equal(t, "e1", proc.slots[0].event.ID)
		require.InDelta(t, 2.5, proc.slots[0].event.Quantity, 0)
	}
}

// unsound is a record of which only what some rule of the tests reads is sound.
func unsound(t *testing.T, name string) *kgo.Record {
	r := event(t, 0, "acme", name)
	r.Value = []byte(`{"account_id":"acme","event_id":"e1","properties":{"a":[1],"is_test":true,"` + strings.Repeat("k", 300) + `":1},"event":"` + name +
		`","occurred_at":1750000000000,"quantity":2.5,"source":{},"received_at":"never"}`)
	return r
}

// The first records of a batch may be control records, which nobody decodes.
func TestTheClockGoesOnWhicheverSlotComesFirst(t *testing.T) {
	s := stage(t)
	now := epoch
	s.Now = func() int64 { return now }
	proc := s.Processor("in", 2)
	for i := range int64(3) {
		now = epoch + i*day
		r := recordOf(t, i, usage.Event{AccountID: "acme", Name: "one", OccurredAt: now + s.FutureTolerance})
		_, err := proc.Decode(7, r)
		require.NoError(t, err)
		r = recordOf(t, i, usage.Event{AccountID: "acme", Name: "one", OccurredAt: now + s.FutureTolerance + 1})
		_, err = proc.Decode(8, r)
		requireReject(t, err, usage.CodeTimestampInFuture)
	}
}

// A device whose clock is ahead moves time no further than to when its event was written.
func TestHowFarEventsMoveTime(t *testing.T) {
	const minute = int64(60_000)
	for name, c := range map[string]struct{ happened, written, moves int64 }{
		"written when it happened": {epoch, epoch, epoch},
		"written later":            {epoch - day, epoch, epoch - day},
		"ahead":                    {epoch + 9*minute, epoch, epoch},
		"further ahead than is tolerated by then": {epoch, epoch - 90*minute, epoch - 90*minute},
		"of a record without a timestamp":         {epoch, -1, epoch},
	} {
		ev := usage.Event{AccountID: "acme", Name: "one", OccurredAt: c.happened}
		r := recordOf(t, 0, ev)
		r.Timestamp = time.UnixMilli(c.written)
		s := stage(t)
		s.FutureTolerance = 10 * minute
		direct, err := s.Processor("in", 2).Decode(0, r)
		require.NoError(t, err, name)
		assert.Equal(t, c.moves, direct.EventTime, name)
		in := ingestStage(t)
		in.FutureTolerance = 10 * minute
		ingested, err := in.Processor("in", 1).Decode(0, r)
		require.NoError(t, err, name)
		assert.Equal(t, c.moves, ingested.EventTime, name)
	}
}

func TestFoldingAgainGivesTheSameRecords(t *testing.T) {
	run := func() (all []any) {
		proc := stage(t).Processor("in", 2)
		a := &entity{t: t, proc: proc}
		for i, name := range []string{"signed_up", "one", "two", "three", "four", "paid"} {
			if i == 3 { // as after a crash
				encoded, err := a.state.AppendBinary(nil)
				require.NoError(t, err)
				a.state, err = proc.LoadState("acme", encoded)
				require.NoError(t, err)
			}
			_, outputs := a.fold(event(t, int64(i), "acme", name))
			all = append(all, outputs)
		}
		return all
	}
	require.Equal(t, run(), run())
}

// Records of a batch are decoded before the first is folded.
func TestSlotsHoldABatch(t *testing.T) {
	proc := stage(t).Processor("in", 2)
	var routes []string
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		route, err := proc.Decode(i, event(t, int64(i), id, "one"))
		require.NoError(t, err)
		routes = append(routes, string(route.Key))
	}
	require.Equal(t, []string{"a", "b", "c", "d", "e"}, routes)
	for i := range routes {
		a := &entity{t: t, proc: proc, state: proc.NewState(routes[i], int64(i))}
		turn := a.turn(event(t, int64(i), routes[i], "one"))
		require.NoError(t, proc.Fold(i, turn))
		_, outputs := turn.Result()
		require.Equal(t, routes[i], fact(t, outputs[0]).AccountID)
		require.Equal(t, epoch+int64(i)*60_000, fact(t, outputs[0]).OccurredAt)
	}
}
