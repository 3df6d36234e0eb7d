package bench

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/test/bench/results"
	"github.com/pqlstream/pqlstream/test/servers"
)

// peer is one implementation of the job at work. What it makes on the broker begins with its name.
type peer struct {
	s         *setup
	name      string
	processes []*servers.Process
	store     *servers.Redis                         // of its own; nil when it has none
	output    string                                 // topic; empty when it has none
	event     func(*kgo.Record) (id string, ok bool) // that qualified an account, from a record of the output
	finished  func(events int64) bool                // whether it is done with so many events
	marks     int64                                  // of a transaction over all partitions that its group commits as if they were records
	every     time.Duration                          // to ask whether it is finished; 0: poll
	exit      int                                    // its code when it is stopped
}

// command is a program that may use so many cores.
func command(cores int, program string, args ...string) []string {
	return append([]string{"env", fmt.Sprintf("GOMAXPROCS=%d", cores), program}, args...)
}

// run starts a process of the peer.
func (p *peer) run(command ...string) *servers.Process {
	p.s.tb.Helper()
	process := servers.StartProcess(p.s.tb, command[0], command[1:]...)
	p.processes = append(p.processes, process)
	return process
}

func (p *peer) ready() bool {
	for _, process := range p.processes {
		if !strings.Contains(process.Output(), "READY\n") {
			return false
		}
	}
	return true
}

// await waits for a condition, but not for a program that has ended.
func (p *peer) await(what string, every time.Duration, condition func() bool) {
	p.s.tb.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	giveUp := time.Now().Add(patience)
	for !condition() {
		<-tick.C
		for _, process := range p.processes {
			select {
			case <-process.Done():
				if !condition() {
					p.s.tb.Fatalf("%s: waiting for %s: it ended:\n%s", p.name, what, process.Output())
				}
			default:
			}
		}
		if time.Now().After(giveUp) {
			p.s.tb.Fatalf("%s: waiting for %s: not within %v:\n%s", p.name, what, patience, p.processes[0].Output())
		}
	}
}

// committed is how many records of the input the group has committed.
func (p *peer) committed(group string) (n int64) {
	offsets, err := p.s.admin.FetchOffsets(p.s.tb.Context(), group)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

func (p *peer) meter() *meter {
	var own, store []int
	for _, process := range p.processes {
		own = append(own, process.PID())
	}
	if p.store != nil {
		store = append(store, p.store.PID())
	}
	return newMeter(own, store, p.s.kafka.PID())
}

// stop ends the peer in order.
func (p *peer) stop() {
	p.s.tb.Helper()
	for _, process := range p.processes {
		require.NoError(p.s.tb, process.Stop())
		require.Equal(p.s.tb, p.exit, process.ExitCode(), "%s", lazy(process.Output))
	}
}

// written is how many bytes an event the logs of the peer's topics take, and those of its output alone.
func (p *peer) written(events float64) []float64 {
	p.s.tb.Helper()
	all := p.s.logBytes(func(topic string) bool { return strings.HasPrefix(topic, p.name) || topic == p.output })
	output := p.s.logBytes(func(topic string) bool { return topic == p.output })
	return []float64{float64(all) / events, float64(output) / events}
}

// writtenColumns are those of written.
var writtenColumns = []results.Column{
	{Key: results.Written, Name: "bytes/event written to Kafka", Decimals: 1},
	{Key: results.Outputs, Name: "of that, PQLs", Decimals: 1},
}

// remove deletes what the peer, which has stopped, has made.
func (p *peer) remove() {
	p.s.tb.Helper()
	p.s.deleteTopics(p.name)
	if p.output != "" {
		p.s.deleteTopics(p.output)
	}
	if p.store != nil {
		require.NoError(p.s.tb, p.store.Stop())
	}
}

// requirePQLs compares what was published with what is right: each once.
func (p *peer) requirePQLs(want map[string]bool) {
	p.s.tb.Helper()
	got := map[string]bool{}
	p.s.read(p.output, func(r *kgo.Record) {
		if id, ok := p.event(r); ok {
			require.False(p.s.tb, got[id], "%s: twice: %s", p.name, id)
			got[id] = true
		}
	})
	require.Equal(p.s.tb, len(want), len(got), "%s: PQLs", p.name)
	require.Equal(p.s.tb, want, got, "%s: PQLs", p.name)
}

// lazy is a text that is made when it is printed.
type lazy func() string

func (l lazy) String() string { return l() }
