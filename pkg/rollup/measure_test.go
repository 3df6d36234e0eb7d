package rollup

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everything is settings with all that makes a difference.
func everything(t testing.TB) Settings {
	windows, err := allWindows()
	require.NoError(t, err)
	return Settings{
		Groupings:  [][]string{{}, {"tier"}, {"segment"}, {"plan", "segment", "checklist"}},
		CohortDays: []int{1, 7}, PaidDays: []int{2, 9}, Windows: windows,
	}
}

var allWindows = sync.OnceValues(func() (all []*Windows, err error) {
	for _, unit := range []Unit{Hour, Day, Week, Month} {
		for _, zone := range []string{"UTC", "Australia/Lord_Howe"} {
			w, wrong := NewWindows(zone, unit, time.Sunday)
			all, err = append(all, w), errors.Join(err, wrong)
		}
	}
	return all, err
})

// randomFacts returns an account's facts: any types in any order, times mostly going on.
func randomFacts(random *rand.Rand) []Fact {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	now, since := on(1, 0)+random.Int64N(30*dayMillis), int64(0)
	facts := make([]Fact, 0, 40)
	tier, segments, plan, rate, held := "small", []string(nil), "free", 0.0, random.IntN(4) == 0
	for range random.IntN(40) {
		now += random.Int64N(3 * dayMillis)
		switch random.IntN(8) {
		case 0:
			tier = pick("small", "large")
		case 1:
			segments = [][]string{nil, {"a"}, {"b", "a"}, {"a", "a"}}[random.IntN(4)]
		case 2:
			plan = pick("free", "pro", "")
		case 3:
			rate = float64(random.IntN(101)) / 100
		case 4:
			if since == 0 || random.IntN(4) == 0 {
				since = now - random.Int64N(5*dayMillis)
			}
		}
		f := Fact{
			Type:       pick(types[:]...),
			OccurredAt: now, SignedUpAt: since, Rate: rate, HoldOut: held, Late: random.IntN(10) == 0, Merge: random.IntN(20) == 0,
			Tier: tier, Segments: segments, Checklist: 1 + len(facts)/20, Dimensions: []Dim{{"source", "ads"}, {"plan", plan}},
		}
		switch {
		case random.IntN(3) == 0: // more of what matters
			f.Type = pick("qualified", "requalified", "disqualified", "converted", "step_done")
		case (f.Type == "erased" || f.Type == "merged") && random.IntN(3) > 0:
			f.Type = "escalated"
		}
		switch f.Type {
		case "step_done":
			f.Step = pick("x", "y", "z")
		case "disqualified":
			f.Reason = pick("inactive", "", "whatever")
		}
		f.Excluded = random.IntN(25) == 0
		if random.IntN(6) == 0 {
			f.OccurredAt -= random.Int64N(10 * dayMillis)
		}
		facts = append(facts, f)
	}
	return facts
}

// windowed adds flushed deltas up by windows, as rows do.
type windowed struct {
	settings Settings
	sums     map[string]int64
}

func (s *windowed) take(t testing.TB, m *Measure) {
	m.Flush(func(grouping string, batch []byte) {
		require.LessOrEqual(t, len(batch), BatchBytes)
		deltas, err := DecodeBatch(nil, batch)
		require.NoError(t, err)
		for i := range deltas {
			s.add(grouping, &deltas[i])
		}
	})
}

func (s *windowed) add(grouping string, d *Delta) {
	for _, w := range s.settings.Windows {
		start, _ := w.At(d.At.Start)
		if d.At.Unit != "" && (d.At.Unit != w.Unit() || d.At.Zone != w.Zone() || d.At.Start != start) {
			continue
		}
		key := cellKey(w, start, grouping, d.Values, word(d.Cell))
		if s.sums[key] += d.N; s.sums[key] == 0 {
			delete(s.sums, key)
		}
	}
}

// Whatever happens to accounts, in whatever order their facts are folded among each other and however often what was gathered is
// flushed: the sums are what the definitions say of the facts.
func TestSumsAreWhatTheDefinitionsSay(t *testing.T) {
	settings := everything(t)
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		m, got, want := newMeasure(t, settings), windowed{settings, map[string]int64{}}, model{settings, map[string]int64{}}
		var lives [][]Fact
		for range 1 + random.IntN(4) {
			lives = append(lives, randomFacts(random))
			want.account(lives[len(lives)-1])
		}
		interleave(random, lives, func(account int, h *History, f *Fact) {
			before := slices.Clone(h.b)
			changed := m.Fold(h, f)
			require.Equal(t, !slices.Equal(before, h.b), changed)
			if random.IntN(10) == 0 {
				got.take(t, m)
			}
		})
		got.take(t, m)
		require.Equal(t, want.sums, got.sums, "seed %d", seed)
	}
}

// interleave folds the facts of some accounts, each account's in order, from histories that are sometimes loaded anew.
func interleave(random *rand.Rand, lives [][]Fact, fold func(account int, h *History, f *Fact)) {
	histories, next := make([]*History, len(lives)), make([]int, len(lives))
	left := 0
	for i := range lives {
		histories[i] = new(History)
		left += len(lives[i])
	}
	for left > 0 {
		i := random.IntN(len(lives))
		if next[i] == len(lives[i]) {
			continue
		}
		if random.IntN(3) == 0 {
			b, _ := histories[i].AppendBinary(nil)
			h, err := LoadHistory(b)
			if err != nil {
				panic(err)
			}
			histories[i] = h
		}
		fold(i, histories[i], &lives[i][next[i]])
		next[i]++
		left--
	}
}

// Whatever an account was, once it is merged into another, erased or excluded nothing of it is left; and an account that is let in
// again counts as if it had never been out.
func TestWhatAnAccountHasGivenIsTakenBack(t *testing.T) {
	settings := everything(t)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		facts := randomFacts(random)
		for _, end := range []Fact{{Type: "merged"}, {Type: "erased", Excluded: true}, {Type: "excluded", Excluded: true}} {
			m, got, h := newMeasure(t, settings), windowed{settings, map[string]int64{}}, new(History)
			for i := range facts {
				m.Fold(h, &facts[i])
				if random.IntN(4) == 0 {
					got.take(t, m)
				}
			}
			end.OccurredAt = on(20, 0)
			m.Fold(h, &end)
			got.take(t, m)
			require.Empty(t, got.sums, "seed %d", seed)
			require.Equal(t, end.Type != "excluded", h.Empty())

			if end.Type == "excluded" && len(facts) > 0 {
				again, want := facts[len(facts)-1], model{settings, map[string]int64{}}
				again.Type, again.Excluded, again.OccurredAt = "included", false, on(21, 0)
				m.Fold(h, &again)
				got.take(t, m)
				want.account(append(slices.Clone(facts), end, again))
				require.Equal(t, want.sums, got.sums, "seed %d", seed)
			}
		}
	}
}

// In no group is an account a PQL more than once, or less than not at all, at any moment.
func TestNobodyLeavesAGroupBeforeItCame(t *testing.T) {
	settings := everything(t)
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		m, h := newMeasure(t, settings), new(History)
		for _, f := range randomFacts(random) {
			m.Fold(h, &f)
		}
		moves := flushMoves(t, m)
		for group, of := range moves {
			current := int64(0)
			for _, at := range slices.Sorted(maps.Keys(of)) {
				current += of[at]
				require.Contains(t, []int64{0, 1}, current, "%s, seed %d", group, seed)
			}
		}
	}
}

// flushMoves flushes a measure and returns by how much the number of PQLs changes in each group, by times.
func flushMoves(t testing.TB, m *Measure) map[string]map[int64]int64 {
	moves := map[string]map[int64]int64{}
	m.Flush(func(grouping string, batch []byte) {
		deltas, err := DecodeBatch(nil, batch)
		require.NoError(t, err)
		for _, d := range deltas {
			if !d.Cell.Kind.Standing() {
				continue
			}
			group := grouping + "=" + strings.Join(d.Values, ",")
			if moves[group] == nil {
				moves[group] = map[int64]int64{}
			}
			if d.Cell.Kind == Out {
				d.N = -d.N
			}
			moves[group][d.At.Start] += d.N
		}
	})
	return moves
}

// What is flushed doesn't depend on the order in which it was gathered, and no batch is larger than it may be.
func TestFlushesAreTheSameInWhateverOrder(t *testing.T) {
	settings := everything(t)
	settings.Windows = settings.Windows[:1]
	random := rand.New(rand.NewPCG(1, 4))
	var lives [][]Fact
	for a := range 200 {
		facts := randomFacts(random)
		for i := range facts {
			facts[i].Tier, facts[i].SignedUpAt = fmt.Sprintf("%d%s", a, strings.Repeat("é", 500)), 0
		}
		lives = append(lives, facts)
	}
	flush := func() (all []string, largest int) {
		m := newMeasure(t, settings)
		interleave(random, lives, func(_ int, h *History, f *Fact) { m.Fold(h, f) })
		m.Flush(func(grouping string, batch []byte) {
			all, largest = append(all, grouping+":"+string(batch)), max(largest, len(batch))
		})
		require.Zero(t, m.Gathered())
		require.Empty(t, m.places.texts)
		require.Empty(t, m.words.texts)
		m.Flush(func(string, []byte) { t.Error("something is flushed twice") })
		return all, largest
	}
	first, largest := flush()
	second, _ := flush()
	require.Equal(t, first, second)
	assert.Greater(t, len(first), len(settings.Groupings)+1)
	assert.LessOrEqual(t, largest, BatchBytes)
	assert.Greater(t, largest, BatchBytes/4)
}

// Values are kept to 128 bytes of valid UTF-8, with no zero byte among them.
func TestLongValuesAreCut(t *testing.T) {
	long := strings.Repeat("a", 127)
	for value, want := range map[string]string{
		long: long, long + "b": long + "b", long + "bc": long + "b", long + "é": long, "a\xffb": "ab",
		"a\x00b\x00": "a\uFFFDb\uFFFD", long + "\x00": long,
	} {
		m := newMeasure(t, Settings{Groupings: [][]string{{"plan"}, {"segment"}}})
		fold(m, new(History), Fact{Type: "sales_won", Dimensions: []Dim{{"plan", value}}, Segments: []string{value}})
		got := 0
		m.Flush(func(_ string, batch []byte) {
			deltas, err := DecodeBatch(nil, batch)
			require.NoError(t, err)
			assert.Equal(t, []string{want}, deltas[0].Values)
			got++
		})
		assert.Equal(t, 2, got)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	w, err := NewWindows("UTC", Day, time.Monday)
	require.NoError(t, err)
	for want, change := range map[string]func(s *Settings){
		"0 groupings: there must be 1 to 64":                   func(s *Settings) { s.Groupings = nil },
		`grouping "tier,tier": tier is there twice`:            func(s *Settings) { s.Groupings = [][]string{{"tier", "tier"}} },
		`grouping "tier" is there twice`:                       func(s *Settings) { s.Groupings = [][]string{{"tier"}, {"tier"}} },
		`grouping "a,b": "a,b" is no name of a dimension`:      func(s *Settings) { s.Groupings = [][]string{{"a,b"}} },
		`grouping "1,2,3,4,5,6,7,8,9": more than 8 dimensions`: func(s *Settings) { s.Groupings = [][]string{strings.Split("123456789", "")} },
		"cohort days: 0 is not between 1 and 366":              func(s *Settings) { s.CohortDays = []int{0} },
		"paid days: 7 is there twice":                          func(s *Settings) { s.PaidDays = []int{7, 7} },
		"paid days: there must be 1 to 16 of them":             func(s *Settings) { s.PaidDays = nil },
		"windows of a day in UTC are there twice":              func(s *Settings) { s.Windows = []*Windows{w, w} },
	} {
		s := Settings{Groupings: [][]string{{}}, CohortDays: []int{7}, PaidDays: []int{7}}
		change(&s)
		_, err := NewMeasure(&s)
		assert.EqualError(t, err, want)
	}
}
