package account

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// TestPartsAreWhatWasPutThere changes parts at random, held against plain lists of items.
func TestPartsAreWhatWasPutThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		p, want := newParts(), [partCount][][]byte{}
		for range 400 {
			which := part(r.IntN(int(partCount)))
			list := want[which]
			if r.IntN(9) == 0 {
				list = nil
				p.replace(which, 0, len(p.items(which)), nil, -p.count(which))
			}
			i := r.IntN(len(list) + 1)
			at := 0
			for _, item := range list[:i] {
				at += len(item)
			}
			item := randomItem(r)
			switch {
			case i == len(list):
				p.add(which, item)
				list = append(list, item)
			case r.IntN(3) == 0:
				p.remove(which, at, len(list[i]))
				list = append(list[:i:i], list[i+1:]...)
			default:
				p.replace(which, at, len(list[i]), item, 0)
				list[i] = item
			}
			want[which] = list
			requireParts(t, &p, &want)
		}
	}
	require.Equal(t, [partCount]byte{}, nothing, "the start of all states was changed")
}

func randomItem(r *rand.Rand) []byte {
	item := make([]byte, 1+r.IntN(40))
	for i := range item {
		item[i] = byte(r.Uint32())
	}
	return item
}

func requireParts(t *testing.T, p *parts, want *[partCount][][]byte) {
	t.Helper()
	var encoded []byte
	for which, list := range want {
		require.Equal(t, len(list), p.count(part(which)))
		items := []byte{}
		for _, item := range list {
			items = append(items, item...)
		}
		require.Equal(t, items, append([]byte{}, p.items(part(which))...), "part %d", which)
		if len(list) > 0 {
			encoded = append(binary.AppendVarint(encoded, int64(len(list))), items...)
		}
		encoded = append(encoded, 0)
	}
	require.Equal(t, encoded, p.b)
}

func TestPartsGiveMemoryBack(t *testing.T) {
	p := newParts()
	for range 1000 {
		p.add(work, make([]byte, 10))
	}
	require.LessOrEqual(t, cap(p.b), 10_000*5/4)
	p.replace(work, 0, len(p.items(work)), nil, -1000)
	require.Less(t, cap(p.b), 2*roomy)
}

// TestUsersThatNothingNeedsMakeRoom lets users come and go beside some that steps done refer to.
func TestUsersThatNothingNeedsMakeRoom(t *testing.T) {
	s := &State{parts: newParts()}
	refer := func(id string) int {
		place := s.userPlace(id)
		s.parts.add(log, appendEntry(nil, &entry{kind: kindStepDone, user: place}, 0))
		return place
	}
	ana, bob := refer("ana"), refer("bob")
	for i := range 100 {
		s.track(string(rune('a'+i%20)), int64(i), "", 3)
		require.LessOrEqual(t, s.parts.count(users), 2+3)
		require.Equal(t, 3, max(3, s.untrack(3)))
	}
	s.track("bob", 200, "admin", 3)
	names := s.userNames()
	require.Equal(t, "", names[0])
	require.Equal(t, []string{"ana", "bob"}, []string{names[ana], names[bob]})
	c, err := checklist.Compile(&checklist.Definition{Version: 1, Name: "x", Tiers: []checklist.TierDef{{Name: "all", Threshold: new(1.0)}},
		Steps: []checklist.StepDef{{ID: "a", Kind: "event", Event: checklist.Names{"x"}}}})
	require.NoError(t, err)
	activity := NewEngine(c).activity(s)
	require.Len(t, activity, 3)
	require.Equal(t, UserActivity{ID: "bob", Events: 1, LastSeen: 200, StepsDone: 1, Role: "admin"}, activity[0])
	require.Zero(t, s.userPlace(""))
}

// TestRememberedIDsStayUnderTheirBound also where the limit is large: package checklist counts on an eighth more, at most.
func TestRememberedIDsStayUnderTheirBound(t *testing.T) {
	for _, limit := range []int{1, 7, 8, 256, 4096} {
		s, biggest := &State{parts: newParts()}, 0
		for id := range uint64(3 * limit) {
			s.see(id, 1000, 100, limit)
			biggest = max(biggest, s.parts.count(seen))
		}
		require.LessOrEqual(t, biggest, limit+limit/8+1, "limit %d", limit)
		require.GreaterOrEqual(t, biggest, limit)
	}
}

func TestOfTheIDsRememberedTheNewestCount(t *testing.T) {
	const limit, horizon = 40, 100
	s := &State{parts: newParts()}
	for id := range uint64(500) {
		s.see(id, 1000, horizon, limit)
		for back := range min(id, 3*limit) {
			require.Equal(t, back < limit, s.hasSeen(id-back, 1000, horizon, limit), "%d before %d", back, id)
		}
		require.LessOrEqual(t, s.parts.count(seen), limit+limit/seenSlack+1)
	}
	require.True(t, s.hasSeen(499, 1000+horizon, horizon, limit))
	require.False(t, s.hasSeen(499, 1001+horizon, horizon, limit))
	s.see(500, 1001+horizon, horizon, limit)
	require.Equal(t, 1, s.parts.count(seen), "those beyond the horizon are forgotten")
}
