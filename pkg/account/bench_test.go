package account_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// BenchmarkApply folds events that change nothing, and shows what telling repeated ones and keeping users takes.
func BenchmarkApply(b *testing.B) {
	const head = "version: 1\nname: bench\ntiers: [{name: all, threshold: 1}]\nactivity: {users: 0}\ndedupe: {limit: 0}\nsteps:\n  - {id: s, "
	for _, c := range []struct{ name, definition string }{
		{"cel", head + "kind: event, event: x, where: 'properties.plan.startsWith(\"team\")'}"},
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
