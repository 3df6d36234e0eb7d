package stream

import "github.com/pqlstream/pqlstream/pkg/state"

// Indexer is a Processor whose entities are on lists, so that they are found in the store without reading all of them. The
// store must have these lists.
type Indexer interface {
	Processor
	// AppendIndex appends the places of an entity. They follow from what its state encodes and from what the Options'
	// Definition stands for: an entity that was loaded has those that it had.
	AppendIndex(index []state.Listing, s State) []state.Listing
	// IndexKey is a hash, not 0, of what the places follow from: where two states of an entity have the same, they have the
	// same places. It is asked for far more often than those.
	IndexKey(s State) uint64
}

// relist says in an entity's entry which lists it is on, if that may have changed since its last cut: what changes nothing
// there costs the store nothing. One that is deleted is on none, which the store knows.
func (t *table) relist(e *entity, entry *state.Entry) {
	switch {
	case t.indexer == nil:
		return
	case e.state == nil:
		e.listed = 0
		return
	}
	is := t.indexer.IndexKey(e.state)
	if is == e.listed {
		return
	}
	at := len(t.index)
	t.index = t.indexer.AppendIndex(t.index, e.state)
	e.listed, entry.Relisted, entry.Index = is, true, t.index[at:len(t.index):len(t.index)]
}

// relisted notes where an entity is that was loaded, which is what the store has.
func (t *table) relisted(e *entity) {
	if t.indexer != nil && e.state != nil {
		e.listed = t.indexer.IndexKey(e.state)
	}
}
