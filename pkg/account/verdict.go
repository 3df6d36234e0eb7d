package account

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// verdict says in one sentence whether the account is a PQL, with the arithmetic.
func (v *View) verdict() string {
	text := "Account " + Shown(v.AccountID) + " " + v.is() + ": " + v.arithmetic() + v.although() + "."
	if v.HoldOut {
		text += " It belongs to the control group, which nobody deals with."
	}
	return text
}

func (v *View) is() string {
	switch {
	case v.Converted:
		return "has converted, it is a customer"
	case v.Current && v.Escalated:
		return "is a PQL since " + inUTC(v.QualifiedAt) + ", and has escalated"
	case v.Current:
		return "is a PQL since " + inUTC(v.QualifiedAt)
	case v.Excluded:
		return "is no PQL, because the checklist excludes it"
	case v.Silent:
		return "is no PQL any more, because nothing happened for too long, it last qualified on " + inUTC(v.QualifiedAt)
	case v.QualifiedAt != 0:
		return "is no PQL any more, it last qualified on " + inUTC(v.QualifiedAt)
	}
	return "is no PQL yet"
}

// arithmetic is the rate held against the bar.
func (v *View) arithmetic() string {
	rate, bar := Percent(v.Rate), Percent(v.Threshold)
	if rate == bar && !v.reached() {
		rate, bar = exactly(v.Rate), exactly(v.Threshold)
	}
	return "steps done weigh " + weight(v.doneWeight()) + " of " + weight(v.totalWeight()) + " = " + rate +
		", tier " + v.Tier + v.tierBy() + " asks for " + bar
}

// doneWeight is the weight of the steps done.
func (v *View) doneWeight() (sum float64) {
	for i := range v.StepsDone {
		sum += v.Weights[v.StepsDone[i].Step]
	}
	return sum
}

// totalWeight is the weight of all steps.
func (v *View) totalWeight() float64 {
	sum := v.doneWeight()
	for i := range v.StepsMissing {
		sum += v.Weights[v.StepsMissing[i].Step]
	}
	return sum
}

// although explains a standing that is not what the arithmetic says.
func (v *View) although() string {
	switch {
	case v.Converted || v.Excluded || v.Current == v.reached():
		return ""
	case v.Current:
		return "; a bar that rises takes nothing away"
	case v.Barred:
		return "; its trial or its subscription has ended, it takes another step"
	}
	return "; the next event of the account decides"
}

func (v *View) reached() bool { return reached(v.Rate, v.Threshold) }

// tierBy names the properties that the tier depends on, not too many of them.
func (v *View) tierBy() string {
	const most = 5
	if len(v.TierBy) == 0 {
		return ""
	}
	var parts []string
	for _, p := range v.TierBy[:min(most, len(v.TierBy))] {
		parts = append(parts, p.Key+" "+known(p.Value))
	}
	if more := len(v.TierBy) - most; more > 0 {
		parts = append(parts, strconv.Itoa(more)+" more")
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// way says how the account gets to the threshold soonest; empty when it need not or can't.
func (v *View) way() string {
	if v.Current || v.Converted || v.Excluded || len(v.Nearest) == 0 {
		return ""
	}
	var sum float64
	for _, id := range slices.Concat(v.Nearest, v.Completes) {
		sum += v.Weights[id]
	}
	one := len(v.Nearest) == 1
	switch with := strings.Join(v.Completes, ", "); {
	case one && with == "":
		return "One more step of weight " + weight(sum) + " is enough. " + v.nearest()
	case one:
		return "One more step is enough: with " + with + ", which it completes, it weighs " + weight(sum) + ". " + v.nearest()
	case with == "":
		return strconv.Itoa(len(v.Nearest)) + " more steps that weigh " + weight(sum) + " are enough. " + v.nearest()
	default:
		return strconv.Itoa(len(v.Nearest)) + " more steps are enough: with " + with + ", which they complete, they weigh " + weight(sum) +
			". " + v.nearest()
	}
}

// nearest names the steps of the way, and what one that suffices alone needs.
func (v *View) nearest() string {
	if len(v.Nearest) == 1 {
		return "Nearest is " + v.Nearest[0] + prefixed(": ", v.needOf(v.Nearest[0])) + "."
	}
	return "Nearest are " + strings.Join(v.Nearest, ", ") + "."
}

func (v *View) needOf(step string) string {
	for i := range v.StepsMissing {
		if v.StepsMissing[i].Step == step {
			return v.StepsMissing[i].Need
		}
	}
	return ""
}

// known is a property's value for people.
func known(v usage.Value) string {
	if v.Kind() == usage.Null {
		return "unknown"
	}
	return Shown(v.String())
}

// weight is a weight for people: what sums of fractions lose in their last digits doesn't show.
func weight(w float64) string {
	text := strconv.FormatFloat(w, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// exactly is a share in words, for those that Percent can't tell apart.
func exactly(share float64) string { return strconv.FormatFloat(share*100, 'f', -1, 64) + " %" }
