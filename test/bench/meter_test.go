package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/test/bench/results"
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
	own, store []int // processes of a peer, and of its store
	broker     int
	at         time.Time
	from       used
}

// used is CPU time in seconds.
type used struct{ own, store, broker, other float64 }

func newMeter(own, store []int, broker int) *meter {
	m := &meter{own: own, store: store, broker: broker, at: time.Now()}
	m.from = m.now()
	return m
}

func (m *meter) now() used {
	u := used{own: sum(cpu, m.own), store: sum(cpu, m.store), broker: cpu(m.broker)}
	u.other = busy() - u.own - u.store - u.broker
	return u
}

func sum(of func(pid int) float64, pids []int) (total float64) {
	for _, pid := range pids {
		total += of(pid)
	}
	return total
}

// cost is what a peer took to do something.
type cost struct {
	used
	wall            time.Duration
	peakMB, storeMB float64 // since its start
}

// read returns what was used since the beginning.
func (m *meter) read() cost {
	u := m.now()
	return cost{
		used: used{u.own - m.from.own, u.store - m.from.store, u.broker - m.from.broker, max(u.other-m.from.other, 0)},
		wall: time.Since(m.at), peakMB: sum(peakMB, m.own), storeMB: sum(peakMB, m.store),
	}
}

// figures are those that most tables have, in the order of costColumns. n is how many of what a table counts.
func (c *cost) figures(n float64) []float64 {
	return []float64{(c.own + c.store) / n * 1e6, c.own / n * 1e6, c.store / n * 1e6, c.broker / n * 1e6, c.other / c.wall.Seconds(), c.peakMB, c.storeMB}
}

// costColumns are the columns of cost.figures, for each thing of a kind.
func costColumns(of string) []results.Column {
	return []results.Column{
		{Key: results.CPU, Name: "CPU µs/" + of + ", with store", Decimals: 2, Spread: true},
		{Key: "own_us", Name: "process's", Decimals: 2},
		{Key: "store_us", Name: "store's", Decimals: 2},
		{Key: results.BrokerUs, Name: "broker's", Decimals: 2},
		{Key: "other", Name: "other load, cores", Decimals: 2},
		{Key: results.PeakMB, Name: "peak MB"},
		{Key: results.StoreMB, Name: "store MB"},
	}
}
