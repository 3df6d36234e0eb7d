package stream

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// entity is one entity's state in memory. It is dirty (ahead of the changelog), unmirrored (in the changelog or on the
// way there, not yet in the mirror) or clean; only a clean one may be evicted.
type entity struct {
	key        string
	state      State // nil: it has none; dirty as well, it had one and a tombstone is to be written
	applied    int64 // input offset after the last record folded in: a record below it is skipped
	timer      int64 // as the state's NextTimer said last
	size       int
	listed     uint64 // IndexKey of its last cut, or of the state that it was loaded with; 0: it is on no list
	unmirrored int32  // cuts that hold it and have not reached the mirror
	dirty      bool
	loading    bool // its state has been asked for
	eager      bool // has made an output since the last cut that somebody waits for
	used       bool // since the evicting hand came by
}

// checkpoint is where a takeover starts: an input offset and the time that it was: in a first stage the highest event time
// seen before it, in a later one the watermark, with what the stage before has said of each of its partitions.
type checkpoint struct {
	next      int64
	eventTime int64
	sources   *sourceTimes // of a later stage that has been told; replaced, never changed
}

// table is what a task knows: its entities and how far it has folded. It knows no Kafka, no mirror and no clock; what
// it does follows from the records and the entities that it is given. Its owner guards it with a lock.
//
// Protocol: rules 1, 2, 7 and 8 of DESIGN.md.
type table struct {
	proc       Processor
	timed      TimerProcessor // nil when the processor has no timers
	indexer    Indexer        // nil when the processor has no lists
	flusher    Flusher        // nil when the processor gathers nothing
	rounds     Rounds         // nil when any moment will do for a checkpoint
	teller     TimeTeller     // nil when no later stage asks what time it is
	told       bool           // time is what the stage before says
	deadLetter func(*kgo.Record, *Reject) (Output, error)
	disorder   int64 // ms that events may come out of order without being late
	maxValue   int   // bytes that an encoded state may take at most

	entities map[string]*entity
	ring     []*entity // the same, in the order in which the evicting hand visits them
	hand     int
	size     int     // bytes that the states take, estimated
	evicted  *keySet // what is neither here nor among these does not exist; nil: it may

	dirty        []*entity
	eager        []*entity
	outputs      []Output
	makers       []*entity // of the outputs; nil: no entity owns it
	eagerOutputs int       // how many of them are not lazy
	unowned      bool      // an output that no entity owns is among them, or that of one that is gone, or time has moved without a record: only a checkpoint can follow
	written      int       // bytes that the dirty states take, as estimated
	output       int       // bytes that the outputs take
	since        time.Time // the earliest timestamp of a record that led to them; zero: none did
	encoded      int       // bytes that an encoded state takes, about the most of late

	index []state.Listing // places that the cut being made tells

	toldLast    int64 // the watermark that the next stage was told last
	toldAt      int64 // the input offset at that time
	toldIn      int   // how many records told it
	toldResting bool  // that the input rests
	resting     bool  // the input has been read to its end, and nothing has come for a while
	clock       int64 // the next stage is told nothing beyond; ms since the Unix epoch

	now   checkpoint
	saved checkpoint // the newest in the changelog, or on its way there

	timers timerQueue
	fired  int64 // nothing is due any more up to this watermark
	late   int64 // records folded with an event time before the watermark
	parked int64 // records that became dead letters
	pruned int   // how many there were when the queue was last rid of outdated ones
	turn   Turn
}

func newTable(proc Processor, topic string, partition int32, from checkpoint) *table {
	t := &table{
		proc:     proc,
		entities: map[string]*entity{},
		now:      from,
		saved:    from,
		clock:    math.MaxInt64,
	}
	t.timed, _ = proc.(TimerProcessor)
	t.indexer, _ = proc.(Indexer)
	t.flusher, _ = proc.(Flusher)
	t.rounds, _ = proc.(Rounds)
	t.teller, _ = proc.(TimeTeller)
	t.turn.Topic, t.turn.Partition = topic, partition
	return t
}

// watermark is the event time before which no event is expected.
func (t *table) watermark(eventTime int64) int64 { return max(eventTime-t.disorder, 0) }

// get returns an entity, nil when it is not in memory. It marks it used.
func (t *table) get(key []byte) *entity {
	e := t.entities[string(key)]
	if e != nil {
		e.used = true
	}
	return e
}

// mayExist says whether an entity that is not in memory may have a state.
func (t *table) mayExist(key []byte) bool { return t.evicted == nil || t.evicted.has(key) }

// put takes in an entity that has no state, or whose state is filled in later.
func (t *table) put(key string) *entity {
	e := &entity{key: key, used: true}
	t.entities[key] = e
	t.ring = append(t.ring, e)
	return e
}

// fill gives an entity the value that the mirror has for it, nil for none.
func (t *table) fill(key string, value []byte) error {
	e := t.entities[key]
	e.loading = false
	if value == nil {
		return nil
	}
	applied, encoded, err := Unwrap(value)
	if err == nil {
		e.state, err = t.proc.LoadState(key, encoded)
	}
	if err != nil {
		return fmt.Errorf("reading the state of %q: %w", key, err)
	}
	e.applied = applied
	t.measure(e)
	t.relisted(e)
	return nil
}

// fold folds one record, e being its entity, or nil when it concerns none. A reject from decoding is passed in.
func (t *table) fold(slot int, r *kgo.Record, route Route, reject *Reject, e *entity) error {
	if r.Offset < t.now.next {
		return nil // fetched again after a rewind
	}
	// A record that is skipped below still moves time, as it did when it was folded.
	t.observe(&route)
	if e != nil && t.timed != nil && r.Offset >= e.applied {
		if err := t.fire(e, r.Offset); err != nil {
			return err
		}
	}
	t.now.next = r.Offset + 1
	switch {
	case reject != nil:
		return t.park(r, reject)
	case route.Ignore, route.Mark != nil:
		return nil
	case e != nil && r.Offset < e.applied:
		return nil
	}
	if route.EventTime != 0 && route.EventTime < t.watermark(t.now.eventTime) {
		t.late++
	}
	if e == nil {
		return t.run(r, nil, func(turn *Turn) error { return t.proc.Fold(slot, turn) })
	}
	fresh := e.state == nil
	if fresh {
		e.state = t.proc.NewState(e.key, r.Offset)
	}
	err := t.run(r, e, func(turn *Turn) error { return t.proc.Fold(slot, turn) })
	switch {
	case e.state == nil: // deleted
	case fresh && !t.turn.taken:
		t.forget(e) // its incarnation is the record that first changes it: evicted or not, crashed or not
	default:
		e.applied = t.now.next
	}
	return err
}

// forget makes an entity one that has no state.
func (t *table) forget(e *entity) {
	t.release(e)
	if e.dirty {
		t.written -= e.size
	}
	e.state, e.size, e.applied, e.timer = nil, 0, 0, 0
}

// skip moves on over records that no stage looks at: aborted ones, the markers of transactions.
func (t *table) skip(next int64) { t.now.next = max(t.now.next, next) }

// run calls the processor for one record or timer and takes in what it did.
func (t *table) run(r *kgo.Record, e *entity, call func(*Turn) error) error {
	turn := &t.turn
	turn.Record, turn.Offset, turn.Watermark = r, t.now.next, t.watermark(t.now.eventTime)
	turn.State, turn.changed, turn.deleted, turn.taken, turn.outputs = nil, false, false, false, turn.outputs[:0]
	var backup []byte
	if r != nil {
		turn.Offset = r.Offset
	}
	if e != nil {
		turn.State = e.state
		if r != nil && e.applied > 0 && e.size+len(r.Value) > t.maxValue/2 {
			var err error
			if backup, err = e.state.AppendBinary(nil); err != nil {
				return fmt.Errorf("encoding the state of %q: %w", e.key, err)
			}
		}
	}
	if err := call(turn); err != nil {
		if reject, ok := errors.AsType[*Reject](err); ok && r != nil {
			return t.park(r, reject)
		}
		return err
	}
	if e == nil {
		t.add(nil, turn.outputs...)
		t.unowned = t.unowned || len(turn.outputs) > 0
		return nil
	}
	return t.take(r, e, backup)
}

// take notes what a call has done to an entity.
func (t *table) take(r *kgo.Record, e *entity, backup []byte) error {
	turn := &t.turn
	if !turn.changed && len(turn.outputs) == 0 {
		return nil
	}
	if turn.deleted {
		t.forget(e)
	} else if tooLarge, err := t.tooLarge(e); err != nil {
		return err
	} else if tooLarge && r != nil {
		return t.revert(r, e, backup)
	}
	turn.taken = true
	if !e.dirty {
		e.dirty = true
		t.dirty = append(t.dirty, e)
		t.written += e.size
	}
	before := t.eagerOutputs
	if t.add(e, turn.outputs...); t.eagerOutputs > before && !e.eager {
		e.eager = true
		t.eager = append(t.eager, e)
	}
	// An emission would leave the records since the checkpoint to be folded again, into nothing.
	t.unowned = t.unowned || turn.deleted && e.eager
	return nil
}

// tooLarge measures a changed entity; one that may exceed what a record holds is encoded to be sure.
func (t *table) tooLarge(e *entity) (bool, error) {
	t.measure(e)
	if e.size <= t.maxValue/2 {
		return false, nil
	}
	b, err := e.state.AppendBinary(nil)
	if err != nil {
		return false, fmt.Errorf("encoding the state of %q: %w", e.key, err)
	}
	return len(b) > t.maxValue, nil
}

// revert undoes a fold that made a state too large to be written, and parks the record that did it: retrying would
// never end, leaving the state out would lose it.
func (t *table) revert(r *kgo.Record, e *entity, backup []byte) (err error) {
	switch {
	case backup == nil && e.applied > 0:
		return fmt.Errorf("the state of %q grew by far more than the record %s-%d@%d that did it", e.key, r.Topic, r.Partition, r.Offset)
	case backup == nil:
		t.forget(e)
		return t.park(r, t.stateTooLarge(e))
	}
	if e.state, err = t.proc.LoadState(e.key, backup); err != nil {
		return fmt.Errorf("restoring the state of %q: %w", e.key, err)
	}
	t.measure(e)
	return t.park(r, t.stateTooLarge(e))
}

func (t *table) stateTooLarge(e *entity) *Reject {
	return &Reject{Code: "state_too_large", Err: fmt.Errorf("with it the state of %q would exceed %d bytes", e.key, t.maxValue)}
}

// park makes a record a dead letter. No entity owns that: its commit is a checkpoint.
func (t *table) park(r *kgo.Record, reject *Reject) error {
	o, err := t.deadLetter(r, reject)
	if err != nil {
		return fmt.Errorf("making a dead letter of %s-%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	t.add(nil, o)
	t.unowned = true
	t.parked++
	return nil
}

// add notes what a commit is to publish. The maker is nil where no entity owns it.
func (t *table) add(maker *entity, outputs ...Output) {
	t.outputs = append(t.outputs, outputs...)
	for i := range outputs {
		t.makers = append(t.makers, maker)
		t.output += outputs[i].size()
		if !outputs[i].Lazy {
			t.eagerOutputs++
		}
	}
}

func (o *Output) size() int { return len(o.Key) + len(o.Value) }

// bounds are how many states or outputs there may be for the next commit, and how many bytes they may take.
type bounds struct{ records, bytes int }

func (b bounds) half() bounds { return bounds{b.records / 2, b.bytes / 2} }

// full says whether there is as much for the next commit as there may be.
func (t *table) full(states, outputs bounds) bool {
	return len(t.dirty) >= states.records || t.written >= states.bytes || t.outputsFull(outputs)
}

func (t *table) outputsFull(b bounds) bool { return len(t.outputs) >= b.records || t.output >= b.bytes }

// entitySize is about what the table needs for an entity beside its state and its key, in bytes: itself, its places in
// the map and the ring.
const entitySize = 160

// release takes an entity's memory off what the states take.
func (t *table) release(e *entity) {
	if e.size > 0 {
		t.size -= e.size + entitySize + len(e.key)
	}
}

// measure updates what depends on an entity's state: the memory it takes and its timer.
func (t *table) measure(e *entity) {
	size := e.state.Size()
	if e.size == 0 {
		t.size += entitySize + len(e.key)
	}
	t.size += size - e.size
	if e.dirty {
		t.written += size - e.size
	}
	e.size = size
	if t.timed == nil {
		return
	}
	due := int64(0)
	if s, ok := e.state.(Timed); ok {
		due = s.NextTimer()
	}
	if due != e.timer {
		e.timer = due
		if due != 0 {
			t.timers.push(timer{due, e.key})
		}
	}
}

// evict frees room: it drops clean entities until at most n are left that take at most limit bytes. It says whether
// there is room; where there is none, the rest must be committed and mirrored first.
func (t *table) evict(n, limit int) bool {
	for visits := 2 * len(t.ring); len(t.ring) > n || t.size > limit; visits-- {
		if visits == 0 {
			return false
		}
		if t.hand >= len(t.ring) {
			t.hand = 0
		}
		e := t.ring[t.hand]
		if e.used || e.dirty || e.loading || e.unmirrored > 0 {
			e.used = false
			t.hand++
			continue
		}
		if t.evicted != nil && e.state != nil && !t.evicted.add(e.key) {
			t.evicted = nil
		}
		t.release(e)
		delete(t.entities, e.key)
		last := len(t.ring) - 1
		t.ring[t.hand], t.ring[last] = t.ring[last], nil
		t.ring = t.ring[:last]
	}
	return true
}
