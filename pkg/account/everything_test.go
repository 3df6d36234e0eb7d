package account_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// everything has steps of every kind in all their variants and uses all there is. Its live steps are those whose ids begin
// with l.
const everything = `
version: 1
name: everything
zone: Europe/Berlin
signup: {event: e0}
converted: {event: e9, where: 'properties.p == 9'}
churned: {event: e12, where: 'properties.p < 4'}
trial: {days: 6, ends: {event: e10, where: 'quantity > 3.0'}, disqualifies: true}
inactivity: {days: 2}
demote: true
near_miss: true
hold_out: {share: 0.5, salt: everything}
exclude_accounts: [nobody, nobody-else]
sales:
  accepted: {event: e12}
  rejected: {event: [e11, e12], where: 'quantity > 3.5', reason: p}
  meeting_booked: {event: said}
  won: {event: e9, where: 'properties.p == 9'}
  lost: {event: e12, where: 'properties.p >= 4', reason: kind}
exclude: ['account.kind == "bad"', 'account.share > 8.5']
properties:
  - {name: size, type: long, from: [{event: e0}, {event: e1}], default: 3}
  - {name: share, type: double, from: [{event: '*', property: p}]}
  - {name: kind, type: string, from: [{event: e2}], dimension: true}
  - {name: flag, type: boolean, from: [{event: e3}]}
  - {name: limit, type: long, from: [{event: e3}]}
segments:
  - {name: stuck, when: '!steps.s3 && rate >= 0.2'}
  - {name: led, when: 'champion_role == "admin" && users > 1'}
  - {name: lively, when: 'account.size > 10 && (steps["l0"] || steps.l4) && !converted'}
playbooks:
  - {name: outreach, action: call, queue: sales, owner: account.kind, message: outreach, reason: It is large, refine: [
      {when: single_user, name: find-colleagues, reason: One user carries it}, {when: 'active_users < 3 || !steps.l0', action: mail}]}
tiers:
  - {name: large, when: account.size > 10 && account.flag, threshold: 0.2, escalate_at: 0.45, playbook: outreach}
  - {name: rest, threshold: 0.35, escalate_at: 0.6}
steps:
  - {id: s0, kind: event, event: [e1, e2], where: 'properties.p == 3 || user_id == "user-5"'}
  - {id: s1, kind: count, event: e3, at_least: 9, weight: 2}
  - {id: s2, kind: count, event: [e3, e4], at_least: 6, within: 2d, where: 'quantity >= 1.0'}
  - {id: s3, kind: distinct, event: e5, of: user_id, at_least: 5}
  - {id: s4, kind: distinct, event: e6, of: properties.p, at_least: 4, weight: 0.5}
  - {id: s5, kind: days, event: e7, at_least: 6}
  - {id: s6, kind: days, event: [e7, e8], at_least: 3, within: 3d}
  - {id: s7, kind: sum, event: e8, of: quantity, at_least: 12.5}
  - {id: s8, kind: sum, event: e4, of: properties.p, at_least: 40, weight: 0.1}
  - {id: s10, kind: count, event: e5, at_least: 3, within: 36h}
  - {id: s11, kind: distinct, event: [e6, e7], of: user_id, at_least: 2, within: 90m, weight: 0}
  - {id: s12, kind: sum, event: e3, of: quantity, at_least: 6, within: 30h}
  - {id: s13, kind: sequence, first: {event: e4}, then: {event: e11, where: quantity > 1.0}, within: 5h}
  - {id: s14, kind: absent, event: e6, after: {event: e11}, for: 20h}
  - {id: s15, kind: score, points: [{event: e1, points: 1, group: a}, {event: [e2, e8], points: 2.5, group: b}, {event: e10, points: 4}],
      caps: [{group: a, at_most: 3}, {group: b, at_most: 8}], at_least: 14}
  - {id: s16, kind: score, points: [{event: e2, points: 3}, {event: e5, where: quantity > 2.0, points: 5}], half_life: 2d, at_least: 16}
  - {id: s17, kind: trial, day: 3, weight: 0.5}
  - {id: s18, kind: trial, finished: true, weight: 0}
  - {id: s19, kind: ratio, event: e7, of: quantity, to: 4, at_least: 0.98}
  - {id: s20, kind: ratio, event: e8, of: quantity, to: account.size, at_least: 0.9}
  - {id: s21, kind: ratio, event: e3, of: properties.p, to: account.limit, at_least: 2, adds: true, within: 3d}
  - {id: s22, kind: any, steps: [s0, s11, l1], weight: 0.5}
  - {id: s23, kind: all, steps: [s18, s22], weight: 0.5}
  - {id: l0, kind: count, event: e5, at_least: 3, within: 2d, live: true}
  - {id: l1, kind: count, event: [e5, e6], at_least: 2, within: 40m, live: true, weight: 0}
  - {id: l2, kind: days, event: e7, at_least: 2, within: 3d, live: true}
  - {id: l3, kind: distinct, event: e8, of: user_id, at_least: 3, within: 20h, live: true}
  - {id: l4, kind: sum, event: [e3, e4], of: quantity, at_least: 8, within: 1d, live: true}
  - {id: l5, kind: ratio, event: e10, of: quantity, to: account.size, at_least: 0.6, live: true}
  - {id: l6, kind: ratio, event: e2, of: properties.p, to: properties.limit, at_least: 0.7, live: true}
  - {id: l7, kind: ratio, event: e11, of: quantity, to: account.size, at_least: 1.5, adds: true, within: 2d, live: true, weight: 0.3}
  - {id: l8, kind: score, points: [{event: e1, points: 2}, {event: e10, points: 3, group: a}], caps: [{group: a, at_most: 5}],
      half_life: 1d, at_least: 6, live: true}
  - {id: l9, kind: absent, event: [e1, e2], after: {event: e3}, for: 9h, live: true, weight: 0.4}
  - {id: l10, kind: any, steps: [l0, l2, l9], at_least: 2, live: true}
  - {id: l11, kind: all, steps: [l10, s5], live: true, weight: 0.2}
dedupe: {horizon: 6h, limit: 10}
activity: {users: 4, role: role}
`

// lifeStarts is when randomLife begins, ms since the Unix epoch: some days before the clocks of Berlin go back.
const lifeStarts = int64(1_761_000_000_000)

// lifeAt is the time of one of the events of randomLife, had it come in order: an hour after the one before, with some days of
// silence now and then.
func lifeAt(i int) int64 { return lifeStarts + int64(i+70*(i/45))*hour }

// randomLife makes events for everything: out of order by up to days, some of them repeated.
func randomLife(r *rand.Rand, n int) (events []usage.Event) {
	for i := range n {
		if len(events) > 0 && r.IntN(8) == 0 {
			events = append(events, events[max(0, len(events)-1-r.IntN(12))])
			continue
		}
		ev := usage.Event{ID: randomID(r), UserID: fmt.Sprintf("user-%d", r.IntN(7)), Name: fmt.Sprintf("e%d", r.IntN(13)),
			OccurredAt: lifeAt(i) - r.Int64N(24*hour), Quantity: r.Float64() * 4}
		if r.IntN(3) == 0 {
			ev.Properties = append(ev.Properties, usage.Property{Key: "p", Value: usage.LongValue(r.Int64N(10))},
				usage.Property{Key: "limit", Value: usage.LongValue(r.Int64N(9))})
		}
		if r.IntN(3) == 0 {
			ev.Properties = append(ev.Properties,
				usage.Property{Key: "size", Value: usage.LongValue(r.Int64N(20))},
				usage.Property{Key: "kind", Value: usage.StringValue([]string{"good", "bad", "fair"}[r.IntN(3)])},
				usage.Property{Key: "flag", Value: usage.BoolValue(r.IntN(2) == 0)},
				usage.Property{Key: "role", Value: usage.StringValue([]string{"admin", "guest", ""}[r.IntN(3)])})
		}
		events = append(events, ev)
	}
	return events
}

// folding is an account's state on its way through events, as a stage takes it: with what every change of a state promises
// looked at.
type folding struct {
	t      testing.TB
	engine *account.Engine
	folder *account.Folder
	state  *account.State
	facts  []account.Fact
	offset int64
}

func newFolding(t testing.TB, e *account.Engine) *folding {
	return &folding{t: t, engine: e, folder: e.Folder(), state: e.New("acme", 5)}
}

func (f *folding) encoded() []byte {
	b, err := f.state.AppendBinary(nil)
	require.NoError(f.t, err)
	return b
}

// change does something to the state and compares what it says about that with what it did.
func (f *folding) change(by string, do func() (changed bool, facts []account.Fact)) {
	before := f.encoded()
	changed, facts := do()
	after := f.encoded()
	require.Equal(f.t, changed, string(before) != string(after), "changed lies at %s", by)
	require.True(f.t, changed || len(facts) == 0)
	require.Positive(f.t, f.state.Size())
	require.LessOrEqual(f.t, len(after), f.engine.Checklist().StateBound())
	f.facts = append(f.facts, facts...)
}

func (f *folding) pass(watermark int64) {
	f.change("a timer", func() (bool, []account.Fact) { return f.folder.Pass(f.state, watermark) })
	require.True(f.t, f.state.NextTimer() == 0 || f.state.NextTimer() > watermark, "what is due was left")
}

func (f *folding) fold(ev *usage.Event, watermark int64) {
	f.offset++
	f.change(ev.Name, func() (bool, []account.Fact) {
		return f.folder.Apply(f.state, ev, account.Position{Topic: "usage", Offset: f.offset}, watermark)
	})
}

// foldAll folds events, after what was due at each, and lets time pass beyond everything. There is an encoding and decoding
// at the places that reloads says, of which there are two an event: before and after it is folded.
func foldAll(t testing.TB, e *account.Engine, events []usage.Event, reloads func(place int) bool) ([]account.Fact, []byte) {
	f := newFolding(t, e)
	watermark := lifeStarts
	for i := range events {
		watermark = lifeAt(i) - 5*hour
		f.pass(watermark)
		if reloads(2 * i) {
			f.state = reload(t, e, f.state)
		}
		f.fold(&events[i], watermark)
		if reloads(2*i + 1) {
			f.state = reload(t, e, f.state)
		}
	}
	f.pass(watermark + 400*24*hour)
	require.Zero(t, f.state.NextTimer())
	return f.facts, f.encoded()
}

func never(int) bool  { return false }
func always(int) bool { return true }

// randomChecklist is everything without some of its steps and with other numbers.
func randomChecklist(r *rand.Rand) string {
	text := regexp.MustCompile(`(?m)^  - \{id: (s[124678]|s1[02-79]|s2[01]|l[35-8]), .*\n(      .*\n)?`).ReplaceAllStringFunc(everything, func(step string) string {
		if r.IntN(4) == 0 {
			return ""
		}
		return step
	})
	for _, c := range [][]string{ // a pattern, and what may come in its place
		{`, threshold: [0-9.]+`, ", threshold: 0.000001", ", threshold: 0.1", ", threshold: 0.3"},
		{`escalate_at: [0-9.]+`, "escalate_at: 0", "escalate_at: 0.3", "escalate_at: 1"},
		{`, weight: [0-9.]+`, "", ", weight: 0.000001", ", weight: 7"},
		{`horizon: 6h, limit: 10`, "limit: 0", "horizon: 5d, limit: 1", "horizon: 1h, limit: 100"},
		{`activity: \{users: 4, role: role`, "activity: {users: 0", "activity: {users: 1, role: role", "activity: {users: 100"},
		{`at_least: [4-6](, within)`, "at_least: 2$1", "at_least: 30$1"},
		{`at_least: [2-3](, within: [0-9]+[hd], live)`, "at_least: 1$1", "at_least: 2$1"},
		{`zone: .*`, "zone: UTC", "zone: Pacific/Apia", "zone: America/Sao_Paulo"},
		{`, live: true`, "", ", live: true", ", live: true"},
		{`inactivity: .*`, "inactivity: {days: 0}", "inactivity: {days: 1}", ""},
		{`, disqualifies: true`, "", ", disqualifies: true"},
		{`demote: true`, "", "demote: true"},
		{`near_miss: true`, "", "near_miss: true"},
		{`exclude_accounts: .*`, "", "", "", "", "exclude_accounts: [acme]"},
		{`churned: .*`, "", "churned: {event: e5}", "churned: {event: e12}"},
	} {
		rule := regexp.MustCompile(c[0])
		text = rule.ReplaceAllStringFunc(text, func(old string) string { return rule.ReplaceAllString(old, c[1+r.IntN(len(c)-1)]) })
	}
	if !strings.Contains(text, "role: role") { // expressions can't ask for what is not kept
		text = strings.NewReplacer(`champion_role == "admin" && users > 1`, "pql", "{when: single_user", "{when: signed_up", "active_users < 3", "rate < 0.5").
			Replace(text)
	}
	return text
}
