package rows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var monday = time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC).UnixMilli()

const hour = int64(time.Hour / time.Millisecond)

func on(day, clock int64) int64 { return monday + (day-1)*dayMs + clock*hour }

func days() *Settings {
	return &Settings{
		Zones: []*time.Location{time.UTC}, Units: []string{"day"},
		Groupings:  map[string]func(*Fact) string{"": func(*Fact) string { return "" }, "tier": func(f *Fact) string { return f.Tier }},
		CohortDays: []int{1}, PaidDays: []int{1}, Lateness: 24 * time.Hour, Restatement: 120 * 24 * time.Hour,
	}
}

// What follows is worked out by hand: two accounts that come, of which one goes to another tier and pays, one that is merged and one that is excluded.
func lives() []Fact {
	at := on(1, 9)
	return []Fact{
		{Account: "anna", Type: "signed_up", Tier: "s", At: at, SignedUpAt: at},
		{Account: "anna", Type: "step_done", Step: "one", Tier: "s", At: on(1, 10), SignedUpAt: at, Rate: 0.5},
		{Account: "anna", Type: "qualified", Tier: "s", At: on(1, 11), SignedUpAt: at, Rate: 1},
		{Account: "anna", Type: "segment_changed", Tier: "l", At: on(2, 1), SignedUpAt: at, Rate: 1},
		{Account: "anna", Type: "converted", Tier: "l", At: on(2, 12), SignedUpAt: at, Rate: 1},
		{Account: "bert", Type: "qualified", Tier: "l", At: on(2, 2)},
		{Account: "bert", Type: "disqualified", Reason: "paused", Tier: "l", At: on(2, 1)}, // not before it came
		{Account: "carl", Type: "qualified", Tier: "l", At: on(1, 2)},
		{Account: "carl", Type: "merged", Tier: "l", At: on(3, 2)},
		{Account: "dora", Type: "qualified", Tier: "l", At: on(1, 2)},
		{Account: "dora", Type: "excluded", Tier: "l", At: on(3, 2), Excluded: true},
	}
}

func TestRowsByHand(t *testing.T) {
	got := Of(lives(), days(), on(3, 0))
	row := func(metric, detail, grouping, group string, day int64) Row {
		key := Key{metric, detail, Place{grouping, group, "day", "UTC", on(day, 0)}}
		require.Contains(t, got, key)
		return got[key]
	}
	has := func(r Row, columns Row) {
		for c, v := range columns {
			assert.InDelta(t, v, r[c], 1e-9, "%s of %v", c, r)
		}
	}
	has(row("pqls", "", "", "", 1), Row{"raw": 1, "current_start": 0, "inflow": 1, "outflow": 0, "current_end": 1, "closed": 1})
	has(row("pqls", "", "", "", 2), Row{"raw": 1, "current_start": 1, "inflow": 1, "out_converted": 1, "out_other": 1, "current_end": 0, "closed": 0})
	has(row("pqls", "", "", "", 3), Row{"raw": 0, "current_start": 0, "current_end": 0})
	has(row("pqls", "", "tier", "s", 2), Row{"current_start": 1, "out_segment_changed": 1, "current_end": 0})
	has(row("pqls", "", "tier", "l", 2), Row{"in_segment_changed": 1, "inflow": 2, "outflow": 2, "current_end": 0})
	has(row("pql_rate", "1d", "", "", 1), Row{"numerator": 1, "denominator": 1, "rate": 1, "high": 1, "mature": 1})
	has(row("pql_to_paid", "1d", "", "", 1), Row{"numerator": 0, "denominator": 1})
	has(row("precision", "", "tier", "s", 1), Row{"numerator": 1, "denominator": 1})
	has(row("time_to_paid", "", "", "", 1), Row{"count": 1, "mean": 25 * 3600, "p50": 25 * 3600})
	has(row("time_to_pql", "", "", "", 1), Row{"count": 1, "mean": 2 * 3600, "signup_unknown": 0})
	has(row("time_to_pql", "", "", "", 2), Row{"count": 0, "signup_unknown": 1})
	has(row("funnel", "one", "", "", 1), Row{"numerator": 1, "denominator": 1, "previous": 1, "mean": 3600})
	has(row("activation_rate", "100", "", "", 1), Row{"numerator": 1})
	require.NotContains(t, got, Key{"pqls", "", Place{"", "", "day", "UTC", on(4, 0)}}, "it has not begun")
}

func TestAnyDifferenceIsTold(t *testing.T) {
	want, got := Of(lives(), days(), on(3, 0)), Of(lives(), days(), on(3, 0))
	require.Empty(t, Compare(want, got))
	key := Key{"pqls", "", Place{"", "", "day", "UTC", on(2, 0)}}
	got[key]["inflow"]++
	require.Len(t, Compare(want, got), 1)
	delete(got, key)
	require.Len(t, Compare(want, got), 1, "a row is missing")
	got = Of(lives(), days(), on(3, 0))
	delete(want, key)
	require.NotEmpty(t, Compare(want, got), "a row too many")
}

func TestBoundsOfWindows(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	require.NoError(t, err)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := time.Date(2025, 3, 30, 10, 10, 0, 0, time.UTC).UnixMilli() // a Sunday, the clocks are put forward
	for _, c := range []struct {
		unit string
		zone *time.Location
		from string
		long time.Duration
	}{
		{"hour", kolkata, "2025-03-30T15:00:00+05:30", time.Hour},
		{"day", berlin, "2025-03-30T00:00:00+01:00", 23 * time.Hour},
		{"week", berlin, "2025-03-24T00:00:00+01:00", 7*24*time.Hour - time.Hour},
		{"month", time.UTC, "2025-03-01T00:00:00Z", 31 * 24 * time.Hour},
	} {
		start, end := bounds(c.unit, c.zone, at)
		assert.Equal(t, c.from, time.UnixMilli(start).In(c.zone).Format(time.RFC3339))
		assert.Equal(t, c.long.Milliseconds(), end-start, c.unit)
	}
}
