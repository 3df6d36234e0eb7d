package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Rollup adds up what accounts contribute, and publishes the rows of metrics that this changes. Its entities are the directories of groupings,
// and the series and windows of groups; all of a grouping's lie in its partition.
//
// What measure writes is for directories. They say which windows it is for, and that goes round: with the next checkpoint back into the same
// partition, and from there to series and windows. Time goes round with it. So a window is not closed before all has reached it that measure
// had told of the time until then.
type Rollup struct {
	Counts  *rollup.Rollup
	Topic   string // its input
	Metrics string // topic of the rows; of as many partitions
	Encoder *codec.MetricEncoder
}

// The kinds of control records that go round in the rollup topic, beside controlMark, which measure writes. Those that are for an entity have its
// key.
const (
	controlTold   = "told"   // a mark of measure's, behind all that has come before it
	controlWhole  = "whole"  // the end of what one checkpoint has sent round
	controlMissed = "missed" // to a directory: what could no longer be counted
)

// Processor returns the processor of one task.
func (s *Rollup) Processor(_ string, partition int32) stream.Processor {
	return &roll{Rollup: s, round: round{to: s.Topic, partition: partition}, partition: partition, batches: map[string]bool{}, changed: map[string]*tallies{}}
}

// roll is the processor of one task.
type roll struct {
	*Rollup
	partition int32
	slots     []rollSlot
	round     round
	within    bool                // a round: some of what it has sent has been folded, and some has not
	batches   map[string]bool     // of which grouping and partition of measure's more are to come that belong together
	changed   map[string]*tallies // since the last Flush: the states as the task has them
	buffer    []byte
}

// rollSlot is a decoded record.
type rollSlot struct {
	kind    string         // of a control record
	mark    *stream.Mark   // controlMark
	missed  missed         // controlMissed
	deltas  []rollup.Delta // for a directory
	changes []rollup.Change
}

func (s *roll) Decode(i int, r *kgo.Record) (route stream.Route, err error) {
	for len(s.slots) <= i {
		s.slots = append(s.slots, rollSlot{})
	}
	slot := &s.slots[i]
	slot.kind, slot.mark = headerOf(r, headerControl), nil
	route.Key = r.Key
	switch {
	case len(r.Key) == 0:
		return s.decodeControl(slot, r)
	case !utf8.Valid(r.Key):
		err = errors.New("its key is not UTF-8")
	case rollup.KindOf(string(r.Key)) != rollup.DirectoryEntity:
		slot.changes, err = rollup.DecodeChanges(slot.changes[:0], r.Value)
	case slot.kind == controlMissed:
		err = json.Unmarshal(r.Value, &slot.missed)
	default:
		slot.deltas, err = rollup.DecodeBatch(slot.deltas[:0], r.Value)
	}
	if err != nil {
		return stream.Route{}, &stream.Reject{Code: usage.CodeUndecodable, Err: err}
	}
	return route, nil
}

func (s *roll) decodeControl(slot *rollSlot, r *kgo.Record) (stream.Route, error) {
	if slot.kind == controlWhole {
		return stream.Route{}, nil
	}
	mark, err := markIn(r)
	switch {
	case err != nil:
		return stream.Route{}, err
	case slot.kind == controlTold:
		return stream.Route{Mark: mark}, nil
	case slot.kind == controlMark:
		slot.mark = mark
		return stream.Route{}, nil
	}
	return stream.Route{}, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("a control record of kind %q is not for rollups", slot.kind)}
}

func (s *roll) Fold(i int, t *stream.Turn) error {
	slot := &s.slots[i]
	switch {
	case slot.mark != nil:
		s.round.mark(slot.mark)
		return nil
	case t.State == nil:
		s.within = false
		return nil
	}
	counts := t.State.(*tallies)
	if counts.err != nil {
		return &stream.Reject{Code: usage.CodeUndecodable, Err: counts.err}
	}
	switch of := counts.of.(type) {
	case *rollup.Directory:
		return s.direct(of, slot, counts, t)
	case *rollup.Series:
		s.round.miss(counts.key, of.Apply(slot.changes, t.Watermark))
		if of.Stale() > restates {
			s.within = true
			s.stateNow(counts, t)
			return nil
		}
	case *rollup.Span:
		s.round.miss(counts.key, of.Apply(slot.changes, t.Watermark))
	}
	s.within = true
	s.change(counts, t)
	return nil
}

// direct has a directory say what a batch is for, or take note of what is missing.
func (s *roll) direct(d *rollup.Directory, slot *rollSlot, counts *tallies, t *stream.Turn) error {
	if slot.kind == controlMissed {
		if err := d.Miss(slot.missed.Key, slot.missed.N, t.Watermark); err != nil {
			return &stream.Reject{Code: usage.CodeUndecodable, Err: err}
		}
		s.change(counts, t)
		return nil
	}
	parcels, changed := d.Take(slot.deltas, t.Watermark)
	s.round.send(parcels)
	if from := headerOf(t.Record, headerMore); from != "" {
		s.batches[counts.key+from] = true
	} else if from := headerOf(t.Record, headerLast); from != "" {
		delete(s.batches, counts.key+from)
	}
	if changed {
		s.change(counts, t)
	}
	return nil
}

func (s *roll) change(counts *tallies, t *stream.Turn) {
	t.Changed()
	s.changed[counts.key] = counts
}

// Fire implements stream.TimerProcessor: windows begin, are closed, ripen, and go when nothing can change them any more.
func (s *roll) Fire(t *stream.Turn, due int64) error {
	counts, now := t.State.(*tallies), max(due, t.Watermark)
	switch of := counts.of.(type) {
	case *rollup.Series:
		if !of.Expired() {
			of.Pass(now)
			s.pass(counts, t, now-due)
			return nil
		}
	case *rollup.Span:
		of.Pass(now)
		if !of.Expired() {
			s.pass(counts, t, now-due)
			return nil
		}
	}
	s.state(counts, t)
	delete(s.changed, counts.key)
	t.Delete()
	return nil
}

// jump is from when on, in ms, time is said to jump: by a year, say, when nothing has come for so long. Each series of hours has thousands of
// rows then. They don't wait for the checkpoint together: what is emitted with a turn brings the checkpoint on before it is too much.
const jump = 24 * 60 * 60 * 1000

// pass notes that time alone has changed something.
func (s *roll) pass(counts *tallies, t *stream.Turn, by int64) {
	if by < jump {
		s.change(counts, t)
		return
	}
	s.stateNow(counts, t)
}

// restates is from how many rows on a correction is stated with its turn, as a jump of time is: where it concerns many groups, each of them has to
// tell all windows since.
const restates = 100

// stateNow emits the rows that have changed. They are looked at again by Flush: what the turn does may be taken back.
func (s *roll) stateNow(counts *tallies, t *stream.Turn) {
	s.change(counts, t)
	s.state(counts, t)
}

func (s *roll) state(counts *tallies, t *stream.Turn) {
	counts.of.Rows(func(r *rollup.Row) { t.Emit(s.row(r)) })
}

// Flush implements stream.Flusher: what goes round, and the rows that have changed.
func (s *roll) Flush(_ int64, emit func(stream.Output)) {
	s.round.flush(emit)
	for _, key := range slices.Sorted(maps.Keys(s.changed)) {
		s.changed[key].of.Rows(func(r *rollup.Row) { emit(s.row(r)) })
	}
	clear(s.changed)
}

// Whole implements stream.Rounds: rows of one window and grouping become visible together.
func (s *roll) Whole() bool { return !s.within && len(s.batches) == 0 }

func (s *roll) row(r *rollup.Row) stream.Output {
	s.buffer = s.Encoder.AppendRow(s.buffer[:0], r)
	return stream.Output{
		Topic: s.Metrics, Partition: s.partition, Key: []byte(r.Key()), Value: slices.Clone(s.buffer), Headers: []kgo.RecordHeader{rowSchemaHeader},
	}
}

var rowSchemaHeader = kgo.RecordHeader{Key: codec.HeaderSchema, Value: []byte("metric_row")}

func (s *roll) NewState(key string, _ int64) stream.State {
	counts, err := s.open(key, nil)
	if err != nil {
		return &tallies{key: key, err: err} // which refuses all records
	}
	return counts
}

// LoadState implements stream.Processor. One that is loaded though it has changed takes the place of what a fold has made too large: its rows
// are to say nothing of that fold. Of a state that is new no single record makes too much: rollup.PartBytes bounds it.
func (s *roll) LoadState(key string, value []byte) (stream.State, error) {
	counts, err := s.open(key, value)
	if err != nil {
		return nil, err
	}
	if s.changed[key] != nil {
		s.changed[key] = counts
	}
	return counts, nil
}

func (s *roll) open(key string, value []byte) (_ *tallies, err error) {
	counts := &tallies{key: key}
	switch kind := rollup.KindOf(key); kind {
	case rollup.DirectoryEntity:
		counts.of, err = s.Counts.Directory(key, value)
	case rollup.SeriesEntity:
		counts.of, err = s.Counts.Series(key, value)
	case rollup.WindowEntity:
		counts.of, err = s.Counts.Span(key, value)
	default:
		err = fmt.Errorf("%q is the key of nothing that is counted", key)
	}
	return counts, err
}

// tallies are the state of a directory, a series or a window, as that of a task.
type tallies struct {
	key string
	of  counted
	err error // the key is none: there is nothing
}

// counted is what they have in common.
type counted interface {
	AppendBinary(b []byte) ([]byte, error)
	Size() int
	Touch() int
	Rows(emit func(*rollup.Row))
}

// AppendBinary implements stream.State.
func (c *tallies) AppendBinary(b []byte) ([]byte, error) { return c.of.AppendBinary(b) }

// Size implements stream.State.
func (c *tallies) Size() int { return 64 + c.of.Size() }

// Touch implements stream.State.
func (c *tallies) Touch() int { return c.of.Touch() }

// NextTimer implements stream.Timed.
func (c *tallies) NextTimer() int64 {
	if timed, ok := c.of.(stream.Timed); ok {
		return timed.NextTimer()
	}
	return 0
}
