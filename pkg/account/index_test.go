package account_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// on says which lists an account is on, with scores in hours.
func (s *scenario) on() string {
	var words []string
	for _, l := range account.NewIndex(s.engine).Append(nil, s.state) {
		words = append(words, fmt.Sprintf("%s=%d", l.List, l.Score/hour))
	}
	return strings.Join(words, " ")
}

func TestWhichListsAnAccountIsOn(t *testing.T) {
	for _, c := range []struct{ name, rules, events, lists string }{
		{"active", never14, "a@7", "accounts=7"},
		{"of which only properties are known", never14, "enriched?size=5@7", "accounts=0"},
		{"a PQL", never14, "a@7 b@8", "accounts=8 pqls=8 pqls.small=8"},
		{"a PQL that went on", never14, "a@7 b@8 c c c@20", "accounts=20 pqls=8 pqls.small=8"},
		{"a PQL of another tier", never14, "enriched?size=200@1 a@7 b@8 d@9 d@33", "accounts=33 pqls=33 pqls.large=33"},
		{"that has come to another tier", never14, "a@7 b@8 enriched?size=200@10", "accounts=10 pqls=8 pqls.large=8"},
		{"that is one no more", threeDays, "a@7 b@8 wait@100", "accounts=81"},
		{"that is one again", threeDays, "a@7 b@8 wait@100 c@110", "accounts=110 pqls=110 pqls.small=110"},
		{"that has converted", never14, "a@7 b@8 bought@9", "accounts=9"},
		{"that is excluded", never14, "a@7 b@8 enriched?test=true@9", "accounts=9"},
		{"of which something came late", never14, "a@50 b@20 d@10", "accounts=50 pqls=20 pqls.small=20"},
	} {
		s := begin(t, lifelong+c.rules)
		s.fold(c.events)
		assert.Equal(t, c.lists, s.on(), c.name)
	}
	s := begin(t, lifelong)
	assert.Equal(t, []string{"accounts", "pqls", "pqls.large", "pqls.small"}, account.NewIndex(s.engine).Lists())
	assert.Equal(t, "pqls.small", account.PQLsOf("small"))
	s.fold("a@7 b@8")
	assert.Equal(t, 8*hour, s.state.ChangedAt())
}

// Who is merged or erased is on no list; who takes it in, or begins anew, is on those of what is known then.
func TestWhoIsGoneIsOnNoList(t *testing.T) {
	s := begin(t, lifelong+never14)
	from, into := s.other("from"), s.other("into")
	from.fold("a@1 b@2")
	into.fold("c@3")
	merge(from, into)
	assert.Empty(t, from.on())
	assert.Equal(t, "accounts=4 pqls=4 pqls.small=4", into.on())

	into.take(into.engine.Folder().Erase(into.state, 1000*hour, control(9)))
	assert.Empty(t, into.on())
	into.fold("a@20")
	assert.Equal(t, "accounts=20", into.on())
}

// The control group is nobody's to deal with.
func TestWhoIsHeldOutIsNotAmongThePQLs(t *testing.T) {
	s := begin(t, lifelong+"hold_out: {share: 0.5}\n"+never14)
	held := 0
	for i := range 40 {
		one := s.other(fmt.Sprint("account-", i))
		one.fold("a@1 b@2")
		require.True(t, one.state.Current())
		want := "accounts=2 pqls=2 pqls.small=2"
		if s.engine.Checklist().HeldOut(one.state.AccountID()) {
			held++
			want = "accounts=2"
		}
		assert.Equal(t, want, one.on())
	}
	assert.Greater(t, held, 5)
	assert.Less(t, held, 35)
}

// An account is on the same lists when it was lost from memory, whatever has become of it: the mirror would not be told
// otherwise. And it is on those of PQLs when facts say that it is one.
func TestListsFollowFromTheEncodedState(t *testing.T) {
	seen, differing := map[bool]int{}, 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := engine(t, strings.Replace(randomChecklist(r), "salt: everything", fmt.Sprintf("salt: %q", fmt.Sprint(seed)), 1))
		x, f, keys := account.NewIndex(e), newFolding(t, e), map[uint64][]account.Listing{}
		look := func() {
			list := x.Append(nil, f.state)
			require.Equal(t, list, x.Append(nil, reload(t, e, f.state)))
			key := x.Key(f.state)
			require.Equal(t, key, x.Key(reload(t, e, f.state)))
			if before, known := keys[key]; known {
				require.Equal(t, before, list)
			}
			keys[key] = list
			pql := len(list) > 1
			if n := len(f.facts); n > 0 {
				require.Equal(t, f.facts[n-1].Current && !f.facts[n-1].HoldOut, pql)
				require.Equal(t, f.state.ChangedAt(), list[0].Score)
			}
			if pql {
				v := e.View(f.state, 0)
				require.Equal(t, []account.Listing{{List: "pqls", Score: v.QualifiedAt}, {List: account.PQLsOf(v.Tier), Score: v.QualifiedAt}}, list[1:])
			}
			seen[pql]++
		}
		for i, ev := range randomLife(r, 150) {
			watermark := lifeAt(i) - 5*hour
			f.pass(watermark)
			look()
			f.fold(&ev, watermark)
			look()
		}
		differing += len(keys)
	}
	require.Less(t, differing, (seen[true]+seen[false])/2, "most events change nothing about lists")
	require.Greater(t, seen[true], 200)
	require.Greater(t, seen[false], 200)
}
