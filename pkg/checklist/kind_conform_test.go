package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// variants are steps that keep what kinds promise in other ways than the kinds' examples do.
var variants = []struct{ zone, step string }{
	{"", "{id: a, kind: count, event: x, at_least: 900}"},
	{"", "{id: a, kind: count, event: x, at_least: 5, within: 7d, live: true}"},
	{"", "{id: a, kind: count, event: x, at_least: 20, within: 36h}"},
	{"", "{id: a, kind: count, event: x, at_least: 3, within: 90m, live: true}"},
	{"Europe/Berlin", "{id: a, kind: count, event: x, at_least: 5, within: 3d, live: true}"},
	{"", "{id: a, kind: days, event: x, at_least: 300}"},
	{"", "{id: a, kind: days, event: x, at_least: 3, within: 7d, live: true}"},
	{"America/Sao_Paulo", "{id: a, kind: days, event: x, at_least: 3, within: 7d, live: true}"},
	{"", "{id: a, kind: sum, event: x, of: quantity, at_least: 2, within: 7d}"},
	{"", "{id: a, kind: sum, event: x, of: properties.p, at_least: 1.5, within: 36h, live: true}"},
	{"Pacific/Apia", "{id: a, kind: sum, event: x, of: quantity, at_least: 1, within: 2d, live: true}"},
	{"", "{id: a, kind: distinct, event: x, of: user_id, at_least: 9, within: 7d}"},
	{"", "{id: a, kind: distinct, event: x, of: user_id, at_least: 4, within: 1m}"},
	{"", "{id: a, kind: distinct, event: x, of: properties.p, at_least: 3, within: 36h, live: true}"},
	{"Pacific/Apia", "{id: a, kind: distinct, event: x, of: user_id, at_least: 2, within: 366d, live: true}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: 7, at_least: 0.07}"},
	{"", "{id: a, kind: ratio, event: x, of: properties.p, to: properties.q, at_least: 2, live: true}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.8}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.01, live: true}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.8, adds: true}"},
	{"", "{id: a, kind: ratio, event: x, of: quantity, to: 2, at_least: 0.8, adds: true, within: 36h}"},
	{"", "{id: a, kind: ratio, event: x, of: properties.p, to: 3, at_least: 0.5, adds: true, within: 90m, live: true}"},
	{"Europe/Berlin", "{id: a, kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.05, adds: true, within: 7d, live: true}"},
	{"", "{id: a, kind: score, points: [{event: x, points: 1}, {event: y, points: 0.1}], at_least: 20}"},
	{"", "{id: a, kind: score, points: [{event: x, points: 1, group: g}, {event: y, points: 5, group: h}, {event: z, points: 2.5}], " +
		"caps: [{group: g, at_most: 4}, {group: h, at_most: 30}], half_life: 7d, at_least: 33.3}"},
	{"Pacific/Apia", "{id: a, kind: score, points: [{event: x, points: 1, group: g}, {event: y, points: 5, group: h}, {event: z, points: 2.5}], " +
		"caps: [{group: g, at_most: 4}, {group: h, at_most: 30}], half_life: 1d, at_least: 9, live: true}"},
	{"", "{id: a, kind: sequence, first: {event: x}, then: {event: y}, within: 10m}"},
	{"", "{id: a, kind: absent, event: x, after: {event: y}, for: 10m}"},
	{"", "{id: a, kind: absent, event: x, after: {event: y}, for: 14d, live: true}"},
	{"Europe/Berlin", "{id: a, kind: trial, finished: true}"},
	{"", "{id: a, kind: any, steps: [saw_premium, asked_support], live: true}"},
	{"", "{id: a, kind: all, steps: [saw_premium, asked_support], live: true}"},
}

// conforming names and compiles the kinds' examples and the variants.
func conforming(t testing.TB) (names []string, steps []*Step) {
	for _, k := range Kinds() {
		names, steps = append(names, k.Name), append(steps, stepOf(t, k.Example))
	}
	for _, v := range variants {
		names, steps = append(names, strings.TrimSpace(v.zone+" "+v.step)), append(steps, stepIn(t, v.zone, v.step))
	}
	return names, steps
}

// feed folds an event that an input accepted into a step's working set, at a watermark. A step without inputs is not asked.
func feed(step *Step, w *Work, role uint8, ev *usage.Event, m Moment) (changed, done bool) {
	if len(step.inputs) == 0 {
		return false, false
	}
	return step.Update(w, &Input{Moment: m, Event: ev, Role: role})
}

// judge asks a judged step.
func judge(step *Step, w Work, watermark int64) (done bool, next int64) {
	if !step.Judged {
		return false, Never
	}
	return step.Judge(w, &Moment{Watermark: watermark, Account: someAccount})
}

var someAccount = []usage.Value{usage.LongValue(40)}

// stream makes events for a step, some close together and some far apart, some late, with the watermark that follows.
type stream struct {
	*rand.Rand
	step              *Step
	newest, watermark int64
}

func newStream(step *Step, seed uint64) *stream {
	return &stream{Rand: rand.New(rand.NewPCG(seed, seed)), step: step, newest: 1_770_000_000_000, watermark: math.MinInt64}
}

func (s *stream) next() (role uint8, ev *usage.Event, m Moment) {
	s.newest += s.Int64N(1 << s.IntN(30)) // up to twelve days
	ev = s.event(s.newest - s.Int64N(1<<s.IntN(33)))
	s.watermark = max(s.watermark, s.newest-300_000)
	return s.role(), ev, Moment{Watermark: s.watermark, Account: someAccount}
}

func (s *stream) role() uint8 { return uint8(s.IntN(max(1, len(s.step.inputs)))) }

// event makes one with whatever steps look at.
func (s *stream) event(at int64) *usage.Event {
	text := strings.Repeat("ü", s.IntN(128)) + fmt.Sprint(s.IntN(50))
	ev := &usage.Event{ID: fmt.Sprint(s.Uint64()), UserID: text, Quantity: s.Float64() - 0.5, OccurredAt: at}
	for _, p := range append([]string{"p", "x"}, s.step.reads...) {
		v := usage.DoubleValue(s.Float64() - 0.25)
		if s.IntN(4) == 0 {
			v = usage.StringValue(text)
		}
		ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: v})
	}
	return ev
}

// TestKindsConform holds every kind there is against what all of them promise.
func TestKindsConform(t *testing.T) {
	kindNames := map[string]bool{}
	for _, k := range Kinds() {
		assert.False(t, kindNames[k.Name], "listed twice")
		kindNames[k.Name] = true
		assert.Equal(t, k.Name, stepOf(t, k.Example).Kind)
		documented(t, &k)
	}
	names, steps := conforming(t)
	for i, step := range steps {
		t.Run(names[i], func(t *testing.T) {
			bounded(t, step)
			replays(t, step)
			survivesAnything(t, step)
			doesNotMindTheOrder(t, step)
			judges(t, step)
		})
	}
}

func documented(t *testing.T, k *Kind) {
	assert.NotEmpty(t, k.Doc)
	for _, f := range k.Fields {
		assert.NotEmpty(t, f.Doc, f.Name)
		assert.Equal(t, !f.Required, f.Default != "", "%s is either required or has a default", f.Name)
		if f.Required {
			assert.Contains(t, k.Example, f.Name+":", "the example misses a required field")
		}
	}
	everything := &StepDef{Event: Names{"x"}, Where: "true", Of: "quantity", AtLeast: new(float64), Within: new(Window),
		To: "5", Adds: true, Live: true, First: &MomentDef{}, Then: &MomentDef{}, After: &MomentDef{}, For: new(Window), Points: []PointsDef{},
		Caps: []CapDef{}, HalfLife: new(Window), Day: new(int), Finished: true, Steps: []string{"a"}}
	given := everything.given()
	for _, f := range k.Fields {
		assert.Contains(t, given, f.Name, "a field that no step can have")
	}
}

// bounded folds more than the step can want, of which nothing completes it if possible, and measures what is kept.
func bounded(t *testing.T, step *Step) {
	s, w := newStream(step, 1), Work{}
	for range 10_000 / effort {
		role, ev, m := s.next()
		if _, done := feed(step, &w, role, ev, m); done && !step.Live {
			w = Work{}
		}
		require.LessOrEqual(t, workBound+len(w), max(step.rule.traits().bound, workBound))
		require.True(t, step.Valid(w), "%q", w)
		require.False(t, !step.Live && step.Reached(w, beforeAll), "%q was not done", w)
	}
}

func replays(t *testing.T, step *Step) {
	fold := func() (trace []string) {
		s, w := newStream(step, 2), Work{}
		for range 500 / effort {
			role, ev, m := s.next()
			changed, done := feed(step, &w, role, ev, m)
			progress, need := step.Missing(step.Count(w, &Moment{Account: someAccount}, false))
			judged, next := judge(step, w, m.Watermark)
			trace = append(trace, fmt.Sprint(changed, done, step.Count(w, &Moment{Account: someAccount}, done), progress, need, judged, next))
			if done && !step.Live {
				w = Work{}
			}
		}
		return trace
	}
	assert.Equal(t, fold(), fold())
}

func survivesAnything(t *testing.T, step *Step) {
	times := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	for _, at := range times {
		for _, q := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5, math.MaxFloat64} {
			w := Work{}
			for i := range 3 * max(1, len(step.inputs)) {
				ev := &usage.Event{OccurredAt: at, UserID: "u", Quantity: q}
				for _, p := range step.reads {
					ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: usage.DoubleValue(q)})
				}
				m := Moment{Watermark: times[i%len(times)], Account: someAccount}
				if _, done := feed(step, &w, uint8(i%max(1, len(step.inputs))), ev, m); done && !step.Live {
					w = w[:0]
				}
				require.True(t, step.Valid(w), "%q", w)
			}
			progress, need := step.Missing(step.Count(w, &Moment{Account: someAccount}, false))
			assert.True(t, progress >= 0 && progress < 1, progress)
			assert.NotEmpty(t, need)
			for _, watermark := range times {
				if _, next := judge(step, w, watermark); next != Never {
					assert.True(t, step.traits.timed, "time changes it, and nobody is told so")
					assert.Greater(t, next, watermark)
				}
			}
		}
	}
}

// doesNotMindTheOrder folds events of some minutes, which every window takes in any order, in several orders.
func doesNotMindTheOrder(t *testing.T, step *Step) {
	type given struct {
		role uint8
		ev   *usage.Event
	}
	s := newStream(step, 3)
	for range 300 / effort {
		events := make([]given, s.IntN(40))
		spread := int64(3_600_000) >> s.IntN(22)
		for i := range events {
			events[i] = given{s.role(), s.event(s.newest + s.Int64N(spread))}
		}
		// What comes of the events, and when.
		outcome := func() (out []string) {
			w, completed := Work{}, false
			for _, e := range events {
				_, done := feed(step, &w, e.role, e.ev, Moment{Watermark: s.newest, Account: someAccount})
				if completed = done && !step.Live; completed {
					return []string{"done"}
				}
			}
			watermark := s.newest
			for range 20 {
				done, next := judge(step, w, watermark)
				if out = append(out, fmt.Sprint(done, next)); next == Never {
					break
				}
				watermark = next
			}
			return append(out, fmt.Sprintf("%.6g", step.Count(w, &Moment{Account: someAccount}, false)))
		}
		first := outcome()
		for range 3 {
			s.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			require.Equal(t, first, outcome())
		}
	}
}

// judges holds what a judge says against what it says later, as the watermark moves on and no event comes.
func judges(t *testing.T, step *Step) {
	s, w := newStream(step, 4), Work{}
	for range 1000 / effort {
		role, ev, m := s.next()
		if _, done := feed(step, &w, role, ev, m); done && !step.Live {
			w = Work{}
		}
		before := string(w)
		for at := m.Watermark; ; {
			done, next := judge(step, w, at)
			again, sameNext := judge(step, w, at)
			require.Equal(t, []any{done, next}, []any{again, sameNext})
			until := next
			if next == Never {
				until = at + 800*dayMillis
			}
			require.Greater(t, until, at)
			for _, later := range []int64{at + 1, at + s.Int64N(until-at), until - 1} {
				if still, _ := judge(step, w, min(later, until-1)); still != done {
					require.Equal(t, done, still, "at %d, from %d until %d", later, at, next)
				}
			}
			if next == Never {
				break
			}
			at = next
		}
		require.Equal(t, before, string(w), "the judge changed the set")
	}
}

func FuzzKinds(f *testing.F) {
	f.Add("ana", "x", 1.0, int64(5), int64(86_400_000), int64(9), uint8(1))
	names, steps := conforming(f)
	f.Fuzz(func(t *testing.T, user, text string, quantity float64, first, second, watermark int64, role uint8) {
		for i, step := range steps {
			var w Work
			for n, at := range []int64{first, second, first} {
				ev := &usage.Event{UserID: user, Quantity: quantity, OccurredAt: at}
				for j, p := range step.reads {
					v := usage.StringValue(text)
					if (j+n)%2 == 0 {
						v = usage.DoubleValue(quantity)
					}
					ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: v})
				}
				m := Moment{Watermark: watermark, Account: someAccount}
				_, done := feed(step, &w, uint8((int(role)+n)%max(1, len(step.inputs))), ev, m)
				if done && !step.Live {
					break
				}
				if !step.Valid(w) {
					t.Fatalf("%s: %q is not valid", names[i], w)
				}
				if _, next := judge(step, w, watermark); next <= watermark && next != Never {
					t.Fatalf("%s: judged again at %d", names[i], next)
				}
				if progress, _ := step.Missing(step.Count(w, &Moment{Account: someAccount}, false)); !(progress >= 0 && progress < 1) {
					t.Fatalf("%s: progress %v", names[i], progress)
				}
			}
		}
	})
}

// TestAnyBytesCanBeCountedOn feeds the kinds what is no working set of theirs: what comes of it is one, if it was one.
func TestAnyBytesCanBeCountedOn(t *testing.T) {
	names, steps := conforming(t)
	for n, step := range steps {
		s := newStream(step, 5)
		for range 3000 / effort {
			w := make(Work, s.IntN(20))
			for j := range w {
				w[j] = byte(s.IntN(256) >> s.IntN(8))
			}
			before := string(w)
			judge(step, w, s.watermark)
			step.Missing(step.Count(w, &Moment{Account: someAccount}, false))
			role, ev, m := s.next()
			if changed, done := feed(step, &w, role, ev, m); changed && !done {
				assert.True(t, step.Valid(w) || !step.Valid(Work(before)), "%s: %q became %q", names[n], before, w)
			}
			judge(step, w, m.Watermark)
			step.Missing(step.Count(w, &Moment{Account: someAccount}, false))
		}
	}
}
