package account_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

var stateSchema = sync.OnceValues(func() (*goavro.Codec, error) {
	schema, err := os.ReadFile("../../schemas/account_state.avsc")
	if err != nil {
		return nil, err
	}
	return goavro.NewCodec(string(schema))
})

// avro has goavro read an encoded state by its schema, and write it again.
func avro(t testing.TB, b []byte) map[string]any {
	t.Helper()
	codec, err := stateSchema()
	require.NoError(t, err)
	whole := append(binary.AppendVarint([]byte{1}, 41), b...)
	native, rest, err := codec.NativeFromBinary(whole)
	require.NoError(t, err)
	require.Empty(t, rest)
	again, err := codec.BinaryFromNative(nil, native)
	require.NoError(t, err)
	require.Equal(t, whole, again, "goavro encodes it differently")
	return native.(map[string]any)
}

// reload encodes and decodes a state.
func reload(t testing.TB, e *account.Engine, s *account.State) *account.State {
	t.Helper()
	b, err := s.AppendBinary(nil)
	require.NoError(t, err)
	avro(t, b)
	loaded, err := e.Load(s.AccountID(), b)
	require.NoError(t, err)
	require.Equal(t, s.NextTimer(), loaded.NextTimer(), "what is due depends on more than the state")
	again, err := loaded.AppendBinary([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before"+string(b), string(again))
	return loaded
}

func TestTheEncodingIsTheSchemas(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created?company_size=60 a/ana?id=0190a5c1-2b3d-7e4f-8a9b-0c1d2e3f4a5b b/bob d/cleo")
	b, err := s.state.AppendBinary(nil)
	require.NoError(t, err)
	native := avro(t, b)
	assert.Equal(t, int64(41), native["applied"])
	assert.Equal(t, int64(100), native["incarnation"])
	assert.Equal(t, int64(2), native["ordinal"])
	assert.Equal(t, []any{"usage"}, native["topics"])
	require.Len(t, native["users"], 3)
	assert.Equal(t, map[string]any{"id": "ana", "events": int64(2), "last_seen": 2 * hour, "role": "", "merits": []byte{1}}, native["users"].([]any)[0])
	require.Len(t, native["log"], 2)
	assert.Equal(t, map[string]any{"com.pqlstream.Transition": map[string]any{"type": int64(0), "after": hour}}, native["log"].([]any)[0])
	done := native["log"].([]any)[1].(map[string]any)["com.pqlstream.StepDone"].(map[string]any)
	assert.Equal(t, hour, done["after"])
	assert.Equal(t, map[string]any{"com.pqlstream.UUID": []byte("\x01\x90\xa5\xc1\x2b\x3d\x7e\x4f\x8a\x9b\x0c\x1d\x2e\x3f\x4a\x5b")}, done["event_id"])
	assert.Equal(t, int64(1), done["user"])
	assert.Equal(t, map[string]any{"long": int64(1)}, done["count"])
	assert.Len(t, native["working"], 2)
	assert.Len(t, native["seen"], 4)
	assert.Equal(t, map[string]any{"long": int64(60)}, native["properties"].([]any)[0].(map[string]any)["value"])
}

// everything has a step of every kind and uses all there is.
const everything = `
version: 1
name: everything
signup: {event: e0}
converted: {event: e9, where: 'properties.p == 9'}
exclude: ['account.kind == "bad"', 'account.share > 0.9']
properties:
  - {name: size, type: long, from: [{event: e0}, {event: e1}], default: 3}
  - {name: share, type: double, from: [{event: '*', property: p}]}
  - {name: kind, type: string, from: [{event: e2}]}
  - {name: flag, type: boolean, from: [{event: e3}]}
tiers:
  - {name: large, when: account.size > 10 && account.flag, threshold: 0.3, escalate_at: 0.6, playbook: guided-trial}
  - {name: rest, threshold: 0.5, escalate_at: 0.9}
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
dedupe: {horizon: 6h, limit: 10}
activity: {users: 4}
`

// randomLife makes events for everything: out of order by up to days, some of them repeated.
func randomLife(r *rand.Rand, n int) (events []usage.Event) {
	for i := range n {
		if len(events) > 0 && r.IntN(8) == 0 {
			events = append(events, events[max(0, len(events)-1-r.IntN(12))])
			continue
		}
		ev := usage.Event{ID: randomID(r), UserID: fmt.Sprintf("user-%d", r.IntN(7)), Name: fmt.Sprintf("e%d", r.IntN(12)),
			OccurredAt: 1_750_000_000_000 + int64(i)*hour - r.Int64N(24*hour), Quantity: r.Float64() * 4}
		if r.IntN(3) == 0 {
			ev.Properties = append(ev.Properties, usage.Property{Key: "p", Value: usage.LongValue(r.Int64N(10))})
		}
		if r.IntN(3) == 0 {
			ev.Properties = append(ev.Properties,
				usage.Property{Key: "size", Value: usage.LongValue(r.Int64N(20))},
				usage.Property{Key: "kind", Value: usage.StringValue([]string{"good", "bad", "fair"}[r.IntN(3)])},
				usage.Property{Key: "flag", Value: usage.BoolValue(r.IntN(2) == 0)})
		}
		events = append(events, ev)
	}
	return events
}

// foldAll folds events, with an encoding and decoding after those that reloads says.
func foldAll(t testing.TB, e *account.Engine, events []usage.Event, reloads func(i int) bool) ([]account.Fact, []byte) {
	f, s := e.Folder(), e.New("acme", 5)
	var all []account.Fact
	for i := range events {
		before, err := s.AppendBinary(nil)
		require.NoError(t, err)
		changed, facts := f.Apply(s, &events[i], account.Position{Topic: "usage", Offset: int64(i)}, 1_750_000_000_000+int64(i)*hour-5*hour)
		after, err := s.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, changed, string(before) != string(after), "changed lies at %+v", events[i])
		require.True(t, changed || len(facts) == 0)
		require.Positive(t, s.Size())
		require.LessOrEqual(t, len(after), e.Checklist().StateBound())
		all = append(all, facts...)
		if reloads(i) {
			s = reload(t, e, s)
		}
	}
	b, err := s.AppendBinary(nil)
	require.NoError(t, err)
	return all, b
}

func TestFoldingInPartsEqualsFoldingWhole(t *testing.T) {
	e := engine(t, everything)
	kinds := map[account.Type]int{}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 9))
		events := randomLife(r, 20+r.IntN(250))
		cut := r.IntN(len(events))
		facts, state := foldAll(t, e, events, func(int) bool { return false })
		inParts, stateInParts := foldAll(t, e, events, func(i int) bool { return i == cut })
		require.Equal(t, facts, inParts, "seed %d cut at %d", seed, cut)
		require.Equal(t, state, stateInParts)
		each, stateOfEach := foldAll(t, engine(t, everything), events, func(int) bool { return true })
		require.Equal(t, facts, each)
		require.Equal(t, state, stateOfEach)
		for _, f := range facts {
			kinds[f.Type]++
		}
	}
	for _, k := range []account.Type{account.SignedUp, account.StepDone, account.Qualified, account.Requalified, account.Escalated,
		account.Disqualified, account.Converted} {
		assert.Positive(t, kinds[k], "no %s came about: the test shows little", k)
	}
}

// randomChecklist is everything without some of its steps and with other numbers.
func randomChecklist(r *rand.Rand) string {
	text := regexp.MustCompile(`(?m)^  - \{id: s[1-8].*\n`).ReplaceAllStringFunc(everything, func(step string) string {
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
		{`activity: \{users: 4`, "activity: {users: 0", "activity: {users: 1", "activity: {users: 100"},
		{`at_least: [4-6](, within)`, "at_least: 2$1", "at_least: 30$1"},
	} {
		rule := regexp.MustCompile(c[0])
		text = rule.ReplaceAllStringFunc(text, func(old string) string { return rule.ReplaceAllString(old, c[1+r.IntN(len(c)-1)]) })
	}
	return text
}

// TestLosingAStateFromMemoryChangesNothing whatever the checklist: what is decided must not depend on what a cache keeps.
func TestLosingAStateFromMemoryChangesNothing(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 11))
		definition := randomChecklist(r)
		e, events := engine(t, definition), randomLife(r, 60)
		facts, state := foldAll(t, e, events, func(int) bool { return false })
		each, stateOfEach := foldAll(t, e, events, func(int) bool { return true })
		require.Equal(t, facts, each, "seed %d: %s", seed, definition)
		require.Equal(t, state, stateOfEach, "seed %d: %s", seed, definition)
	}
}

func TestStatesStayUnderTheirBound(t *testing.T) {
	e := engine(t, strings.ReplaceAll(everything, "at_least: 6, within: 2d", "at_least: 1000, within: 300d"))
	s := e.New("acme", math.MaxInt64)
	text := strings.Repeat("é", 128)
	biggest := 0
	for i := range 20_000 {
		id := fmt.Sprint(i, text)
		ev := &usage.Event{ID: id, UserID: id, Name: fmt.Sprintf("e%d", i%9), OccurredAt: math.MaxInt64 / 2, Quantity: 0.001,
			Properties: []usage.Property{{Key: "p", Value: usage.DoubleValue(0.1)}, {Key: "kind", Value: usage.StringValue(text)}}}
		if i%9 == 4 { // keep the windows full
			ev.OccurredAt, ev.Quantity = int64(i)*24*hour, 1
		}
		e.Folder().Apply(s, ev, account.Position{Topic: fmt.Sprint(i, "-", text)[:249], Partition: math.MaxInt32, Offset: math.MaxInt64}, 0)
		if i%500 == 0 {
			b, err := s.AppendBinary(nil)
			require.NoError(t, err)
			biggest = max(biggest, len(b))
		}
	}
	assert.LessOrEqual(t, biggest+11, e.Checklist().StateBound())
	assert.Greater(t, biggest, e.Checklist().StateBound()/4, "the bound is far off")
}

func TestStatesOfAnotherDefinitionLoad(t *testing.T) {
	s := begin(t, life)
	s.fold("account_created?company_size=60 a b d/ana")
	b, err := s.state.AppendBinary(nil)
	require.NoError(t, err)

	s.engine = engine(t, strings.NewReplacer(
		"  - {id: a, kind: event, event: a}\n", "",
		"id: b, kind: count, event: b, at_least: 2", "id: b, kind: count, event: b, at_least: 3",
		"{id: d, kind: distinct, event: d, of: user_id", "{id: d, kind: distinct, event: d, of: properties.x",
	).Replace(life)+"  - {id: e, kind: event, event: e}\n")
	s.state, err = s.engine.Load("acme", b)
	require.NoError(t, err)
	assert.Equal(t, []account.Moment{{Type: account.SignedUp, OccurredAt: hour}}, s.engine.View(s.state, 0).History)
	assert.Equal(t, "step_done(c) step_done(b) step_done(e) qualified", s.fold("c b b e"))
	f := s.last()
	assert.Equal(t, "medium", f.Tier, "the property is carried over")
	assert.Equal(t, "3 of 4 steps done", f.Playbook.Reason[len("A medium account is on its way: guide it through what blocks it: "):][:17])
	assert.Equal(t, "2 more values of properties.x with d (0 of 2)", f.StepsMissing[0].Need, "it counts something else now")
	assert.Equal(t, 1*hour, f.SignedUpAt)

	reordered := engine(t, strings.Replace(life, "  - {id: a, kind: event, event: a}\n", "", 1)+"  - {id: a, kind: event, event: a}\n")
	loaded, err := reordered.Load("acme", b)
	require.NoError(t, err)
	again, err := loaded.AppendBinary(nil)
	require.NoError(t, err)
	assert.Equal(t, b, again, "the order of steps does not matter")
}

func TestMalformedStatesAreErrors(t *testing.T) {
	e := engine(t, everything)
	_, b := foldAll(t, e, randomLife(rand.New(rand.NewPCG(7, 7)), 120), func(int) bool { return false })
	for n := range b {
		_, err := e.Load("acme", b[:n])
		require.Error(t, err, "cut off after %d of %d bytes", n, len(b))
	}
	_, err := e.Load("acme", append(b, 0))
	assert.ErrorContains(t, err, "loading account acme: malformed account state")
	_, err = e.Load("acme", []byte{2})
	assert.ErrorContains(t, err, "its state has layout 1, this version reads 3")
}

func FuzzLoad(f *testing.F) {
	e := engine(f, everything)
	for seed := range uint64(4) {
		_, b := foldAll(f, e, randomLife(rand.New(rand.NewPCG(seed, 7)), 100), func(int) bool { return false })
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := e.Load("acme", b)
		if err != nil {
			return
		}
		for i, ev := range randomLife(rand.New(rand.NewPCG(1, 1)), 30) {
			e.Folder().Apply(s, &ev, account.Position{Offset: int64(i)}, 0)
		}
		b, err = s.AppendBinary(nil)
		require.NoError(t, err)
		avro(t, b)
		_, err = e.Load("acme", b)
		require.NoError(t, err)
	})
}
