package account

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// View is an account as people see it.
type View struct {
	Fact        // the standing at OccurredAt; what belongs to a single transition is empty
	Incarnation int64
	Ordinal     int64 // of the newest fact
	Converted   bool
	Escalated   bool               // since the newest qualification
	Silent      bool               // it ceased to be a PQL as nothing happened for too long: its next event decides
	Barred      bool               // its trial or its subscription has ended: it takes another step to qualify
	Weights     map[string]float64 // of all steps, by id; of weight 0 are those that count for other steps only
	TierBy      []usage.Property   // the properties that the tier depends on; none where there is one tier only
	Nearest     []string           // the shortest way to the threshold: the fewest steps missing that suffice, none made of others; none if it is reached
	Completes   []string           // the steps made of others that weigh something and are done with those
	Refines     string             // the tier's playbook, where a refinement of another name has taken its place
	MergedInto  string             // the account that it was merged into, of which all else tells; empty: none
	Erased      bool               // it was erased, and nothing has happened since
	LoneUser    bool               // one user carries an account of a tier of large accounts
	History     []Moment           // the last 50 transitions, the oldest first
}

// Moment is a transition of the past.
type Moment struct {
	Type       Type
	Step       string // of a StepDone or StepUndone
	OccurredAt int64  // ms since the Unix epoch, UTC: event time
}

// View describes an account at a time in ms since the Unix epoch, which decides how many users count as active.
func (e *Engine) View(s *State, at int64) View {
	v := View{
		Fact: e.standingOf(s, at), Incarnation: s.incarnation, Ordinal: int64(s.ordinal),
		Converted: s.has(converted), Escalated: s.has(escalated), Silent: s.has(silent), Barred: s.has(barred),
		MergedInto: s.Alias(), Erased: s.has(erased), Weights: map[string]float64{}, TierBy: e.tierBy(s), History: e.history(s),
	}
	v.OccurredAt = at
	for i := range e.checklist.Steps() {
		step := &e.checklist.Steps()[i]
		v.Weights[step.ID] = step.Weight
	}
	v.Nearest, v.Completes = e.shortestWay(&v)
	tier := &e.checklist.Tiers()[s.standing.tier]
	if v.Playbook.Name != "" && v.Playbook.Name != tier.Playbook.Name {
		v.Refines = tier.Playbook.Name
	}
	v.LoneUser = v.SingleUser && tier.Large
	return v
}

func (e *Engine) history(s *State) (all []Moment) {
	for r, d := s.log(), (entry{}); r.next(&d); {
		past := Moment{Type: types[d.kind], OccurredAt: d.at}
		if d.kind == kindStepDone || d.kind == kindStepUndone {
			past.Step = e.checklist.Steps()[e.stepOf(d.key)].ID
		}
		all = append(all, past)
	}
	return all[max(0, len(all)-checklist.History):]
}

// extremes are values to try a property with: whatever it is, these are mostly something else.
var extremes = []usage.Value{
	{}, usage.BoolValue(false), usage.BoolValue(true), usage.StringValue(""),
	usage.LongValue(math.MinInt64), usage.LongValue(math.MaxInt64), usage.DoubleValue(-math.MaxFloat64), usage.DoubleValue(math.MaxFloat64),
}

// tierBy returns the properties that the tier depends on: those of which another value would make another tier. What is
// not found so, as where two properties each suffice, is among all, which are returned when none is found.
func (e *Engine) tierBy(s *State) (by []usage.Property) {
	if len(e.checklist.Tiers()) == 1 {
		return nil
	}
	values := e.properties(nil, s)
	all := e.told(values)
	tier := e.checklist.Tier(values)
	for i, declared := range e.checklist.Properties() {
		is := values[i]
		for _, other := range extremes {
			if values[i] = other; (other.Kind() == usage.Null || other.Kind() == declared.Kind) && e.checklist.Tier(values) != tier {
				by = append(by, all[i])
				break
			}
		}
		values[i] = is
	}
	if by == nil {
		return all
	}
	return by
}
