package checklist

import (
	"slices"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Step is one step of the checklist.
type Step struct {
	ID           string
	Kind         string
	Weight       float64 // 0: it counts for other steps only
	Live         bool    // it is undone again when it holds no longer
	Judged       bool    // Judge says whether it is done
	ReadsAccount bool    // what Judge says depends on account properties
	Key          uint32  // identifies the step in encoded states
	WorkKey      uint32  // identifies the step and the shape of its working set there

	inputs  []input
	reads   []string // properties of its events, beside what filters read
	members []int    // of a step over steps: their places
	need    int      // how many of them must be done
	rule    rule
	traits  traits // the rule's, which are asked for at every event
	judge   judged // the rule, if it is judged
	target  float64
	begin   string // what is missing at the start, in words
}

// input is one of the things that a step listens to.
type input struct {
	where Condition // nil: every event
	text  string
}

func (s *Step) hasMember(place int) bool { return slices.Contains(s.members, place) }

// Members are the places of the steps that a step is made of, and how many of them must be done; none for most kinds.
func (s *Step) Members() (places []int, need int) { return s.members, s.need }

// Credits says whether events of users do the step, so that it can be a user's merit.
func (s *Step) Credits() bool { return len(s.inputs) > 0 && !s.traits.uncredited }

// Filtered says whether an input has a filter: without one it accepts every event.
func (s *Step) Filtered(role uint8) bool { return s.inputs[role].where != nil }

// Accepts says whether an input's filter lets an event pass. The event's name is the caller's business.
func (s *Step) Accepts(role uint8, ev *usage.Event, account []usage.Value) bool {
	where := s.inputs[role].where
	return where == nil || where(ev, account)
}

// Update folds an accepted event into the step's working set, and says whether that changed the set and whether the step
// is done now. Once done the working set is of no use any more, unless the step is live. What the working set keeps of
// the event is its own.
func (s *Step) Update(w *Work, in *Input) (changed, done bool) {
	changed, done = s.rule.update(w, in)
	if s.Judged {
		done, _ = s.judge.judge(*w, &in.Moment)
	}
	return changed, done
}

// Judge says whether a judged step is done at a moment, and the watermark at which that will be otherwise if no event
// comes; Never when it won't.
func (s *Step) Judge(w Work, m *Moment) (done bool, next int64) { return s.judge.judge(w, m) }

// Count is what the step has counted, in its own unit: events, users, days, a sum. When done it is at least 1. What has left
// its window at the moment, or decayed, does not count any more; a moment before all events leaves nothing out. What a step
// over steps has counted, its members done, its working set does not say.
func (s *Step) Count(w Work, m *Moment, done bool) float64 {
	if done && s.traits.milestones {
		return s.target
	}
	return s.rule.count(w, m)
}

// Reached says whether a working set holds as much as the step asks for, in any window, or on any day of a score, that
// reaches to or beyond a moment; a moment before all events leaves nothing out. What takes time, or stays for a time, says Judge.
func (s *Step) Reached(w Work, m *Moment) bool {
	if r, is := s.rule.(held); is {
		return r.reached(w, m)
	}
	return s.rule.count(w, m) >= s.target
}

// Oversized says whether a working set is larger than the step's can be, as one of a definition that asked for more.
func (s *Step) Oversized(w Work) bool { return workBound+len(w) > max(s.traits.bound, workBound) }

// Valid says whether bytes are a working set of the step.
func (s *Step) Valid(w Work) bool { return s.rule.valid(w) }

// Missing says how far the step is, from 0 to below 1, when it has counted so much, and what is missing, in words.
func (s *Step) Missing(count float64) (progress float64, need string) {
	if count == 0 {
		return 0, s.begin
	}
	have := min(count, s.target)
	// A definition that has just changed may find its target reached already: the next event will say so.
	return max(0, min(have/s.target, 0.99)), string(s.rule.appendNeed(make([]byte, 0, 128), have))
}

// bound is the most bytes that the step can take in an encoded state.
func (s *Step) bound() int {
	if s.Live { // evidence and working set at once
		return evidenceBound + s.traits.bound
	}
	return max(evidenceBound, s.traits.bound)
}
