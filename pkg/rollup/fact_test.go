package rollup

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// TestWhatAFactTells names each column, so that none is left out or mistaken for another.
func TestWhatAFactTells(t *testing.T) {
	properties := []checklist.Property{{Name: "source"}, {Name: "seats", Dimension: true}, {Name: "plan", Dimension: true}, {Name: "is_test", Dimension: true}}
	of := account.Fact{
		Type: account.Disqualified, Reason: account.ReasonInactive, Step: "s", OccurredAt: 20, SignedUpAt: 10, Rate: 0.5,
		HoldOut: true, Excluded: true, Late: true, Cause: account.ByMerge, Tier: "small", Segments: []string{"a", "b"},
		Checklist: account.ChecklistRef{Name: "x", Version: 3}, Properties: []usage.Property{
			{Key: "source", Value: usage.StringValue("ad")}, {Key: "seats", Value: usage.LongValue(12)}, {Key: "plan"}, {Key: "is_test", Value: usage.BoolValue(false)},
		},
	}
	got := Fact{Dimensions: []Dim{{"old", "1"}, {"older", "2"}, {"oldest", "3"}}}
	got.Read(&of, properties)
	assert.Equal(t, Fact{
		Type: "disqualified", Reason: "inactive", Step: "s", OccurredAt: 20, SignedUpAt: 10, Rate: 0.5,
		HoldOut: true, Excluded: true, Late: true, Merge: true, Tier: "small", Segments: []string{"a", "b"}, Checklist: 3,
		Dimensions: []Dim{{"seats", "12"}, {"is_test", "false"}},
	}, got)
	for _, cause := range []account.Cause{account.ByEvent, account.ByTime, account.ByDefinition, account.ByErasure} {
		got.Read(&account.Fact{Cause: cause}, properties)
		assert.Equal(t, Fact{Dimensions: []Dim{}}, got)
	}
}

func TestAFactIsReadAsItWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 8))
	var got Fact
	for range 30 {
		for _, f := range append(randomFacts(random), Fact{}, Fact{Type: "of another version", Reason: "new", Step: "s", OccurredAt: -5}) {
			b := f.AppendBinary([]byte("before"))[len("before"):]
			require.NoError(t, DecodeFact(&got, b))
			want := f
			want.Segments, want.Dimensions = append([]string{}, f.Segments...), append([]Dim{}, f.Dimensions...)
			have := got
			have.Segments, have.Dimensions = append([]string{}, got.Segments...), append([]Dim{}, got.Dimensions...)
			require.Equal(t, want, have)
		}
	}
	b := (&Fact{Type: "step_done", Step: "invited_team", OccurredAt: on(1, 0), SignedUpAt: on(1, -5), Tier: "small", Rate: 0.5, Checklist: 3}).AppendBinary(nil)
	assert.Less(t, len(b), 50)
}

func TestNothingElseIsAFact(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 9))
	for range 20 {
		for _, f := range randomFacts(random) {
			b := f.AppendBinary(nil)
			for i := range b {
				sameFact(t, b[:i])
				changed := slices.Clone(b)
				changed[i] ^= 1 << random.IntN(8)
				sameFact(t, changed)
			}
			sameFact(t, append(b, 0))
		}
	}
}

// Flags of what isn't there, and names spelled out that have a code, are another encoding of the same.
func TestAFactHasOneEncoding(t *testing.T) {
	plain := Fact{Type: "x", OccurredAt: 7}
	b := plain.AppendBinary(nil)
	flags := len("LTtx") // behind layout and type
	var f Fact
	for _, test := range []struct {
		flag byte
		more []byte
	}{{factSignedUp, appendInt(nil, 7)}, {factReason, []byte{0, 0}}, {factStep, []byte{0}}, {afterFactFlags, nil}} {
		changed := append(slices.Clone(b), test.more...)
		changed[flags] |= test.flag
		require.ErrorIs(t, DecodeFact(&f, changed), errFact)
	}
	spelled := plain
	spelled.Type = typeQualified
	code := spelled.AppendBinary(nil)
	long := append(appendText([]byte{factLayout, 0}, typeQualified), code[2:]...)
	require.NoError(t, DecodeFact(&f, code))
	require.ErrorIs(t, DecodeFact(&f, long), errFact)
}

// sameFact says that bytes are no fact, or the only encoding of one.
func sameFact(t *testing.T, b []byte) {
	var f Fact
	if err := DecodeFact(&f, b); err != nil {
		require.ErrorIs(t, err, errFact)
		return
	}
	require.Equal(t, string(b), string(f.AppendBinary(nil)))
}

func FuzzFact(f *testing.F) {
	for _, fact := range randomFacts(rand.New(rand.NewPCG(3, 9))) {
		f.Add(fact.AppendBinary(nil))
	}
	f.Fuzz(sameFact)
}

// The names are those of the facts.
func TestNamesAreThoseOfFacts(t *testing.T) {
	for name, of := range map[string]account.Type{
		typeQualified: account.Qualified, typeRequalified: account.Requalified, typeDisqualified: account.Disqualified,
		typeConverted: account.Converted, typeStepDone: account.StepDone,
	} {
		assert.Equal(t, string(of), name)
	}
	for _, of := range []account.Type{account.SignedUp, account.Escalated, account.Churned, account.StepUndone, account.Active, account.NearMiss,
		account.ShutOut, account.LetIn} {
		assert.Contains(t, types, string(of))
	}
	assert.Equal(t, [...]string{string(account.LeadAccepted), string(account.LeadRejected), string(account.MeetingBooked),
		string(account.LeadWon), string(account.LeadLost)}, sayings)
	for _, of := range []account.Reason{account.Excluded, account.ReasonStepUndone, account.ReasonTierChanged, account.ReasonInactive,
		account.ReasonTrialEnded} {
		assert.Contains(t, reasons, string(of))
	}
}
