package rollup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ledger adds up what measures flush: by grouping, values, slot or window, and cell.
type ledger map[string]int64

func (s ledger) take(t testing.TB, m *Measure) {
	m.Flush(func(grouping string, batch []byte) {
		require.LessOrEqual(t, len(batch), BatchBytes)
		deltas, err := DecodeBatch(nil, batch)
		require.NoError(t, err)
		for i := range deltas {
			d := &deltas[i]
			key := fmt.Sprintf("%s %s", when(d.At), word(d.Cell))
			if grouping != "" {
				key = grouping + "=" + strings.Join(d.Values, ",") + " " + key
			}
			if s[key] += d.N; s[key] == 0 {
				delete(s, key)
			}
		}
	})
}

func when(at Target) string {
	text := time.UnixMilli(at.Start).UTC().Format("02 15:04")
	if at.Unit != "" {
		text = string(at.Unit) + " " + at.Zone + " " + text
	}
	return text
}

// word is a cell in short: kind, name and number.
func word(c Cell) string {
	text := c.Kind.String()
	if c.Name != "" {
		text += " " + c.Name
	}
	switch c.Kind.Numbered() {
	case Days:
		text += fmt.Sprintf(" %dd", c.Number)
	case Tenths:
		text += fmt.Sprintf(" %d0%%", c.Number)
	case Bin:
		text += fmt.Sprintf(" #%d", c.Number)
	case NoNumber:
	}
	return text
}

func newMeasure(t testing.TB, s Settings) *Measure {
	if s.Groupings == nil {
		s.Groupings = [][]string{{}}
	}
	if s.CohortDays == nil {
		s.CohortDays = []int{7, 30}
	}
	if s.PaidDays == nil {
		s.PaidDays = []int{7, 30}
	}
	m, err := NewMeasure(&s)
	require.NoError(t, err)
	return m
}

// on is a time on a day of July 2024, and hours later.
func on(day int, hours float64) int64 {
	return time.Date(2024, 7, day, 0, 0, 0, 0, time.UTC).UnixMilli() + int64(hours*float64(hourMillis))
}

const anHour = float64(hourMillis)

func hours(h float64) int32 { return BinOf(int64(h * anHour)) }

func fold(m *Measure, h *History, facts ...Fact) {
	for i := range facts {
		m.Fold(h, &facts[i])
	}
}

// known adds what all facts of an account tell that signed up on 1 July, 0:00.
func known(facts ...Fact) []Fact {
	for i := range facts {
		facts[i].SignedUpAt = on(1, 0)
	}
	return facts
}

// Each kind of counter, computed by hand.
func TestWhatAnAccountContributes(t *testing.T) {
	signedUp := Fact{Type: "signed_up", OccurredAt: on(1, 0)}
	qualified := Fact{Type: "qualified", OccurredAt: on(3, 1.3), Rate: 0.75}
	converted := Fact{Type: "converted", OccurredAt: on(10, 2), Rate: 0.75}
	for _, test := range []struct {
		name  string
		facts []Fact
		want  ledger
	}{
		{"a sign-up", known(signedUp), ledger{"01 00:00 signed_up": 1, "01 00:00 rate 00%": 1}},
		{"steps count from the first time", known(signedUp,
			Fact{Type: "step_done", Step: "a", OccurredAt: on(2, 0), Rate: 0.3},
			Fact{Type: "step_done", Step: "b", OccurredAt: on(1, 0) - 5, Rate: 0.7},
			Fact{Type: "step_undone", Step: "a", OccurredAt: on(3, 0), Rate: 0.4},
			Fact{Type: "step_done", Step: "a", OccurredAt: on(4, 0), Rate: 0.1 + 0.2 + 0.4 - 1e-15},
			Fact{Type: "step_done", Step: "a", OccurredAt: on(1, 12), Rate: 0.1 + 0.2 + 0.4 - 1e-15}),
			ledger{
				"01 00:00 signed_up": 1, "01 00:00 rate 70%": 1,
				fmt.Sprintf("01 00:00 step_time a #%d", hours(12)): 1, "01 00:00 step_time_sum a": int64(12 * anHour),
				fmt.Sprintf("01 00:00 step_time b #%d", NoTime): 1,
			}},
		{"no sign-up", []Fact{
			{Type: "step_done", Step: "a", OccurredAt: on(2, 0), Rate: 0.5},
			{Type: "qualified", OccurredAt: on(3, 1.3), Rate: 1},
		}, ledger{"03 01:15 in qualified": 1, "03 01:15 signup_unknown": 1, "03 01:15 accounts": 1}},
		{"qualified", known(signedUp, qualified), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 70%": 1,
			"01 00:00 qualified_within 7d": 1, "01 00:00 qualified_within 30d": 1,
			fmt.Sprintf("01 00:00 cohort_time_to_pql #%d", hours(49.3)): 1, "01 00:00 cohort_time_to_pql_sum": int64(49.3 * anHour),
			"03 01:15 in qualified": 1, "03 01:15 accounts": 1,
			fmt.Sprintf("03 01:15 time_to_pql #%d", hours(49.3)): 1, "03 01:15 time_to_pql_sum": int64(49.3 * anHour),
		}},
		{"converted", known(signedUp, qualified, converted), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 70%": 1,
			"01 00:00 qualified_within 7d": 1, "01 00:00 qualified_within 30d": 1,
			"01 00:00 paid_since": 1, "01 00:00 qualified_paid_since 7d": 1, "01 00:00 qualified_paid_since 30d": 1,
			fmt.Sprintf("01 00:00 cohort_time_to_pql #%d", hours(49.3)): 1, "01 00:00 cohort_time_to_pql_sum": int64(49.3 * anHour),
			"03 01:15 in qualified": 1, "03 01:15 accounts": 1,
			fmt.Sprintf("03 01:15 time_to_pql #%d", hours(49.3)): 1, "03 01:15 time_to_pql_sum": int64(49.3 * anHour),
			"03 01:15 paid 30d": 1, fmt.Sprintf("03 01:15 time_to_paid #%d", hours(168.7)): 1, "03 01:15 time_to_paid_sum": int64(168.7 * anHour),
			"10 02:00 out converted": 1,
		}},
		{"days are of 24 hours, the last one included", []Fact{
			{Type: "qualified", OccurredAt: on(1, 0)},
			{Type: "converted", OccurredAt: on(8, 0)},
			{Type: "requalified", OccurredAt: on(9, 0)},
			{Type: "disqualified", Reason: "inactive", OccurredAt: on(10, 0)},
			{Type: "converted", OccurredAt: on(16, 0) + 1},
		}, ledger{
			"01 00:00 in qualified": 1, "01 00:00 signup_unknown": 1, "01 00:00 accounts": 1, "01 00:00 paid 7d": 1, "01 00:00 paid 30d": 1,
			fmt.Sprintf("01 00:00 time_to_paid #%d", hours(7*24)): 1, "01 00:00 time_to_paid_sum": int64(7 * 24 * anHour),
			"08 00:00 out converted":  1,
			"09 00:00 in requalified": 1, "09 00:00 accounts": 1, "09 00:00 paid 30d": 1,
			fmt.Sprintf("09 00:00 time_to_paid #%d", hours(7*24)): 1, "09 00:00 time_to_paid_sum": int64(7*24*anHour) + 1,
			"10 00:00 out inactive": 1,
		}},
		{"held out", known(Fact{Type: "signed_up", OccurredAt: on(1, 0), HoldOut: true},
			Fact{Type: "qualified", OccurredAt: on(15, 0), HoldOut: true}, Fact{Type: "converted", OccurredAt: on(16, 0), HoldOut: true}), ledger{
			"01 00:00 signed_up": 1, "01 00:00 held_signed_up": 1, "01 00:00 rate 00%": 1,
			"01 00:00 qualified_within 30d": 1, "01 00:00 held_qualified_within 30d": 1,
			fmt.Sprintf("01 00:00 cohort_time_to_pql #%d", hours(14*24)): 1, "01 00:00 cohort_time_to_pql_sum": int64(14 * 24 * anHour),
			"15 00:00 in qualified": 1, "15 00:00 held_accounts": 1,
			fmt.Sprintf("15 00:00 time_to_pql #%d", hours(14*24)): 1, "15 00:00 time_to_pql_sum": int64(14 * 24 * anHour),
			"15 00:00 held_paid 7d": 1, "15 00:00 held_paid 30d": 1, "16 00:00 out converted": 1,
		}},
		{"converted without having qualified", known(signedUp, Fact{Type: "converted", OccurredAt: on(31, 0)}), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 00%": 1, "01 00:00 paid_since": 1,
		}},
		{"converted beyond the horizon", known(signedUp, Fact{Type: "converted", OccurredAt: on(31, 0) + 1}), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 00%": 1,
		}},
		{"a conversion is no earlier than what was known of the account before", known(signedUp,
			Fact{Type: "qualified", OccurredAt: on(31, 0.5)}, Fact{Type: "converted", OccurredAt: on(30, 0)}), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 00%": 1,
			fmt.Sprintf("01 00:00 cohort_time_to_pql #%d", hours(30*24+0.5)): 1, "01 00:00 cohort_time_to_pql_sum": int64((30*24 + 0.5) * anHour),
			fmt.Sprintf("31 00:30 time_to_pql #%d", hours(30*24+0.5)): 1, "31 00:30 time_to_pql_sum": int64((30*24 + 0.5) * anHour),
			"31 00:30 in qualified": 1, "31 00:30 accounts": 1, "31 00:30 paid 7d": 1, "31 00:30 paid 30d": 1,
			fmt.Sprintf("31 00:30 time_to_paid #%d", NoTime): 1, "31 00:30 out converted": 1,
		}},
		{"nobody leaves before it came", []Fact{
			{Type: "qualified", OccurredAt: on(5, 0)},
			{Type: "disqualified", OccurredAt: on(4, 0)},
			{Type: "requalified", OccurredAt: on(3, 0)},
		}, ledger{
			"05 00:00 in qualified": 1, "05 00:00 signup_unknown": 1, "05 00:00 out unknown": 1, "05 00:00 in requalified": 1, "05 00:00 accounts": 2,
		}},
		{"nor before a fact that finds it there", []Fact{
			{Type: "qualified", OccurredAt: on(5, 0)},
			{Type: "step_done", Step: "a", OccurredAt: on(7, 0)},
			{Type: "disqualified", Reason: "step_undone", OccurredAt: on(6, 0)},
		}, ledger{
			"05 00:00 in qualified": 1, "05 00:00 signup_unknown": 1, "07 00:00 out step_undone": 1, "05 00:00 accounts": 1,
		}},
		{"what sales says", []Fact{
			{Type: "sales_accepted", OccurredAt: on(5, 0)}, {Type: "sales_accepted", OccurredAt: on(5, 0.1)}, {Type: "sales_lost", OccurredAt: on(6, 0)},
		}, ledger{"05 00:00 feedback sales_accepted": 2, "06 00:00 feedback sales_lost": 1}},
		{"a sign-up that is told later, and then earlier", []Fact{
			{Type: "step_done", Step: "a", OccurredAt: on(4, 0), Rate: 0.5},
			{Type: "qualified", OccurredAt: on(5, 0), Rate: 0.5},
			{Type: "active", OccurredAt: on(6, 0), SignedUpAt: on(4, 0), Rate: 0.5},
			{Type: "absorbed", OccurredAt: on(7, 0), SignedUpAt: on(3, 0), Rate: 0.5, Merge: true, HoldOut: true},
		}, ledger{
			"03 00:00 signed_up": 1, "03 00:00 rate 50%": 1, "03 00:00 qualified_within 7d": 1, "03 00:00 qualified_within 30d": 1,
			fmt.Sprintf("03 00:00 cohort_time_to_pql #%d", hours(48)): 1, "03 00:00 cohort_time_to_pql_sum": int64(48 * anHour),
			fmt.Sprintf("03 00:00 step_time a #%d", hours(24)): 1, "03 00:00 step_time_sum a": int64(24 * anHour),
			fmt.Sprintf("05 00:00 time_to_pql #%d", hours(48)): 1, "05 00:00 time_to_pql_sum": int64(48 * anHour),
			"05 00:00 in qualified": 1, "05 00:00 accounts": 1,
		}},
		{"an excluded account counts for nothing", known(signedUp, qualified, Fact{Type: "excluded", OccurredAt: on(4, 0), Excluded: true},
			Fact{Type: "disqualified", Reason: "excluded", OccurredAt: on(4, 0), Excluded: true},
			Fact{Type: "converted", OccurredAt: on(5, 0), Excluded: true}), ledger{}},
		{"nor does one that was merged into another", known(signedUp, qualified, converted, Fact{Type: "merged", OccurredAt: on(11, 0)}), ledger{}},
		{"nor one that was erased", known(signedUp, qualified, converted, Fact{Type: "erased", OccurredAt: on(11, 0)}), ledger{}},
		{"what comes later of it starts anew", append(known(signedUp, qualified, Fact{Type: "erased", OccurredAt: on(11, 0)}),
			Fact{Type: "step_done", Step: "a", OccurredAt: on(12, 0), Rate: 0.4}, Fact{Type: "qualified", OccurredAt: on(12, 0), Rate: 0.4}), ledger{
			"12 00:00 in qualified": 1, "12 00:00 signup_unknown": 1, "12 00:00 accounts": 1,
		}},
		{"an account that is let in again counts as if it had not been out", known(signedUp, Fact{Type: "qualified", OccurredAt: on(3, 0), Rate: 0.2},
			Fact{Type: "excluded", OccurredAt: on(4, 0), Excluded: true},
			Fact{Type: "disqualified", Reason: "excluded", OccurredAt: on(4, 0), Excluded: true},
			Fact{Type: "included", OccurredAt: on(6, 0), Rate: 0.5}), ledger{
			"01 00:00 signed_up": 1, "01 00:00 rate 50%": 1, "01 00:00 qualified_within 7d": 1, "01 00:00 qualified_within 30d": 1,
			fmt.Sprintf("01 00:00 cohort_time_to_pql #%d", hours(48)): 1, "01 00:00 cohort_time_to_pql_sum": int64(48 * anHour),
			fmt.Sprintf("03 00:00 time_to_pql #%d", hours(48)): 1, "03 00:00 time_to_pql_sum": int64(48 * anHour),
			"03 00:00 in qualified": 1, "03 00:00 accounts": 1, "04 00:00 out excluded": 1,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, got := newMeasure(t, Settings{}), ledger{}
			fold(m, new(History), test.facts...)
			got.take(t, m)
			assert.Equal(t, test.want, got)
		})
	}
}

// A PQL that goes from one group to another leaves the one and comes to the other, where the grouping tells them apart.
func TestMovesBetweenGroups(t *testing.T) {
	m := newMeasure(t, Settings{Groupings: [][]string{{}, {"tier"}, {"segment"}, {"plan", "segment"}, {"checklist"}}})
	got, h := ledger{}, new(History)
	fold(m, h,
		Fact{Type: "qualified", OccurredAt: on(1, 0), Tier: "small", Segments: []string{"a", "b"}, Dimensions: []Dim{{"plan", "free"}}, Checklist: 1},
		Fact{Type: "step_done", Step: "x", OccurredAt: on(2, 0), Tier: "small", Segments: []string{"c", "b", "b"}, Dimensions: []Dim{{"plan", "free"}}, Checklist: 1},
		Fact{Type: "segment_changed", OccurredAt: on(3, 0), Tier: "large", Checklist: 1, Dimensions: []Dim{{"source", "ads"}, {"plan", "free"}}},
		Fact{Type: "converted", OccurredAt: on(4, 0), Tier: "huge", Checklist: 2, Dimensions: []Dim{{"plan", "pro"}}},
	)
	got.take(t, m)
	for key := range got {
		if !strings.Contains(key, " in ") && !strings.Contains(key, " out ") {
			delete(got, key)
		}
	}
	assert.Equal(t, ledger{
		"01 00:00 in qualified": 1, "04 00:00 out converted": 1,

		"tier=small 01 00:00 in qualified": 1, "tier=small 03 00:00 out segment_changed": 1,
		"tier=large 03 00:00 in segment_changed": 1, "tier=large 04 00:00 out converted": 1,

		"segment=a 01 00:00 in qualified": 1, "segment=a 02 00:00 out segment_changed": 1,
		"segment=b 01 00:00 in qualified": 1, "segment=b 03 00:00 out segment_changed": 1,
		"segment=c 02 00:00 in segment_changed": 1, "segment=c 03 00:00 out segment_changed": 1,
		"segment= 03 00:00 in segment_changed": 1, "segment= 04 00:00 out converted": 1,

		"plan,segment=free,a 01 00:00 in qualified": 1, "plan,segment=free,a 02 00:00 out segment_changed": 1,
		"plan,segment=free,b 01 00:00 in qualified": 1, "plan,segment=free,b 03 00:00 out segment_changed": 1,
		"plan,segment=free,c 02 00:00 in segment_changed": 1, "plan,segment=free,c 03 00:00 out segment_changed": 1,
		"plan,segment=free, 03 00:00 in segment_changed": 1, "plan,segment=free, 04 00:00 out converted": 1,

		"checklist=1 01 00:00 in qualified": 1, "checklist=1 04 00:00 out converted": 1,
	}, got)
}

// An account that qualifies twice in a window is one account there: with its first qualification, and its group then.
func TestAnAccountCountsOnceAWindow(t *testing.T) {
	var windows []*Windows
	for _, unit := range []Unit{Day, Month} {
		for _, zone := range []string{"UTC", "Asia/Kathmandu"} {
			w, err := NewWindows(zone, unit, time.Monday)
			require.NoError(t, err)
			windows = append(windows, w)
		}
	}
	m := newMeasure(t, Settings{Windows: windows, Groupings: [][]string{{"tier"}}})
	h, got := new(History), ledger{}
	fold(m, h,
		Fact{Type: "qualified", OccurredAt: on(3, 17), Tier: "small"},
		Fact{Type: "disqualified", OccurredAt: on(3, 17.1), Tier: "small"},
		Fact{Type: "requalified", OccurredAt: on(3, 18.3), Tier: "large"}, // on the 4th in Kathmandu, 5:45 ahead
		Fact{Type: "converted", OccurredAt: on(10, 17.5), Tier: "large"},
	)
	got.take(t, m)
	for key := range got {
		if strings.Contains(key, " in ") || strings.Contains(key, " out ") || strings.Contains(key, "unknown") {
			delete(got, key)
		}
	}
	first, second := int64(168.5*anHour), on(10, 17.5)-on(3, 18.3)
	want := ledger{ // the day in UTC begins after that in Kathmandu, which ends at 18:15
		"tier=small 03 00:00 accounts": 1, "tier=small 03 00:00 paid 30d": 1, "tier=small 03 00:00 time_to_paid_sum": first,
		fmt.Sprintf("tier=small 03 00:00 time_to_paid #%d", BinOf(first)): 1,
	}
	for where, n := range map[string]int64{"": 1, "day UTC 03": -1, "month UTC 01": -1, "month Asia/Kathmandu 30": -1} {
		slot := map[string]string{"": "03 18:15", "day UTC 03": "day UTC 03 00:00", "month UTC 01": "month UTC 01 00:00",
			"month Asia/Kathmandu 30": "month Asia/Kathmandu 30 18:15"}[where]
		want["tier=large "+slot+" accounts"], want["tier=large "+slot+" paid 7d"], want["tier=large "+slot+" paid 30d"] = n, n, n
		want["tier=large "+slot+" time_to_paid_sum"] = n * second
		want[fmt.Sprintf("tier=large %s time_to_paid #%d", slot, BinOf(second))] = n
	}
	assert.Equal(t, want, got)
}

// What a delta corrects is told with it.
func TestDeltasSayWhatTheyCorrect(t *testing.T) {
	for why, facts := range map[Why][]Fact{
		Ordinary:    {{Type: "sales_won", OccurredAt: 1}},
		Late:        {{Type: "sales_won", OccurredAt: 1, Late: true}},
		ByMerge:     {{Type: "sales_won", OccurredAt: 1, Late: true, Merge: true}},
		ByErasure:   {{Type: "sales_won", OccurredAt: 1}, {Type: "erased"}},
		ByExclusion: {{Type: "sales_won", OccurredAt: 1}, {Type: "excluded", Excluded: true, Late: true}},
	} {
		m, h := newMeasure(t, Settings{}), new(History)
		last := len(facts) - 1
		fold(m, h, facts[:last]...)
		m.Flush(func(string, []byte) {})
		fold(m, h, facts[last])
		var got []Delta
		m.Flush(func(_ string, batch []byte) {
			var err error
			got, err = DecodeBatch(nil, batch)
			require.NoError(t, err)
		})
		require.Len(t, got, 1)
		assert.Equal(t, why, got[0].Why)
	}
	m, h := newMeasure(t, Settings{}), new(History)
	fold(m, h, Fact{Type: "sales_won", Excluded: true, OccurredAt: 1}, Fact{Type: "sales_won", Merge: true, OccurredAt: 1})
	got := map[Why]int64{}
	for k, n := range m.gathered {
		got[k.why] += n
	}
	assert.Equal(t, map[Why]int64{ByExclusion: 2}, got, "all that was left out comes with the inclusion")
}
