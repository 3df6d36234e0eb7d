package app

import (
	"errors"
	"log/slog"
	"math"
	"runtime"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// containerShare is how much of its container's memory the Go runtime may take. It counts neither the program's own
// pages nor what the kernel keeps for the process.
const containerShare = 0.9

// LimitMemory makes the garbage collector keep the whole process within its container's memory, and says so. GOMEMLIMIT
// in the environment comes before; AUTOMEMLIMIT there is another share, or off. It refuses a cache that can't fit, as
// config.Problems.
func LimitMemory(c *config.Config, log *slog.Logger) error {
	return limitMemory(memlimit.FromCgroup, c, log)
}

func limitMemory(container memlimit.Provider, c *config.Config, log *slog.Logger) error {
	limit, err := memlimit.Set(memlimit.WithRatio(containerShare), memlimit.WithProvider(container))
	if err != nil && !errors.Is(err, memlimit.ErrNoCgroup) && !errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		log.Warn("the container's memory limit can't be read; GOMEMLIMIT sets one", "error", err)
	}
	if all, err := container(); err == nil && all < uint64(limit) { // GOMEMLIMIT is larger than what there is
		limit = int64(all)
	}
	log.Info("memory", "limit", memory(limit), "gogc", garbagePercent(), "cache", c.Runtime.CacheMemory, "cpus", runtime.GOMAXPROCS(0))
	if c.KeepsStates() && int64(c.Runtime.CacheMemory) > limit {
		problem := config.Problem{Path: "runtime.cache_memory", Text: c.Runtime.CacheMemory.String() + " is more than the " + memory(limit) +
			" that the process may take altogether (GOMEMLIMIT, or nine tenths of its container's memory); a third of that is a good size"}
		return config.Problems{problem}
	}
	return nil
}

// memory writes an amount in MiB, as exact as anybody wants to know.
func memory(bytes int64) string {
	if bytes == math.MaxInt64 {
		return "none"
	}
	return config.Bytes(max(bytes>>20, 1) << 20).String()
}

// garbagePercent is GOGC: by how much the heap may grow before it is collected, unless the limit is near.
func garbagePercent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
