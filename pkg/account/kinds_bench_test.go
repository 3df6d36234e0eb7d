package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// steadySteps have a step of every kind and of its variants that events x and y never finish, or that is live and stays done.
var steadySteps = []struct{ name, step string }{
	{"event", "kind: event, event: x, where: 'properties.plan == \"team\"'"},
	{"count", "kind: count, event: x, at_least: 1000000000"},
	{"count_7d", "kind: count, event: x, at_least: 1000000000, within: 7d"},
	{"count_90m", "kind: count, event: x, at_least: 1000000000, within: 90m"},
	{"count_7d_live", "kind: count, event: x, at_least: 3, within: 7d, live: true"},
	{"distinct", "kind: distinct, event: x, of: user_id, at_least: 100"},
	{"distinct_7d", "kind: distinct, event: x, of: user_id, at_least: 20, within: 7d"},
	{"distinct_7d_live", "kind: distinct, event: x, of: user_id, at_least: 3, within: 7d, live: true"},
	{"days", "kind: days, event: x, at_least: 3000"},
	{"days_14d", "kind: days, event: x, at_least: 14, within: 14d, where: 'user_id != \"user-1\"'"},
	{"days_7d_live", "kind: days, event: x, at_least: 1, within: 7d, live: true"},
	{"sum", "kind: sum, event: x, of: quantity, at_least: 1000000000000"},
	{"sum_7d", "kind: sum, event: x, of: quantity, at_least: 1000000000000, within: 7d"},
	{"sum_36h_live", "kind: sum, event: x, of: properties.used, at_least: 1, within: 36h, live: true"},
	{"ratio", "kind: ratio, event: x, of: properties.used, to: properties.limit, at_least: 0.8"},
	{"ratio_account", "kind: ratio, event: x, of: properties.used, to: account.seats, at_least: 900"},
	{"ratio_live", "kind: ratio, event: x, of: properties.used, to: properties.limit, at_least: 0.1, live: true"},
	{"ratio_adds_7d", "kind: ratio, event: x, of: quantity, to: 1000000000000, at_least: 0.8, adds: true, within: 7d"},
	{"ratio_adds_7d_live", "kind: ratio, event: x, of: quantity, to: account.seats, at_least: 0.01, adds: true, within: 7d, live: true"},
	{"sequence", "kind: sequence, first: {event: [x, y]}, then: {event: x, where: 'properties.plan == \"team\"'}, within: 3d"},
	{"absent", "kind: absent, event: y, after: {event: x}, for: 90d"},
	{"absent_live", "kind: absent, event: never, after: {event: x}, for: 1m, live: true"},
	{"score", "kind: score, points: [{event: x, points: 0.1, group: a}, {event: y, points: 2}], caps: [{group: a, at_most: 20}], at_least: 1000000000"},
	{"score_14d", "kind: score, points: [{event: x, points: 0.1, group: a}, {event: y, points: 2}], caps: [{group: a, at_most: 20}], half_life: 14d, at_least: 1000000000"},
	{"score_14d_live", "kind: score, points: [{event: x, points: 0.1, group: a}, {event: y, points: 2}], caps: [{group: a, at_most: 20}], half_life: 14d, at_least: 1, live: true"},
	{"trial", "kind: trial, day: 366"},
	{"any", "kind: any, steps: [member, other]"},
	{"all", "kind: all, steps: [member, other], live: true"},
}

// steady is an account of which a step is busy and nothing more comes: with what its kind keeps of some weeks, and events
// seconds apart since.
type steady struct {
	folder *account.Folder
	state  *account.State
	list   *checklist.Checklist
	events []usage.Event
	at     int64
	n      int
}

// newSteady begins an account with such a step. With users their activity is kept.
func newSteady(t testing.TB, step string, users bool) *steady {
	definition := "version: 1\nname: steady\ntiers: [{name: all, threshold: 1}]\ndedupe: {limit: 0}\n" +
		"trial: {days: 366, starts: {event: x}}\nproperties: [{name: seats, type: long, from: [{event: y}]}]\n"
	if !users {
		definition += "activity: {users: 0}\n"
	}
	member := "never"
	if strings.Contains(step, "member") {
		member = "x"
	}
	e := engine(t, definition+"steps:\n  - {id: member, kind: count, event: "+member+", at_least: 1000000000, weight: 0}\n"+
		"  - {id: other, kind: count, event: y, at_least: 1000000000, weight: 0}\n  - {id: s, "+step+"}")
	s := &steady{folder: e.Folder(), state: e.New("acme", 0), list: e.Checklist(), at: lifeStarts}
	for i := range 1024 {
		name := "x"
		if i == 7 {
			name = "y"
		}
		s.events = append(s.events, usage.Event{UserID: fmt.Sprintf("user-%d", i%17), Name: name, Quantity: 1,
			Properties: []usage.Property{{Key: "source", Value: usage.StringValue("web")}, {Key: "plan", Value: usage.StringValue("free")},
				{Key: "used", Value: usage.DoubleValue(float64(20 + i%50))}, {Key: "limit", Value: usage.LongValue(100)}, {Key: "seats", Value: usage.LongValue(5)}}})
	}
	for _, pause := range []int64{3 * hour, hour / 3, hour / 60, 0} {
		for range 300 {
			s.at += pause
			s.fold()
		}
	}
	return s
}

// fold folds the next event as a stage does, some of them a little late.
func (s *steady) fold() (facts int) {
	ev := &s.events[s.n&1023]
	s.at += 1000
	s.n++
	ev.OccurredAt = s.at - int64(s.n&3)*7000
	watermark, fired := s.at-300_000, []account.Fact(nil)
	if due := s.state.NextTimer(); due != 0 && due <= watermark {
		_, fired = s.folder.Pass(s.state, watermark)
	}
	_, more := s.folder.Fold(s.state, s.list.Listener(ev.Name), ev, nil, watermark)
	return len(fired) + len(more)
}

// BenchmarkKinds folds events for a step of each kind and variant that has come to rest, without and with what is kept of
// users. What steps over steps take is that of the count step that they have as a member.
func BenchmarkKinds(b *testing.B) {
	for _, c := range steadySteps {
		for _, users := range []bool{false, true} {
			name := c.name
			if users {
				name += "/users"
			}
			b.Run(name, func(b *testing.B) {
				s := newSteady(b, c.step, users)
				b.ReportAllocs()
				for b.Loop() {
					s.fold()
				}
			})
		}
	}
}

// TestCountingDoesNotAllocate holds for events that change numbers only, whatever the kind of step.
func TestCountingDoesNotAllocate(t *testing.T) {
	kinds := map[string]bool{}
	for _, c := range steadySteps {
		for _, users := range []bool{false, true} {
			s := newSteady(t, c.step, users)
			facts := 0
			allocations := testing.AllocsPerRun(1, func() {
				for range 1000 {
					facts += s.fold()
				}
			})
			require.Zero(t, facts, "%s has not come to rest", c.name)
			require.Less(t, allocations, 5.0, "%s, with users %t", c.name, users) // of 1,000: the Go runtime's own count, too
			for _, step := range s.list.Steps() {
				kinds[step.Kind] = true
			}
		}
	}
	for _, k := range checklist.Kinds() {
		require.Contains(t, kinds, k.Name)
	}
}

// TestApplyDoesNotAllocate holds for events that come again, whatever the kind of step: those that it knows, those that no
// id tells from others once they change nothing more, and those that nothing listens to.
func TestApplyDoesNotAllocate(t *testing.T) {
	for _, k := range checklist.Kinds() {
		for _, options := range []string{"", "dedupe: {limit: 0}\n", "dedupe: {limit: 0}\nactivity: {users: 0}\n"} {
			e, events := exampleEngine(t, options, k.Example)
			f, s := e.Folder(), e.New("acme", 0)
			for range 100 {
				for i := range events {
					f.Apply(s, &events[i], account.Position{}, 0)
				}
			}
			for i := range events {
				require.Zero(t, testing.AllocsPerRun(100, func() {
					if changed, _ := f.Apply(s, &events[i], account.Position{}, 0); changed && options == "" {
						t.Fatal("changed")
					}
				}), "%s by %s", k.Name, events[i].Name)
			}
		}
	}
}

// exampleEngine has a step that is the example of a kind, and what examples refer to. It returns an event of each name that
// reaches it, itself or through its members, and one that reaches nothing.
func exampleEngine(t testing.TB, options, example string) (e *account.Engine, events []usage.Event) {
	definition := "version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsignup: {event: account_created}\ntrial: {days: 14}\n" +
		"properties: [{name: seats, type: long, from: [{event: account_created}]}]\n" + options + "steps:\n  - " + example
	for _, id := range []string{"saw_premium", "asked_support", "first_project", "invited_team"} {
		if !strings.Contains(example, "id: "+id) {
			definition += "\n  - {id: " + id + ", kind: event, event: " + id + "}"
		}
	}
	e = engine(t, definition)
	reached := map[int]bool{0: true}
	members, _ := e.Checklist().Steps()[0].Members()
	for _, m := range members {
		reached[m] = true
	}
	for _, name := range eventNames(t, definition) {
		for _, in := range e.Checklist().Listener(name).Steps {
			if reached[int(in.Step)] {
				events = append(events, exampleEvent(len(events), name))
				break
			}
		}
	}
	require.NotEmpty(t, events, "nothing reaches %s", example)
	return e, append(events, exampleEvent(len(events), "unheard"))
}

func exampleEvent(i int, name string) usage.Event {
	return usage.Event{ID: fmt.Sprint("event-", i), UserID: "ana", Quantity: 1, OccurredAt: 5 + int64(i), Name: name,
		Properties: []usage.Property{{Key: "storage_limit", Value: usage.LongValue(100)}}}
}

// eventNames are the names that a definition's steps and its sign-up name.
func eventNames(t testing.TB, definition string) (names []string) {
	def, err := checklist.Parse([]byte(definition))
	require.NoError(t, err)
	names = append(names, def.Signup.Event...)
	for i := range def.Steps {
		d := &def.Steps[i]
		names = append(names, d.Event...)
		for _, moment := range []*checklist.MomentDef{d.First, d.Then, d.After} {
			if moment != nil {
				names = append(names, moment.Event...)
			}
		}
		for _, p := range d.Points {
			names = append(names, p.Event...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
