package account

import "github.com/pqlstream/pqlstream/pkg/checklist"

// View is an account as people see it.
type View struct {
	Fact        // the standing at OccurredAt; what belongs to a single transition is empty
	Incarnation int64
	Ordinal     int64 // of the newest fact
	Excluded    bool  // an exclude expression is true: the account can't qualify
	Converted   bool
	Escalated   bool     // since the newest qualification
	History     []Moment // the last 50 transitions, the oldest first
}

// Moment is a transition of the past.
type Moment struct {
	Type       Type
	Step       string // of a StepDone
	OccurredAt int64  // ms since the Unix epoch, UTC: event time
}

// View describes an account at a time in ms since the Unix epoch, which decides how many users count as active.
func (e *Engine) View(s *State, at int64) View {
	v := View{
		Fact: e.standingOf(s, at), Incarnation: s.incarnation, Ordinal: int64(s.ordinal),
		Excluded: s.standing.excluded, Converted: s.has(converted), Escalated: s.has(escalated),
	}
	v.OccurredAt = at
	for r, d := s.log(), (entry{}); r.next(&d); {
		past := Moment{Type: types[d.kind], OccurredAt: d.at}
		if d.kind == kindStepDone {
			past.Step = e.checklist.Steps()[e.stepOf(d.key)].ID
		}
		v.History = append(v.History, past)
	}
	v.History = v.History[max(0, len(v.History)-checklist.History):]
	return v
}
