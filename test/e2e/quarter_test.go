package e2e

import (
	"hash/fnv"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/oracle"
)

// TestAQuarterIsTheSameLiveAndAsABacklog has a quarter of whole lives go through all stages twice: as it comes, day by day, each
// when all of the day before has been processed, and all at once. The oracle follows what lies between the stages of each
// run, and agrees with it on every transition, row and state. The runs agree with one another on every account that
//   - is alone: what concerns it comes from its own partition of one source. Across partitions there is no order: an account may
//     read that another one has become part of it before or after its own events of that week, and so it is with events that find
//     it by their user, erasures of users, and nightly traits.
//
// What the runs can't agree on for want of time at the end is left out.
func TestAQuarterIsTheSameLiveAndAsABacklog(t *testing.T) {
	runQuarter(t, 500, 16_000, lifeTypes)
}

// TestAQuarterReadDirectlyIsTheSameLiveAndAsABacklog is that without ingest, where each record tells the time itself: the runs agree
// on every fact, whatever time did, and on its id.
func TestAQuarterReadDirectlyIsTheSameLiveAndAsABacklog(t *testing.T) {
	runDirectQuarter(t, 500, 25_000, 7*day)
}

const (
	quarterPartitions = 4
	quarterDays       = 90
	randomDays        = 30 // of simulate.Random
)

// aloneOf says whether an account of the quarter is alone: half of them are.
func aloneOf(account string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(account))
	return h.Sum32()%2 == 0
}

// quarterOf yields the quarter's events in the order in which they arrive: the random stream over three times its time.
func quarterOf(seed uint64, events, accounts int) iter.Seq[*usage.Event] {
	epoch := simulate.DefaultEpoch.UnixMilli()
	return mixed(seed, func(yield func(*usage.Event) bool) {
		for ev := range simulate.Random(seed, events, accounts) {
			behind := ev.ReceivedAt - ev.OccurredAt
			ev := *ev
			ev.ReceivedAt = epoch + (ev.ReceivedAt-epoch)*quarterDays/randomDays
			ev.OccurredAt = ev.ReceivedAt - behind
			if !yield(&ev) {
				return
			}
		}
	}, aloneOf)
}

// quarter reads what product and sales tell, keyed by account where there is one, and traits.
func quarter(t *testing.T, c *config.Config) {
	identity(t, c)
	c.Input.Sources = []config.Source{
		{Topic: "product", Format: config.Avro},
		{Topic: "traits", Format: config.JSON, Event: "account_traits", Fields: config.Fields{AccountID: "@key"}},
	}
	c.Runtime.CheckpointInterval = 20 * time.Millisecond
}

// putInOrder puts an event onto the partition of its account or user.
func (w *world) putInOrder(ev *usage.Event) {
	source, key := 0, ev.AccountID
	if key == "" {
		key = ev.UserID
	}
	if ev.Name == "account_traits" && !w.c.Direct() {
		source = 1
	}
	in := input{event: ev}
	r := &kgo.Record{
		Topic: w.c.Input.Sources[source].Topic, Key: []byte(key), Partition: kafka.Partition([]byte(key), w.partitions), Value: w.encoders[source](in),
	}
	w.client.Produce(w.t.Context(), r, func(r *kgo.Record, err error) { w.acknowledged(in, r, err) })
}

func runQuarter(t *testing.T, accounts, events int, facts []string) {
	all := slices.Collect(quarterOf(7, events, accounts))
	live := playQuarter(t, "live", quarter, all, day)
	backlog := playQuarter(t, "backlog", quarter, all, 2*quarterDays*day)
	n := map[string]int{}
	countLife(n, live.judge)
	countLife(n, backlog.judge)
	requireLife(t, n, facts)
	requireAgreement(t, live, backlog)
}

func runDirectQuarter(t *testing.T, accounts, events int, slice time.Duration) {
	var all []*usage.Event
	for ev := range quarterOf(8, events, accounts) {
		if ev.AccountID != "" && !isRequest(ev) {
			all = append(all, ev)
		}
	}
	live := playQuarter(t, "live", directQuarter, all, slice)
	backlog := playQuarter(t, "backlog", directQuarter, all, 2*quarterDays*day)
	n := map[string]int{}
	countLife(n, live.judge)
	requireLife(t, n, directLifeFacts)
	requireFacts(t, "as it came, and as a backlog", live.judge.Facts, backlog.judge.Facts)
}

// directLifeFacts are those of lifeFacts that need no ingest.
var directLifeFacts = []string{
	"signed_up", "active", "step_done", "step_undone", "qualified", "requalified", "escalated", "converted", "churned", "near_miss",
	"excluded", "included", "segment_changed", "sales_accepted", "sales_rejected", "meeting_booked", "sales_won", "sales_lost",
	"qualified tier_changed", "disqualified excluded", "disqualified step_undone", "disqualified inactive", "disqualified trial_ended",
	"by event", "by timer", "late",
}

// directQuarter reads one topic that is keyed by account.
func directQuarter(t *testing.T, c *config.Config) {
	direct(t, c)
	c.Checklist, c.Runtime.Replay = lifeFile, true
	c.Runtime.CheckpointInterval = 20 * time.Millisecond
}

// playQuarter publishes in slices of time, the next only when all of one is processed.
func playQuarter(t *testing.T, name string, set func(*testing.T, *config.Config), all []*usage.Event, slice time.Duration) (w *world) {
	t.Run(name, func(t *testing.T) {
		c := embeddedSettings(t, quarterPartitions)
		set(t, c)
		w = newWorld(t, c, 1, quarterPartitions)
		var m *member
		if name == "live" {
			m = w.join()
		}
		end := simulate.DefaultEpoch.Add(slice).UnixMilli()
		for _, ev := range all {
			for ; ev.ReceivedAt >= end; end += slice.Milliseconds() {
				w.flush()
				w.eventually("the day processed", w.caughtUp)
			}
			w.putInOrder(ev)
		}
		w.flush()
		if m == nil {
			m = w.join()
		}
		w.eventually("everything committed", w.caughtUp)
		w.awaitTimers()
		m.leave(t)
		w.verify()
	})
	return w
}

// requireAgreement compares two runs, account by account.
func requireAgreement(t *testing.T, one, other *world) {
	t.Helper()
	end := one.newest - time.Hour.Milliseconds()
	ours, theirs := byAccount(one.judge.Facts), byAccount(other.judge.Facts)
	states, others := one.judge.Accounts(0), other.judge.Accounts(0)
	n := map[string]int{}
	for id, facts := range ours {
		if !aloneOf(id) {
			continue
		}
		ids := states[id].Incarnation == others[id].Incarnation
		mine, its := comparable(facts, end, ids), comparable(theirs[id], end, ids)
		require.Equal(t, mine, its, "account %q", id)
		n["the same"]++
		if ids {
			n["the same with their ids"]++
		}
		for _, f := range mine {
			n["by "+f.Cause]++
		}
	}
	t.Logf("accounts that are alone: %v", n)
}

// comparable are facts up to an end, without their ids where those have to differ.
func comparable(facts []oracle.Fact, end int64, ids bool) (out []oracle.Fact) {
	for _, f := range facts {
		if f.OccurredAt > end && f.Cause == "timer" {
			continue
		}
		if !ids {
			f.ID = ""
		}
		out = append(out, f)
	}
	return out
}
