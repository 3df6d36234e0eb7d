package stream

import (
	"fmt"

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
	full       bool // it moves the checkpoint
}

// wants says what a commit would be for: outputs to publish soon, or progress to record.
func (t *table) wants() (emission, progress bool) {
	return len(t.outputs) > 0, t.now != t.saved || t.renamed || len(t.dirty) > 0 || len(t.outputs) > 0
}

// cut takes out what is to be committed. An emission holds the outputs and the states of the entities that made them,
// and repeats the checkpoint that is saved already, watermark included: after a crash the records since are folded
// again, and must see what they saw. A checkpoint holds every dirty entity and moves on.
func (t *table) cut(full bool) (*cut, error) {
	full = full || t.unowned
	list := t.emitted
	if full {
		t.tell()
		t.renamed = false
		list = t.dirty
		t.saved = t.now
	}
	c := &cut{outputs: t.outputs, checkpoint: t.saved, full: full, entries: make([]state.Entry, 0, len(list)), owners: make([]*entity, 0, len(list))}
	var buf []byte
	for i, e := range list {
		if cap(buf)-len(buf) < t.encoded { // what grows step by step is copied as often
			buf = make([]byte, 0, min((len(list)-i)*t.encoded, encodeBytes)+t.encoded)
		}
		at := len(buf)
		var err error
		if buf, err = e.state.AppendBinary(appendEnvelope(buf, e.applied)); err != nil {
			return nil, fmt.Errorf("encoding the state of %q: %w", e.key, err)
		}
		t.encoded = max(t.encoded-t.encoded/64, (len(buf)-at)*5/4)
		c.entries = append(c.entries, state.Entry{Key: e.key, Value: buf[at:len(buf):len(buf)], Timer: e.timer})
		c.owners = append(c.owners, e)
		e.dirty, e.emitted = false, false
		e.unmirrored++
	}
	if full {
		t.dirty = t.dirty[:0]
	} else {
		t.dirty = stillDirty(t.dirty)
	}
	t.emitted, t.outputs, t.unowned, t.written, t.output = t.emitted[:0], nil, false, 0, 0
	for _, e := range t.dirty {
		t.written += e.size
	}
	return c, nil
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
