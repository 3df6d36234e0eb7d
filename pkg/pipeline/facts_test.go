package pipeline

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const dimensionedRules = `
version: 3
name: test
signup: {event: signed_up}
inactivity: {days: 0}
exclude: ['account.is_test']
segments: [{name: big, when: 'account.seats >= 10'}, {name: keen, when: 'rate >= 0.5'}]
properties:
  - {name: source, type: string, from: [{event: signed_up}]}
  - {name: seats, type: long, dimension: true, from: [{event: signed_up}]}
  - {name: is_test, type: boolean, dimension: true, from: [{event: signed_up}]}
tiers: [{name: all, threshold: 1.0}]
steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}]
`

func factsStage(t *testing.T, rules string) *Activation {
	s := stageOf(t, rules)
	s.Metrics = &MetricFacts{Topic: Topic{"facts", partitions}, Input: "in", Started: 77}
	return s
}

// factsOf returns the records for metrics, decoded.
func factsOf(t *testing.T, outputs []stream.Output) (facts []rollup.Fact) {
	t.Helper()
	for _, o := range outputs {
		if o.Topic != "facts" {
			continue
		}
		var f rollup.Fact
		require.NoError(t, rollup.DecodeFact(&f, o.Value))
		facts = append(facts, f)
	}
	return facts
}

func TestMetricsAreToldEveryFact(t *testing.T) {
	s := factsStage(t, dimensionedRules)
	s.Lifecycle, s.Current = "", ""
	a := &entity{t: t, proc: s.Processor("in", 2)}
	_, outputs := a.fold(event(t, 1, "acme", "signed_up", usage.Property{Key: "seats", Value: usage.LongValue(12)}, usage.Property{Key: "source", Value: usage.StringValue("ad")}))
	require.Len(t, outputs, 1, "a sign-up is for no other topic")
	assert.Equal(t, "acme", string(outputs[0].Key))
	assert.EqualValues(t, 2, outputs[0].Partition, "that of the account's events")
	assert.True(t, outputs[0].Lazy, "a minute's windows don't wait for a millisecond")
	at := func(minute int64) int64 { return epoch + minute*60_000 }
	signedUp := rollup.Fact{
		Type: "signed_up", OccurredAt: at(1), SignedUpAt: at(1), Tier: "all", Segments: []string{"big"}, Checklist: 3,
		Dimensions: []rollup.Dim{{Name: "seats", Value: "12"}},
	}
	assert.Equal(t, []rollup.Fact{signedUp}, factsOf(t, outputs), "a property that is unknown, or no dimension, is left out")

	a.fold(event(t, 2, "acme", "one"))
	_, outputs = a.fold(event(t, 3, "acme", "two"))
	facts := factsOf(t, outputs)
	require.Len(t, facts, 2)
	assert.Equal(t, "step_done", facts[0].Type)
	assert.Equal(t, "two", facts[0].Step)
	assert.Equal(t, "qualified", facts[1].Type)
	assert.Equal(t, []string{"big", "keen"}, facts[1].Segments)
	assert.InDelta(t, 1, facts[1].Rate, 0)
	require.Len(t, outputs, 3)
	assert.Equal(t, "events", outputs[2].Topic)
}

// What is published besides decides how much is made of a fact, not what metrics are told, nor what the other topics hold.
func TestMetricsAreToldTheSameWhateverIsPublished(t *testing.T) {
	of := func(set func(*Activation)) (told []rollup.Fact, published map[string]int) {
		s := factsStage(t, dimensionedRules+"hold_out: {share: 0.2}\n")
		set(s)
		published = map[string]int{}
		for _, account := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			a := &entity{t: t, proc: s.Processor("in", 2)}
			for i, name := range []string{"signed_up", "one", "one", "two"} {
				seats := usage.Property{Key: "seats", Value: usage.LongValue(int64(len(name) + i))}
				_, outputs := a.fold(event(t, int64(i), account, name, seats))
				told = append(told, factsOf(t, outputs)...)
				for _, o := range outputs {
					published[o.Topic]++
				}
			}
		}
		return told, published
	}
	want, all := of(func(*Activation) {})
	require.Greater(t, len(want), 21)
	withCurrent, published := of(func(s *Activation) { s.Lifecycle = "" })
	assert.Equal(t, want, withCurrent)
	assert.Equal(t, map[string]int{"facts": all["facts"], "events": all["events"], "current": all["current"]}, published)
	alone, published := of(func(s *Activation) { s.Lifecycle, s.Current = "", "" })
	assert.Equal(t, want, alone)
	assert.Equal(t, map[string]int{"facts": all["facts"], "events": all["events"]}, published)
	assert.NotZero(t, all["events"])
}

func TestMetricsAreToldOfWhoIsHeldOutExcludedOrLate(t *testing.T) {
	s := factsStage(t, dimensionedRules+"hold_out: {share: 1}\n")
	a := &entity{t: t, proc: s.Processor("in", 2)}
	_, outputs := a.fold(event(t, 1, "acme", "signed_up", usage.Property{Key: "is_test", Value: usage.BoolValue(true)}))
	facts := factsOf(t, outputs)
	require.NotEmpty(t, facts)
	for _, f := range facts {
		assert.True(t, f.HoldOut)
		assert.True(t, f.Excluded)
		assert.Equal(t, []rollup.Dim{{Name: "is_test", Value: "true"}}, f.Dimensions)
	}
	var f rollup.Fact
	f.Read(&account.Fact{Type: account.StepDone, Late: true, Cause: account.ByMerge, Reason: account.ReasonInactive}, nil)
	assert.Equal(t, rollup.Fact{Type: "step_done", Late: true, Merge: true, Reason: "inactive"}, f)
}

// Activation tells the time where there are metrics, and only there, with timers and without.
func TestActivationTellsMetricsTheTime(t *testing.T) {
	for name, timed := range map[string]bool{"with timers": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := factsStage(t, rules)
			if !timed {
				s.Partitions = partitions
			}
			proc := s.Processor("in", 2)
			_, fires := proc.(stream.TimerProcessor)
			assert.Equal(t, timed, fires)
			teller, tells := proc.(stream.TimeTeller)
			require.True(t, tells)
			told := teller.Tell(1234, false)
			require.Len(t, told, int(partitions))
			for i, o := range told {
				assert.Equal(t, "facts", o.Topic)
				assert.EqualValues(t, i, o.Partition)
				assert.Empty(t, o.Key)
				assert.Equal(t, controlMark, header(o.Headers, headerControl))
				var m stream.Mark
				require.NoError(t, json.Unmarshal(o.Value, &m))
				assert.Equal(t, stream.Mark{Topic: "in", Partition: 2, Watermark: 1234, AsOf: 77, Sources: []stream.Source{{Topic: "in", Partitions: partitions}}}, m)
			}
			s.Metrics = nil
			_, tells = s.Processor("in", 2).(stream.TimeTeller)
			assert.False(t, tells, "nobody asks")
		})
	}
}
