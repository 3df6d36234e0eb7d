package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of CPU times in /proc, the same on all Linux systems.
const ticksPerSecond = 100

// cpu is what a process has used so far, user and system, in seconds. 0 when it is gone.
func cpu(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	return seconds(fields[11:13])
}

// busy is what all cores have done so far, in seconds.
func busy() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(first)
	if len(fields) < 9 {
		return 0
	}
	return seconds(fields[1:4]) + seconds(fields[6:9]) // without idle and iowait
}

func seconds(fields [][]byte) (sum float64) {
	for _, f := range fields {
		n, _ := strconv.Atoi(string(f))
		sum += float64(n)
	}
	return sum / ticksPerSecond
}

// peakMB is the most memory that a process has had.
func peakMB(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kB := 0.0
	_, _ = fmt.Sscan(rest, &kB)
	return kB / 1024
}

// meter measures from its making on.
type meter struct {
	app, redis, broker int // processes
	at                 time.Time
	from               used
}

// used is CPU time in seconds.
type used struct{ app, redis, broker, other float64 }

func newMeter(app, redis, broker int) *meter {
	m := &meter{app: app, redis: redis, broker: broker, at: time.Now()}
	m.from = m.now()
	return m
}

func (m *meter) now() used {
	u := used{app: cpu(m.app), redis: cpu(m.redis), broker: cpu(m.broker)}
	u.other = busy() - u.app - u.redis - u.broker
	return u
}

// read returns what was used since the beginning, and how long that took.
func (m *meter) read() (used, time.Duration) {
	u := m.now()
	return used{u.app - m.from.app, u.redis - m.from.redis, u.broker - m.from.broker, max(u.other-m.from.other, 0)}, time.Since(m.at)
}
