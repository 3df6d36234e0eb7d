package account

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// The lists that accounts are on, beside one for each tier.
const (
	AllAccounts = "accounts" // those of which anything is known, by when their newest transition happened
	AllPQLs     = "pqls"     // those that are PQLs and not held out, by when they qualified
)

// PQLsOf names the list of the PQLs in a tier, which is a part of AllPQLs.
func PQLsOf(tier string) string { return AllPQLs + "." + tier }

// Listing is an account's place on a list.
type Listing struct {
	List  string
	Score int64 // ms since the Unix epoch, UTC: event time
}

// Index says which lists accounts are on. It is safe for concurrent use.
type Index struct {
	engine *Engine
	tiers  []string // the lists of the tiers
}

// NewIndex returns the index of accounts under an engine's checklist.
func NewIndex(e *Engine) *Index {
	x := &Index{engine: e}
	for i := range e.checklist.Tiers() {
		x.tiers = append(x.tiers, PQLsOf(e.checklist.Tiers()[i].Name))
	}
	return x
}

// Lists are all that there are.
func (x *Index) Lists() []string { return append([]string{AllAccounts, AllPQLs}, x.tiers...) }

// Append appends the places of an account. They follow from what its state encodes and from the checklist. An account that
// was merged into another has none, nor has one of which nothing but its erasure is known.
func (x *Index) Append(list []Listing, s *State) []Listing {
	if s.has(aliased | erased) {
		return list
	}
	changedAt, qualifiedAt := s.newestTimes()
	list = append(list, Listing{AllAccounts, changedAt})
	if s.has(qualified) && !x.engine.checklist.HeldOut(s.id) {
		list = append(list, Listing{AllPQLs, qualifiedAt}, Listing{x.tiers[s.standing.tier], qualifiedAt})
	}
	return list
}

// Key is a hash, not 0, of what an account's places follow from: while it stays the same, they do. It is many times cheaper.
func (x *Index) Key(s *State) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := xxhash.Sum64(s.parts.items(log))
	h ^= (uint64(s.standing.tier)<<16 | uint64(s.flags&(qualified|aliased|erased))) * odd
	return max(h, 1)
}

// ChangedAt is when an account's newest transition happened, in ms since the Unix epoch; 0: there was none.
func (s *State) ChangedAt() int64 {
	changedAt, _ := s.newestTimes()
	return changedAt
}

// newestTimes returns the event times of the newest transition and of the newest qualification; 0: there was none.
func (s *State) newestTimes() (changedAt, qualifiedAt int64) {
	changedAt = math.MinInt64
	for r, e := s.log(), (entry{}); r.next(&e); {
		changedAt = max(changedAt, e.at)
		if e.kind == kindQualified || e.kind == kindRequalified {
			qualifiedAt = e.at
		}
	}
	if changedAt == math.MinInt64 {
		return 0, 0
	}
	return changedAt, qualifiedAt
}
