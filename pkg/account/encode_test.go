package account_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
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
	assert.Equal(t, int64(3), native["ordinal"])
	assert.Equal(t, int64(1|32|64), native["flags"], "signed up, several users, active")
	assert.Zero(t, native["last_hour"])
	assert.Equal(t, []any{"usage"}, native["topics"])
	require.Len(t, native["users"], 3)
	assert.Equal(t, map[string]any{"id": "ana", "events": int64(2), "last_seen": 2 * hour, "role": "", "merits": []byte{1}}, native["users"].([]any)[0])
	require.Len(t, native["log"], 3)
	assert.Equal(t, map[string]any{"com.pqlstream.Transition": map[string]any{"type": int64(0), "after": hour}}, native["log"].([]any)[0])
	assert.Equal(t, map[string]any{"com.pqlstream.Transition": map[string]any{"type": int64(9), "after": hour}}, native["log"].([]any)[1])
	done := native["log"].([]any)[2].(map[string]any)["com.pqlstream.StepDone"].(map[string]any)
	assert.Equal(t, int64(0), done["after"])
	assert.Equal(t, map[string]any{"com.pqlstream.UUID": []byte("\x01\x90\xa5\xc1\x2b\x3d\x7e\x4f\x8a\x9b\x0c\x1d\x2e\x3f\x4a\x5b")}, done["event_id"])
	assert.Equal(t, int64(1), done["user"])
	assert.Equal(t, map[string]any{"long": int64(1)}, done["count"])
	assert.Len(t, native["working"], 2)
	assert.Len(t, native["seen"], 4)
	assert.Equal(t, map[string]any{"long": int64(60)}, native["properties"].([]any)[0].(map[string]any)["value"])
}

func TestFoldingInPartsEqualsFoldingWhole(t *testing.T) {
	e := engine(t, everything)
	came := map[string]int{} // facts, by type and step
	for seed := range uint64(lives) {
		r := rand.New(rand.NewPCG(seed, 9))
		events := randomLife(r, 20+r.IntN(250))
		cut := r.IntN(2 * len(events))
		facts, state := foldAll(t, e, events, never)
		inParts, stateInParts := foldAll(t, e, events, func(i int) bool { return i == cut })
		require.Equal(t, facts, inParts, "seed %d cut at %d", seed, cut)
		require.Equal(t, state, stateInParts)
		each, stateOfEach := foldAll(t, engine(t, everything), events, always)
		require.Equal(t, facts, each)
		require.Equal(t, state, stateOfEach)
		for _, f := range facts {
			came[string(f.Type)+f.Step]++
			came[string(f.Reason)]++
			came[string(account.NearMiss)] += strings.Count(string(f.Type), string(account.NearMiss))
		}
	}
	for _, k := range []account.Type{account.SignedUp, account.Qualified, account.Requalified, account.Escalated, account.Disqualified,
		account.Converted, account.Active, account.Churned, account.NearMiss, account.ShutOut, account.LetIn, account.LeadAccepted,
		account.LeadRejected, account.LeadWon, account.LeadLost, account.SegmentChanged} {
		assert.Positive(t, came[string(k)], "no %s came about: the test shows little", k)
	}
	for _, why := range []account.Reason{account.Excluded, account.ReasonStepUndone, account.ReasonTierChanged, account.ReasonInactive,
		account.ReasonTrialEnded} {
		assert.Positive(t, came[string(why)], "nothing came about as %s: the test shows little", why)
	}
	for _, step := range e.Checklist().Steps() {
		assert.Positive(t, came[string(account.StepDone)+step.ID], "%s was never done: the test shows little", step.ID)
		assert.Equal(t, step.Live, came[string(account.StepUndone)+step.ID] > 0, "whether %s was undone", step.ID)
	}
}

// TestLosingAStateFromMemoryChangesNothing whatever the checklist: what is decided must not depend on what a cache keeps.
func TestLosingAStateFromMemoryChangesNothing(t *testing.T) {
	for seed := range uint64(lives) {
		r := rand.New(rand.NewPCG(seed, 11))
		definition := randomChecklist(r)
		e, events := engine(t, definition), randomLife(r, 60)
		facts, state := foldAll(t, e, events, never)
		each, stateOfEach := foldAll(t, e, events, always)
		require.Equal(t, facts, each, "seed %d: %s", seed, definition)
		require.Equal(t, state, stateOfEach, "seed %d: %s", seed, definition)
	}
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
	assert.Equal(t, []account.Moment{{Type: account.SignedUp, OccurredAt: hour}, {Type: account.Active, OccurredAt: 2 * hour}}, s.engine.View(s.state, 0).History)
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
	_, b := foldAll(t, e, randomLife(rand.New(rand.NewPCG(7, 7)), 120), never)
	for n := range b {
		_, err := e.Load("acme", b[:n])
		require.Error(t, err, "cut off after %d of %d bytes", n, len(b))
	}
	_, err := e.Load("acme", append(b, 0))
	assert.ErrorContains(t, err, "loading account acme: malformed account state")
	_, err = e.Load("acme", []byte{2})
	assert.ErrorContains(t, err, "its state has layout 1, this version reads 6")
}
