package top

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

var update = flag.Bool("update", false, "write the expected screens anew")

func samples() (before, now *Sample) {
	at := time.Date(2025, 3, 8, 12, 0, 0, 0, time.UTC)
	qualified := at.Add(-time.Hour).UnixMilli()
	reading := kafka.Reading{Stage: config.Activation, Group: "pql.activation", Topic: "pql.usage"}
	stage := func(records, commits, seconds float64) Stage {
		return Stage{Name: "activation", Owned: 2, Records: records, Commits: commits, CommitSeconds: seconds, Cached: 12_345, MirrorBacklog: 1}
	}
	before = &Sample{At: at, Processes: []Process{
		{URL: "a", Ready: true, Stages: []Stage{stage(1000, 10, 0.1)}},
		{URL: "b", Ready: true, Stages: []Stage{stage(9000, 90, 0.9)}},
	}}
	b := stage(50, 1, 0.5) // it was started anew: what it tells can't be compared
	b.Waiting, b.Unconfirmed, b.DeadLetters = 1, 2, 3
	now = &Sample{
		At: at.Add(2 * time.Second),
		Lags: []kafka.Lag{
			{Reading: kafka.Reading{Stage: config.Ingest, Group: "pql.ingest", Topic: "usage"}, Committed: 7, End: 7},
			{Reading: reading, Partition: 0, Committed: 100, End: 150, Records: 50}, {Reading: reading, Partition: 1, Committed: -1, End: 123_456, Records: 123_456},
			{Reading: reading, Partition: 2, Committed: 5, End: 6, Records: 1},
		},
		Processes: []Process{{URL: "a", Ready: true, Stages: []Stage{stage(5000, 30, 0.3)}}, {URL: "b", Stages: []Stage{b}}},
		Redis:     Redis{Servers: 1, Used: 95 << 20, Limit: 100 << 20, Clients: 3, PerSecond: 4200},
		PQLs: []inspect.Row{
			{AccountID: "acct-00001", Tier: "large", Rate: 0.425, QualifiedAt: &qualified, Playbook: &inspect.Playbook{Name: "manual-outreach"}},
			{AccountID: "acct-00002 with a name that is much too long", Tier: "small", Rate: 1},
		},
		PQLsTotal: 17, Missing: []string{"http://c: connection refused"},
	}
	return before, now
}

func plain(_, text string) string { return text }

func coloured(code, text string) string { return "\x1b[" + code + "m" + text + "\x1b[0m" }

func TestScreens(t *testing.T) {
	before, now := samples()
	for name, screen := range map[string]string{
		"plain": Screen(before, now, 120, 0, plain), "first": Screen(nil, now, 120, 0, plain), "coloured": Screen(before, now, 120, 40, coloured),
		"small": Screen(before, now, 60, 16, plain), "nothing": Screen(nil, &Sample{At: now.At}, 80, 24, plain),
	} {
		path := "testdata/" + name + ".txt"
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, []byte(screen+"\n"), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), screen+"\n", name)
	}
}

// Whoever sends events names accounts: no text of a sample gets through to the terminal as a command.
func TestTextsAreNoCommands(t *testing.T) {
	const hostile = "x\x1b[31mRED\x1b]0;pwn\x07\n\u202e\u009b31m"
	id := hostile
	now := &Sample{
		Lags:      []kafka.Lag{{Reading: kafka.Reading{Stage: config.Stage(id), Topic: id}}},
		Processes: []Process{{URL: id, Stages: []Stage{{Name: id}}}},
		PQLs:      []inspect.Row{{AccountID: id, Tier: id, Playbook: &inspect.Playbook{Name: id}}},
		Missing:   []string{id},
	}
	screen := Screen(nil, now, 1000, 0, plain)
	for line := range strings.SplitSeq(screen, "\n") {
		assert.Equal(t, line, account.Shown(line))
	}
	assert.Equal(t, 7, strings.Count(screen, `x\x1b`), screen)
}

// Rates come from processes that both samples have, and that have not begun anew.
func TestRates(t *testing.T) {
	before, now := samples()
	sums := now.stages(before)
	require.Len(t, sums, 2)
	assert.Equal(t, "ingest", sums[0].Name)
	a := sums[1]
	assert.InDelta(t, 2000, a.rate, 1e-9, "4000 records in two seconds, of a alone")
	assert.InDelta(t, 0.010, a.commit.Seconds(), 1e-6)
	assert.Equal(t, int64(123_507), a.lag)
	assert.Equal(t, 4, a.Owned)
	assert.Zero(t, now.stages(nil)[1].rate)
	assert.Zero(t, now.stages(now)[1].rate, "no time has passed")
}

func TestStandingsAreForPrograms(t *testing.T) {
	before, now := samples()
	all := Stages(before, now)
	require.Len(t, all, 2)
	assert.Nil(t, all[0].CommitSeconds, "nothing was committed")
	a := all[1]
	require.NotNil(t, a.CommitSeconds)
	assert.InDelta(t, 0.010, *a.CommitSeconds, 1e-6)
	a.CommitSeconds = nil
	assert.Equal(t, Standing{Stage: "activation", Owned: 4, Waiting: 1, Lag: 123_507, WorstLag: 123_456, PerSecond: 2000, MirrorBacklog: 2, Cached: 24_690, DeadLetters: 3, Redone: 2}, a)
	assert.Equal(t, []Standing{}, Stages(nil, &Sample{}), "[] rather than null")
}

func TestScreensFit(t *testing.T) {
	before, now := samples()
	for _, size := range [][2]int{{20, 5}, {40, 10}, {80, 24}, {200, 60}} {
		lines := strings.Split(Screen(before, now, size[0], size[1], plain), "\n")
		assert.LessOrEqual(t, len(lines), size[1])
		for _, line := range lines {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), size[0], line)
		}
	}
	assert.Equal(t, "\x1b[31mab\x1b[0m", cut("\x1b[31mabc\x1b[0m", 2), "colours take no room, and end")
	for n, want := range map[int64]string{0: "0", 9999: "9999", 10_000: "10k", 12_345_678: "12M", 5e10: "50G"} {
		assert.Equal(t, want, short(n))
	}
}
