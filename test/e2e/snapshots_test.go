package e2e

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/test/oracle/rows"
)

// reader follows pql.metrics as others do, while it is being written, and looks at all that it sees between two transactions: the rows of
// one window and grouping have to agree with one another whenever anybody looks.
type reader struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	t      *testing.T

	partitions map[int32]*snapshot
	looks      int          // snapshots
	asOf       atomic.Int64 // how far time has come in the rows, ms
	failed     error
}

// snapshot is what a partition shows.
type snapshot struct {
	rows    map[window]map[string]map[string]rows.Row // by group, then by metric and detail
	before  map[window]int64                          // start of the window that ends where this one starts
	touched map[window]bool                           // since the last look
}

// window is one of a grouping.
type window struct {
	grouping, unit, zone string
	start                int64
}

// follow starts a reader. The topic has to be there.
func (w *world) follow() *reader {
	ctx, cancel := context.WithCancel(w.t.Context())
	r := &reader{cancel: cancel, t: w.t, partitions: map[int32]*snapshot{}}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.c.Kafka.Brokers...), kgo.ConsumeTopics(w.c.TopicNames().Metrics), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(20*time.Millisecond))
	require.NoError(w.t, err)
	r.done.Go(func() {
		defer client.Close()
		for ctx.Err() == nil && r.failed == nil {
			client.PollFetches(ctx).EachRecord(r.take)
		}
	})
	w.t.Cleanup(r.stop)
	return r
}

func (r *reader) stop() {
	r.cancel()
	r.done.Wait()
}

// reached says whether half a day is left at most from the time of the newest row to another. Nobody reads where there are no rows.
func (r *reader) reached(at int64) bool { return r == nil || r.asOf.Load() >= at-dayMs/2 }

// require says that each look was good, and that there were some.
func (r *reader) require() {
	r.t.Helper()
	r.stop()
	require.NoError(r.t, r.failed)
	require.Greater(r.t, r.looks, 10, "hardly anything was seen")
	r.t.Logf("a reader of pql.metrics has looked %d times", r.looks)
}

// take takes a record in. A control record ends a transaction: before it nothing of the next one has come.
func (r *reader) take(record *kgo.Record) {
	s := r.partitions[record.Partition]
	if s == nil {
		s = &snapshot{rows: map[window]map[string]map[string]rows.Row{}, before: map[window]int64{}, touched: map[window]bool{}}
		r.partitions[record.Partition] = s
	}
	if r.failed != nil {
		return
	}
	if !record.Attrs.IsControl() {
		asOf, err := s.put(record)
		r.asOf.Store(max(r.asOf.Load(), asOf))
		r.fail(err)
		return
	}
	r.looks++
	for w := range s.touched {
		if wrong := s.look(w); len(wrong) > 0 {
			r.fail(fmt.Errorf("at %d-%d: %+v: %s", record.Partition, record.Offset, w, strings.Join(wrong, "; ")))
			return
		}
	}
	clear(s.touched)
}

// fail ends the reading. Nobody has to wait for it any more: require tells.
func (r *reader) fail(err error) {
	if err != nil {
		r.failed = err
		r.asOf.Store(math.MaxInt64)
	}
}

func (s *snapshot) put(record *kgo.Record) (asOf int64, err error) {
	row, err := codec.DecodeRow(record.Value)
	if err != nil {
		return 0, err
	}
	w := window{row.Grouping, row.Unit, row.Zone, row.WindowStart}
	if s.rows[w] == nil {
		s.rows[w] = map[string]map[string]rows.Row{}
	}
	if s.rows[w][row.Group] == nil {
		s.rows[w][row.Group] = map[string]rows.Row{}
	}
	s.rows[w][row.Group][row.Metric+" "+row.Detail] = numbersOf(&row)
	s.before[window{row.Grouping, row.Unit, row.Zone, row.WindowEnd}] = row.WindowStart
	s.touched[w] = true
	return row.AsOf, nil
}

// look says what is wrong with the rows of a window.
func (s *snapshot) look(w window) (wrong []string) {
	moved := 0.0
	for group, all := range s.rows[w] {
		is := func(what string, a, b float64) {
			if a != b {
				wrong = append(wrong, fmt.Sprintf("%q: %s: %v and %v", group, what, a, b))
			}
		}
		pqls, first := all["pqls "], all["time_to_pql "]
		is("current", pqls["current_start"]+pqls["inflow"]-pqls["outflow"], pqls["current_end"])
		is("first, and those with a time", pqls["in_qualified"], first["count"]+first["signup_unknown"])
		moved += pqls["in_segment_changed"] - pqls["out_segment_changed"]
		s.chain(w, group, is)
		period := all["pql_rate_period "]
		is("first, and by period", first["count"], period["numerator"])
		tenths := 0.0
		for name, r := range all {
			switch metric, _, _ := strings.Cut(name, " "); metric {
			case "activation_rate":
				tenths += r["numerator"]
				fallthrough
			case "pql_rate", "funnel":
				is("signed up, and of "+name, period["denominator"], r["denominator"])
			case "pql_to_paid":
				is("qualified, and of "+name, all["precision "]["denominator"], r["denominator"])
			}
		}
		is("signed up, and all tenths", period["denominator"], tenths)
	}
	if moved != 0 {
		wrong = append(wrong, fmt.Sprintf("%v more came to a group than left one", moved))
	}
	return wrong
}

// chain holds a window's PQLs against those of the windows around it.
func (s *snapshot) chain(w window, group string, is func(string, float64, float64)) {
	now, there := s.rows[w][group]["pqls "]
	if !there {
		return
	}
	next := w
	next.start = int64(now["window_end"])
	if r, there := s.rows[next][group]["pqls "]; there {
		is("current at the end, and as the next begins", now["current_end"], r["current_start"])
	}
	last := w
	if start, known := s.before[w]; known {
		last.start = start
		if r, there := s.rows[last][group]["pqls "]; there {
			is("current at the start, and as the one before ended", now["current_start"], r["current_end"])
		}
	}
}
