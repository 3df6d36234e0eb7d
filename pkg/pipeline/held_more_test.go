package pipeline

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// as brings what a user did at an hour, when the partition was read at another.
func (w *waiting) as(user, name string, lane int32, at, until int64) {
	w.t.Helper()
	r := recordOf(w.t, w.offset, usage.Event{ID: fmt.Sprint(name, w.offset), AccountID: "acme", UserID: user, Name: name, OccurredAt: hours(at)})
	w.bring(r, lane, until)
}

// request brings a control that was asked for at an hour, when the partition was read at another.
func (w *waiting) request(c *Control, lane int32, at, until int64) {
	w.t.Helper()
	c.At = hours(at)
	w.bring(&kgo.Record{Value: c.encode(), Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(c.Kind)}}}, lane, until)
}

func (w *waiting) encoded() string {
	w.t.Helper()
	b, err := w.state.AppendBinary(nil)
	require.NoError(w.t, err)
	return string(b)
}

// under has other rules apply from here on.
func (w *waiting) under(rules string) {
	w.t.Helper()
	encoded := w.encoded()
	s := stageOf(w.t, rules)
	s.Usage, s.Now, s.DeadLetters = w.stage.Usage, w.stage.Now, w.stage.DeadLetters
	w.stage, w.proc = s, s.Processor("usage", 2).(stream.TimerProcessor)
	loaded, err := w.proc.LoadState("acme", []byte(encoded))
	require.NoError(w.t, err)
	w.state = loaded.(*account.State)
}

// carried is what is known of an account in which a user has done something, as a merge carries it.
func (w *waiting) carried(ev usage.Event) []byte {
	w.t.Helper()
	s := w.proc.NewState(ev.AccountID, 0).(*account.State)
	changed, _ := w.stage.Engine.Folder().Apply(s, &ev, account.Position{Topic: "in"}, 1)
	require.True(w.t, changed)
	b, err := s.AppendBinary(nil)
	require.NoError(w.t, err)
	return b
}

// What is taken in before a request that can't be answered stands, and the request is a dead letter with it: the runtime would drop
// the facts of a fold that rejects.
func TestARejectTakesNothingBackThatHasWaited(t *testing.T) {
	for name, absorb := range map[string]struct {
		state string
		lane  int32
	}{"of no source": {"rubbish", -1}, "too large to be held": {strings.Repeat("rubbish", 80_000), 0}} {
		w := newWaiting(t)
		w.pql()
		w.event(0, 100, "three")
		w.request(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", State: []byte(absorb.state)}, absorb.lane, 100, 100)
		assert.Equal(t, []string{"step_done"}, w.hears(), name)
		assert.Len(t, w.letters, 1, name)
	}
}

func TestAnErasureOvertakesNothing(t *testing.T) {
	bob := usage.Event{ID: "x", AccountID: "part", UserID: "bob", Name: "four", OccurredAt: hours(1)}
	via := []string{"part"}
	for name, play := range map[string]func(*waiting){
		"of a partition that is behind": func(w *waiting) {
			w.as("bob", "three", 0, 100, 100)
			w.request(&Control{Kind: ControlEraseUser, Account: "acme", User: "bob"}, 1, 101, 99)
		},
		"before which nothing is due": func(w *waiting) {
			w.as("bob", "three", 0, 74, 76)
			w.request(&Control{Kind: ControlEraseUser, Account: "acme", User: "bob"}, 1, 75, 74)
		},
		"of a user, along an alias": func(w *waiting) {
			w.request(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", Visited: via, State: w.carried(bob)}, 0, 100, 100)
			w.request(&Control{Kind: ControlEraseUser, Account: "acme", User: "bob", Visited: via}, 1, 101, 99)
		},
		"of all, along an alias": func(w *waiting) {
			w.request(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", Visited: via, State: w.carried(bob)}, 0, 100, 100)
			w.request(&Control{Kind: ControlEraseAccount, Account: "acme", Visited: via}, 1, 50, 49)
		},
	} {
		w := newWaiting(t)
		w.pql()
		play(w)
		w.tell(120)
		assert.False(t, w.state.Holds(), name)
		assert.NotContains(t, w.encoded(), "bob", name)
	}
}

// A producer's retry, in another partition, is told apart by its id where what was known of the alias is there before it.
func TestWhatAnAliasSendsKeepsItsOrder(t *testing.T) {
	w := newWaiting(t)
	w.under(strings.NewReplacer("inactivity: {days: 0}", "inactivity: {days: 3}", "event: four}]", "event: four}, {id: often, kind: count, event: c, at_least: 2}]").Replace(rules))
	w.tell(0)
	for i, name := range []string{"one", "two", "three"} {
		w.event(0, int64(1+i), name)
	}
	w.hears()
	ev := usage.Event{ID: "x", AccountID: "part", UserID: "bob", Name: "c", OccurredAt: hours(50)}
	w.request(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", Visited: []string{"part"}, State: w.carried(ev)}, 0, 100, 100)
	again := recordOf(t, w.offset, ev)
	again.Key = nil
	again.Headers = []kgo.RecordHeader{{Key: headerControl, Value: []byte(controlEvent)}, {Key: headerAlong, Value: []byte(`{"account":"acme","visited":["part"]}`)}}
	w.bring(again, 1, 50)
	w.tell(130)
	assert.Equal(t, []string{"disqualified inactive", "absorbed"}, w.hears()[:2])
	assert.NotContains(t, w.said, "step_done")
}

// `pqlstream erase user` asks the accounts that know the user.
func TestAUserIsKnownInWhatIsHeld(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.as(`bob "b"`, "three", 0, 100, 100)
	knows := func(user string) bool { return w.stage.Engine.Folder().Knows(w.state, user) }
	assert.True(t, knows(`bob "b"`))
	assert.False(t, knows("cleo"))
}

// Another definition asks more of a live step, while something is held: what follows happens now.
func TestANewDefinitionFindsWhatIsHeld(t *testing.T) {
	const live = "version: 1\nname: x\ninactivity: {days: 3}\ntiers: [{name: all, threshold: 0.5}]\nsteps:\n  - {id: habit, kind: count, event: a, within: 7d, at_least: %d, live: true}\n"
	w := newWaiting(t)
	w.under(fmt.Sprintf(live, 3))
	w.tell(3)
	for i := range int64(3) {
		w.event(0, 1+i, "a")
	}
	w.event(0, 100, "a")
	require.Equal(t, []string{"active", "step_done", "qualified"}, w.hears())
	require.True(t, w.state.Holds())
	w.under(fmt.Sprintf(live, 5))
	turn := &stream.Turn{Topic: "usage", Partition: 2, Offset: w.offset, State: w.state, Watermark: w.time}
	require.NoError(t, w.proc.Fire(turn, w.state.NextTimer()))
	_, outputs := turn.Result()
	facts := 0
	for _, o := range outputs {
		if o.Topic == "lifecycle" {
			f := fact(t, o)
			facts++
			assert.GreaterOrEqual(t, f.OccurredAt, hours(3), "%s %s of %v", f.Type, f.Reason, time.UnixMilli(f.OccurredAt).UTC())
		}
	}
	assert.Positive(t, facts)
}

// Another definition knows no time: what has waited for it is taken in though nothing comes.
func TestWhatWaitsForNothingAnyMoreIsTakenIn(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.event(0, 100, "three")
	w.under(rules)
	require.NotZero(t, w.state.NextTimer())
	w.fire()
	assert.Equal(t, []string{"step_done"}, w.hears())
	assert.False(t, w.state.Holds())
	assert.Zero(t, w.state.NextTimer())
}

// A record with a key is an event whatever its headers say, also when it has waited.
func TestKeyedRecordsAreEvents(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	r := recordOf(t, w.offset, usage.Event{ID: "k", AccountID: "acme", UserID: "ana", Name: "three", OccurredAt: hours(100)})
	r.Headers = []kgo.RecordHeader{{Key: headerControl, Value: []byte(ControlMerge)}}
	w.bring(r, 0, 100)
	w.tell(80)
	assert.Empty(t, w.letters)
	assert.Contains(t, w.hears(), "step_done")
}

// What is decided must not depend on when time passes: at each mark, or only before the account's next record.
func TestChunksDecideNothing(t *testing.T) {
	const rules = `
version: 1
name: x
inactivity: {days: 3}
converted: {event: paid}
churned: {event: left}
tiers: [{name: all, threshold: 0.5, escalate_at: 0.9}]
steps:
  - {id: one, kind: event, event: one}
  - {id: habit, kind: count, event: two, within: 2d, at_least: 2, live: true}
  - {id: days, kind: days, event: three, within: 4d, at_least: 2, live: true}
  - {id: four, kind: event, event: four}
`
	names := []string{"one", "two", "three", "four", "two", "three", "paid", "left"}
	held := 0
	for seed := range uint64(30) {
		run := func(lazy uint64) []string {
			rnd, chunk := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, lazy))
			w := newWaiting(t)
			w.under(rules)
			var lanes [3]int64
			for range 60 {
				lane := rnd.IntN(3)
				lanes[lane] += rnd.Int64N(30) + 1
				at := max(lanes[lane]-rnd.Int64N(20)+rnd.Int64N(10), 0)
				w.as("ana", names[rnd.IntN(len(names))], int32(lane), at, lanes[lane])
				if w.state.Holds() {
					held++
				}
				for range rnd.IntN(3) {
					if told := min(lanes[0], lanes[1], lanes[2]); told > 0 {
						w.time = max(w.time, hours(told-rnd.Int64N(2)))
					}
					if chunk.IntN(2) == 0 {
						w.fire()
					}
				}
			}
			w.tell(5000)
			assert.False(t, w.state.Holds())
			return w.said
		}
		require.Equal(t, run(2), run(3), "seed %d", seed)
	}
	assert.Greater(t, held, 500)
}

// BenchmarkHeld has an account hold as much as it may, and take it in.
func BenchmarkHeld(b *testing.B) {
	for _, lanes := range []int{1, 64, 500} {
		b.Run(fmt.Sprint(lanes, " partitions"), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				w := newWaiting(&testing.T{})
				w.pql()
				for n := int64(0); n < 490; n++ {
					w.as("", "four", int32(n)%int32(lanes), 100, 100+n/100)
				}
				b.StartTimer()
				if err := w.proc.Fire(&stream.Turn{Topic: "usage", Partition: 2, Offset: w.offset, State: w.state, Watermark: hours(80)}, w.state.NextTimer()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
