package oracle

import (
	"slices"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// The checklist of a whole life has these beside what the other one has: see test/testdata/life.yaml.
const (
	hour       = 60 * 60 * 1000
	inactivity = 6 * day
	trialDays  = 10 * day

	never = int64(1 << 62)
)

// bySales says whether events are what sales tells of an account.
func bySales(name string) bool {
	return slices.Contains([]string{"lead_accepted", "lead_rejected", "meeting_booked", "deal_won", "deal_lost"}, name)
}

// describes says whether events do nothing but tell account properties.
func describes(name string) bool {
	return slices.Contains([]string{"integration_connected", "account_traits", "plan_changed"}, name)
}

// hearSales notes what sales tells.
func (a *account) hearSales(ev *usage.Event) {
	if !a.wholeLife || !bySales(ev.Name) {
		return
	}
	kind := map[string]string{
		"lead_accepted": "sales_accepted", "lead_rejected": "sales_rejected", "meeting_booked": "meeting_booked",
		"deal_won": "sales_won", "deal_lost": "sales_lost",
	}[ev.Name]
	f := a.say(kind)
	if kind == "sales_rejected" || kind == "sales_lost" {
		f.Detail = ev.Property("why").Str()
	}
}

// wake has an account judged anew that left because nothing happened, unless the event is too old for that.
func (a *account) wake(ev *usage.Event) {
	if a.silent && !bySales(ev.Name) && !describes(ev.Name) && hourAfter(a.at)*hour+inactivity > a.readAt() {
		a.silent, a.changed = false, true
	}
}

// liven notes that something has happened, to the hour. Whatever made it a PQL just now is something.
func (a *account) liven(name string) {
	if !a.wholeLife || !a.current || bySales(name) || a.lastHour > 0 && describes(name) {
		return
	}
	at := a.at
	if a.lastHour == 0 {
		at = max(at, a.newestKnown())
	}
	if h := hourAfter(at); h > a.lastHour {
		a.lastHour, a.changed = h, true
	}
}

func hourAfter(at int64) int64 { return at/hour + 1 }

// newestKnown is when the newest happened that is known of the account.
func (a *account) newestKnown() (at int64) {
	if a.signedUp {
		at = a.signedUpAt
	}
	for _, m := range a.moments {
		at = max(at, m)
	}
	for _, d := range a.done {
		at = max(at, d.DoneAt)
	}
	for _, u := range a.users {
		at = max(at, u.LastSeen)
	}
	return at
}

// hearOfTrial takes in when the trial began or was cancelled, and says whether it is over now.
func (a *account) hearOfTrial(ev *usage.Event) bool {
	if !a.wholeLife || a.trialOver || ev.Name != "account_created" && ev.Name != "trial_cancelled" {
		return false
	}
	if ev.Name == "account_created" && !(a.begun && a.trialBegan <= a.at) {
		a.begun, a.trialBegan, a.changed = true, a.at, true
	}
	if ev.Name == "trial_cancelled" && !(a.ended && a.trialCancelled >= a.at) {
		a.ended, a.trialCancelled, a.changed = true, a.at, true
	}
	return a.trialEnds()
}

// trialEnds says whether the trial is over, for the first time.
func (a *account) trialEnds() bool {
	if a.trialOver || !a.begun || !(a.ended && a.trialCancelled >= a.trialBegan) && a.trialBegan+trialDays > a.watermark {
		return false
	}
	a.trialOver, a.changed = true, true
	a.begun, a.ended, a.trialBegan, a.trialCancelled = false, false, 0, 0
	return true
}

// countLately counts an event for the step that time undoes.
func (a *account) countLately(ev *usage.Event) {
	counted, _ := liveStep.add(a.tally(liveStep.id), ev, "", 0)
	a.changed = a.changed || counted
	a.lookLately()
}

// lookLately says whether the live step is done at the watermark.
func (a *account) lookLately() {
	t := a.tally(liveStep.id)
	switch holds := a.holdsLately(); {
	case holds && !a.isDone(liveStep.id):
		a.finish(&liveStep, liveStep.counted(t, 0))
	case !holds && a.isDone(liveStep.id):
		a.done = slices.DeleteFunc(slices.Clone(a.done), func(d Done) bool { return d.Step == liveStep.id })
		a.undone = true
		a.mark("step_undone").Step = liveStep.id
	}
}

func (a *account) holdsLately() bool {
	last := liveStep.holdsUntil(a.tally(liveStep.id))
	return last >= 0 && last >= a.watermark/day
}

// due is when time alone changes the account next.
func (a *account) due() int64 {
	due := never
	if !a.wholeLife || a.aliasOf != "" || a.stub {
		return due
	}
	if a.current && a.lastHour > 0 {
		due = a.lastHour*hour + inactivity
	}
	if a.begun && !a.trialOver {
		due = min(due, a.trialBegan+trialDays)
	}
	if a.isDone(liveStep.id) {
		due = min(due, (liveStep.holdsUntil(a.tally(liveStep.id))+1)*day)
	}
	return due
}

// grow lets an account's time pass up to a watermark.
func (o *Oracle) grow(a *account, watermark int64) {
	for {
		due := a.due()
		if due > watermark {
			return
		}
		a.turn = turn{at: due, watermark: due, cause: "timer", barBefore: a.tier().threshold}
		if a.isDone(liveStep.id) {
			a.lookLately()
		}
		a.decide(false, a.trialEnds())
		if a.current && a.lastHour > 0 && a.lastHour*hour+inactivity <= due {
			a.silent = true
			a.leave("inactive")
		}
		if a.lastHour == 0 { // time has made it a PQL
			a.liven("")
		}
		o.end(a)
	}
}

// Settle lets the time pass that everything folded has led to.
func (o *Oracle) Settle() {
	for _, a := range o.accounts {
		o.pass(a, 0, o.watermark(a.partition))
	}
}
