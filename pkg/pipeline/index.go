package pipeline

import (
	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// listed makes activation a stream.Indexer: accounts are on the lists of account.Index.
type listed struct {
	index *account.Index
	room  []account.Listing
}

// IndexKey implements stream.Indexer.
func (l *listed) IndexKey(s stream.State) uint64 { return l.index.Key(s.(*account.State)) }

// AppendIndex implements stream.Indexer.
func (l *listed) AppendIndex(index []state.Listing, s stream.State) []state.Listing {
	l.room = l.index.Append(l.room[:0], s.(*account.State))
	for _, at := range l.room {
		// What a request says of time is not looked at as an event's is: it must not be what the store refuses.
		index = append(index, state.Listing{List: at.List, Score: min(max(at.Score, -state.MaxScore), state.MaxScore)})
	}
	return index
}
