package e2e

import (
	"context"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

// TestWokenZombieChangesNothing freezes a process that is at work (SIGSTOP), in every second round in the middle of a
// transaction, lets another take its partitions over and wakes it up. It has to go on as an ordinary member.
func TestWokenZombieChangesNothing(t *testing.T) {
	runZombies(t, config.ProtocolConsumer, 2, 4)
}

func runZombies(t *testing.T, protocol config.Protocol, seed uint64, rounds int, opts ...servers.KafkaOption) {
	s := newSetup(t, protocol, seed, opts...)
	a, b := s.run(), s.run()
	s.share(a, b)
	rebuilt := func() float64 { return a.metric("mirror_rebuilds_total") + b.metric("mirror_rebuilds_total") }
	before := rebuilt() // each partition's at least once; again where the two met while it was being filled
	traffic := s.steady(seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	for round := range rounds {
		victim, other := a, b
		if rng.IntN(2) == 0 {
			victim, other = b, a
		}
		if round%2 == 0 {
			s.pauseInTransaction(victim, other, rng)
		} else {
			s.pauseAnywhere(victim, rng)
		}
		frozen := s.flush()
		s.eventually("the other has taken everything over", func() bool { return other.owns(processPartitions) })
		s.eventually("the other has done what was there", func() bool { return s.committed() >= frozen })
		require.NoError(t, victim.Continue())
		s.share(a, b)
		folded := victim.metric("records_total")
		s.eventually("the woken process works", func() bool { return victim.metric("records_total") > folded })
		t.Logf("round %d of %d: woken, and works again", round+1, rounds)
	}
	traffic.stop()
	s.flush()
	s.eventually("everything committed", s.caughtUp)
	// A zombie that got through to Redis would have made the owner fill the mirror anew.
	require.Equal(t, before, rebuilt())
	s.finish(a, b)
}

// pauseAnywhere freezes a process some records later.
func (s *setup) pauseAnywhere(p *process, rng *rand.Rand) {
	at := p.metric("records_total") + float64(rng.IntN(500))
	s.eventually("some records", func() bool { return p.metric("records_total") >= at })
	require.NoError(s.t, p.Pause())
}

// pauseInTransaction freezes a process in the middle of a transaction: it tries at random moments, until one
// transaction stays open although the other process has ended its own.
func (s *setup) pauseInTransaction(victim, other *process, rng *rand.Rand) {
	s.eventually("the process frozen in a transaction", func() bool {
		s.pauseAnywhere(victim, rng)
		open := s.transactions()
		ended := other.metric("checkpoints_total") + 2
		s.eventually("transactions of the other", func() bool { return other.metric("checkpoints_total") >= ended })
		for id, began := range s.transactions() {
			if open[id] == began {
				return true
			}
		}
		require.NoError(s.t, victim.Continue())
		return false
	})
}

// transactions returns when those that are open began, by id.
func (s *setup) transactions() map[string]int64 {
	open := map[string]int64{}
	ids, err := s.admin.ListTransactions(s.t.Context(), nil, []string{"Ongoing"})
	require.NoError(s.t, err)
	if len(ids) == 0 {
		return open
	}
	all, err := s.admin.DescribeTransactions(s.t.Context(), ids.TransactionalIDs()...)
	require.NoError(s.t, err)
	for id, d := range all {
		if d.Err == nil && d.State == "Ongoing" {
			open[id] = d.StartTimestamp
		}
	}
	return open
}

// traffic is input at a steady rate.
type traffic struct {
	cancel context.CancelFunc
	done   chan struct{}
}

const (
	steadyTick     = 10 * time.Millisecond
	steadyRecords  = 15 // a tick
	steadyAccounts = 2000
	steadyMost     = 1 << 19 // six minutes of it
)

// steady puts input at a steady rate.
func (s *setup) steady(seed uint64) *traffic {
	ctx, cancel := context.WithCancel(s.t.Context())
	tr := &traffic{cancel, make(chan struct{})}
	go func() {
		defer close(tr.done)
		next, stop := iter.Pull(inputs(seed, steadyMost, steadyAccounts))
		defer stop()
		tick := time.NewTicker(steadyTick)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for range steadyRecords {
				in, ok := next()
				if !ok {
					return
				}
				s.put(in)
			}
		}
	}()
	return tr
}

// stop ends the traffic; nothing is put after it.
func (tr *traffic) stop() {
	tr.cancel()
	<-tr.done
}
