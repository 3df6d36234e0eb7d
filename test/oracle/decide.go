package oracle

import (
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// decide says whether the account is a PQL now.
func (a *account) decide(converts, trialEnded bool) {
	if out := a.excluded(); out != a.shutOut {
		a.shutOut = out
		a.mark(map[bool]string{true: "excluded", false: "included"}[out])
	}
	below := a.rate() < a.tier().threshold
	switch {
	case !a.current:
	case a.excluded():
		a.leave("excluded")
	case below && a.undone:
		a.leave("step_undone")
	case below && a.wholeLife && a.barBefore < a.tier().threshold:
		a.leave("tier_changed")
	}
	if converts && !a.converted {
		a.current, a.converted, a.near, a.lastHour = false, true, false, 0
		a.mark("converted")
	}
	if trialEnded && !a.converted && (a.current || !below) {
		a.barred = true
		if a.current {
			a.leave("trial_ended")
		}
	}
	if a.mayQualify() && !below {
		a.qualify()
	}
	if t := a.tier(); a.current && !a.escalated && t.escalateAt > 0 && a.rate() >= t.escalateAt {
		a.escalated = true
		a.mark("escalated")
	}
	step := a.oneStepShort()
	if step != "" && !a.near {
		a.mark("near_miss").Step = step
	}
	a.near = step != ""
}

func (a *account) qualify() {
	kind := "qualified"
	if a.everPQL {
		kind = "requalified"
	}
	a.current, a.everPQL, a.escalated, a.near, a.pqlSince = true, true, false, false, a.at
	f := a.mark(kind)
	if !a.stepped && a.barBefore > a.tier().threshold && a.rate() < a.barBefore {
		f.Reason = "tier_changed"
	}
}

// leave makes the account no PQL.
func (a *account) leave(reason string) {
	a.current, a.lastHour = false, 0
	a.mark("disqualified").Reason = reason
}

func (a *account) mayQualify() bool {
	return !a.current && !a.converted && !a.barred && !a.silent && !a.excluded()
}

// oneStepShort names the step that is missing, of several the one that has come furthest.
func (a *account) oneStepShort() (step string) {
	if !a.mayQualify() {
		return ""
	}
	all := 0.0
	for _, s := range a.steps() {
		all += s.weight
	}
	furthest := -1.0
	for _, m := range a.missing(a.at) {
		if a.rate()+a.step(m.Step).weight/all >= a.tier().threshold-1e-9 && m.Progress > furthest {
			step, furthest = m.Step, m.Progress
		}
	}
	return step
}

// tellTier tells of another tier where no fact has.
func (a *account) tellTier() {
	if a.tierTold != "" && a.tierTold != a.tier().name {
		a.say("segment_changed")
	}
}

// heldOut says whether an account is of the control group, a tenth of all.
func heldOut(id string) bool {
	return xxhash.Sum64String("oracle\x00"+id) < 1<<64/10
}

func (a *account) excluded() bool {
	return a.domain.value.Str() == "ourcompany.example" || a.beta.value.Bool() || a.wholeLife && a.id == "acct-4"
}

type tier struct {
	name                  string
	threshold, escalateAt float64
}

func (a *account) tier() tier {
	switch size := a.size.value.Long(); { // 0 when nothing has told it
	case size >= 500:
		return tier{"large", 0.2, 0.4}
	case size >= 50 || a.plan.value.Str() == "business":
		return tier{"medium", 0.4, 0.7}
	}
	return tier{"small", 0.5, 0}
}

func (a *account) rate() float64 {
	var done, all float64
	for _, s := range a.steps() {
		all += s.weight
		if a.isDone(s.id) {
			done += s.weight
		}
	}
	return done / all
}

func (a *account) singleUser() bool { return len(a.users) == 1 && !a.several }

// mark makes a fact that says when something last became of the account.
func (a *account) mark(kind string) *Fact {
	a.moments = append(a.moments, a.at)
	return a.say(kind)
}

// say makes a fact of what has just become of the account.
func (a *account) say(kind string) *Fact {
	a.ordinal++
	a.changed = true
	t := a.tier()
	a.tierTold = t.name
	f := Fact{
		ID: factID(a.id, a.incarnation, a.ordinal), Type: kind, AccountID: a.id, Tier: t.name, Rate: a.rate(), Threshold: t.threshold,
		Cause: a.cause, EventID: a.eventID, EventName: a.eventName, UserID: a.userID, Position: a.source, Late: a.late,
		OccurredAt: a.at, SignedUpAt: a.signedUpAt, QualifiedAt: a.pqlSince, Current: a.current,
		Excluded: a.excluded(), HoldOut: heldOut(a.id), PartlyErased: a.partlyErased,
	}
	switch progress := slices.Contains([]string{"signed_up", "active", "step_done", "step_undone", "segment_changed"}, kind); {
	case a.current || !progress: // a lead: with all the evidence
		f.StepsDone, f.StepsMissing, f.SingleUser = copied(a.done), a.missing(a.at), a.singleUser()
	case kind == "step_done":
		f.StepsDone = copied(a.done[len(a.done)-1:])
	}
	a.facts = append(a.facts, f)
	return &a.facts[len(a.facts)-1]
}

// copied returns a copy, nil of nothing.
func copied(done []Done) []Done { return append([]Done(nil), done...) }

func (a *account) missing(at int64) (missing []Missing) {
	for _, s := range a.steps() {
		if a.isDone(s.id) {
			continue
		}
		have := 0.0
		if t := a.work[s.id]; t != nil {
			have = s.counted(t, at)
		}
		missing = append(missing, Missing{s.id, min(have/s.target, 0.99)}) // what is missing never reads as 100 %
	}
	return missing
}

func (a *account) summary(at int64) Summary {
	return Summary{
		AccountID: a.id, Incarnation: a.incarnation, Ordinal: a.ordinal, Tier: a.tier().name, Rate: a.rate(),
		StepsDone: copied(a.done), StepsMissing: a.missing(at), Users: maps.Clone(a.users), SignedUpAt: a.signedUpAt, QualifiedAt: a.pqlSince,
		Current: a.current, Excluded: a.excluded(), Converted: a.converted, Escalated: a.escalated, Silent: a.silent, Barred: a.barred,
		CompanySize: a.size.value, Domain: a.domain.value, Plan: a.plan.value, Beta: a.beta.value, SingleUser: a.singleUser(),
		PartlyErased: a.partlyErased, MergedInto: a.aliasOf, Erased: a.stub,
	}
}
