package stream

import "github.com/pqlstream/pqlstream/pkg/state"

// loads knows about how large states are, by those that were loaded of late: how many to ask the mirror for at once, and how many to have in memory
// at once beside those that are there. Nobody knows before a state is there.
type loads struct {
	bytes int // about what one takes; 0: none has been loaded
}

// firstLoad is how many states are asked for while nothing is known.
const firstLoad = 100

// learn takes in what was loaded. It forgets large states slowly: some may be much larger than most.
func (l *loads) learn(values [][]byte) {
	sum := 0
	for _, v := range values {
		sum += len(v)
	}
	mean := sum/max(len(values), 1) + 1
	l.bytes = max(mean, (3*l.bytes+mean)/4)
}

// atOnce is how many states one call is to load: no more than about a chunk's bytes.
func (l *loads) atOnce() int {
	if l.bytes == 0 {
		return firstLoad
	}
	return min(max(state.MaxChunkBytes/l.bytes, 1), state.MaxChunk)
}

// inMemory is how many entities are to be folded at once, of which all may have to be loaded: they take half of a task's share of the cache.
func (l *loads) inMemory(share int) int {
	if l.bytes == 0 {
		return chunkRecords
	}
	return min(max(share/2/l.bytes, 1), chunkRecords)
}
