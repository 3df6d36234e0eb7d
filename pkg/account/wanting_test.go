package account_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// at is a Source that counts how often it was asked.
type at struct {
	position account.Position
	asked    int
}

func (a *at) Position() account.Position {
	a.asked++
	return a.position
}

func (a *at) Watermark() int64 { return 0 }

// TestWhatNobodyWantsChangesNothing folds the same events for different wishes: states and the ids of facts must agree.
func TestWhatNobodyWantsChangesNothing(t *testing.T) {
	all := engine(t, everything)
	leads := func(kind account.Type) bool { return kind == account.Qualified || kind == account.Disqualified }
	none := func(account.Type) bool { return false }
	made, left := 0, 0
	for seed := range uint64(20) {
		s, some, pqls := all.New("acme", 5), all.New("acme", 5), all.New("acme", 5)
		for i, ev := range randomLife(rand.New(rand.NewPCG(seed, 3)), 150) {
			pos := account.Position{Topic: "usage", Offset: int64(i)}
			changed, facts := all.Folder().Apply(s, &ev, pos, 0)
			someChanged, someFacts := all.Wanting(leads, false).Folder().Apply(some, &ev, pos, 0)
			_, pqlFacts := all.Wanting(none, true).Folder().Apply(pqls, &ev, pos, 0)
			require.Equal(t, changed, someChanged)
			var wanted, ofPQLs []account.Fact
			for _, f := range facts {
				if leads(f.Type) {
					wanted = append(wanted, f)
				}
				if f.QualifiedAt != 0 {
					ofPQLs = append(ofPQLs, f)
				}
			}
			require.Equal(t, wanted, someFacts)
			require.Equal(t, ofPQLs, pqlFacts)
			made, left = made+len(wanted), left+len(facts)-len(wanted)
		}
		want, _ := s.AppendBinary(nil)
		got, _ := some.AppendBinary(nil)
		require.Equal(t, want, got)
	}
	assert.Positive(t, made)
	assert.Greater(t, left, made)
}

// TestOutlinesAreOfTheSameFacts folds the same events for full facts and for outlines of those that are not wanted.
func TestOutlinesAreOfTheSameFacts(t *testing.T) {
	all := engine(t, everything)
	leads := func(kind account.Type) bool { return kind == account.Qualified || kind == account.Disqualified }
	outlined := 0
	for seed := range uint64(20) {
		s, some := all.New("acme", 5), all.New("acme", 5)
		for i, ev := range randomLife(rand.New(rand.NewPCG(seed, 3)), 150) {
			pos := account.Position{Topic: "usage", Offset: int64(i)}
			_, facts := all.Folder().Apply(s, &ev, pos, int64(i%2)*ev.OccurredAt)
			_, outlines := all.Wanting(leads, false).Outlining().Folder().Apply(some, &ev, pos, int64(i%2)*ev.OccurredAt)
			require.Len(t, outlines, len(facts))
			for i, f := range facts {
				if !leads(f.Type) {
					f = outline(f)
					outlines[i].Playbook = account.Playbook{}
					outlined++
				}
				require.Equal(t, f, outlines[i])
			}
		}
		want, _ := s.AppendBinary(nil)
		got, _ := some.AppendBinary(nil)
		require.Equal(t, want, got)
	}
	assert.Positive(t, outlined)
}

// outline is what an outline has of a fact.
func outline(f account.Fact) account.Fact {
	return account.Fact{
		Type: f.Type, AccountID: f.AccountID, OccurredAt: f.OccurredAt, Cause: f.Cause, Late: f.Late, Reason: f.Reason, Step: f.Step, Tier: f.Tier, Rate: f.Rate,
		Threshold: f.Threshold, Checklist: f.Checklist, Properties: f.Properties, Segments: f.Segments, Current: f.Current, Excluded: f.Excluded,
		HoldOut: f.HoldOut, PartlyErased: f.PartlyErased, SignedUpAt: f.SignedUpAt, QualifiedAt: f.QualifiedAt,
	}
}

func TestPositionsAreAskedForWhenSomethingTellsThem(t *testing.T) {
	e := engine(t, life)
	fold := func(e *account.Engine, s *account.State, name string) int {
		from := &at{position: account.Position{Topic: "usage", Offset: 7}}
		ev := &usage.Event{Name: name, OccurredAt: 1}
		e.Folder().Fold(s, e.Checklist().Listener(name), ev, from, 0)
		return from.asked
	}
	none := e.Wanting(func(account.Type) bool { return false }, false)
	s := e.New("acme", 1)
	assert.Zero(t, fold(none, s, "account_created"))
	assert.Zero(t, fold(none, s, "b"), "a step begun")
	assert.Equal(t, 1, fold(none, s, "a"), "the evidence of a step done")
	assert.Equal(t, 2, fold(e, s, "b"), "evidence and fact")
	assert.Equal(t, "usage", e.View(s, 0).StepsDone[0].Position.Topic)
}
