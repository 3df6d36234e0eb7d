package rollup

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newBoardOf returns a board of all accounts, in windows of one unit, at a moment.
func newBoardOf(t *testing.T, unit Unit, at string, limits Limits) *board {
	t.Helper()
	r, err := NewRollup(&Settings{
		Groupings: [][]string{{DimTier}}, CohortDays: []int{7}, PaidDays: []int{30}, Windows: []*Windows{newWindows(t, "Europe/Berlin", unit, time.Monday)},
	}, limits)
	require.NoError(t, err)
	b := newBoard(t, r, DimTier)
	b.watermark = instant(t, at)
	return b
}

func delta(t *testing.T, group, at string, c Cell, n int64, why Why) Delta {
	return Delta{Values: []string{group}, At: SlotOf(instant(t, at)), Cell: c, N: n, Why: why}
}

// gauge returns the rows of PQLs in short, in order of time: start, current at start and end, closed, what has restated it, and the revision.
func (b *board) gauge(group string) (lines []string) {
	byStart := map[int64]Row{}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, r := range b.rows {
		if r.Metric == MetricPQLs && r.Group == group {
			byStart[r.WindowStart] = r
			first, last = min(first, r.WindowStart), max(last, r.WindowStart)
		}
	}
	for start := first; start <= last && len(byStart) > 0; start = byStart[start].WindowEnd {
		r := byStart[start]
		closed := ""
		if r.Closed {
			closed = " closed"
		}
		if r.Restated != "" {
			closed += " restated by " + r.Restated
		}
		lines = append(lines, fmt.Sprintf("%s %d-%d%s r%d",
			time.UnixMilli(start).UTC().Format("02 15h"), r.CurrentStart.Value, r.CurrentEnd.Value, closed, r.Revision))
	}
	return lines
}

var came, left = cell(In, typeQualified), cell(Out, "inactive")

func TestTheGaugeGoesOnThroughEmptyWindows(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-28T12:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-28T10:00:00Z", came, 2, Ordinary))
	b.flush()
	assert.Equal(t, []string{"27 23h 0-2 r1"}, b.gauge("large"))
	series := b.series["series|Europe/Berlin|day|tier|large"]
	require.NotNil(t, series)
	assert.Equal(t, instant(t, "2025-03-28T23:00:00Z"), series.NextTimer(), "the next day begins")
	b.pass(instant(t, "2025-03-28T23:00:00Z") - 1)
	b.flush()
	assert.Equal(t, []string{"27 23h 0-2 r1"}, b.gauge("large"))
	b.pass(instant(t, "2025-03-28T23:00:00Z"))
	b.flush()
	assert.Equal(t, []string{"27 23h 0-2 r1", "28 23h 2-2 r2"}, b.gauge("large"))
	b.pass(instant(t, "2025-03-31T10:00:00Z")) // over a day of 23 hours
	b.flush()
	assert.Equal(t, []string{"27 23h 0-2 closed r3", "28 23h 2-2 closed r3", "29 23h 2-2 r3", "30 22h 2-2 r3"}, b.gauge("large"))
	b.feed(delta(t, "large", "2025-03-31T09:00:00Z", left, 2, Ordinary))
	b.flush()
	assert.Equal(t, "30 22h 2-0 r4", b.gauge("large")[3])
	assert.Len(t, b.rows, 4)
}

func TestWindowsAheadOfTheWatermarkWait(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-20T12:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-22T10:00:00Z", came, 1, Ordinary), delta(t, "large", "2025-03-20T10:00:00Z", came, 1, Ordinary))
	b.flush()
	assert.Equal(t, []string{"19 23h 0-1 r1"}, b.gauge("large"))
	b.pass(instant(t, "2025-03-22T00:00:00Z"))
	b.flush()
	assert.Equal(t, []string{"19 23h 0-1 closed r2", "20 23h 1-1 r2", "21 23h 1-2 r2"}, b.gauge("large")[:3])
}

func TestCorrectionsSayWhy(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, 2, Ordinary), delta(t, "large", "2025-03-04T10:00:00Z", left, 1, Ordinary))
	b.pass(instant(t, "2025-03-10T00:00:00Z"))
	b.flush()
	b.feed(delta(t, "large", "2025-03-03T10:00:00Z", came, 1, Late), delta(t, "large", "2025-03-05T10:00:00Z", left, 1, Late))
	b.flush()
	assert.Equal(t, []string{"01 23h 0-2 closed r1", "02 23h 2-3 closed restated by late r2", "03 23h 3-2 closed restated by late r2",
		"04 23h 2-1 closed restated by late r2", "05 23h 1-1 closed r1", "06 23h 1-1 closed r1", "07 23h 1-1 closed r1", "08 23h 1-1 r1", "09 23h 1-1 r1"}, b.gauge("large"))
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, -1, ByErasure))
	b.reload()
	b.flush()
	assert.Equal(t, []string{"01 23h 0-1 closed restated by erased r3", "02 23h 1-2 closed restated by late,erased r3"}, b.gauge("large")[:2])
	assert.Equal(t, []string{"08 23h 0-0 r3", "09 23h 0-0 r3"}, b.gauge("large")[7:], "not closed: nothing to say")

	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", cell(SignedUp), 4, Ordinary), delta(t, "large", "2025-03-02T10:00:00Z", cell(TimeToPQL, 3), 1, Ordinary), delta(t, "large", "2025-03-02T10:00:00Z", cell(QualifiedWithin, 7), 1, Ordinary))
	b.flush()
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", cell(QualifiedWithin, 7), 1, ByMerge))
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", cell(TimeToPQL, 3), -1, ByErasure))
	b.flush()
	for detail, want := range map[string]string{"pql_rate|7d": "merged", "pql_rate_period|": "erased"} {
		assert.Equal(t, want, b.rows[detail+"|day|1740870000000|Europe/Berlin|tier|large"].Restated, detail)
	}
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", cell(QualifiedWithin, 7), 1, Ordinary))
	b.flush()
	assert.Equal(t, "merged", b.rows["pql_rate|7d|day|1740870000000|Europe/Berlin|tier|large"].Restated, "what ripens is no correction")
}

func TestOpenWindowsAreNotRestated(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	for range 2 {
		b.feed(delta(t, "large", "2025-03-09T10:00:00Z", cell(SignedUp), 1, Late), delta(t, "large", "2025-03-09T10:00:00Z", came, 1, ByMerge))
		b.flush()
	}
	b.pass(instant(t, "2025-03-20T00:00:00Z"))
	b.flush()
	for _, r := range b.rows {
		assert.Empty(t, r.Restated, r.Key())
	}
}

func TestASeriesWaitsForCorrections(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	for _, n := range []int64{1, -1} {
		b.feed(delta(t, "large", "2025-03-09T10:00:00Z", came, n, Ordinary))
		b.flush()
	}
	s := b.series["series|Europe/Berlin|day|tier|large"]
	for b.watermark < instant(t, "2025-11-04T23:00:00Z") { // the last that has a row, the day of 9 July, can still be corrected
		require.False(t, s.Expired())
		b.pass(s.NextTimer())
		b.flush()
	}
	b.pass(s.NextTimer())
	b.flush()
	assert.True(t, s.Expired())
	days := b.gauge("large")
	assert.Equal(t, "08 22h 0-0 closed r126", days[len(days)-1], "120 days after the last that has changed")
	for key, r := range b.rows {
		assert.True(t, r.Closed, key)
	}
}

func TestASeriesThatHasEndedGoesOnWhereSomethingHappens(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	for _, n := range []int64{1, -1} {
		b.feed(delta(t, "large", "2025-03-09T10:00:00Z", came, n, Ordinary))
		b.flush()
	}
	for _, until := range []string{"2025-08-01T00:00:00Z", "2025-10-01T00:00:00Z"} {
		b.pass(instant(t, until))
		b.flush()
	}
	for _, r := range b.rows {
		assert.Less(t, r.WindowEnd, instant(t, "2025-07-10T00:00:00Z"))
	}
	b.feed(delta(t, "large", "2025-06-20T10:00:00Z", came, 1, Late), delta(t, "large", "2025-09-29T10:00:00Z", left, 1, Late))
	b.flush() // checks that revisions have grown
	zone := "pqls||day|%d|Europe/Berlin|tier|large"
	june, september := b.rows[fmt.Sprintf(zone, instant(t, "2025-06-19T22:00:00Z"))], b.rows[fmt.Sprintf(zone, instant(t, "2025-09-28T22:00:00Z"))]
	assert.Equal(t, "0 1 1 0", fmt.Sprint(june.CurrentStart.Value, june.CurrentEnd.Value, september.CurrentStart.Value, september.CurrentEnd.Value))
}

func TestWhatIsTakenBackBetweenRowsWasNeverShown(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-02T10:00:00Z", came, 1, Ordinary))
	b.flush()
	emitted := b.emitted
	b.feed(delta(t, "large", "2025-03-03T10:00:00Z", came, 1, Late))
	b.feed(delta(t, "large", "2025-03-03T10:00:00Z", came, -1, ByMerge))
	b.flush()
	assert.Equal(t, emitted, b.emitted)
}

func TestWhatComesBeyondTheHorizonIsCounted(t *testing.T) {
	limits := Limits{MaxGroups: 10, Lateness: time.Hour, Restatement: 40 * 24 * time.Hour}
	b := newBoardOf(t, Day, "2025-03-10T00:00:00Z", limits)
	b.feed(delta(t, "large", "2025-03-09T10:00:00Z", came, 1, Ordinary))
	b.flush()
	b.feed(delta(t, "large", "2025-01-20T10:00:00Z", came, 3, Late), delta(t, "large", "2025-01-20T10:00:00Z", cell(SignedUp), 2, Late),
		delta(t, "large", "2025-01-20T10:00:00Z", cell(TimeToPQLSum), 1e6, Late))
	b.flush()
	beyond := b.rows["beyond_horizon||day|0|Europe/Berlin|tier|"]
	assert.Equal(t, some[int64](5), beyond.Count)
	assert.EqualValues(t, 1, beyond.Revision)
	gauge := b.gauge("large")
	assert.Equal(t, "28 23h 3-3 closed r2", gauge[0], "the series begins with them, where it can still be corrected")
	assert.Equal(t, []string{"08 23h 3-4 closed restated by late r2", "09 23h 4-4 r2"}, gauge[len(gauge)-2:])
	b.requireIdentities()

	b.feed(delta(t, "large", "2025-01-28T23:00:00Z", cell(SignedUp), 1, Late)) // the oldest day that can be corrected
	b.flush()
	assert.Equal(t, some[int64](1), b.rows["pql_rate|7d|day|1738105200000|Europe/Berlin|tier|large"].Denominator)
	assert.Equal(t, some[int64](5), b.rows["beyond_horizon||day|0|Europe/Berlin|tier|"].Count)

	b.feed(delta(t, "large", "2025-01-20T10:00:00Z", came, -1, ByErasure)) // what is taken back, too
	b.flush()
	beyond = b.rows["beyond_horizon||day|0|Europe/Berlin|tier|"]
	assert.Equal(t, some[int64](6), beyond.Count)
	assert.EqualValues(t, 2, beyond.Revision)
	assert.Contains(t, b.gauge("large")[0], "28 23h 2-2 closed restated by erased")
}

func TestWindowsBeyondTheHorizonStayAsTheyAre(t *testing.T) {
	limits := Limits{MaxGroups: 10, Lateness: time.Hour, Restatement: 40 * 24 * time.Hour}
	b := newBoardOf(t, Day, "2025-01-01T00:00:00Z", limits)
	b.feed(delta(t, "large", "2025-01-01T10:00:00Z", came, 2, Ordinary), delta(t, "large", "2025-01-02T10:00:00Z", left, 1, Ordinary),
		delta(t, "large", "2025-01-01T10:00:00Z", cell(SignedUp), 1, Ordinary))
	for day := range int64(130) {
		b.pass(b.watermark + dayMillis)
		b.flush()
		if day == 40 {
			b.feed(delta(t, "large", "2025-01-08T10:00:00Z", left, 1, Late))
		}
		b.requireIdentities()
	}
	series := b.series["series|Europe/Berlin|day|tier|large"]
	assert.NotContains(t, b.spans, "window|Europe/Berlin|day|2024-12-31T23:00:00Z|tier|large", "the window has expired")
	assert.Nil(t, series, "nobody is left, and nothing can be corrected any longer")
	assert.Contains(t, b.gauge("large")[0], "31 23h 0-2 closed")
}

// TestALateChangeOfAnExpiredWindow has something arrive that was sent on before the window expired.
func TestALateChangeOfAnExpiredWindow(t *testing.T) {
	b := newBoardOf(t, Day, "2025-01-01T00:00:00Z", DefaultLimits())
	key := "window|Europe/Berlin|day|2024-12-31T23:00:00Z|tier|large"
	span, err := b.rollup.Span(key, nil)
	require.NoError(t, err)
	expiry := instant(t, "2025-05-01T23:00:00Z")
	assert.Zero(t, span.Apply([]Change{{Cell: cell(SignedUp), N: 1}}, expiry-1))
	assert.EqualValues(t, 2, span.Apply([]Change{{Cell: cell(SignedUp), N: -2}}, expiry))
	assert.False(t, span.Expired(), "its last rows have to go out")
	span.Pass(span.NextTimer())
	assert.True(t, span.Expired())

	series, err := b.rollup.Series("series|Europe/Berlin|day|tier|large", nil)
	require.NoError(t, err)
	start := instant(t, "2024-12-31T23:00:00Z")
	assert.Zero(t, series.Apply([]Change{{Start: start, Cell: came, N: 5}}, expiry-1))
	series.Rows(func(*Row) {})
	assert.EqualValues(t, 2, series.Apply([]Change{{Start: start, Cell: left, N: 2}}, expiry))
	current := int64(0)
	series.Rows(func(r *Row) { current = r.CurrentEnd.Value })
	assert.EqualValues(t, 3, current)
}

func TestGroupsBeyondTheLimitAreOther(t *testing.T) {
	b := newBoardOf(t, Month, "2025-03-10T00:00:00Z", Limits{MaxGroups: 2, Lateness: time.Hour, Restatement: 40 * 24 * time.Hour})
	for _, group := range []string{"a", "b", "c", "d", "a", "other", "c"} {
		b.feed(delta(t, group, "2025-03-02T10:00:00Z", came, 1, Ordinary))
	}
	b.reload()
	b.feed(delta(t, "d", "2025-03-02T10:00:00Z", left, 1, Ordinary))
	b.flush()
	for group, want := range map[string]string{"a": "0-2", "b": "0-1", "other": "0-3", `\other`: "", "c": "", "d": ""} {
		assert.Contains(t, strings.Join(b.gauge(group), ""), want, group)
		assert.Equal(t, want == "", len(b.gauge(group)) == 0, group)
	}
	row := b.rows["other_groups|||0||tier|"]
	assert.Equal(t, some[int64](5), row.Count)
}

func TestNamesOfGroupsTakeNoMoreThanTheirRoom(t *testing.T) {
	b := newBoardOf(t, Month, "2025-03-10T00:00:00Z", Limits{MaxGroups: 1 << 20, Lateness: time.Hour, Restatement: 40 * 24 * time.Hour})
	at := SlotOf(b.watermark)
	var deltas []Delta
	for i := range 10_000 {
		deltas = append(deltas, Delta{Values: []string{fmt.Sprintf("%0128d", i)}, At: at, Cell: came, N: 1})
	}
	parcels, changed := b.directory.Take(deltas, b.watermark)
	assert.True(t, changed)
	assert.Len(t, parcels, groupBytes/128+1)
	value, err := b.directory.AppendBinary(nil)
	require.NoError(t, err)
	assert.Less(t, len(value), 450_000)
	_, changed = b.directory.Take(deltas[:1], b.watermark)
	assert.False(t, changed, "the group has its place")
}

// TestASeriesIsBounded fills a series of hours over the whole horizon, and then far ahead of the watermark.
func TestASeriesIsBounded(t *testing.T) {
	b := newBoardOf(t, Hour, "2025-01-01T00:00:00Z", DefaultLimits())
	key := "series|Europe/Berlin|hour|tier|large"
	s, err := b.rollup.Series(key, nil)
	require.NoError(t, err)
	fill := func(start int64) {
		var all []Change
		for _, name := range entries {
			all = append(all, Change{Start: start, Cell: cell(In, name), N: 1_000_000})
		}
		for _, name := range append(exits[:len(exits):len(exits)], "unknown") {
			all = append(all, Change{Start: start, Cell: cell(Out, name), N: 300_000, Why: Late})
		}
		s.Apply(all, b.watermark)
	}
	size := func() int {
		s.Rows(func(*Row) {})
		value, err := s.AppendBinary(nil)
		require.NoError(t, err)
		_, err = b.rollup.Series(key, value)
		require.NoError(t, err)
		return len(value)
	}
	for hour := range int64(120 * 24) {
		fill(b.watermark - hour*hourMillis)
	}
	normal := size()
	assert.Less(t, normal, 150_000)
	for hour := range int64(2 * mostBuckets) {
		fill(b.watermark + hour*hourMillis)
	}
	assert.Less(t, size(), 500_000)
	assert.Len(t, s.buckets, mostBuckets)
	t.Logf("series of hours over the horizon: %d bytes; the largest: %d", normal, size())
}

// TestAFullSeriesStillTellsWhatChanged changes the oldest window just before it has to go.
func TestAFullSeriesStillTellsWhatChanged(t *testing.T) {
	b := newBoardOf(t, Hour, "2025-12-31T00:00:00Z", Limits{MaxGroups: 10, Lateness: time.Hour, Restatement: mostRestated * time.Hour})
	s, err := b.rollup.Series("series|Europe/Berlin|hour|tier|large", nil)
	require.NoError(t, err)
	var all []Change
	newest := b.watermark + (mostBuckets-mostRestated)*hourMillis // so far ahead of the watermark are some
	for hour := range int64(mostBuckets) {
		all = append(all, Change{Start: newest - (hour+1)*hourMillis, Cell: came, N: 1})
	}
	s.Apply(all, b.watermark)
	s.Rows(func(*Row) {})
	oldest := all[len(all)-1]
	s.Apply([]Change{{Start: oldest.Start, Cell: came, N: 10}, {Start: newest, Cell: came, N: 1}}, b.watermark)
	s.Pass(newest)
	emitted, last := 0, int64(0)
	s.Rows(func(r *Row) { emitted, last = emitted+1, r.CurrentEnd.Value })
	assert.Equal(t, mostBuckets, emitted, "all but the oldest, and the new one")
	assert.EqualValues(t, mostBuckets+11, last)
	assert.EqualValues(t, 1, s.Apply([]Change{oldest}, b.watermark), "it can't be corrected any longer")
}

// TestASpanIsBounded gives a window all there can be.
func TestASpanIsBounded(t *testing.T) {
	b := newBoardOf(t, Month, "2025-01-01T00:00:00Z", DefaultLimits())
	key := "window|Europe/Berlin|month|2024-12-31T23:00:00Z|tier|large"
	s, err := b.rollup.Span(key, nil)
	require.NoError(t, err)
	lost := int64(0)
	for step := range 150 {
		var all []Change
		for bin := firstBin; bin <= lastBin; bin++ {
			all = append(all, Change{Cell: cell(StepTime, fmt.Sprintf("step-%d", step), bin), N: 5000})
		}
		lost += s.Apply(all, b.watermark)
	}
	assert.EqualValues(t, (150-mostSketches)*int64(lastBin-firstBin+1)*5000, lost)
	for i := range int32(2000) {
		lost = s.Apply([]Change{{Cell: cell(Paid, i), N: 1}}, b.watermark)
	}
	assert.EqualValues(t, 1, lost)
	s.Rows(func(*Row) {})
	value, err := s.AppendBinary(nil)
	require.NoError(t, err)
	assert.Less(t, len(value), 500_000)
	t.Logf("largest span: %d bytes", len(value))
	_, err = b.rollup.Span(key, value)
	assert.NoError(t, err)
}

func TestKeys(t *testing.T) {
	for _, group := range []string{"", "large", "large,pro", `a|b\,c`, OtherGroup, "schlüssel"} {
		a := address{zone: "America/Argentina/Buenos_Aires", unit: Week, start: instant(t, "2025-01-01T00:00:00Z"), grouping: "tier,plan", group: group}
		parsed, err := parseAddress(WindowEntity, a.windowKey())
		require.NoError(t, err)
		assert.Equal(t, a, *parsed)
		assert.Equal(t, WindowEntity, KindOf(a.windowKey()))
		a.start = 0
		parsed, err = parseAddress(SeriesEntity, a.seriesKey())
		require.NoError(t, err)
		assert.Equal(t, a, *parsed)
	}
	assert.Equal(t, "directory|tier,plan", DirectoryKey("tier,plan"))
	assert.Equal(t, "a\ufffd", joinKey("a\xff"))
	r := newRollup(t, DefaultLimits(), [][]string{{}}, "UTC")
	for key, want := range map[string]string{
		"series|UTC|day|tier":                           `"series|UTC|day|tier" is not the key of a series`,
		"series|UTC|year||":                             `series|UTC|year||: there are no such windows`,
		`series|UTC|day||\`:                             `"series|UTC|day||\\" is not the key of a series`,
		"window|UTC|day|2025-01-01|tier|large":          `"window|UTC|day|2025-01-01|tier|large" is not the key of a window`,
		"window|Mars|day|2025-01-01T00:00:00Z|tier|big": `window|Mars|day|2025-01-01T00:00:00Z|tier|big: there are no such windows`,
		"directory":                                     `"directory" is not the key of a directory`,
	} {
		var err error
		switch KindOf(key) {
		case SeriesEntity:
			_, err = r.Series(key, nil)
		case WindowEntity:
			_, err = r.Span(key, nil)
		default:
			_, err = r.Directory(key, nil)
		}
		assert.EqualError(t, err, want)
	}
}

func TestNamesOfGroupsDiffer(t *testing.T) {
	seen := map[string]string{OtherGroup: "the others"}
	for _, values := range [][]string{{"other"}, {"a,b"}, {"a", "b"}, {`a\`, "b"}, {`a\,b`}, {"", ""}, {","}, {`\other`}} {
		name := GroupName(values)
		assert.Empty(t, seen[name], "%q", values)
		seen[name] = fmt.Sprint(values)
	}
	assert.Empty(t, GroupName(nil))
}

func TestLimitsThatCannotBe(t *testing.T) {
	s := &Settings{Groupings: [][]string{{}}, CohortDays: []int{30}, PaidDays: []int{90}}
	_, err := NewRollup(s, Limits{Lateness: time.Hour, Restatement: time.Hour})
	for _, want := range []string{"there are no windows", "at most 0 groups: there must be one", "windows can be corrected for 1h0m0s: that must be longer than the lateness of 1h0m0s",
		"paid days: 90 is longer than windows can be corrected, 1h0m0s"} {
		assert.ErrorContains(t, err, want)
	}
	s.Windows = []*Windows{newWindows(t, "UTC", Day, time.Monday), newWindows(t, "UTC", Hour, time.Monday)}
	long := DefaultLimits()
	long.Restatement = 310 * 24 * time.Hour
	_, err = NewRollup(s, long)
	require.NoError(t, err)
	long.Restatement += time.Hour
	_, err = NewRollup(s, long)
	assert.EqualError(t, err, "windows can be corrected for 7441h0m0s: with windows of hours, of which a group keeps 8192, that must be no longer than 7440h0m0s")
	s.Windows = s.Windows[:1]
	_, err = NewRollup(s, long)
	require.NoError(t, err, "days are fewer")
	_, err = NewRollup(&Settings{}, DefaultLimits())
	assert.Error(t, err)
}
