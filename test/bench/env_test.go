package bench

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/results"
)

// variables are all that doc.go names, but for where results go.
var variables = []string{"EVENTS", "ACCOUNTS", "SEED", "RUNS", "QUIET", "PEERS", "OUTPUTS", "RATE", "RATES", "LIVE_ACCOUNTS", "LIVE_RUNS",
	"WARMUP", "MEASURE", "ACCOUNT_COUNTS", "PROCESSES", "REBUILD_ACCOUNTS", "STARTS", "START_ACCOUNTS",
	"PAGE_ACCOUNTS", "PAGE_LOADS", "PROFILE_SECONDS"}

func env(tb testing.TB, name string, otherwise int) int {
	tb.Helper()
	return envList(tb, name, otherwise)[0]
}

// envList returns the numbers of a variable, which are separated by commas.
func envList(tb testing.TB, name string, otherwise ...int) (list []int) {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		require.NoError(tb, err, name)
		list = append(list, n)
	}
	return list
}

func envDuration(tb testing.TB, name string, otherwise time.Duration) time.Duration {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	require.NoError(tb, err, name)
	return d
}

// newTable returns a table that knows how it came about: the target of the Makefile and what the environment set.
func newTable(name, target string) *results.Table {
	var command strings.Builder
	for _, v := range variables {
		if text := os.Getenv(v); text != "" && v != "PEERS" { // a path says nothing to others
			command.WriteString(v + "=" + text + " ")
		}
	}
	command.WriteString("make " + target)
	return &results.Table{Name: name, Command: command.String(), Date: time.Now().UTC().Format(time.DateOnly), Machine: results.ThisMachine()}
}

// publish prints the table and, where OUT is set, saves it there.
func publish(tb testing.TB, t *results.Table) {
	tb.Helper()
	os.Stdout.WriteString("\n")
	t.Markdown(os.Stdout)
	if out := os.Getenv("OUT"); out != "" {
		require.NoError(tb, t.Save(out))
	}
}
