package rollup

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is loaded is what was appended, and nothing else is a history.
func TestAHistoryIsReadAsItWasWritten(t *testing.T) {
	settings := everything(t)
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 5))
		m, h := newMeasure(t, settings), new(History)
		for _, f := range randomFacts(random) {
			m.Fold(h, &f)
			b, err := h.AppendBinary(nil)
			require.NoError(t, err)
			loaded, err := LoadHistory(b)
			require.NoError(t, err)
			clear(b)
			require.Equal(t, h.b, loaded.b)
			require.Equal(t, len(b) == 0, loaded.Empty())
		}
		for i := range h.b {
			strict(t, h.b[:i])
			changed := slices.Clone(h.b)
			changed[i] ^= 1 << random.IntN(8)
			strict(t, changed)
			strict(t, append(slices.Clone(h.b), changed[i]))
		}
	}
}

// strict says that bytes are no history, or one that can be folded on and is encoded as it must be.
func strict(t *testing.T, b []byte) {
	h, err := LoadHistory(b)
	if err != nil {
		require.ErrorIs(t, err, errHistory)
		return
	}
	again, err := h.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, len(b), len(again))
	require.Equal(t, string(b), string(again))
	m := newMeasure(t, everything(t))
	fold(m, h, Fact{Type: "qualified"}, Fact{Type: "converted", SignedUpAt: 1}, Fact{Type: "erased"})
	require.True(t, h.Empty())
}

func FuzzHistory(f *testing.F) {
	settings := everything(f)
	for seed := range uint64(20) {
		m, h := newMeasure(f, settings), new(History)
		fold(m, h, randomFacts(rand.New(rand.NewPCG(seed, 6)))...)
		f.Add(h.b)
	}
	f.Fuzz(strict)
}

func TestHistoriesThatCannotBe(t *testing.T) {
	at := moment{1, 1}
	for name, l := range map[string]life{
		"it leaves and was none":         {stood: true, standing: 9, moves: []move{{moment: moment{at: 1}, kind: leaves, reason: "inactive"}}},
		"it comes twice":                 {stood: true, standing: 9, places: []string{"x"}, moves: []move{{moment: at}, {moment: at}}},
		"it moves and was none":          {stood: true, standing: 9, places: []string{"x"}, moves: []move{{moment: at}, {moment: at, kind: leaves, reason: "a"}, {moment: at, kind: changes}}},
		"times go back":                  {stood: true, standing: 9, places: []string{"x"}, moves: []move{{moment: at}, {moment: moment{at: 0}, kind: leaves, reason: "a"}}},
		"it stood before":                {stood: true, standing: 0, places: []string{"x"}, moves: []move{{moment: at}}},
		"it never stood":                 {places: []string{"x"}, moves: []move{{moment: at}}},
		"a step twice":                   {steps: []step{{"a", 1}, {"a", 2}}},
		"the rate is beyond":             {rate: 11},
		"held, but not signed up":        {held: true},
		"a place that nothing is at":     {places: []string{"x"}},
		"a sign-up at no place":          {signedUp: moment{5, 1}},
		"conversion before it came":      {stood: true, standing: 9, places: []string{"x"}, moves: []move{{moment: at, isPaid: true, paid: 0}}},
		"qualified without a time":       {everQualified: true},
		"more moves than are kept":       {stood: true, standing: 9, places: []string{"x"}, moves: slices.Repeat([]move{{moment: at}, {moment: moment{at: 1}, kind: leaves}}, 51)},
		"a conversion of what is a move": {stood: true, standing: 9, places: []string{"x"}, moves: []move{{moment: at, kind: changes, isPaid: true, paid: 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			l.everQualified = l.everQualified || len(l.moves) > 0
			var b []byte
			if l.signedUp.place > len(l.places) || len(l.moves) == 0 && len(l.places) > 0 {
				b = encodeAsIs(&l)
			} else {
				b = l.appendBinary(nil)
			}
			_, err := LoadHistory(b)
			assert.ErrorIs(t, err, errHistory)
		})
	}
}

// encodeAsIs encodes a life whose places and references don't belong together.
func encodeAsIs(l *life) []byte {
	b := []byte{historyLayout, l.flags(), l.rate}
	b = appendUint(b, uint64(len(l.places)))
	for _, p := range l.places {
		b = appendText(b, p)
	}
	if l.signedUp.place > 0 {
		b = appendInt(b, l.signedUp.at)
	}
	return append(b, 0, 0, 0)
}

// The history of an account with a sign-up and four steps takes less than 150 bytes, and however much happens to an account its
// history stays within bounds.
func TestHistoriesAreSmall(t *testing.T) {
	m := newMeasure(t, Settings{Groupings: [][]string{{}, {"tier"}}})
	h := new(History)
	fold(m, h, benchFacts(1)[:6]...)
	assert.Less(t, len(h.b), 125)
	fold(m, h, benchFacts(0)[6:]...)
	assert.Less(t, len(h.b), 150)

	random, settings := rand.New(rand.NewPCG(7, 7)), everything(t)
	m, h = newMeasure(t, settings), new(History)
	largest := 0
	for i := range 4_000 {
		f := Fact{
			Type: []string{"qualified", "disqualified", "escalated", "sales_won", "step_done", "converted"}[random.IntN(6)], Reason: strings.Repeat("r", 100),
			Step: fmt.Sprintf("%0100d", random.IntN(1000)), Tier: strings.Repeat("t", 500) + fmt.Sprint(i), OccurredAt: on(1, float64(i)),
			SignedUpAt: on(1, 0), Dimensions: []Dim{{"plan", fmt.Sprintf("%0128d", i)}},
		}
		m.Fold(h, &f)
		largest = max(largest, len(h.b))
		if i%500 == 0 {
			m.Flush(func(string, []byte) {})
			_, err := LoadHistory(h.b)
			require.NoError(t, err)
		}
	}
	// some 280 bytes a place for half of the moves and each saying, a text for each going and step
	assert.Less(t, largest, 100*400+50*300+256*110)
	assert.LessOrEqual(t, h.Size(), largest*5/4)
}

// What is not kept any more of an account counts for good; what is kept is taken back, and so is that the account is a PQL.
func TestWhatIsForgottenCountsForGood(t *testing.T) {
	w, err := NewWindows("UTC", Month, 1)
	require.NoError(t, err)
	m, got, h := newMeasure(t, Settings{Windows: []*Windows{w}}), windowed{Settings{Windows: []*Windows{w}}, map[string]int64{}}, new(History)
	for i := range 60 { // 10 more than are kept
		fold(m, h, Fact{Type: "qualified", OccurredAt: on(1, float64(i))}, Fact{Type: "disqualified", Reason: "inactive", OccurredAt: on(1, float64(i)+0.5)})
	}
	fold(m, h, Fact{Type: "converted", OccurredAt: on(20, 0)})
	for range 70 {
		fold(m, h, Fact{Type: "sales_won", OccurredAt: on(2, 0)})
	}
	got.take(t, m)
	july := cellKey(w, on(1, 0), "", []string{}, "")
	assert.Equal(t, map[string]int64{july + "in qualified": 60, july + "out inactive": 60, july + "signup_unknown": 60, july + "accounts": 1,
		july + "feedback sales_won": 70}, got.sums, "the first qualification of July is forgotten: that it was paid for is not noticed")

	fold(m, h, Fact{Type: "erased"})
	got.take(t, m)
	assert.Equal(t, map[string]int64{july + "in qualified": 10, july + "out inactive": 10, july + "signup_unknown": 10, july + "accounts": 1,
		july + "feedback sales_won": 20}, got.sums)
}

// An account that has been in very many groups is in one of them, and in none once it leaves or is taken back.
func TestManyMovesWithinAStay(t *testing.T) {
	s := everything(t)
	for last, want := range map[string]int{"": len(s.Groupings), "disqualified": 0, "erased": 0, "excluded": 0} {
		m, h := newMeasure(t, s), new(History)
		fold(m, h, Fact{Type: "qualified", OccurredAt: on(1, 0), Tier: "t0"})
		for i := 1; i <= 250; i++ {
			fold(m, h, Fact{Type: "segment_changed", OccurredAt: on(1, float64(i)), Tier: fmt.Sprintf("t%d", i%3), Segments: []string{fmt.Sprint("s", i%2)}})
		}
		if last != "" {
			fold(m, h, Fact{Type: last, OccurredAt: on(30, 0), Excluded: last == "excluded"})
		}
		in := 0
		for group, moves := range flushMoves(t, m) {
			current := int64(0)
			for _, at := range slices.Sorted(maps.Keys(moves)) {
				current += moves[at]
				require.Contains(t, []int64{0, 1}, current, group)
			}
			in += int(current)
		}
		assert.Equal(t, want, in, last)
		_, err := LoadHistory(h.b)
		require.NoError(t, err)
	}
}
