package stream

import (
	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Indexer is a Processor whose entities are on lists, so that they are found in the store without reading all of them. The
// store must have these lists.
type Indexer interface {
	Processor
	// AppendIndex appends the places of an entity. They follow from what its state encodes and from what the Options'
	// Definition stands for: an entity that was loaded has those that it had.
	AppendIndex(index []state.Listing, s State) []state.Listing
}

// relist says in an entity's entry which lists it is on, if that has changed since its last cut: what changes nothing there
// costs the store nothing. One that is deleted is on none, which the store knows.
func (t *table) relist(e *entity, entry *state.Entry) {
	switch {
	case t.indexer == nil:
		return
	case e.state == nil:
		e.listed = 0
		return
	}
	at := len(t.index)
	t.index = t.indexer.AppendIndex(t.index, e.state)
	index := t.index[at:len(t.index):len(t.index)]
	if is := listed(index); is != e.listed {
		e.listed = is
		entry.Relisted, entry.Index = true, index
		return
	}
	t.index = t.index[:at]
}

// relisted notes where an entity is that was loaded, which is what the store has.
func (t *table) relisted(e *entity) {
	if t.indexer != nil && e.state != nil {
		at := len(t.index)
		t.index = t.indexer.AppendIndex(t.index, e.state)
		e.listed = listed(t.index[at:])
		t.index = t.index[:at]
	}
}

// listed is a hash of places; 0: there are none.
func listed(index []state.Listing) (h uint64) {
	const odd = 0x9e3779b97f4a7c15
	for i := range index {
		h = (h ^ xxhash.Sum64String(index[i].List)) * odd
		h ^= h >> 29
		h = (h ^ uint64(index[i].Score)) * odd
		h ^= h >> 32
	}
	return h
}
