package identity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnAccountThatIsNoAliasTakesEverythingIn(t *testing.T) {
	hop, err := Next("a", "", &Via{Visited: []string{"b"}})
	require.NoError(t, err)
	assert.Zero(t, hop)
}

func TestAliasesSendOnAndSayWhoDid(t *testing.T) {
	hop, err := Next("b", "a", &Via{Visited: []string{"c"}})
	require.NoError(t, err)
	assert.Equal(t, Hop{To: "a", Via: Via{Visited: []string{"c", "b"}}}, hop)
}

// Account a is merged into b and b into a: each would forward to the other for ever.
func TestAttack20MergedIntoEachOther(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		n := network{"a": "b", "b": "a"}
		assert.Equal(t, "a", n.send(t, first), "the smallest id is the canonical one, wherever it begins")
		assert.Empty(t, n["a"])
		assert.Equal(t, "a", n["b"])
	}
}

// What leads into a cycle is not part of it, however small its id is.
func TestOnlyMembersOfACycleAreCanonical(t *testing.T) {
	n := network{"0": "c", "c": "d", "d": "b", "b": "c"}
	assert.Equal(t, "b", n.send(t, "0"))
	assert.Equal(t, network{"0": "c", "c": "d", "d": "b", "b": ""}, n)
}

// By the time the canonical one is asked it may be part of somebody else.
func TestTheCanonicalOneMayHaveBeenMergedMeanwhile(t *testing.T) {
	hop, err := Next("a", "z", &Via{Visited: []string{"a", "b"}, Canonical: "a"})
	require.NoError(t, err)
	assert.Equal(t, Hop{To: "z", Via: Via{Visited: []string{"a"}}}, hop)
}

// Two were sent round: the first has ended a's being an alias, and a was merged into z before the second has come back.
func TestNobodyReturnsToACycleThatWasLeft(t *testing.T) {
	hop, err := Next("a", "z", &Via{Visited: []string{"a", "b"}})
	require.NoError(t, err)
	assert.Equal(t, Hop{To: "z", Via: Via{Visited: []string{"a"}}}, hop)
}

func TestEndlessChainsAreGivenUp(t *testing.T) {
	n := network{}
	for i := range MaxVisited + 1 {
		n[fmt.Sprintf("%03d", i)] = fmt.Sprintf("%03d", i+1)
	}
	assert.Equal(t, "065", n.send(t, "001"))
	via := &Via{}
	for i := range MaxVisited {
		via.Visited = append(via.Visited, strconv.Itoa(i))
	}
	_, err := Next("x", "y", via)
	assert.ErrorContains(t, err, "64 accounts")
}

// Whatever is merged into whatever, all that are merged end in one account, and stay there.
func TestWhatIsMergedEndsInOnePlace(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 20))
		n, parts := network{}, map[string]string{}
		whole := func(id string) string {
			for parts[id] != "" {
				id = parts[id]
			}
			return id
		}
		ids := make([]string, 2+r.IntN(7))
		for i := range ids {
			ids[i] = string(rune('a' + i))
			n[ids[i]] = ""
		}
		for range r.IntN(12) {
			from, into := ids[r.IntN(len(ids))], ids[r.IntN(len(ids))]
			if at := n.send(t, from); at != into { // a merge follows aliases too: it is the whole that is merged
				n[at] = into
			}
			if a, b := whole(from), whole(into); a != b {
				parts[a] = b
			}
		}
		ends := map[string]string{}
		for _, id := range ids {
			end := n.send(t, id)
			if known := ends[whole(id)]; known != "" {
				require.Equal(t, known, end, "seed %d, %s", seed, id)
			}
			ends[whole(id)] = end
			require.Equal(t, end, n.send(t, id), "seed %d: %s goes elsewhere the second time", seed, id)
		}
	}
}

// network is what accounts are aliases of.
type network map[string]string

// send sends something to an account and returns who takes it in.
func (n network) send(t *testing.T, to string) string {
	t.Helper()
	via := Via{}
	for range 2*len(n) + 2 {
		hop, err := Next(to, n[to], &via)
		require.NoError(t, err)
		if hop.Reopen {
			n[to] = ""
		}
		if hop.To == "" {
			return to
		}
		to, via = hop.To, hop.Via
	}
	require.Fail(t, "it goes round for ever")
	return ""
}
