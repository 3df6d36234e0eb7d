// Package state is the contract between the runtime and the store that people read states from.
//
// The truth of a partition is its changelog topic in Kafka. A Mirror is a copy of it that knows the changelog position
// it stands at and moves from position to position by compare-and-set, so that a stale, a partial or a foreign copy is
// noticed, never used. See DESIGN.md, "Redis is a mirror with a position".
package state

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ErrMismatch says that the mirror is not where its owner knows it to be: something was flushed, evicted, rolled back
// or lost. The owner has to rebuild it; a reader has to wait.
var ErrMismatch = errors.New("the mirror is not at the expected position")

// ErrFenced says that a newer owner has claimed the mirror. The caller is a former owner and must drop the partition.
var ErrFenced = errors.New("a newer owner has claimed the mirror")

// ErrForeign says that the keys hold the state of another cluster, topic or group.
var ErrForeign = errors.New("the mirror belongs to another deployment")

// What a Chunk may hold at most. Readers wait for as long as it takes the store to write it.
const (
	MaxChunk      = 1000    // entries
	MaxChunkBytes = 8 << 20 // of keys and values; a single entry may take more
)

// Partition names a mirror and whose it is.
type Partition struct {
	Stage    string // such as activation
	Topic    string // the input topic
	Number   int32
	Identity string // digest of cluster id, topic ids, partition count and group; a mirror of another is refused
}

// Entry is the newest state of one entity.
type Entry struct {
	Key   string
	Value []byte // as in the changelog; nil: deleted
	Timer int64  // when the entity's next timer is due, ms since the Unix epoch; 0: none

	// Relisted says that Index holds the lists that the entity is on from here on; otherwise it is on those that it was
	// on. One that is deleted is on none.
	Relisted bool
	Index    []Listing
}

// Size is what the entry's key and value take, in bytes.
func (e *Entry) Size() int { return len(e.Key) + len(e.Value) }

// Chunk moves a mirror from one changelog position to the next.
type Chunk struct {
	From    int64   // applies only where the mirror stands here
	To      int64   // where it stands afterwards; where it stands here already, the chunk has been applied
	Entries []Entry // of an entity that comes twice the later counts, and of its lists what is said last
}

// Status is what a claim found.
type Status struct {
	Exists   bool          // false: no mirror, one that lost a sentinel or one with other lists; only a rebuild helps
	Position int64         // the changelog position that it stands at
	Age      time.Duration // since it was last written

	// Definition is what it was built under, as Rebuild was told: its timers and lists are of that. "": not known.
	Definition string
}

// Store opens the mirrors of a stage's partitions. It is made for certain lists, which entities of its mirrors may be on.
type Store interface {
	// Open returns the mirror for the owner with the given token. It does no I/O. Tokens are changelog positions:
	// of two owners the later has the higher one.
	Open(p Partition, token int64) Mirror
	// Check fails when the store can't be relied on, such as a Redis that may evict: *Refused says what to change. Any
	// other error means that the store is out of reach.
	Check(ctx context.Context) error
}

// Mirror is the copy of one partition's states in the hands of its owner. Its methods may be called concurrently, but
// Apply and Rebuild only by one goroutine. Every method may also return ErrForeign, where another deployment has come to
// use the same keys. Errors other than this package's are the store's being out of reach: the call can be repeated.
type Mirror interface {
	// Claim makes the caller the owner and says what there is. ErrFenced, ErrForeign.
	Claim(ctx context.Context) (Status, error)
	// Load returns the values of keys, nil for those that have none, all as of one moment and at least as new as
	// the position. The values are the caller's. ErrMismatch, ErrFenced.
	Load(ctx context.Context, position int64, keys []string) ([][]byte, error)
	// Apply moves the mirror on. Repeating an applied chunk succeeds. ErrMismatch, ErrFenced.
	Apply(ctx context.Context, c Chunk) error
	// Rebuild erases the mirror and fills it anew up to the position; readers see none of it before all of it. The mirror
	// keeps the hash of the definition that the entries' timers and lists follow from, for claims to tell.
	// Entries come in slices of what a Chunk may hold; of an entity that comes twice the later counts. It works with a token
	// that was never claimed. ErrFenced.
	Rebuild(ctx context.Context, position int64, definition string, entries iter.Seq2[[]Entry, error]) error
	// Due returns up to limit entities whose timers are due after one moment and at or before another, the earliest
	// first, without their values. It hints: an entity's state decides. ErrMismatch, ErrFenced.
	Due(ctx context.Context, position, after, before int64, limit int) ([]Entry, error)
}

// Reader reads states without owning them.
type Reader interface {
	// Get returns the values of keys, nil for those that have none, all as of one moment. ErrMismatch: not ready, being
	// rebuilt. ErrForeign.
	Get(ctx context.Context, p Partition, keys ...string) ([][]byte, error)
	// Each calls visit with all entries of a mirror, some at a time and without their timers and lists, until it
	// returns an error. One that changes meanwhile comes as it was at some moment, maybe more than once; one that is there all the time is
	// never left out. It reads everything: it is not for what is to answer fast. ErrMismatch, ErrForeign.
	Each(ctx context.Context, p Partition, visit func([]Entry) error) error
	// Range returns a part of a list as of one moment, and how many places within the bounds there are in all.
	// ErrMismatch: not ready, or it has no such list. ErrForeign.
	Range(ctx context.Context, p Partition, s Slice) (places []Place, total int64, err error)
}
