package identity

import (
	"fmt"
	"slices"
)

// MaxVisited is how many aliases something may be sent along before it is given up.
const MaxVisited = 64

// Via is the way that something has come which concerns an account: an event, or a request such as a merge.
type Via struct {
	Visited   []string // the aliases that have sent it on, in their order
	Canonical string   // the account that is to take it in, as Visited lead back to themselves; empty: whoever is no alias
}

// Hop says what an account does with something that has reached it.
type Hop struct {
	To     string // the account that it goes on to; empty: it stays here
	Via    Via    // with which it goes on
	Reopen bool   // it stays here, though the account was an alias: that ends
}

// Next says where something goes on to that has reached an account, which is an alias of another; empty: of none.
//
// Accounts that were merged into each other would send it round for ever. An alias that it reaches for the second time knows: the
// smallest id of those that lead back to it is the canonical one, and takes everything in from then on. It may have become an
// alias of somebody else's meanwhile, and is then not asked to.
func Next(account, aliasOf string, via *Via) (Hop, error) {
	if aliasOf == "" {
		return Hop{}, nil
	}
	if via.Canonical == account {
		if slices.Contains(via.Visited, aliasOf) {
			return Hop{Reopen: true}, nil
		}
		return Hop{To: aliasOf, Via: Via{Visited: []string{account}}}, nil
	}
	if at := slices.Index(via.Visited, account); at >= 0 {
		cycle := slices.Clone(via.Visited[at:])
		if !slices.Contains(cycle, aliasOf) { // it is of somebody outside by now: nothing leads back any more
			return Hop{To: aliasOf, Via: Via{Visited: []string{account}}}, nil
		}
		if canonical := slices.Min(cycle); canonical != account {
			return Hop{To: canonical, Via: Via{Visited: cycle, Canonical: canonical}}, nil
		}
		return Hop{Reopen: true}, nil
	}
	if len(via.Visited) >= MaxVisited {
		return Hop{}, fmt.Errorf("it has been sent on by %d accounts that were merged into others, one after the other", MaxVisited)
	}
	return Hop{To: aliasOf, Via: Via{Visited: append(slices.Clone(via.Visited), account)}}, nil
}
