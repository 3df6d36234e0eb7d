package stream

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The timers in the mirror are of the definition that it was written under: under another one it is built anew, and not again.
func TestANewDefinitionSetsTheTimersAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	under := func(definition string) *process {
		o := w.options()
		o.Definition = definition
		p := w.start(o)
		p.awaitOwned(1)
		return p
	}
	p := under("one")
	w.send(0, "a=1,timer")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	for _, c := range []struct {
		definition string
		rebuilds   uint64
	}{{"one", 0}, {"two", 1}, {"two", 0}} {
		p = under(c.definition)
		assert.EqualValues(t, c.rebuilds, p.stats.Rebuilds.Load(), c.definition)
		require.NoError(t, p.stop())
	}
	w.takenOver()
}

// Where a definition is pinned another one is refused before anything is committed under it: set back, all goes on.
func TestAnotherDefinitionThanThePinnedOneLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	under := func(definition string) Options {
		o := w.options()
		o.Definition, o.Pinned = definition, "set it back"
		return o
	}
	p := w.start(under("one"))
	w.send(0, "a=1", "a=2")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	end := func() int64 {
		ends, err := w.adm.ListEndOffsets(t.Context(), "log")
		require.NoError(t, err)
		o, _ := ends.Lookup("log", 0)
		return o.Offset
	}
	before := end()
	w.send(0, "b=1", "a=3")
	w.refused(under("two"), "log-0", "was one, and is two", "set it back")
	require.Equal(t, before, end(), "nothing was written")
	p = w.start(under("one"))
	w.awaitCommitted()
	require.NoError(t, p.stop())
}

// Processes with different pinned definitions may each have a share of the partitions before anything is begun. The owner of partition 0 decides; the
// other partitions wait for it, and those who have another definition are refused.
func TestPartitionsBeginUnderOnePinnedDefinition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	o := w.options()
	o.Definition, o.Pinned = "one", "set it back"
	p := w.start(o)
	p.awaitOwned(2)
	owner := (*p.assignment.Load())[topicPartition{"in", 1}]
	begin := func(ctx context.Context, definition string, input topicInfo) error {
		o := p.o
		o.Definition = definition
		x := &task{r: &Runtime{o: o, plain: p.plain}, partition: 1, input: input, changelog: owner.changelog, log: owner.log, identity: owner.identity}
		m, err := memberOf(p.group)
		require.NoError(t, err)
		return x.beginAlike(ctx, m)
	}
	require.NoError(t, begin(t.Context(), "one", owner.input))
	requireRefusal(t, begin(t.Context(), "two", owner.input), "the state in log-0", "was one, and is two", "set it back")
	ctx, cancel := context.WithTimeout(t.Context(), 3*retryPause)
	defer cancel()
	require.ErrorIs(t, begin(ctx, "two", topicInfo{name: "log", id: owner.changelog.id}), context.DeadlineExceeded, "nobody has begun")
	require.NoError(t, p.stop())
}

func TestAWrongClockIsNotBelieved(t *testing.T) {
	r := &Runtime{o: Options{Logger: slog.New(slog.DiscardHandler)}}
	began := time.Unix(1_000_000, 0)
	ended := began.Add(time.Second)
	for broker, wrong := range map[time.Time]bool{
		began: false, ended: false, began.Add(-time.Minute): false, ended.Add(time.Minute): false,
		began.Add(-2 * time.Minute): true, ended.Add(2 * time.Minute): true,
	} {
		r.compareClocks(began, ended, broker)
		assert.Equal(t, wrong, r.clockWrong.Load(), broker)
	}
	x := &task{r: r, wake: make(chan struct{}, 1)}
	r.clockWrong.Store(true)
	x.idleAt(caughtUp{5, 7})
	assert.Zero(t, x.idle, "time does not pass by it")
}

// What wakes a task while it passes time is seen: sets that came meanwhile would lie there otherwise.
func TestSetsThatComeWhileTimePassesAreSeen(t *testing.T) {
	proc := &counter{every: 3}
	r := &Runtime{o: Options{CacheStates: 1 << 20, CacheBytes: 1 << 30}, hurry: make(chan struct{}, 1)}
	x := &task{r: r, dueAtOnce: 1, proc: proc, wake: make(chan struct{}, 1), phase: running, table: newTable(proc, "in", 0, checkpoint{next: 5})}
	x.idle = caughtUp{offset: 5, at: 1}
	e := x.table.put("a")
	e.state = &count{due: 1}
	x.table.measure(e)
	came := recordSet{next: 9, records: 1}
	x.table.timed = firing{counter: proc, meanwhile: func() {
		x.queue = append(x.queue, came)
	}}
	x.idle.at = 1000
	set, err := x.next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, came.next, set.next)
}

// firing does something while a timer fires.
type firing struct {
	*counter
	meanwhile func()
}

func (f firing) Fire(t *Turn, due int64) error {
	f.meanwhile()
	return f.counter.Fire(t, due)
}
