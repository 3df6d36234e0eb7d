package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func metricSettings(t *testing.T) rollup.Settings {
	days, err := rollup.NewWindows("UTC", rollup.Day, time.Monday)
	require.NoError(t, err)
	return rollup.Settings{Groupings: [][]string{{}, {rollup.DimTier}}, CohortDays: []int{7}, PaidDays: []int{7}, Windows: []*rollup.Windows{days}}
}

func measureTask(t *testing.T) *measure {
	m := &Measure{Settings: metricSettings(t), Facts: Topic{"facts", partitions}, Rollup: Topic{"rollup", 4}, Started: 77}
	p, err := m.Processor("facts", 3)
	require.NoError(t, err)
	return p.(*measure)
}

func factRecord(accountID string, f rollup.Fact) *kgo.Record {
	return &kgo.Record{Topic: "facts", Partition: 3, Key: []byte(accountID), Value: f.AppendBinary(nil), Timestamp: time.UnixMilli(epoch + day)}
}

// flushed returns what a flush tells each grouping, and checks where it goes.
func flushed(t *testing.T, p stream.Flusher) map[string][]rollup.Delta {
	t.Helper()
	all := map[string][]rollup.Delta{}
	p.Flush(epoch, func(o stream.Output) {
		require.Equal(t, "rollup", o.Topic)
		to := Topic{"rollup", 4}
		require.Equal(t, to.partition(o.Key), o.Partition)
		deltas, err := rollup.DecodeBatch(nil, o.Value)
		require.NoError(t, err)
		all[string(o.Key)] = append(all[string(o.Key)], deltas...)
	})
	return all
}

func TestMeasureTellsGroupingsWhatAccountsContribute(t *testing.T) {
	p := measureTask(t)
	a := &entity{t: t, proc: p}
	assert.Empty(t, flushed(t, p))
	changed, outputs := a.fold(factRecord("acme", rollup.Fact{Type: "qualified", OccurredAt: epoch, Tier: "large"}))
	assert.True(t, changed)
	assert.Empty(t, outputs, "it waits for the checkpoint")
	told := flushed(t, p)
	require.Len(t, told, 2)
	in := rollup.Cell{Kind: rollup.In, Name: "qualified"}
	has := func(deltas []rollup.Delta, group []string, n int64) bool {
		return slices.ContainsFunc(deltas, func(d rollup.Delta) bool {
			return d.Cell == in && d.N == n && slices.Equal(d.Values, group) && d.At == rollup.SlotOf(epoch-epoch%day)
		})
	}
	assert.True(t, has(told[rollup.DirectoryKey("")], nil, 1))
	assert.True(t, has(told[rollup.DirectoryKey("tier")], []string{"large"}, 1))
	assert.Empty(t, flushed(t, p), "it is told once")

	changed, _ = a.fold(factRecord("acme", rollup.Fact{Type: "near_miss", OccurredAt: epoch, Tier: "large"}))
	assert.False(t, changed, "nothing is counted by it")

	// What is loaded anew takes back what it has given.
	value, err := a.state.AppendBinary(nil)
	require.NoError(t, err)
	a.state, err = p.LoadState("acme", value)
	require.NoError(t, err)
	turn := a.turn(factRecord("acme", rollup.Fact{Type: "merged", OccurredAt: epoch + day, Tier: "large"}))
	_, err = p.Decode(0, turn.Record)
	require.NoError(t, err)
	require.NoError(t, p.Fold(0, turn))
	assert.True(t, turn.Deleted(), "nothing need be kept")
	told = flushed(t, p)
	assert.True(t, has(told[rollup.DirectoryKey("")], nil, -1))
	assert.True(t, has(told[rollup.DirectoryKey("tier")], []string{"large"}, -1))
}

func TestMeasureTellsTheTimeThatItIsTold(t *testing.T) {
	p := measureTask(t)
	mark := stream.Mark{Topic: "in", Partition: 2, Watermark: epoch, AsOf: 5, Sources: []stream.Source{{Topic: "in", Partitions: partitions}}}
	record := marks(Topic{"facts", partitions}, mark)[3]
	route, err := p.Decode(0, &kgo.Record{Value: record.Value, Headers: record.Headers, Timestamp: time.UnixMilli(epoch + day)})
	require.NoError(t, err)
	assert.Equal(t, &mark, route.Mark)
	told := p.Tell(epoch, false)
	require.Len(t, told, 4)
	got, err := markOf(&kgo.Record{Value: told[1].Value, Headers: told[1].Headers, Timestamp: time.UnixMilli(epoch + day)})
	require.NoError(t, err)
	assert.Equal(t, &stream.Mark{Topic: "facts", Partition: 3, Watermark: epoch, AsOf: 77, Sources: []stream.Source{{Topic: "facts", Partitions: partitions}}}, got)
}

func TestMeasureRefusesWhatIsNoFact(t *testing.T) {
	p := measureTask(t)
	good := factRecord("acme", rollup.Fact{Type: "qualified"}).Value
	for name, r := range map[string]*kgo.Record{
		"no encoding": {Key: []byte("acme"), Value: []byte("{}")}, "no key": {Value: good}, "a key that is no text": {Key: []byte{0xff}, Value: good},
		"a mark that is none": {Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlMark)}}, Value: []byte("?")},
	} {
		_, err := p.Decode(0, r)
		requireReject(t, err, usage.CodeUndecodable)
		assert.NotNil(t, err, name)
	}
}

// An account whose history has no room for more is as it was, and nothing of the fact is counted. It can still go.
func TestMeasureRefusesFactsThatNoHistoryHasRoomFor(t *testing.T) {
	m := &Measure{Settings: metricSettings(t), Facts: Topic{"facts", partitions}, Rollup: Topic{"rollup", 4}}
	var grouping []string
	m.Settings.Groupings = nil
	for i := range 64 {
		grouping = append(grouping, strings.Repeat("d", i+1))
		if len(grouping) == 8 {
			m.Settings.Groupings, grouping = append(m.Settings.Groupings, grouping), nil
		}
	}
	p, err := m.Processor("facts", 3)
	require.NoError(t, err)
	a := &entity{t: t, proc: p}
	wide := func(kind string, n int64) rollup.Fact {
		f := rollup.Fact{Type: kind, OccurredAt: epoch + n*1000}
		for i := range 64 {
			f.Dimensions = append(f.Dimensions, rollup.Dim{Name: strings.Repeat("d", i+1), Value: strings.Repeat(string('a'+rune(n%26)), 100+int(n/26))})
		}
		return f
	}
	a.fold(factRecord("acme", wide("qualified", 0)))
	n := int64(1)
	for ; a.state.Size() <= maxHistory; n++ {
		require.Less(t, n, int64(1000), "a history is not as large as that")
		kind := "sales_accepted"
		a.fold(factRecord("acme", wide(kind, n)))
	}
	flushed(t, p.(stream.Flusher))
	encoded, err := a.state.AppendBinary(nil)
	require.NoError(t, err)
	assert.Less(t, len(encoded), 900_000)
	turn := a.turn(factRecord("acme", wide("sales_lost", n)))
	_, err = p.Decode(0, turn.Record)
	require.NoError(t, err)
	requireReject(t, p.Fold(0, turn), CodeHistory)
	assert.Empty(t, flushed(t, p.(stream.Flusher)))
	turn = a.turn(factRecord("acme", wide("erased", n)))
	_, err = p.Decode(0, turn.Record)
	require.NoError(t, err)
	require.NoError(t, p.Fold(0, turn))
	assert.True(t, turn.Deleted())
}

func TestADamagedHistoryIsAnError(t *testing.T) {
	p := measureTask(t)
	a := &entity{t: t, proc: p}
	a.fold(factRecord("acme", rollup.Fact{Type: "qualified", OccurredAt: epoch, Tier: "large"}))
	value, err := a.state.AppendBinary(nil)
	require.NoError(t, err)
	_, err = p.LoadState("acme", value[:len(value)-1])
	require.ErrorContains(t, err, `loading the history of account "acme"`)
}

// What one checkpoint tells a grouping may take several batches, which belong together.
func TestBatchesSayThatMoreAreToCome(t *testing.T) {
	p := measureTask(t)
	for n := range int64(20_000) {
		a := &entity{t: t, proc: p}
		a.fold(factRecord("acme", rollup.Fact{Type: "qualified", OccurredAt: epoch + n*day, Tier: "large"}))
	}
	headers := map[string][]string{}
	p.Flush(epoch, func(o stream.Output) {
		line := header(o.Headers, headerMore) + "-" + header(o.Headers, headerLast)
		headers[string(o.Key)] = append(headers[string(o.Key)], line)
	})
	require.Len(t, headers, 2)
	for grouping, lines := range headers {
		require.Greater(t, len(lines), 2, grouping)
		for _, line := range lines[:len(lines)-1] {
			require.Equal(t, "3-", line)
		}
		require.Equal(t, "-3", lines[len(lines)-1])
	}
	(&entity{t: t, proc: p}).fold(factRecord("acme", rollup.Fact{Type: "qualified", OccurredAt: epoch, Tier: "large"}))
	p.Flush(epoch, func(o stream.Output) { assert.Empty(t, o.Headers, "it is one") })
}
