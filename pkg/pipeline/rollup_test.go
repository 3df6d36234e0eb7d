package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// rollPartition is a partition of the rollup topic in the hands of a processor, without a runtime: what goes round is appended to it again.
type rollPartition struct {
	t         *testing.T
	stage     *Rollup
	proc      *roll
	log       []*kgo.Record
	next      int
	watermark int64
	told      []stream.Mark
	states    map[string]stream.State
	rows      []rollup.Row // published
	stated    int          // with the newest turn
}

func newRollPartition(t *testing.T) *rollPartition { return newRollPartitionOf(t, metricSettings(t)) }

func newRollPartitionOf(t *testing.T, settings rollup.Settings) *rollPartition {
	counts, err := rollup.NewRollup(&settings, rollup.Limits{MaxGroups: 10, Lateness: time.Hour, Restatement: 40 * 24 * time.Hour})
	require.NoError(t, err)
	encoder, err := codec.NewMetricEncoder(codec.JSON, 0)
	require.NoError(t, err)
	p := &rollPartition{t: t, states: map[string]stream.State{}, stage: &Rollup{Counts: counts, Topic: "rollup", Metrics: "metrics", Encoder: encoder}}
	p.proc = p.stage.Processor("rollup", 1).(*roll)
	return p
}

// write appends an output, or takes in the row that it is.
func (p *rollPartition) write(o stream.Output) {
	p.t.Helper()
	require.EqualValues(p.t, 1, o.Partition)
	if o.Topic == "metrics" {
		row, err := codec.DecodeRow(o.Value)
		require.NoError(p.t, err)
		require.Equal(p.t, row.Key(), string(o.Key))
		require.Equal(p.t, "metric_row", header(o.Headers, codec.HeaderSchema))
		p.rows = append(p.rows, row)
		return
	}
	require.Equal(p.t, "rollup", o.Topic)
	p.append(o.Key, o.Value, o.Headers...)
}

func (p *rollPartition) append(key, value []byte, headers ...kgo.RecordHeader) {
	p.log = append(p.log, &kgo.Record{
		Topic: "rollup", Partition: 1, Offset: int64(len(p.log)), Key: key, Value: value, Headers: headers, Timestamp: time.UnixMilli(epoch + 1000*day),
	})
}

// contribute appends a batch of the grouping of all accounts, of several if a header says so.
func (p *rollPartition) contribute(at int64, cell rollup.Cell, n int64, several ...string) {
	batch := rollup.AppendBatch(nil, []rollup.Delta{{Values: []string{}, At: rollup.SlotOf(at), Cell: cell, N: n}})
	var headers []kgo.RecordHeader
	for _, h := range several {
		headers = append(headers, kgo.RecordHeader{Key: h, Value: []byte("7")})
	}
	p.append([]byte(rollup.DirectoryKey("")), batch, headers...)
}

// tell appends what measure's only partition says of time.
func (p *rollPartition) tell(watermark int64) {
	o := marks(Topic{"rollup", 4}, stream.Mark{Topic: "facts", Watermark: watermark, Sources: []stream.Source{{Topic: "facts", Partitions: 1}}})[1]
	p.append(o.Key, o.Value, o.Headers...)
}

// fold folds the next record. Its error is what Decode or Fold says.
func (p *rollPartition) fold() error {
	r := p.log[p.next]
	p.next++
	route, err := p.proc.Decode(0, r)
	if err != nil {
		return err
	}
	if route.Mark != nil {
		p.told = append(p.told, *route.Mark)
		p.watermark = max(p.watermark, route.Mark.Watermark)
		return nil
	}
	turn := p.turn(string(route.Key))
	turn.Record, turn.Offset = r, r.Offset
	if err := p.proc.Fold(0, turn); err != nil {
		return err
	}
	_, stated := turn.Result()
	p.stated = len(stated)
	for _, o := range stated {
		p.write(o)
	}
	return nil
}

func (p *rollPartition) turn(key string) *stream.Turn {
	t := &stream.Turn{Topic: "rollup", Partition: 1, Watermark: p.watermark}
	if key == "" {
		return t
	}
	if p.states[key] == nil {
		p.states[key] = p.proc.NewState(key, 0)
	}
	t.State = p.states[key]
	return t
}

// run folds all that is there, and fires what is due.
func (p *rollPartition) run() {
	p.t.Helper()
	for p.next < len(p.log) {
		require.NoError(p.t, p.fold())
	}
	for key, s := range p.states {
		for due := s.(stream.Timed).NextTimer(); due != 0 && due <= p.watermark; {
			turn := p.turn(key)
			require.NoError(p.t, p.proc.Fire(turn, due))
			_, outputs := turn.Result()
			for _, o := range outputs {
				p.write(o)
			}
			if turn.Deleted() {
				delete(p.states, key)
				break
			}
			next := s.(stream.Timed).NextTimer()
			require.Greater(p.t, next, due)
			due = next
		}
	}
}

func (p *rollPartition) flush() {
	p.t.Helper()
	p.proc.Flush(p.watermark, p.write)
}

// settle goes round until nothing is left to.
func (p *rollPartition) settle() {
	p.t.Helper()
	for {
		before := len(p.log) + len(p.rows)
		p.run()
		p.flush()
		if len(p.log)+len(p.rows) == before {
			return
		}
	}
}

// takeOver goes on with another processor and what is loaded.
func (p *rollPartition) takeOver() {
	p.t.Helper()
	p.proc = p.stage.Processor("rollup", 1).(*roll)
	for key, s := range p.states {
		value, err := s.AppendBinary(nil)
		require.NoError(p.t, err)
		p.states[key], err = p.proc.LoadState(key, value)
		require.NoError(p.t, err)
	}
}

// newest returns the newest row of a metric in the window that holds a time.
func (p *rollPartition) newest(metric string, at int64) rollup.Row {
	p.t.Helper()
	for _, r := range slices.Backward(p.rows) {
		if r.Metric == metric && r.WindowStart <= at && at < r.WindowEnd {
			return r
		}
	}
	require.Fail(p.t, "no row", metric)
	return rollup.Row{}
}

var (
	came    = rollup.Cell{Kind: rollup.In, Name: "qualified"}
	unknown = rollup.Cell{Kind: rollup.SignupUnknown}
)

func TestContributionsGoRoundAndBecomeRows(t *testing.T) {
	p := newRollPartition(t)
	p.tell(epoch)
	p.settle()
	p.contribute(epoch, came, 2)
	p.contribute(epoch, came, 1)
	p.contribute(epoch, unknown, 3)
	p.run()
	require.Len(t, p.states, 1, "the directory alone has had something")
	assert.True(t, p.proc.Whole())
	sent := len(p.log)
	p.flush()
	require.Len(t, p.rows, 0)
	require.Len(t, p.log, sent+3, "one record for the series, one for the window, and that it is whole")
	assert.Equal(t, controlWhole, header(p.log[sent+2].Headers, headerControl))
	p.takeOver()

	require.NoError(t, p.fold())
	assert.False(t, p.proc.Whole(), "half of what belongs together has been folded")
	require.NoError(t, p.fold())
	assert.False(t, p.proc.Whole())
	require.NoError(t, p.fold())
	assert.True(t, p.proc.Whole())
	p.flush()
	assert.EqualValues(t, 3, p.newest(rollup.MetricPQLs, epoch).CurrentEnd.Value)
	assert.EqualValues(t, 3, p.newest(rollup.MetricTimeToPQL, epoch).SignupUnknown.Value)
	n, sent := len(p.rows), len(p.log)
	p.flush()
	assert.Len(t, p.rows, n, "nothing has changed")
	assert.Len(t, p.log, sent)
}

// Time comes after what had been sent on before it was told, so that what it closes is complete.
func TestTimeGoesRoundBehindWhatCameBefore(t *testing.T) {
	p := newRollPartition(t)
	p.tell(epoch)
	p.settle()
	require.Equal(t, epoch, p.watermark)
	p.contribute(epoch, came, 1)
	p.tell(epoch + 2*day) // which closes the window
	p.run()
	assert.Equal(t, epoch, p.watermark, "not before it has been round")
	p.takeOver() // a checkpoint has not been: it begins anew
	p.next -= 2
	p.settle()
	assert.Equal(t, epoch+2*day, p.watermark)
	for _, r := range p.rows {
		assert.Empty(t, r.Restated)
		if r.Metric == rollup.MetricPQLs && r.Closed {
			assert.EqualValues(t, 1, r.CurrentEnd.Value, "closed without what came before")
		}
	}
	assert.True(t, p.newest(rollup.MetricPQLs, epoch).Closed)
	assert.Equal(t, []stream.Source{{Topic: "facts", Partitions: 1}}, p.told[0].Sources)

	told := len(p.told)
	for watermark := epoch + 2*day; watermark < epoch+2*day+5; watermark++ {
		p.tell(watermark)
	}
	p.settle()
	assert.Len(t, p.told, told+1, "of a partition the newest is told")
}

func TestWindowsGoWhenNothingCanChangeThem(t *testing.T) {
	p := newRollPartition(t)
	p.tell(epoch)
	p.contribute(epoch, came, 1)
	p.contribute(epoch, unknown, 1)
	p.settle()
	p.contribute(epoch, rollup.Cell{Kind: rollup.Out, Name: "inactive"}, 1)
	p.settle()
	require.Len(t, p.states, 3)
	for n := range int64(100) { // the series outlasts what it may be corrected by
		p.tell(epoch + n*day)
		p.settle()
	}
	assert.Len(t, p.states, 1, "the directory stays")
	assert.Empty(t, p.proc.changed)
	row := p.newest(rollup.MetricTimeToPQL, epoch)
	assert.True(t, row.Mature)

	p.contribute(epoch, unknown, 7)
	p.settle()
	beyond := p.rows[len(p.rows)-1]
	assert.Equal(t, rollup.MetricBeyond, beyond.Metric, "what comes later is told")
	assert.EqualValues(t, 7, beyond.Count.Value)
}

// What was sent on in time and reaches a window that has no place for it is told by the directory, as what comes too late is.
func TestWhatAWindowCannotTakeIsTold(t *testing.T) {
	p := newRollPartition(t)
	key := []byte("window|UTC|day|" + time.UnixMilli(epoch).UTC().Format("2006-01-02") + "T00:00:00Z||")
	p.watermark = epoch + 100*day
	p.append(key, rollup.AppendChanges(nil, []rollup.Change{{Cell: unknown, N: 4}}))
	p.append(nil, []byte{}, kgo.RecordHeader{Key: headerControl, Value: []byte(controlWhole)})
	p.settle()
	require.NotEmpty(t, p.rows)
	row := p.rows[len(p.rows)-1]
	assert.Equal(t, [3]string{rollup.MetricBeyond, "UTC", "day"}, [3]string{row.Metric, row.Zone, row.Unit})
	assert.EqualValues(t, 4, row.Count.Value)
}

func TestRollupRefusesWhatItCannotRead(t *testing.T) {
	batch := rollup.AppendBatch(nil, []rollup.Delta{{Values: []string{}, At: rollup.SlotOf(epoch), Cell: came, N: 1}})
	changes := rollup.AppendChanges(nil, []rollup.Change{{Cell: unknown, N: 4}})
	control := func(kind string) kgo.RecordHeader { return kgo.RecordHeader{Key: headerControl, Value: []byte(kind)} }
	directory, series := []byte(rollup.DirectoryKey("")), []byte("series|UTC|day||")
	for name, r := range map[string]*kgo.Record{
		"no batch":                    {Key: directory, Value: changes},
		"no changes":                  {Key: series, Value: batch},
		"a key that is no text":       {Key: []byte{0xff}, Value: changes},
		"a key of nothing":            {Key: []byte("acme"), Value: changes},
		"a key of no window":          {Key: []byte("window|UTC|day|tomorrow||"), Value: changes},
		"windows that nobody asks":    {Key: []byte("series|UTC|hour||"), Value: changes},
		"a mark that is none":         {Value: []byte("?"), Headers: []kgo.RecordHeader{control(controlMark)}},
		"a told mark that is none":    {Value: []byte("?"), Headers: []kgo.RecordHeader{control(controlTold)}},
		"another control":             {Value: []byte("{}"), Headers: []kgo.RecordHeader{control("absorb")}},
		"no key and no control":       {Value: batch},
		"what is missed by nobody":    {Key: directory, Value: []byte(`{"key":"acme","n":3}`), Headers: []kgo.RecordHeader{control(controlMissed)}},
		"what is missed is no number": {Key: directory, Value: []byte(`{"n":"x"}`), Headers: []kgo.RecordHeader{control(controlMissed)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newRollPartition(t)
			p.append(r.Key, r.Value, r.Headers...)
			requireReject(t, p.fold(), usage.CodeUndecodable)
			assert.Empty(t, p.proc.changed)
			p.flush()
			assert.Empty(t, p.rows)
			assert.True(t, p.proc.Whole())
		})
	}
	p := newRollPartition(t)
	_, err := p.proc.LoadState(string(series), []byte{99})
	require.Error(t, err)
}

// Whatever the runtime cuts in between, and takes over, the rows of a window and group that have been published agree after each
// checkpoint: who qualified is in all of them, or in none.
func TestRowsOfAWindowAgreeAtEachCheckpoint(t *testing.T) {
	p := newRollPartition(t)
	p.tell(epoch + 20*day)
	p.settle()
	for n := range int64(30) {
		for i := range n % 4 {
			at := epoch + (n+i)%20*day
			p.contribute(at, came, i+1, headerMore)
			p.contribute(at, unknown, i+1, headerLast)
		}
		if n%3 == 0 {
			p.tell(epoch + (20+n)*day)
		}
		for p.next < len(p.log) {
			require.NoError(t, p.fold())
			if p.proc.Whole() {
				p.flush()
				p.requireAgreement()
			}
			if n%7 == 0 && p.proc.Whole() {
				p.takeOver()
			}
		}
	}
	p.settle()
	p.requireAgreement()
}

func (p *rollPartition) requireAgreement() {
	p.t.Helper()
	newest := map[string]rollup.Row{}
	for _, r := range p.rows {
		newest[fmt.Sprint(r.Metric, r.WindowStart)] = r
	}
	for _, r := range newest {
		if r.Metric == rollup.MetricTimeToPQL {
			of := newest[fmt.Sprint(rollup.MetricPQLs, r.WindowStart)]
			require.Equal(p.t, of.First.Value, r.SignupUnknown.Value, "at %d", r.WindowStart)
		}
	}
}

// A jump of time makes many rows, which don't wait for the checkpoint: they go with the turns, so that the runtime can bound what is committed at once.
func TestRowsOfAJumpOfTimeDoNotWaitForTheCheckpoint(t *testing.T) {
	p := newRollPartition(t)
	p.tell(epoch)
	p.contribute(epoch, came, 1)
	p.contribute(epoch, unknown, 1)
	p.settle()
	p.tell(epoch + day/2)
	p.settle()
	before := len(p.rows)
	p.tell(epoch + 30*day)
	p.run()
	p.flush() // which sends the time round
	p.run()
	require.GreaterOrEqual(t, len(p.rows), before+30, "each day has a row")
	before = len(p.rows)
	p.flush()
	assert.Len(t, p.rows, before, "all of them have been stated")
	assert.Empty(t, p.proc.changed)
}

// So do the rows of a correction that changes many windows.
func TestRowsOfALongCorrectionDoNotWaitForTheCheckpoint(t *testing.T) {
	settings := metricSettings(t)
	hours, err := rollup.NewWindows("UTC", rollup.Hour, time.Monday)
	require.NoError(t, err)
	settings.Windows = []*rollup.Windows{hours}
	p := newRollPartitionOf(t, settings)
	p.contribute(epoch, came, 1)
	p.tell(epoch + 10*day)
	p.settle()
	for hour, stated := range map[int64]int{10*24 - 5: 0, 24: 9 * 24} { // a few rows wait
		p.contribute(epoch+hour*day/24, came, 1)
		p.run()
		p.flush() // which sends it round
		most := 0
		for p.next < len(p.log) {
			require.NoError(t, p.fold())
			most = max(most, p.stated)
		}
		assert.GreaterOrEqual(t, most, stated)
		assert.LessOrEqual(t, most, stated+1)
		p.flush()
	}
}

// takeBack folds the next record and takes that back, as the runtime does where a state has become too large for a record.
func (p *rollPartition) takeBack() {
	p.t.Helper()
	r := p.log[p.next]
	p.next++
	route, err := p.proc.Decode(0, r)
	require.NoError(p.t, err)
	turn := p.turn(string(route.Key))
	turn.Record, turn.Offset = r, r.Offset
	backup, err := turn.State.AppendBinary(nil)
	require.NoError(p.t, err)
	require.NoError(p.t, p.proc.Fold(0, turn))
	p.states[string(route.Key)], err = p.proc.LoadState(string(route.Key), backup)
	require.NoError(p.t, err)
}

func TestRowsSayNothingOfWhatWasTakenBack(t *testing.T) {
	settings := metricSettings(t)
	hours, err := rollup.NewWindows("UTC", rollup.Hour, time.Monday)
	require.NoError(t, err)
	settings.Windows = []*rollup.Windows{hours}
	for name, at := range map[string]int64{"of the checkpoint": epoch, "of the turn": epoch - 10*day} {
		t.Run(name, func(t *testing.T) {
			p := newRollPartitionOf(t, settings)
			p.contribute(epoch, came, 2)
			p.tell(epoch)
			p.settle()
			key := []byte("series|UTC|hour||")
			require.Contains(t, p.states, string(key))
			series := func(at, n int64) {
				start, _ := hours.At(at)
				p.append(key, rollup.AppendChanges(nil, []rollup.Change{{Start: start, Cell: came, N: n}}))
			}
			stated := len(p.rows)
			series(at, 100)
			p.takeBack()
			p.flush()
			assert.Len(t, p.rows, stated, "nothing has changed")

			series(epoch, 1)
			require.NoError(t, p.fold())
			series(at, 100)
			p.takeBack()
			p.flush()
			assert.EqualValues(t, 3, p.newest(rollup.MetricPQLs, epoch).CurrentEnd.Value, "what was folded before is stated all the same")
			stated = len(p.rows)
			p.flush()
			assert.Len(t, p.rows, stated)
		})
	}
}
