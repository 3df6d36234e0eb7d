package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// clause is what a meaning begins with, up to where it goes into detail.
var clause = regexp.MustCompile(`^[^,.;:|]+`)

// What the page on erasing says of exit codes begins as what they mean everywhere.
func TestTheExitCodesOfErasingAreOurs(t *testing.T) {
	page, err := os.ReadFile("../../docs/identity.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "\n## What the command does\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (\d) \| (.+) \|$`).FindAllStringSubmatch(text, -1)
	require.Len(t, rows, len(exitMeanings))
	for want, row := range rows {
		code, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		assert.Equal(t, want, code)
		assert.True(t, strings.HasPrefix(row[2], clause.FindString(exitMeanings[code])), "%s: %s", row[0], exitMeanings[code])
	}
}

// Whoever runs pqlstream tries again, or does not, by the code.
func TestExitCodesOfFailures(t *testing.T) {
	op := func(op string) error {
		return fmt.Errorf("doing: %w", &net.OpError{Op: op, Net: "tcp", Err: errors.New("it went wrong")})
	}
	for _, test := range []struct {
		err  error
		code int
	}{
		{op("dial"), exitUnreached}, {op("read"), exitUnreached}, {op("write"), exitUnreached}, {context.DeadlineExceeded, exitUnreached},
		{op("listen"), exitFailed}, {op("accept"), exitFailed}, {errors.New("anything"), exitFailed},
		{fmt.Errorf("starting: %w", &config.Unreadable{Err: os.ErrNotExist}), exitRefused},
	} {
		assert.Equal(t, test.code, exitCode(test.err), test.err)
	}
}

// No server is needed to tell that a file is not there or is not what it has to be.
func TestFilesThatCanNotBeReadAreRefused(t *testing.T) {
	flags := flagsFor(t, []string{"localhost:1"}, "localhost:1")
	with := func(settings ...string) (args []string) {
		args = slices.Clone(flags)
		for _, s := range settings {
			args = append(args, "--set", s)
		}
		return args
	}
	for _, command := range [][]string{{"run"}, {"pqls", "list"}, {"explain", "acct-1"}, {"doctor"}, {"config", "check"}} {
		for says, settings := range map[string][]string{
			"none.yaml": {"--config", "none.yaml"}, "reading the settings in": {"--config", write(t, "kafka: [\n")},
			"none.pem": with("kafka.tls.enabled=true", "kafka.tls.ca_file=none.pem"),
		} {
			r := pqlstream(t, append(command, settings...)...)
			assert.Equal(t, exitRefused, r.code, "%v %s: %s", command, says, r.stderr)
			assert.Contains(t, r.stderr, says, command)
		}
		if command[0] != "doctor" { // it looks at all else, too
			r := pqlstream(t, append(command, with("checklist=missing.yaml")...)...)
			assert.Equal(t, exitRefused, r.code, "%v: %s", command, r.stderr)
			assert.Contains(t, r.stderr, "missing.yaml", command)
		}
	}
	t.Setenv("PQLSTREAM_NONSENSE", "x")
	t.Setenv("PQLSTREAM_KAFKA_BROKER", "a:1")
	r := pqlstream(t, append([]string{"run"}, flags...)...)
	assert.Equal(t, exitRefused, r.code, r.stderr)
	assert.Contains(t, r.stderr, "PQLSTREAM_NONSENSE: the variable of the environment is no setting")
	assert.Contains(t, r.stderr, "did you mean PQLSTREAM_KAFKA_BROKERS?")
}

// A port in use is not a Kafka that may come back.
func TestAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	r := pqlstream(t, append(append([]string{"run"}, runFlags(t)...), "--set", "http.address="+taken.Addr().String())...)
	assert.Equal(t, exitFailed, r.code, r.stderr)
	assert.Contains(t, r.stderr, "address already in use")
}
