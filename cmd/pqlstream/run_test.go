package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/schemas"
)

// asProgram makes the test's own executable behave as pqlstream, so that signals can be sent to it.
const asProgram = "TEST_AS_PQLSTREAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(untilSignalled())
	}
	os.Exit(m.Run())
}

// runFlags are those of a process on embedded servers, with events on the topic usage.
func runFlags(t *testing.T) []string {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "5", "--days", "10")
	require.NoError(t, err)
	return flagsFor(t, servers.Brokers(), servers.RedisAddr())
}

func flagsFor(t *testing.T, brokers []string, redis string) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, schemas.Export(dir))
	flags := []string{"--config", example}
	for _, s := range []string{
		"kafka.brokers=" + strings.Join(brokers, ","), "kafka.create_topics=true", "redis.addresses=" + redis, "redis.buckets=16",
		"registry.url=", "registry.directory=" + dir, "checklist=../../config/checklists/demo.yaml", "http.address=127.0.0.1:0", "api.address=127.0.0.1:0",
	} {
		flags = append(flags, "--set", s)
	}
	return flags
}

// start starts pqlstream as a process of its own and waits until it is ready.
func start(t *testing.T, flags []string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"run", "--print-ready"}, flags...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "it ended before it was ready")
	require.Equal(t, "READY", lines.Text())
	return cmd
}

// No server is needed to tell.
func TestRunRefusesACacheThatCannotFit(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"run"}, flagsFor(t, []string{"localhost:1"}, "localhost:1")...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "GOMEMLIMIT=300MiB")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, exitRefused, cmd.ProcessState.ExitCode())
	assert.Contains(t, string(out), "runtime.cache_memory: 512MiB is more than the 300MiB that the process may take")
}

func TestRunStopsAtASignalWithoutError(t *testing.T) {
	flags := runFlags(t)
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := start(t, flags)
		require.NoError(t, cmd.Process.Signal(s))
		assert.NoError(t, cmd.Wait(), s)
	}
}

func TestRunRefusesWhatWaitingDoesNotHelp(t *testing.T) {
	r := pqlstream(t, append([]string{"run"}, append(runFlags(t), "--set", "kafka.create_topics=false")...)...)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "run `pqlstream topics create`")

	r = pqlstream(t, "run", "--config", example, "--set", "log.level=loud")
	assert.Equal(t, exitRefused, r.code)
}

// While Kafka stands still a stop has to wait for the commits under way; a second signal doesn't.
func TestRunEndsAtOnceAtASecondSignal(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "usage"))
	require.NoError(t, err)
	defer cluster.Close()
	store := miniredis.RunT(t)
	cmd := start(t, flagsFor(t, cluster.ListenAddrs(), store.Addr()))

	standing := make(chan struct{})
	defer close(standing)
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) { <-standing; return nil, nil, false })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var end error
	require.Eventually(t, func() bool {
		_ = cmd.Process.Signal(syscall.SIGTERM) // as often as it takes: two at a time count as one
		select {
		case end = <-ended:
			return true
		default:
			return false
		}
	}, time.Minute, 20*time.Millisecond)
	var exit *exec.ExitError
	require.ErrorAs(t, end, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	assert.True(t, status.Signaled(), end)
	assert.Equal(t, syscall.SIGTERM, status.Signal())
}
