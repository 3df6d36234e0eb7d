package app

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func noLimit() (uint64, error)  { return 0, memlimit.ErrNoLimit }
func noCgroup() (uint64, error) { return 0, memlimit.ErrCgroupsNotSupported }
func broken() (uint64, error)   { return 0, errors.New("memory.max is a folder") }

func TestTheMemoryLimitFollowsTheContainer(t *testing.T) {
	for name, tt := range map[string]struct {
		container memlimit.Provider
		given     int64 // by the environment
		want      int64
		says      string
	}{
		"a limit":                  {memlimit.Limit(2 << 30), 0, 2 << 30 * 9 / 10, "limit=1843MiB"},
		"none":                     {noLimit, 0, math.MaxInt64, "limit=none"},
		"no container":             {noCgroup, 0, math.MaxInt64, "limit=none"},
		"an unreadable one":        {broken, 0, math.MaxInt64, "memory.max is a folder"},
		"GOMEMLIMIT":               {memlimit.Limit(2 << 30), 1 << 30, 1 << 30, "limit=1GiB"},
		"GOMEMLIMIT without limit": {noLimit, 1 << 30, 1 << 30, "limit=1GiB"},
		"GOMEMLIMIT beyond it":     {memlimit.Limit(2 << 30), 4 << 30, 4 << 30, "limit=2GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			was := debug.SetMemoryLimit(math.MaxInt64)
			t.Cleanup(func() { debug.SetMemoryLimit(was) })
			if tt.given > 0 {
				t.Setenv("GOMEMLIMIT", "given") // the runtime has read it before any test
				debug.SetMemoryLimit(tt.given)
			}
			var out bytes.Buffer
			require.NoError(t, limitMemory(tt.container, config.Default(), slog.New(slog.NewTextHandler(&out, nil))))
			assert.Equal(t, tt.want, debug.SetMemoryLimit(-1))
			assert.Contains(t, out.String(), tt.says)
			assert.Contains(t, out.String(), "cache=512MiB")
			assert.Contains(t, out.String(), "gogc=")
			assert.Equal(t, name == "an unreadable one", bytes.Contains(out.Bytes(), []byte("level=WARN")), out.String())
		})
	}
}

func TestACacheThatCannotFitIsRefused(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	c, log := config.Default(), slog.New(slog.DiscardHandler)
	err := limitMemory(memlimit.Limit(512<<20), c, log)
	require.EqualError(t, err, "runtime.cache_memory: 512MiB is more than the 460MiB that the process may take altogether "+
		"(GOMEMLIMIT, or nine tenths of its container's memory); a third of that is a good size")
	_, settings := errors.AsType[config.Problems](err)
	assert.True(t, settings, "it is one of the settings' problems")

	c.Runtime.CacheMemory = 150 << 20
	require.NoError(t, limitMemory(memlimit.Limit(512<<20), c, log))

	c.Runtime.CacheMemory = 512 << 20
	c.Stages = []config.Stage{config.Ingest}
	require.NoError(t, limitMemory(memlimit.Limit(512<<20), c, log), "ingest has no cache")

	t.Setenv("GOMEMLIMIT", "off")
	debug.SetMemoryLimit(math.MaxInt64)
	c.Stages = []config.Stage{config.Activation}
	require.ErrorContains(t, limitMemory(memlimit.Limit(256<<20), c, log), "the 256MiB", "the container ends it all the same")
}
