package stream

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Processor is what a stage does with records: the application's side of the runtime. Each task has its own, used by
// one goroutine at a time.
//
// A Processor must be deterministic: nothing but the entity's state, the record and the Turn's watermark may decide
// what Fold does, since after a crash records are folded again and what comes out then is published as the first time.
//
// It may keep caches: a takeover begins with a new one, so that what it has gathered never outlives a commit that was
// not confirmed.
//
// A Processor may also implement TimerProcessor, Indexer, Flusher, Rounds, TimeTeller and Witness.
type Processor interface {
	// Decode reads a record into a slot, which a later Fold names. Records come in batches; slots count from 0 and
	// are reused by the next batch. What Decode keeps may alias the record.
	//
	// A Reject makes the record a dead letter. An error wrapping ErrRetry makes the task wait and try again. Any
	// other error ends the process.
	Decode(slot int, r *kgo.Record) (Route, error)
	// Fold folds a slot's record into its entity's state. A Reject makes the record a dead letter; the state must be
	// as it was. Any other error ends the process.
	Fold(slot int, t *Turn) error
	// NewState returns the state of an entity that has none yet; incarnation is the offset of its first record.
	NewState(key string, incarnation int64) State
	// LoadState decodes what a State appended.
	LoadState(key string, value []byte) (State, error)
}

// TimerProcessor is a Processor whose entities have timers: their States are Timed.
type TimerProcessor interface {
	Processor
	// Fire is called when the watermark has passed the entity's next timer, before any later record of the entity is
	// folded. It sets the timer anew, to a later time, or stops it. The order among entities means nothing.
	Fire(t *Turn, due int64) error
}

// Flusher is a Processor that gathers while it folds, and publishes what it has gathered once a checkpoint.
//
// A task with a Flusher makes no emissions: all its commits are checkpoints. A state that an emission had written would
// be ahead of what has been flushed; after a crash its records are skipped, and what was gathered of them was never told.
type Flusher interface {
	Processor
	// Flush is called once for each checkpoint, before the changed states are encoded. What it emits goes out with
	// exactly that checkpoint, behind all that was folded until then. It may change states for which Changed was called
	// since the last Flush, no others, and must not let them grow by much: nothing is left to park. What a fold that
	// made its state too large did to the state is taken back without a word, so nothing may be gathered of it that the
	// state does not confirm.
	Flush(watermark int64, emit func(Output))
}

// Rounds is a Flusher to which several records may come that belong together: what it has made of some of them is not to be seen
// without the rest.
type Rounds interface {
	Flusher
	// Whole says that all has been folded that belongs together. While it has not been, or timers are due, there is no checkpoint, unless the
	// task has no room for more before it. What is missing must be in the input already.
	Whole() bool
}

// State is what a Processor keeps for one entity.
type State interface {
	// AppendBinary appends the encoded state, without the position, which the runtime keeps beside it.
	AppendBinary(b []byte) ([]byte, error)
	// Size is an estimate of the memory that the state takes, in bytes.
	Size() int
	// Touch reads a little of the memory that a fold will read, and returns something that depends on it. It is called for
	// many entities in a row before any is folded: their memory is then fetched at the same time.
	Touch() int
}

// Timed is a State with a timer.
type Timed interface {
	// NextTimer is when the timer is due, ms since the Unix epoch; 0: there is none.
	NextTimer() int64
}

// Route says what Decode found: which entity a record concerns and when it happened.
type Route struct {
	Key       []byte // the entity's id, valid UTF-8; may alias the record. Empty: no entity; Fold is called with a nil State
	EventTime int64  // ms since the Unix epoch; 0: the record says nothing about time
	Mark      *Mark  // what the stage before says about time: the record is that, and Fold is not called; nil for all others
	Ignore    bool   // nothing in it matters: Fold is not called. It still moves position and watermark
}

// ErrRetry marks an error of Decode that passes by itself, such as a registry that is down.
var ErrRetry = errors.New("try again")

// Reject makes a record a dead letter.
type Reject struct {
	Code string // short and stable, for counting: undecodable, unknown_schema, account_id_missing, ...
	Err  error  // what is wrong with the record, naming the field
}

func (r *Reject) Error() string { return r.Code + ": " + r.Err.Error() }
func (r *Reject) Unwrap() error { return r.Err }

// Output is a record that a stage publishes. The runtime adds nothing to it. Its bytes must not alias the record that
// it was made from, nor be changed afterwards.
type Output struct {
	Topic     string
	Partition int32
	Key       []byte
	Value     []byte // nil is a tombstone
	Headers   []kgo.RecordHeader
	Timestamp int64 // ms since the Unix epoch; 0: the time of publishing
	Lazy      bool  // nobody waits for it: it is published with the next output of its entity that is not lazy, with the next checkpoint at the latest
}

// Turn is one call of Fold or Fire: what it sees and what it does. It is valid during the call only.
type Turn struct {
	Topic     string // the input's
	Partition int32
	Offset    int64       // of the record; of the next one when a timer fires
	Watermark int64       // ms since the Unix epoch: no earlier event is expected; 0 before the first event
	Record    *kgo.Record // nil when a timer fires
	State     State

	changed bool
	deleted bool
	taken   bool // by the table, into the entity's state
	outputs []Output
}

// Changed says that the state is not what it was. Without it the state is not written, unless an output is.
func (t *Turn) Changed() { t.changed = true }

// Delete makes the entity go: a tombstone in the changelog, nothing in the mirror. A later record of it starts from
// nothing, with an incarnation of its own. What the call emits goes out with the tombstone.
//
// With the state goes what it says of the records that are in it. So the tombstone is part of a checkpoint behind the
// present offset, and no record of the entity below that offset is folded again. An entity must not be deleted that can
// be given the same events again otherwise, as by the stage before: what it had published would be published again.
func (t *Turn) Delete() { t.changed, t.deleted = true, true }

// Emit publishes a record, once and only together with the state that led to it.
func (t *Turn) Emit(o Output) { t.outputs = append(t.outputs, o) }

// Result returns what the call has done so far: for a processor around another one, and for tests, which need no runtime to
// fold a record.
func (t *Turn) Result() (changed bool, outputs []Output) { return t.changed, t.outputs }

// Deleted says whether the call has deleted the entity: for tests of processors.
func (t *Turn) Deleted() bool { return t.deleted }
