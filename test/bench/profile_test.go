package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/bench/job"
)

// BenchmarkProfile has the program work off a backlog and writes a CPU profile of its first seconds to OUT/cpu.pprof.
func BenchmarkProfile(b *testing.B) {
	events, accounts, seconds := env(b, "EVENTS", 8_000_000), env(b, "ACCOUNTS", 400_000), env(b, "PROFILE_SECONDS", 8)
	out := os.Getenv("OUT")
	require.NotEmpty(b, out, "OUT has to name the folder that the profile goes to")
	require.NoError(b, os.MkdirAll(out, 0o755))
	s := newSetup(b)
	s.createTopic(input)
	want, _ := s.backlog(input, job.Stream(uint64(env(b, "SEED", 1)), events, accounts))
	s.awaitQuiet()
	a := s.startApp(appOptions{prefix: "profile", profiling: true})
	var profiling sync.WaitGroup
	var failed error
	profiling.Go(func() {
		failed = download(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", a.addresses[0], seconds), filepath.Join(out, "cpu.pprof"))
	})
	m := a.meter()
	a.await("it to be done", poll, func() bool { return a.finished(int64(events)) })
	used := m.read()
	profiling.Wait()
	require.NoError(b, failed)
	a.stop()
	a.requirePQLs(want)
	fmt.Printf("%s events/s, %.2f µs of CPU an event while being profiled\n", count(int(float64(events)/used.wall.Seconds())), used.own/float64(events)*1e6)
}

func download(url, file string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return os.WriteFile(file, b, 0o644)
}
