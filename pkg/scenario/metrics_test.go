package scenario

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

func TestTheDefaultsOfMetricsAreThoseOfTheSettings(t *testing.T) {
	c := config.Default().Metrics
	assert.Equal(t, metricSettings{
		zones: c.Zones, weekStart: c.WeekStart, units: c.Units, groupings: c.Groupings, maxGroups: c.MaxGroups, lateness: c.Lateness,
		restatement: c.Restatement, cohortDays: c.CohortDays, paidDays: c.PaidDays,
	}, defaultMetrics())
}

// TestEveryMetricCanBeLookedAt holds the list against the reference of the metrics.
func TestEveryMetricCanBeLookedAt(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	_, rows, _ := strings.Cut(string(text), "\n### PQLs\n")
	rows, _, _ = strings.Cut(rows, "\n## ") // behind the rows there are metrics of other kinds
	want := []string{rollup.MetricPQLs}
	for _, table := range regexp.MustCompile(`(?m)^\| metric \|.*\n(?:\|.*\n)+`).FindAllString(rows, -1) {
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
			want = append(want, m[1])
		}
	}
	var got []string
	for _, k := range metricKinds {
		got = append(got, k.name)
	}
	assert.ElementsMatch(t, want, got)
	for _, s := range rowSpecs {
		if s != noRow {
			assert.Regexp(t, `\b`+s.words+`\b`, string(text))
		}
	}
}

// rated is a scenario of two accounts that sign up, one of which qualifies.
const rated = `checklist: x
show: qualified
scenario: rows
  +0d 09:00  acme   ana  account_created
  +0d 10:00  other  ana  account_created
  +1d 10:00  acme   u{n} c x3
  +1d 10:00  acme   ana  b x2
  +1d 12:00  acme   ana  a
    => qualified
  +9d        time passes
`

func TestUpdateWritesRows(t *testing.T) {
	assert.Equal(t, rated+`  metric pqls day +1d  raw 1  current_start 0  current_end 1  inflow 1  outflow 0
  metric pqls day +0d  no row  # none yet
  metric pqls day +1d   raw 1   repeated 0  first 1 # one
  metric pqls day +2d tier=small  raw 0  current_start 1  current_end 1  inflow 0  outflow 0
  metric pql_rate 7d day +0d  numerator 1  denominator 2  rate 50%  mature
  metric pql_rate 14d day +0d  numerator 1  denominator 2  rate 50%  not mature
  metric time_to_pql day +1d  count 1  mean 1d3h  p50 1d3h9m26s  signup_unknown 0
  metric pql_to_paid_cohort 14d day +0d  numerator 0  denominator 1  rate 0%  control_numerator 0  control_denominator 1  control_rate 0%  lift -  not mature
  metric other_groups of tier  no row
`, updated(t, rated+`  metric pqls day +1d
  metric pqls day +0d  raw 5  closed  # none yet
  metric pqls day +1d   raw 2   repeated 0  first - # one
  metric pqls day +2d tier=small  no row
  metric pql_rate 7d day +0d
  metric pql_rate 14d day +0d
  metric time_to_pql day +1d
  metric pql_to_paid_cohort 14d day +0d
  metric other_groups of tier
`))
}

func TestADifferenceNamesTheColumn(t *testing.T) {
	assert.Equal(t, `   8     +1d 12:00  acme   ana  a
   9       => qualified
  10     +9d        time passes
  11 -   metric pqls day +1d  raw 2  inflow 1 # one
     +   metric pqls day +1d  raw 1  inflow 1 # one
`, diffs(t, rated+"  metric pqls day +1d  raw 2  inflow 1 # one\n"))
}

func TestALineThatSaysNothingOfARowFails(t *testing.T) {
	assert.NotEmpty(t, diffs(t, rated+"  metric pqls day +1d\n"))
	assert.NotEmpty(t, diffs(t, rated+"  metric pqls day +1d  no row\n"))
	assert.NotEmpty(t, diffs(t, rated+"  metric pqls day +0d  raw -\n"), "a row that is not there has no columns, not even empty ones")
	assert.Empty(t, diffs(t, rated+"  metric pqls day +0d  no row\n  metric pqls day +1d  numerator -\n"))
}

func TestTransitionsDoNotComeOfRows(t *testing.T) {
	_, err := Parse("x.scenario", []byte(rated+"  metric pqls day +1d raw 1\n    => qualified\n"), reading)
	assert.EqualError(t, err, "x.scenario:12: there is nothing above that this can come of: => lines belong below an event or `time passes`")
}

// TestRowsDependOnWhatHappensAlone also on how far time goes at once.
func TestRowsDependOnWhatHappensAlone(t *testing.T) {
	const rows = "  metric pqls hour +200d 10:00\n  metric pqls hour +60d 10:00\n  metric pqls week +1d\n  metric pql_rate 7d day +0d\n  metric pqls month 2026-03\n"
	converts := strings.Replace(rated, "+9d        time passes", "+60d 09:30  acme ana bought", 1)
	converts = strings.Replace(converts, "\n", "\nmetrics:\n  units: [hour, week, month, day]\n", 1)
	at := func(moments ...string) string {
		var b strings.Builder
		for _, m := range moments {
			fmt.Fprintf(&b, "  %s  time passes\n", m)
		}
		return updated(t, converts+b.String()+rows)[len(converts+b.String()):]
	}
	var steps []string
	for hour := 61 * 24; hour < 190*24; hour += 7 {
		steps = append(steps, fmt.Sprintf("+%dh", hour))
	}
	atOnce := at("+190d")
	assert.Equal(t, atOnce, at(append(steps, "+190d")...))
	assert.Contains(t, atOnce, "metric pqls hour +200d 10:00  no row\n")
	assert.Contains(t, atOnce, "metric pqls hour +60d 10:00  raw 0  current_start 0")
	assert.Contains(t, at("+250d"), "metric pqls hour +200d 10:00  no row\n", "rows end when windows can no longer be corrected")
}

// full is a window that has no room for anything.
type full struct{ *rollup.Span }

func (full) Apply(changes []rollup.Change, _ int64) int64 { return int64(len(changes)) }

func TestWhatHasNoRoomIsCounted(t *testing.T) {
	f := parsed(t, "checklist: x\nscenario: s\n +0d acme ana a\n metric beyond_horizon day no row\n")
	b, err := f.board(f.Scenarios[0])
	require.NoError(t, err)
	key := "window|UTC|day|2026-01-05T00:00:00Z||"
	span, err := b.rollup.Span(key, nil)
	require.NoError(t, err)
	b.counted[key] = full{span}
	b.tell([]account.Fact{{Type: account.Qualified, AccountID: "acme", OccurredAt: defaultStart.UnixMilli()}}, f.Checklist())
	require.NoError(t, b.advance(defaultStart.UnixMilli()))
	row := b.rows["beyond_horizon||day|0|UTC||"]
	require.NotNil(t, row)
	assert.EqualValues(t, 2, row.Count.Value, "that it qualified, and that its sign-up is unknown")
}

func TestWindowsAreThoseOfTheirZone(t *testing.T) {
	const head = `checklist: x
start: 2026-03-01 22:00 Europe/Berlin
metrics:
  zones: [Europe/Berlin, UTC, America/New_York]
  units: [hour, day, week, month]
  week_start: sunday
scenario: s
  +0d  acme  ana  a
`
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		return loc
	}
	berlin, york := zone("Europe/Berlin"), zone("America/New_York")
	for words, want := range map[string]time.Time{
		"day +0d":                                   time.Date(2026, 3, 1, 0, 0, 0, 0, berlin),
		"day 2026-03-29":                            time.Date(2026, 3, 29, 0, 0, 0, 0, berlin),
		"day 2026-03-01 in America/New_York":        time.Date(2026, 3, 1, 0, 0, 0, 0, york),
		"day +1d 00:30 in America/New_York":         time.Date(2026, 3, 2, 0, 0, 0, 0, york),
		"day 2026-03-02T00:30+01:00 in UTC":         time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"day +36h in UTC":                           time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC),
		"week +3d":                                  time.Date(2026, 3, 1, 0, 0, 0, 0, berlin),
		"month 2026-04":                             time.Date(2026, 4, 1, 0, 0, 0, 0, berlin),
		"month 2026-04-30 in UTC":                   time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		"hour +0d":                                  time.Date(2026, 3, 1, 22, 0, 0, 0, berlin),
		"hour +0d 9:59":                             time.Date(2026, 3, 1, 9, 0, 0, 0, berlin),
		"hour 2026-10-25 02:30":                     time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC),
		"hour 2026-10-25T02:30+01:00":               time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		"hour 2026-03-08 03:00 in America/New_York": time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC),
	} {
		f, err := Parse("x.scenario", []byte(head+"  metric pqls "+words+" no row\n"), reading)
		require.NoError(t, err, words)
		row, err := rollup.ParseKey(f.Scenarios[0].statements[1].row)
		require.NoError(t, err)
		assert.Equal(t, want.UTC(), time.UnixMilli(row.WindowStart).UTC(), words)
		assert.Equal(t, strings.Fields(words)[0], row.Unit)
		assert.Equal(t, want.Location().String(), map[bool]string{true: row.Zone, false: "UTC"}[strings.HasPrefix(words, "day") || want.Location() != time.UTC])
	}
}

func TestGroupsAreNamedByTheirDimensions(t *testing.T) {
	const head = "checklist: x\nmetrics:\n  groupings: [[], [tier], [segment, tier]]\nscenario: s\n  +0d  acme  ana  a\n"
	for words, want := range map[string]string{
		"pqls day +0d no row":                            "|",
		"pqls day +0d tier=small no row":                 "tier|small",
		"pqls day +0d tier=- no row":                     "tier|",
		`pqls day +0d tier="-" no row`:                   "tier|-",
		"pqls day +0d tier=other no row":                 `tier|\other`,
		"pqls day +0d other of tier no row":              "tier|other",
		"pqls day +0d other of segment,tier no row":      "segment,tier|other",
		`pqls day +0d segment="a, b" tier=- no row`:      `segment,tier|a\, b,`,
		"other_groups of segment,tier no row":            "segment,tier|",
		"beyond_horizon day of tier no row":              "tier|",
		"beyond_horizon day no row":                      "|",
		"beyond_horizon day in UTC of tier count 1":      "tier|",
		"pqls day +0d tier=small raw 1":                  "tier|small",
		"activation_rate 100 day +0d tier=small no row":  "tier|small",
		"sales sales_won day +0d tier=small raw 1":       "tier|small",
		"funnel a day +0d tier=small raw 1 closed":       "tier|small",
		"pql_to_paid 60d day +0d tier=small not mature":  "tier|small",
		"pql_rate 14d day +0d in UTC tier=small  rate -": "tier|small",
	} {
		f, err := Parse("x.scenario", []byte(head+"  metric "+words+"\n"), reading)
		require.NoError(t, err, words)
		row, err := rollup.ParseKey(f.Scenarios[0].statements[1].row)
		require.NoError(t, err)
		assert.Equal(t, want, row.Grouping+"|"+row.Group, words)
	}
}

func TestWhatIsWrongWithRows(t *testing.T) {
	for words, want := range map[string]string{
		"":               "a metric is missing, such as `metric pqls day 2026-03-02 tier=small  raw 1`",
		"pql":            `"pql" is no metric; there are: pqls, pql_rate, pql_rate_period, time_to_pql, time_to_pql_cohort, pql_to_paid, pql_to_paid_cohort, hold_out, time_to_paid, funnel, activation_rate, precision, sales_acceptance, sales, other_groups, beyond_horizon`,
		"pqls":           "a unit is missing, such as `metric pqls day 2026-03-02 tier=small  raw 1`",
		"pqls 7d day":    `there are no windows of "7d" in "UTC"; there are: hour in UTC, day in UTC`,
		"pqls day":       "a window is missing, such as `day 2026-03-02`",
		"pqls day raw 1": `"raw" is no window: write the day of one, such as 2026-03-02 or +3d, of a month 2026-03, and of an hour also the time, such as +3d 10:00 or 2026-10-25T02:00+01:00`,
		"pqls hour 2026-03-02": `"2026-03-02" is no window: write the day of one, such as 2026-03-02 or +3d, of a month 2026-03, and of an hour also the time, such as ` +
			`+3d 10:00 or 2026-10-25T02:00+01:00`,
		"pqls day 2026-03 raw 1": `"2026-03" is no window: write the day of one, such as 2026-03-02 or +3d, of a month 2026-03, and of an hour also the time, such as ` +
			`+3d 10:00 or 2026-10-25T02:00+01:00`,
		"pqls day 2026-02-30 raw 1":          "2026-02-30 is no day of the calendar",
		"pqls day 1969-02-20 raw 1":          "1969-02-20T12:00:00Z is not between 1970 and 9999",
		"pqls day +0d in Europe/Rome raw 1":  `there are no windows of "day" in "Europe/Rome"; there are: hour in UTC, day in UTC`,
		"pqls day +0d plan=pro raw 1":        "accounts are not grouped by [plan]: the groupings are [], [tier]",
		"pqls day +0d other of plan no row":  "accounts are not grouped by [plan]: the groupings are [], [tier]",
		"other_groups of segment  count 1":   "accounts are not grouped by [segment]: the groupings are [], [tier]",
		"pql_rate day +0d rate 5%":           `pql_rate needs one of 7d, 14d, 30d, not "day"`,
		"hold_out":                           "one of 7d, 30d, 60d, 90d is missing, such as `metric pqls day 2026-03-02 tier=small  raw 1`",
		"funnel e day +0d count 1":           `funnel needs one of a, b, c, d, not "e"`,
		"activation_rate 75 day +0d count 1": `activation_rate needs one of 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, not "75"`,
		"sales converted day +0d count 1":    `sales needs one of sales_accepted, sales_rejected, meeting_booked, sales_won, sales_lost, not "converted"`,
		"pqls day +0d raw 1 no row":          "no row: nothing else can be said of a row that is not there",
		"pqls day +0d raw one":               `raw: "one" is no number`,
		"pqls day +0d raw 1 raw 1":           "raw is said twice",
		"time_to_pql day +0d mean 1 h":       `mean: "1" is no length of time such as 2d, 1h30m or 0.25s`,
		"pqls day +0d as_of +0d": `"as_of" is no attribute here; there are: window_end, closed, not closed, mature_at, mature, not mature, restated, first, repeated, raw, current_start, ` +
			`current_end, inflow, outflow, in_qualified, in_requalified, in_segment_changed, out_inactive, out_trial_ended, out_step_undone, out_excluded, out_tier_changed, ` +
			`out_segment_changed, out_definition_changed, out_converted, out_other, numerator, denominator, rate, low, high, control_numerator, control_denominator, control_rate, lift, ` +
			`difference, difference_low, difference_high, position, previous, count, mean, min, max, p50, p75, p90, p99, signup_unknown, no row`,
	} {
		_, err := Parse("x.scenario", []byte("checklist: x\nmetrics:\n  units: [hour, day]\nscenario: s\n +0d acme ana a\n metric "+words+"\n"), reading)
		assert.EqualError(t, err, "x.scenario:6: "+want, words)
	}
}

func TestWhatIsWrongWithTheSettingsOfMetrics(t *testing.T) {
	for lines, want := range map[string]string{
		" [UTC]\n": "2: metrics: its settings follow in lines of their own, indented, such as `zones: [Europe/Berlin]`",
		"\n  zones: [Europe/Berlin]\n  zone: UTC\n  zones: [UTC]\n": "4: metrics.zone: is no setting of metrics; there are: zones, week_start, units, groupings, max_groups, " +
			"lateness, restatement, cohort_days, paid_days\nx.scenario:5: metrics.zones: is given twice",
		"\n  - UTC\n":                              "3: metrics: this is no setting such as `zones: [Europe/Berlin]`",
		"\n  zones: [\n":                           "2: metrics: line 3: did not find expected node content",
		"\n  zones: UTC\n":                         "3: metrics.zones: is not like [UTC, Europe/Berlin]",
		"\n  zones:\n":                             "3: metrics.zones: is not like [UTC, Europe/Berlin]",
		"\n\n  lateness: 1\n":                      "4: metrics.lateness: is not like 24h",
		"\n  zones: [Mars]\n":                      `2: metrics: "Mars" is no time zone such as Europe/Berlin`,
		"\n  zones: []\n":                          "2: metrics: there are no windows",
		"\n  zones: [UTC, UTC]\n  units: [day]\n":  "2: metrics: windows of a day in UTC are there twice",
		"\n  zones: [A, B, C, D, E, F, G, H, I]\n": "2: metrics: zones: there are more than 8",
		"\n  week_start: 1\n":                      `2: metrics: week_start: "1" is none of sunday, monday, tuesday, wednesday, thursday, friday, saturday`,
		"\n  units: [year]\n":                      `2: metrics: "year" is no unit of windows; those are hour, day, week and month`,
		"\n  restatement: 24h\n": "2: metrics: windows can be corrected for 24h0m0s: that must be longer than the lateness of 24h0m0s\n" +
			"x.scenario:2: metrics: cohort days: 30 is longer than windows can be corrected, 24h0m0s\nx.scenario:2: metrics: paid days: 90 is longer than windows can be corrected, 24h0m0s",
		"\n  groupings: [[plan]]\n": "2: metrics.groupings: plan is none of tier, segment and checklist, nor a property that the checklist marks with `dimension: true`",
	} {
		_, err := Parse("x.scenario", []byte("checklist: x\nmetrics:"+lines+"scenario: s\n +0d acme ana a\n metric pql week 0 r\n"), reading)
		require.Error(t, err, lines)
		for _, line := range strings.Split("x.scenario:"+want, "\n") {
			assert.Contains(t, err.Error(), line, lines)
		}
	}
	_, err := Parse("x.scenario", []byte("checklist: x\nmetrics:\n  zones: [Mars]\nscenario: s\n +0d acme ana a\n metric pqls week 0 r\n"), reading)
	assert.EqualError(t, err, `x.scenario:2: metrics: "Mars" is no time zone such as Europe/Berlin`, "lines are not held against settings that are wrong")
	_, err = Parse("x.scenario", []byte("checklist: x\nmetrics:\n\n# as they are\nscenario: s\n +0d acme ana a\n"), reading)
	assert.NoError(t, err)
}

func TestAScenarioWithRowsEnds(t *testing.T) {
	text := "checklist: x\nscenario: s\n +0d acme ana a\n  => active\n  => step_done a\n +1900d time passes\nscenario: t\n +0d acme ana a\n metric pqls day +0d no row\n +1829d time passes\n"
	_, err := Parse("x.scenario", []byte(text), reading)
	require.NoError(t, err)
	_, err = Parse("x.scenario", []byte(strings.Replace(text, "+1829d", "+1831d", 1)), reading)
	assert.EqualError(t, err, "x.scenario:7: a scenario with rows of metrics goes on for at most five years")
}

func TestLengthsOfTime(t *testing.T) {
	for text, seconds := range map[string]float64{
		"0s": 0, "1s": 1, "90m": 5400, "1h30m": 5400, "2d": 172_800, "1d1h1m1.5s": 90_061.5, "36h": 129_600, "0.25s": 0.25, "100000d": 8_640_000_000,
	} {
		got, err := readSeconds(text)
		require.NoError(t, err)
		assert.InDelta(t, seconds, got, 0, text)
		again, err := readSeconds(writeSeconds(got, 6))
		require.NoError(t, err)
		assert.InDelta(t, seconds, again, 0, text)
	}
	assert.Equal(t, "1d1h1m1.5s", writeSeconds(90_061.5, 3))
	assert.Equal(t, "0s", writeSeconds(0.0004, 3))
	assert.Equal(t, "1h20s", writeSeconds(3620.4, 0))
	assert.Equal(t, "1m", writeSeconds(59.9999, 3))
	for _, text := range []string{"", "1", "1d1", "1m1h", "-1s", "1.5h", "s", "1w"} {
		_, err := readSeconds(text)
		assert.Error(t, err, text)
	}
}

func TestHowExactlyColumnsAreCompared(t *testing.T) {
	for text, holds := range map[string][]bool{ // of these: 1/3, -0.0004, 3601
		"difference 33.3%":   {true, false},
		"difference 33.33%":  {true, false},
		"difference 33.4%":   {false, false},
		"difference 0%":      {false, true},
		"difference -0.04%":  {false, true},
		"lift 0.333":         {true, false},
		"lift 0.33":          {false, false},
		"lift 0.3333":        {true, false},
		"lift 0":             {false, true},
		"mean 0.333s":        {true, false, false},
		"mean 1h1s":          {false, false, true},
		"mean 1h1.001s":      {false, false, false},
		"p50 1h":             {false, false, true},
		"p50 59m25s":         {false, false, false},
		"p50 1h37.5s":        {false, false, false},
		"p50 1h36s":          {false, false, true},
		"p50 -":              {false, false, false},
		"restated -":         {true, true, true},
		"mature_at -":        {true, true, true},
		"signup_unknown -":   {true, true, true},
		"signup_unknown 0":   {false, false, false},
		"restated late":      {false, false, false},
		"not closed":         {true, true, true},
		"closed":             {false, false, false},
		"window_end +0d":     {true, true, true},
		"window_end +1d":     {false, false, false},
		"mature_at +0d":      {false, false, false},
		"difference_low -5%": {false, false, false},
	} {
		tokens, err := scan(text, 0)
		require.NoError(t, err)
		a, err := readAttributes(tokens, ofRows, clock{defaultStart})
		require.NoError(t, err, text)
		for i, v := range []float64{1.0 / 3, -0.0004, 3601}[:len(holds)] {
			n := rollup.Null[float64]{Value: v, Known: true}
			r := rollup.Row{WindowEnd: defaultStart.UnixMilli(), Difference: n, Lift: n, Mean: n, P50: n}
			assert.Equal(t, holds[i], a[0].holds(subject{row: &r}), "%s of %v", text, v)
		}
	}
}
