package oracle

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	day      = 24 * 60 * 60 * 1000 // ms
	disorder = 5 * 60 * 1000       // by which an event may be behind the newest of its partition without being late

	dedupeHorizon = 6 * 60 * 60 * 1000
	dedupeLimit   = 12
)

// account is all that was ever seen of one account.
type account struct {
	id                   string
	incarnation, ordinal int64

	seen                 []seenID // the last dedupeLimit that had an effect
	users                map[string]User
	size, domain, beta   told
	signedUp, everPQL    bool
	signedUpAt, pqlSince int64
	current, converted   bool
	escalated            bool
	active, shutOut      bool
	barred, near         bool

	tierTold  string  // by the newest fact; empty: there is none
	news      bool    // the record has told a property that is not what it was
	barBefore float64 // the tier's threshold before the record
	stepped   bool    // the record did a step

	done                              []Done
	reports                           int
	reportDays, sessionDays, viewDays map[int64]int
	inviters, plans                   map[string]bool
	storage, invites                  float64

	record  Record // that is being folded
	late    bool
	changed bool // by it
	facts   []Fact
}

// told is an account property, and when it was told.
type told struct {
	value usage.Value
	at    int64
	once  bool // it was told at all
}

type seenID struct {
	id    string
	clock int64 // highest event time of those remembered until then
}

// Fold takes in one record.
func (o *Oracle) Fold(r Record) {
	ev := r.Event
	o.newest[r.Partition] = max(o.newest[r.Partition], ev.OccurredAt)
	if !listened(ev.Name) {
		return
	}
	a := o.accounts[ev.AccountID]
	if a == nil {
		a = &account{
			id: ev.AccountID, incarnation: r.Offset, beta: told{value: usage.BoolValue(false)},
			users: map[string]User{}, inviters: map[string]bool{}, plans: map[string]bool{},
			reportDays: map[int64]int{}, sessionDays: map[int64]int{}, viewDays: map[int64]int{},
		}
	}
	if a.isRepeat(ev) {
		return
	}
	a.record, a.changed, a.facts, a.stepped, a.barBefore = r, false, nil, false, a.tier().threshold
	a.news = false
	a.late = ev.OccurredAt < o.watermark(r.Partition)

	a.learn(ev)
	a.noteUser(ev)
	if ev.Name == "account_created" && !a.signedUp {
		a.signedUp, a.signedUpAt = true, ev.OccurredAt
		a.say("signed_up")
	}
	a.advance(ev)
	a.decide(ev)

	if ev.Name == "subscription_cancelled" && a.converted {
		a.converted, a.barred = false, true
		a.say("churned")
	}
	if a.news && a.tierTold != "" && a.tierTold != a.tier().name {
		a.say("segment_changed")
	}

	if a.changed && ev.ID != "" {
		a.remember(ev)
	}
	if a.changed {
		o.accounts[a.id] = a
	}
	if len(a.facts) == 0 {
		return
	}
	o.Facts = append(o.Facts, a.facts...)
	if a.current && !heldOut(a.id) {
		o.Current[a.id] = a.facts[len(a.facts)-1]
	} else {
		delete(o.Current, a.id)
	}
}

// listened says whether the checklist names an event.
func listened(name string) bool {
	switch name {
	case "account_created", "subscription_started", "subscription_cancelled", "integration_connected", "premium_viewed", "upgrade_clicked", "invite_sent",
		"project_created", "report_run", "invite_accepted", "page_viewed", "session_started", "storage_used":
		return true
	}
	return false
}

// clock is the account's own: the highest event time of what it remembers.
func (a *account) clock(at int64) int64 {
	if n := len(a.seen); n > 0 {
		return max(at, a.seen[n-1].clock)
	}
	return at
}

func (a *account) isRepeat(ev *usage.Event) bool {
	return ev.ID != "" && slices.ContainsFunc(a.seen, func(s seenID) bool {
		return s.id == ev.ID && s.clock >= a.clock(ev.OccurredAt)-dedupeHorizon
	})
}

func (a *account) remember(ev *usage.Event) {
	a.seen = append(a.seen, seenID{ev.ID, a.clock(ev.OccurredAt)})
	if len(a.seen) > dedupeLimit {
		a.seen = a.seen[1:]
	}
}

// learn takes over account properties.
func (a *account) learn(ev *usage.Event) {
	switch ev.Name {
	case "account_created":
		a.tell(&a.size, usage.Long, ev.Property("company_size"))
		a.tell(&a.domain, usage.String, ev.Property("domain"))
	case "integration_connected":
		a.tell(&a.size, usage.Long, ev.Property("seats"))
	case "premium_viewed", "invite_sent":
		a.tell(&a.beta, usage.Bool, ev.Property("beta"))
	}
}

// tell takes over a property's value: the newest event by its own time is right.
func (a *account) tell(p *told, kind usage.Kind, v usage.Value) {
	at := a.record.Event.OccurredAt
	if v.Kind() != kind || p.once && (at < p.at || at == p.at && v == p.value) {
		return
	}
	a.news = a.news || v != p.value
	*p = told{v, at, true}
	a.changed = true
}

// noteUser counts what somebody did that counts for a step, a sign-up or a conversion.
func (a *account) noteUser(ev *usage.Event) {
	if ev.UserID == "" || ev.Name == "integration_connected" || ev.Name == "subscription_cancelled" {
		return
	}
	u := a.users[ev.UserID]
	a.users[ev.UserID] = User{u.Events + 1, max(u.LastSeen, ev.OccurredAt)}
	a.changed = true
}

// advance holds the event against the steps that are not done, in the checklist's order.
func (a *account) advance(ev *usage.Event) {
	if !a.active && accepted(ev) {
		a.active = true
		a.say("active")
	}
	today := ev.OccurredAt / day
	switch ev.Name {
	case "project_created":
		a.step("first_project", true, true, 1)
	case "premium_viewed", "upgrade_clicked":
		a.step("saw_premium", true, true, 1)
	case "report_run":
		a.reports++
		a.reportDays[today]++
		a.step("many_reports", true, a.reports >= 12, float64(a.reports))
		a.step("heavy_week", true, busiestWeek(a.reportDays, today) >= 3, newestWeek(a.reportDays, 0))
	case "invite_accepted":
		fresh := ev.UserID != "" && !a.inviters[ev.UserID]
		if fresh {
			a.inviters[ev.UserID] = true
		}
		a.step("invited_team", fresh, len(a.inviters) >= 3, float64(len(a.inviters)))
	case "page_viewed":
		a.tryPlan(ev)
		fresh := a.viewDays[today] == 0
		a.viewDays[today] = 1
		a.step("many_days", fresh, len(a.viewDays) >= 5, float64(len(a.viewDays)))
	case "session_started":
		a.tryPlan(ev)
		fresh := a.sessionDays[today] == 0
		a.sessionDays[today] = 1
		a.step("weekly_habit", fresh, busiestWeek(a.sessionDays, today) >= 3, newestWeek(a.sessionDays, 0))
	case "storage_used":
		counts := ev.Quantity > 0
		if counts {
			a.storage += ev.Quantity
		}
		a.step("much_storage", counts, a.storage >= 40, a.storage)
	case "invite_sent":
		seats, amount := ev.Property("seats"), ev.Property("amount")
		counts := seats.Kind() == usage.Long && seats.Long() > 100 && amount.Kind() == usage.Double && amount.Double() > 0
		if counts {
			a.invites += amount.Double()
		}
		a.step("big_invites", counts, a.invites >= 100, a.invites)
	}
}

// accepted says whether some step counts events such as this.
func accepted(ev *usage.Event) bool {
	switch ev.Name {
	case "account_created", "subscription_started", "subscription_cancelled", "integration_connected":
		return false
	case "invite_sent":
		seats := ev.Property("seats")
		return seats.Kind() == usage.Long && seats.Long() > 100
	}
	return true
}

func (a *account) tryPlan(ev *usage.Event) {
	plan := ev.Property("plan")
	fresh := plan.Kind() == usage.String && plan.Str() != "" && !a.plans[plan.Str()]
	if fresh {
		a.plans[plan.Str()] = true
	}
	a.step("plans_tried", fresh, len(a.plans) >= 3, float64(len(a.plans)))
}

// busiestWeek is the most there is in any 7 consecutive days that hold a given one.
func busiestWeek(days map[int64]int, holding int64) (most int) {
	for last := holding; last <= holding+6; last++ {
		most = max(most, week(days, last))
	}
	return most
}

// newestWeek is what there is in the 7 days up to the newest with anything, or up to a later time.
func newestWeek(days map[int64]int, at int64) float64 {
	newest := at / day
	for d := range days {
		newest = max(newest, d)
	}
	return float64(week(days, newest))
}

func week(days map[int64]int, last int64) (n int) {
	for d := last - 6; d <= last; d++ {
		n += days[d]
	}
	return n
}

// step notes that an event counted for a step, and whether that does it.
func (a *account) step(id string, counted, reached bool, count float64) {
	if !counted || a.isDone(id) {
		return
	}
	a.changed = true
	if !reached {
		return
	}
	ev := a.record.Event
	a.done = append(a.done, Done{id, ev.OccurredAt, ev.UserID, ev.ID, a.record.Source, count})
	a.barred, a.stepped = false, true
	a.say("step_done").Step = id
}

func (a *account) isDone(id string) bool {
	return slices.ContainsFunc(a.done, func(d Done) bool { return d.Step == id })
}

// decide says whether the account is a PQL after the event.
func (a *account) decide(ev *usage.Event) {
	if out := a.excluded(); out != a.shutOut {
		a.shutOut = out
		a.say(map[bool]string{true: "excluded", false: "included"}[out])
	}
	if a.current && a.excluded() {
		a.current = false
		a.say("disqualified").Reason = "excluded"
	}
	if plan := ev.Property("plan"); ev.Name == "subscription_started" && !a.converted && plan.Kind() != usage.Null && plan != usage.StringValue("free") {
		a.current, a.converted, a.near = false, true, false
		a.say("converted")
	}
	if a.mayQualify() && a.rate() >= a.tier().threshold {
		kind := "qualified"
		if a.everPQL {
			kind = "requalified"
		}
		a.current, a.everPQL, a.escalated, a.near, a.pqlSince = true, true, false, false, ev.OccurredAt
		f := a.say(kind)
		if !a.stepped && a.barBefore > a.tier().threshold && a.rate() < a.barBefore {
			f.Reason = "tier_changed"
		}
	}
	if t := a.tier(); a.current && !a.escalated && t.escalateAt > 0 && a.rate() >= t.escalateAt {
		a.escalated = true
		a.say("escalated")
	}
	step := a.oneStepShort()
	if step != "" && !a.near {
		a.say("near_miss").Step = step
	}
	a.near = step != ""
}

func (a *account) mayQualify() bool {
	return !a.current && !a.converted && !a.barred && !a.excluded()
}

// oneStepShort names the step that is missing, of several the one that has come furthest.
func (a *account) oneStepShort() (step string) {
	if !a.mayQualify() {
		return ""
	}
	furthest, missing := -1.0, a.missing(a.record.Event.OccurredAt)
	for _, m := range missing {
		var weight, all float64
		for _, s := range steps {
			all += s.weight
			if s.id == m.Step {
				weight = s.weight
			}
		}
		if a.rate()+weight/all >= a.tier().threshold-1e-9 && m.Progress > furthest {
			step, furthest = m.Step, m.Progress
		}
	}
	return step
}

// heldOut says whether an account is of the control group, a tenth of all.
func heldOut(id string) bool {
	return xxhash.Sum64String("oracle\x00"+id) < 1<<64/10
}

func (a *account) excluded() bool {
	return a.domain.value.Str() == "ourcompany.example" || a.beta.value.Bool()
}

type tier struct {
	name                  string
	threshold, escalateAt float64
}

func (a *account) tier() tier {
	switch size := a.size.value.Long(); { // 0 when nothing has told it
	case size >= 500:
		return tier{"large", 0.2, 0.4}
	case size >= 50:
		return tier{"medium", 0.4, 0.7}
	}
	return tier{"small", 0.5, 0}
}

// steps are the checklist's, with their weights; halves add up exactly.
var steps = []struct {
	id     string
	weight float64
}{
	{"first_project", 1}, {"saw_premium", 0.5}, {"many_reports", 1}, {"heavy_week", 2}, {"invited_team", 1},
	{"plans_tried", 1}, {"weekly_habit", 1}, {"many_days", 1}, {"much_storage", 1}, {"big_invites", 1.5},
}

func (a *account) rate() float64 {
	var done, all float64
	for _, s := range steps {
		all += s.weight
		if a.isDone(s.id) {
			done += s.weight
		}
	}
	return done / all
}

func (a *account) singleUser() bool { return len(a.users) == 1 }

// say makes a fact of what has just become of the account.
func (a *account) say(kind string) *Fact {
	a.ordinal++
	a.changed = true
	ev, t := a.record.Event, a.tier()
	a.tierTold = t.name
	f := Fact{
		ID: factID(a.id, a.incarnation, a.ordinal), Type: kind, AccountID: a.id, Tier: t.name, Rate: a.rate(), Threshold: t.threshold,
		EventID: ev.ID, EventName: ev.Name, UserID: ev.UserID, Position: a.record.Source, Late: a.late,
		OccurredAt: ev.OccurredAt, SignedUpAt: a.signedUpAt, QualifiedAt: a.pqlSince, Current: a.current,
		Excluded: a.excluded(), HoldOut: heldOut(a.id),
	}
	progress := kind == "signed_up" || kind == "active" || kind == "step_done" || kind == "segment_changed"
	switch {
	case a.current || !progress: // a lead: with all the evidence
		f.StepsDone, f.StepsMissing, f.SingleUser = slices.Clone(a.done), a.missing(ev.OccurredAt), a.singleUser()
	case kind == "step_done":
		f.StepsDone = slices.Clone(a.done[len(a.done)-1:])
	}
	a.facts = append(a.facts, f)
	return &a.facts[len(a.facts)-1]
}

func (a *account) missing(at int64) (steps []Missing) {
	for _, m := range []struct {
		step         string
		have, target float64
	}{
		{"first_project", 0, 1}, {"saw_premium", 0, 1}, {"many_reports", float64(a.reports), 12},
		{"heavy_week", newestWeek(a.reportDays, at), 3}, {"invited_team", float64(len(a.inviters)), 3},
		{"plans_tried", float64(len(a.plans)), 3}, {"weekly_habit", newestWeek(a.sessionDays, at), 3},
		{"many_days", float64(len(a.viewDays)), 5}, {"much_storage", a.storage, 40}, {"big_invites", a.invites, 100},
	} {
		if !a.isDone(m.step) {
			steps = append(steps, Missing{m.step, min(m.have/m.target, 0.99)}) // what is missing never reads as 100 %
		}
	}
	return steps
}

func (a *account) summary(at int64) Summary {
	return Summary{
		AccountID: a.id, Incarnation: a.incarnation, Ordinal: a.ordinal, Tier: a.tier().name, Rate: a.rate(),
		StepsDone: a.done, StepsMissing: a.missing(at), Users: a.users, SignedUpAt: a.signedUpAt, QualifiedAt: a.pqlSince,
		Current: a.current, Excluded: a.excluded(), Converted: a.converted, Escalated: a.escalated,
		CompanySize: a.size.value, Domain: a.domain.value, Beta: a.beta.value, SingleUser: a.singleUser(),
	}
}
