package account_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// BenchmarkApply folds the events of one step of each kind that stays undone, and of steps all done.
func BenchmarkApply(b *testing.B) {
	const head = "version: 1\nname: bench\ntiers: [{name: all, threshold: 1}]\nactivity: {users: 0}\ndedupe: {limit: 0}\nsteps:\n  - {id: s, "
	for _, c := range []struct{ name, definition string }{
		{"event", head + "kind: event, event: x, where: 'properties.plan == \"team\"'}"},
		{"cel", head + "kind: event, event: x, where: 'properties.plan.startsWith(\"team\")'}"},
		{"count", head + "kind: count, event: x, at_least: 1000000000}"},
		{"count_7d", head + "kind: count, event: x, at_least: 1000000000, within: 7d}"},
		{"distinct", head + "kind: distinct, event: x, of: user_id, at_least: 100}"},
		{"days_14d", head + "kind: days, event: x, at_least: 14, within: 14d}"},
		{"sum", head + "kind: sum, event: x, of: quantity, at_least: 1000000000000}"},
		{"done", head + "kind: event, event: x}"},
		{"unheard", head + "kind: event, event: y}"},
		{"dedupe", head[:len(head)-len("dedupe: {limit: 0}\nsteps:\n  - {id: s, ")] + "steps:\n  - {id: s, kind: count, event: x, at_least: 1000000000}"},
		{"activity", "version: 1\nname: b\ntiers: [{name: all, threshold: 1}]\ndedupe: {limit: 0}\nsteps: [{id: s, kind: event, event: x}]"},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := engine(b, c.definition)
			f, s := e.Folder(), e.New("acme", 0)
			var events []usage.Event
			for i := range 1024 {
				events = append(events, usage.Event{ID: fmt.Sprintf("event-%d", i), UserID: fmt.Sprintf("user-%d", i%17), Name: "x",
					OccurredAt: int64(i%40)*24*hour/4 + 1_750_000_000_000, Quantity: 1,
					Properties: []usage.Property{{Key: "source", Value: usage.StringValue("web")}, {Key: "plan", Value: usage.StringValue("free")}}})
			}
			for i := range events {
				f.Apply(s, &events[i], account.Position{}, 0)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f.Apply(s, &events[i&1023], account.Position{}, 0)
			}
		})
	}
}

// BenchmarkJob folds the benchmark job's events, facts included, and shows the size of the states.
func BenchmarkJob(b *testing.B) {
	e := benchEngine(b)
	f := e.Folder()
	r := rand.New(rand.NewPCG(1, 1))
	lives := make([][]usage.Event, 256)
	for i := range lives {
		lives[i] = usageOf(r, 20)
	}
	b.ReportAllocs()
	n := 0
	for i := 0; b.Loop(); i++ {
		s := e.New("acct-000001", 0)
		for j := range lives[i&255] {
			f.Apply(s, &lives[i&255][j], account.Position{Topic: "usage-events", Offset: int64(j)}, 0)
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}

func BenchmarkCodec(b *testing.B) {
	e := benchEngine(b)
	s := e.New("acct-000001", 0)
	for j, ev := range usageOf(rand.New(rand.NewPCG(1, 1)), 100) {
		e.Folder().Apply(s, &ev, account.Position{Topic: "usage-events", Offset: int64(j)}, 0)
	}
	encoded, err := s.AppendBinary(nil)
	require.NoError(b, err)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(encoded)), "bytes")
		b.ReportMetric(float64(s.Size()), "memory")
		buf := make([]byte, 0, 2*len(encoded))
		for b.Loop() {
			_, _ = s.AppendBinary(buf)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.Load("acct-000001", encoded)
		}
	})
}

// TestApplyDoesNotAllocate holds for events that change nothing, whatever the kind of step.
func TestApplyDoesNotAllocate(t *testing.T) {
	for _, k := range checklist.Kinds() {
		e := exampleEngine(t, k.Example)
		f, s := e.Folder(), e.New("acme", 0)
		ev := &usage.Event{ID: "1", UserID: "ana", Quantity: 1, OccurredAt: 5, Name: stepEvent(t, e)}
		f.Apply(s, ev, account.Position{}, 0)
		for _, ev := range []*usage.Event{ev, {ID: "2", Name: "unheard"}} {
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if changed, _ := f.Apply(s, ev, account.Position{}, 0); changed {
					t.Fatal("changed")
				}
			}), k.Name)
		}
	}
}

// exampleEngine has a step that is the example of a kind, and what examples refer to.
func exampleEngine(t testing.TB, example string) *account.Engine {
	definition := "version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsignup: {event: account_created}\ntrial: {days: 14}\n" +
		"properties: [{name: seats, type: long, from: [{event: account_created}]}]\nsteps:\n  - " + example
	for _, id := range []string{"saw_premium", "asked_support", "first_project", "invited_team"} {
		if !strings.Contains(example, "id: "+id) {
			definition += "\n  - {id: " + id + ", kind: event, event: premium_viewed}"
		}
	}
	return engine(t, definition)
}

// TestCountingDoesNotAllocate holds for events that change numbers only.
func TestCountingDoesNotAllocate(t *testing.T) {
	for _, step := range []string{
		"kind: count, event: x, at_least: 1000000", "kind: count, event: x, at_least: 1000000, within: 7d",
		"kind: sum, event: x, of: quantity, at_least: 1000000",
	} {
		e := engine(t, "version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\ndedupe: {limit: 0}\nsteps: [{id: s, where: quantity > 0.5, "+step+"}]")
		f, s, ev := e.Folder(), e.New("acme", 0), &usage.Event{UserID: "ana", Quantity: 1, OccurredAt: 5, Name: "x"}
		fold := func() {
			if changed, _ := f.Apply(s, ev, account.Position{}, 0); !changed {
				t.Fatal("not changed")
			}
		}
		for range 200 { // numbers grow longer at first
			fold()
		}
		require.Zero(t, testing.AllocsPerRun(1000, fold), step)
	}
}

func stepEvent(t *testing.T, e *account.Engine) string {
	for _, name := range []string{"premium_viewed", "report_run", "invite_accepted", "session_started", "storage_used"} {
		if e.Checklist().Listens(name) {
			return name
		}
	}
	t.Fatal("the example listens to none of the names known here")
	return ""
}
