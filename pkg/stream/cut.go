package stream

import (
	"fmt"
	"time"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// encodeBytes is how much memory is taken at once to encode states.
const encodeBytes = 256 << 10

// cut is everything of one task that goes into one commit: a consistent moment between two records.
type cut struct {
	outputs    []Output
	entries    []state.Entry
	owners     []*entity // of the entries
	checkpoint checkpoint
	full       bool          // it moves the checkpoint
	since      time.Time     // the earliest timestamp of a record that led to outputs; zero: none did
	witness    func(Outcome) // nil: nobody asks what becomes of it
}

// wants says what a commit would be for: outputs that somebody waits for, or progress to record.
func (t *table) wants() (emission, progress bool) {
	return t.eagerOutputs > 0, t.now != t.saved || len(t.dirty) > 0 || len(t.outputs) > 0 || t.hasToTell(t.tellable())
}

// whole says whether what has been folded and fired may be seen as it is.
func (t *table) whole() bool {
	return t.rounds == nil || t.rounds.Whole() && (t.timed == nil || t.fired >= t.watermark(t.now.eventTime))
}

// cut takes out what is to be committed. An emission holds the states of the entities that made outputs which somebody waits for,
// and all outputs of these, and repeats the checkpoint that is saved already, watermark included: after a crash the records since
// are folded again, and must see what they saw. A checkpoint holds every dirty entity and every output, and moves on.
func (t *table) cut(full bool) (*cut, error) {
	full = full || t.unowned || t.flusher != nil
	list := t.eager
	if full {
		t.flush()
		t.tell() // behind what it is about
		list = t.dirty
		t.saved = t.now
	}
	c := &cut{outputs: t.publish(full), checkpoint: t.saved, full: full, since: t.since, entries: make([]state.Entry, 0, len(list)), owners: make([]*entity, 0, len(list))}
	if err := t.encode(c, list); err != nil {
		return nil, err
	}
	if full {
		t.dirty = t.dirty[:0]
	} else {
		t.dirty = stillDirty(t.dirty)
	}
	t.eager, t.eagerOutputs, t.unowned, t.written, t.since = t.eager[:0], 0, false, 0, time.Time{}
	for _, e := range t.dirty {
		t.written += e.size
	}
	if w, ok := t.proc.(Witness); ok {
		c.witness = w.Cut(full)
	}
	return c, nil
}

// publish takes out the outputs of a cut: all of a checkpoint; of an emission all that its entities have made, in their order, since what
// their states say has been told would not be told again.
func (t *table) publish(full bool) []Output {
	if full || t.eagerOutputs == len(t.outputs) {
		all := t.outputs
		t.outputs, t.makers, t.output = nil, t.makers[:0], 0
		return all
	}
	var published []Output
	n := 0
	for i, e := range t.makers {
		if e.eager {
			published = append(published, t.outputs[i])
			t.output -= t.outputs[i].size()
			continue
		}
		t.outputs[n], t.makers[n] = t.outputs[i], e
		n++
	}
	clear(t.outputs[n:])
	t.outputs, t.makers = t.outputs[:n], t.makers[:n]
	return published
}

// encode puts entities into a cut: their states, or tombstones.
func (t *table) encode(c *cut, list []*entity) (err error) {
	var buf []byte
	if len(t.index) > 0 { // the last cut holds it
		t.index = nil
	}
	for i, e := range list {
		entry := state.Entry{Key: e.key, Timer: e.timer}
		if e.state != nil {
			if cap(buf)-len(buf) < t.encoded { // what grows step by step is copied as often
				buf = make([]byte, 0, min((len(list)-i)*t.encoded, encodeBytes)+t.encoded)
			}
			at := len(buf)
			if buf, err = e.state.AppendBinary(appendEnvelope(buf, e.applied)); err != nil {
				return fmt.Errorf("encoding the state of %q: %w", e.key, err)
			}
			t.encoded = max(t.encoded-t.encoded/64, (len(buf)-at)*5/4)
			entry.Value = buf[at:len(buf):len(buf)]
		}
		t.relist(e, &entry)
		c.entries = append(c.entries, entry)
		c.owners = append(c.owners, e)
		e.dirty, e.eager = false, false
		e.unmirrored++
	}
	return nil
}

// flush has the processor publish what it has gathered, and measures the states that it may have changed.
func (t *table) flush() {
	if t.flusher == nil {
		return
	}
	t.flusher.Flush(t.watermark(t.now.eventTime), func(o Output) { t.add(nil, o) })
	for _, e := range t.dirty {
		if e.state != nil {
			t.measure(e)
		}
	}
}

func stillDirty(list []*entity) []*entity {
	kept := list[:0]
	for _, e := range list {
		if e.dirty {
			kept = append(kept, e)
		}
	}
	return kept
}

// mirrored notes that a cut's states have reached the mirror.
func (t *table) mirrored(owners []*entity) {
	for _, e := range owners {
		e.unmirrored--
	}
}
