package e2e

import (
	"errors"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

// faultPlan is a run of two processes that are killed at random moments, while Redis and the broker fail too.
type faultPlan struct {
	protocol         config.Protocol
	seed             uint64
	events, accounts int
	lives            bool                            // accounts and users are merged and erased, and time passes
	metrics          bool                            // are made of these lives, too
	kills            int                             // of each process
	restartBroker    func(*setup, ...*process) error // how the broker goes down and comes up again; nil: it does not
	kafka            []servers.KafkaOption
}

// TestNothingIsLostOrDoubledUnderKills is the proof of exactly once on real servers: 500,000 events on 8 partitions,
// two processes killed five times each, Redis flushed twice and once killed and restarted empty, the broker restarted.
func TestNothingIsLostOrDoubledUnderKills(t *testing.T) {
	runFaults(t, faultPlan{
		protocol: config.ProtocolConsumer, seed: 1, events: 500_000, accounts: 25_000, kills: 5,
		restartBroker: restartBetweenMarkers,
	})
}

// TestNoLifeIsLostOrDoubledUnderKills is the same of whole lives, through ingest and resolve: while accounts are merged, some
// both ways at once, and erased, busy ones directly before a kill, users are erased or looked for, and time ends what it ends.
// The broker stays up.
func TestNoLifeIsLostOrDoubledUnderKills(t *testing.T) {
	runFaults(t, faultPlan{protocol: config.ProtocolConsumer, seed: 5, events: 40_000, accounts: 1_500, kills: 2, lives: true})
}

// TestNoRowOfMetricsIsWrongUnderKills is the same with metrics: every row is what the facts make of it, and whoever reads them meanwhile
// sees rows that agree with one another.
func TestNoRowOfMetricsIsWrongUnderKills(t *testing.T) {
	runFaults(t, faultPlan{protocol: config.ProtocolConsumer, seed: 6, events: 20_000, accounts: 1_500, kills: 1, lives: true, metrics: true})
}

// fault is something that goes wrong once so many records have been committed.
type fault struct {
	name   string
	after  int
	strike func() error
}

func runFaults(t *testing.T, plan faultPlan) {
	s, all := (*setup)(nil), inputs
	switch {
	case plan.metrics:
		s, all = newSetupOf(t, measured, plan.protocol, plan.seed, plan.kafka...), payingInputs
	case plan.lives:
		s, all = newLifeSetup(t, plan.protocol, plan.seed, plan.kafka...), livesInputs
	default:
		s = newSetup(t, plan.protocol, plan.seed, plan.kafka...)
	}
	a, b := s.run(), s.run()
	s.share(a, b)
	var rows *reader
	if plan.metrics {
		rows = s.follow()
	}
	began := time.Now()
	rng := rand.New(rand.NewPCG(plan.seed, 5))
	faults := s.faults(plan, rng, a, b)
	before := int64(0) // event time at the fault before
	in := s.feed(all(plan.seed, plan.events, plan.accounts))
	for i, f := range faults {
		// The input stays ahead of what is committed, so that there is work when the fault strikes; not so far that
		// outputs wait for checkpoints.
		in.upTo(min(f.after+plan.events/20, plan.events))
		s.eventually("progress up to the next fault", func() bool { return s.committed() >= f.after && rows.reached(before) })
		before = s.reached()
		if rng.IntN(2) == 0 {
			s.awaitOutput()
		}
		t.Logf("%v: fault %d of %d after %d records: %s", time.Since(began).Round(time.Second), i+1, len(faults), s.committed(), f.name)
		require.NoError(t, f.strike(), f.name)
	}
	in.upTo(plan.events)
	in.end()
	t.Logf("%v: everything is put", time.Since(began).Round(time.Second))
	s.finish(a, b)
	if rows != nil {
		rows.require()
	}
	t.Logf("%v: verified", time.Since(began).Round(time.Second))
	if plan.lives {
		s.requireWholeLives(shortLifeFacts)
	} else {
		requireVariety(t, s.judge)
	}
}

// faults draws what goes wrong when: in random order, each in its own share of the input. The last tenth of the input is
// left for those that were killed last to do.
func (s *setup) faults(plan faultPlan, rng *rand.Rand, processes ...*process) (all []fault) {
	add := func(name string, strike func() error) { all = append(all, fault{name: name, strike: strike}) }
	for _, p := range processes {
		for n := range plan.kills {
			add("a process is killed", func() error {
				if n%2 == 0 { // at work, and not while it starts
					s.eventually("it has partitions", func() bool { return p.metric("partitions_owned") > 0 })
				}
				if plan.lives {
					s.eraseBefore(rng, plan.accounts)
				}
				if err := p.Kill(); err != nil {
					return err
				}
				return p.Restart()
			})
		}
	}
	add("Redis is flushed", s.redis.FlushAll)
	add("Redis is flushed", s.redis.FlushAll)
	add("Redis is killed and comes back empty", func() error {
		if err := s.redis.Kill(); err != nil {
			return err
		}
		return s.redis.Restart()
	})
	if plan.restartBroker != nil {
		add("the broker is restarted", func() error { return plan.restartBroker(s, processes...) })
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	share := plan.events * 9 / 10 / len(all)
	for i := range all {
		all[i].after = i*share + rng.IntN(share)
	}
	return all
}

// restartBetweenMarkers restarts the broker while transactions are open, but none is just being ended.
//
// Kafka 4.3 ends a transaction without its marker in partitions that have no leader at the moment (KAFKA-20734), which a
// broker that is alone leaves behind now and then when it is stopped, and then what is committed and what is not no
// longer agrees. So the processes are frozen until it is down.
func restartBetweenMarkers(s *setup, processes ...*process) error {
	for _, p := range processes {
		if err := p.Pause(); err != nil {
			return err
		}
	}
	looks := 0 // at nothing being ended, one after the other: a request may have been on its way
	s.eventually("no transaction that is being ended", func() bool {
		if looks++; s.ending() > 0 {
			looks = 0
		}
		return looks == 2
	})
	err := s.kafka.Stop()
	for _, p := range processes {
		err = errors.Join(err, p.Continue())
	}
	return errors.Join(err, s.kafka.Restart())
}

// ending returns how many transactions are committed or aborted in this moment.
func (s *setup) ending() int {
	all, err := s.admin.ListTransactions(s.t.Context(), nil, []string{"PrepareCommit", "PrepareAbort"})
	require.NoError(s.t, err)
	return len(all)
}

// feeder puts input as far as it is allowed to, beside the test.
type feeder struct {
	allowed int
	portion chan int
	done    chan struct{}
}

func (s *setup) feed(all iter.Seq[input]) *feeder {
	f := &feeder{portion: make(chan int, 100), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		next, stop := iter.Pull(all)
		defer stop()
		for n := range f.portion {
			for range n {
				if in, ok := next(); ok {
					s.put(in)
				}
			}
		}
	}()
	return f
}

// upTo allows so many records in all.
func (f *feeder) upTo(n int) {
	f.portion <- n - f.allowed
	f.allowed = n
}

// end waits until everything allowed was put.
func (f *feeder) end() {
	close(f.portion)
	<-f.done
}

// awaitOutput returns when a transaction has begun to write since the call, or there is nothing left to write.
func (s *setup) awaitOutput() {
	began := s.written()
	s.eventually("output", func() bool { return s.written() != began || s.caughtUp() })
}

// written returns how many records pql.lifecycle holds, committed or not.
func (s *setup) written() (n int64) {
	ends, err := s.admin.ListEndOffsets(s.t.Context(), s.c.TopicNames().Lifecycle)
	require.NoError(s.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}
