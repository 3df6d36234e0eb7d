package oracle

import (
	"slices"

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
	partition            int32
	incarnation, ordinal int64
	wholeLife            bool   // it is judged by the checklist of a whole life
	aliasOf              string // the account that it was merged into; empty: none
	stub                 bool   // it was erased, and nothing has happened since
	held                 []*message

	known

	turn
}

// known is what merges carry over and erasures forget.
type known struct {
	seen                       []seenID // the last dedupeLimit that had an effect
	users                      map[string]User
	several                    bool // users were seen
	partlyErased               bool
	erasedAt                   int64 // when the newest erasure was asked for: what happened by then does not come back along aliases
	size, domain, plan, beta   told
	signedUp, everPQL          bool
	signedUpAt, pqlSince       int64
	current, converted         bool
	escalated                  bool
	active, shutOut            bool
	barred, near, silent       bool
	lastHour                   int64 // the hour after the one of a PQL's newest event; 0: none
	trialOver, begun, ended    bool
	trialBegan, trialCancelled int64

	tierTold string  // by the newest fact; empty: there is none
	moments  []int64 // when something became of it, other than sign-up, steps done and what others told of it
	heardOf  bool    // there is something to carry over

	done []Done
	work map[string]*tally // of steps that are not done, and of the live one
}

// turn is what makes something of an account: an event, a request or time, and what it has made so far.
type turn struct {
	at, watermark      int64
	read               int64 // how far time had come in source when it was read there; 0: nobody knows
	cause              string
	eventID, eventName string
	userID             string
	source             Position
	late               bool

	news      bool    // an account property is not what it was
	barBefore float64 // the tier's threshold before
	stepped   bool    // a step was done
	undone    bool    // a step was undone
	changed   bool
	facts     []Fact
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

func newKnown() known {
	return known{erasedAt: -1, beta: told{value: usage.BoolValue(false)}, users: map[string]User{}, work: map[string]*tally{}}
}

// Fold takes in one record.
func (o *Oracle) Fold(r Record) {
	o.Observe(r.Partition, r.Event.OccurredAt)
	o.deliver(&message{kind: "event", to: r.Event.AccountID, event: r.Event, source: r.Source, until: r.Until}, r.Partition, r.Offset)
}

// account returns an account, which is a new one where none is known.
func (o *Oracle) account(id string, partition int32, offset int64) *account {
	if a := o.accounts[id]; a != nil {
		return a
	}
	return &account{id: id, partition: partition, incarnation: offset, wholeLife: o.wholeLife, known: newKnown()}
}

// begin begins a turn.
func (o *Oracle) begin(a *account, t turn) {
	t.barBefore = a.tier().threshold
	a.turn = t
	a.late = a.at < a.readAt()
}

// readAt is the time by which something is late.
func (t *turn) readAt() int64 {
	if t.read > 0 {
		return t.read
	}
	return t.watermark
}

// end takes over what the turn has made.
func (o *Oracle) end(a *account) {
	if a.changed {
		o.accounts[a.id] = a
		a.heardOf = true
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
	a.facts = nil
}

// fold folds an event into an account that is no alias.
func (o *Oracle) fold(a *account, m *message, watermark int64) {
	ev := m.event
	o.begin(a, turn{
		at: ev.OccurredAt, watermark: watermark, cause: "event", eventID: ev.ID, eventName: ev.Name, userID: ev.UserID, source: m.source,
		read: m.until,
	})
	if a.isRepeat(ev) {
		return
	}
	a.learn(ev)
	a.noteUser(ev)
	a.wake(ev)
	if ev.Name == "account_created" && !a.signedUp {
		a.signedUp, a.signedUpAt = true, ev.OccurredAt
		a.say("signed_up")
	}
	a.advance(ev)
	plan := ev.Property("plan")
	converts := ev.Name == "subscription_started" && plan.Kind() != usage.Null && plan != usage.StringValue("free")
	a.decide(converts, a.hearOfTrial(ev))

	if ev.Name == "subscription_cancelled" && a.converted {
		a.converted, a.barred = false, true
		a.mark("churned")
	}
	a.hearSales(ev)
	a.tellTier()
	a.liven(ev.Name)

	if a.changed {
		a.stub = false
		if ev.ID != "" {
			a.remember(ev)
		}
	}
	o.end(a)
}

// listened says whether the checklist names an event.
func (o *Oracle) listened(name string) bool {
	switch name {
	case "account_created", "subscription_started", "subscription_cancelled", "integration_connected", "premium_viewed", "upgrade_clicked", "invite_sent",
		"project_created", "report_run", "invite_accepted", "page_viewed", "session_started", "storage_used":
		return true
	}
	return o.wholeLife && (bySales(name) || describes(name) || name == "trial_cancelled")
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
	case "plan_changed":
		a.tell(&a.plan, usage.String, ev.Property("plan"))
	case "account_traits":
		a.tell(&a.size, usage.Long, ev.Property("company_size"))
		a.tell(&a.plan, usage.String, ev.Property("plan"))
	}
}

// tell takes over a property's value: the newest event by its own time is right.
func (a *account) tell(p *told, kind usage.Kind, v usage.Value) {
	if v.Kind() != kind || p.once && (a.at < p.at || a.at == p.at && v == p.value) {
		return
	}
	a.news = a.news || v != p.value
	*p = told{v, a.at, true}
	a.changed = true
}

// noteUser counts what somebody did that counts for a step, a sign-up or a conversion.
func (a *account) noteUser(ev *usage.Event) {
	if ev.UserID == "" || describes(ev.Name) || bySales(ev.Name) || ev.Name == "subscription_cancelled" || ev.Name == "trial_cancelled" {
		return
	}
	u, known := a.users[ev.UserID]
	a.several = a.several || !known && len(a.users) > 0
	a.users[ev.UserID] = User{u.Events + 1, max(u.LastSeen, ev.OccurredAt)}
	a.changed = true
}

// advance holds the event against the steps that are not done, in the checklist's order.
func (a *account) advance(ev *usage.Event) {
	if !a.active && accepted(ev) {
		a.active = true
		a.mark("active")
	}
	plan := ev.Property("plan")
	var name string
	if plan.Kind() == usage.String {
		name = plan.Str()
	}
	switch ev.Name {
	case "project_created":
		a.count("first_project", ev, "", 0)
	case "premium_viewed", "upgrade_clicked":
		a.count("saw_premium", ev, "", 0)
	case "report_run":
		a.count("many_reports", ev, "", 1)
		a.count("heavy_week", ev, "", 0)
	case "invite_accepted":
		a.count("invited_team", ev, ev.UserID, 0)
	case "page_viewed":
		a.count("plans_tried", ev, name, 0)
		a.count("many_days", ev, "", 0)
	case "session_started":
		a.count("plans_tried", ev, name, 0)
		a.count("weekly_habit", ev, "", 0)
		if a.wholeLife {
			a.countLately(ev)
		}
	case "storage_used":
		if ev.Quantity > 0 {
			a.count("much_storage", ev, "", ev.Quantity)
		}
	case "invite_sent":
		if amount := ev.Property("amount"); accepted(ev) && amount.Kind() == usage.Double && amount.Double() > 0 {
			a.count("big_invites", ev, "", amount.Double())
		}
	}
}

// accepted says whether some step counts events such as this.
func accepted(ev *usage.Event) bool {
	switch ev.Name {
	case "account_created", "subscription_started", "subscription_cancelled", "trial_cancelled":
		return false
	case "invite_sent":
		seats := ev.Property("seats")
		return seats.Kind() == usage.Long && seats.Long() > 100
	}
	return !describes(ev.Name) && !bySales(ev.Name)
}

func (a *account) steps() []step {
	if a.wholeLife {
		return lifeSteps
	}
	return steps
}

func (a *account) step(id string) *step {
	all := a.steps()
	return &all[slices.IndexFunc(all, func(s step) bool { return s.id == id })]
}

func (a *account) tally(id string) *tally {
	if a.work[id] == nil {
		a.work[id] = newTally()
	}
	return a.work[id]
}

// count counts an event for a step, unless that is done, and does it where there is enough.
func (a *account) count(id string, ev *usage.Event, value string, amount float64) {
	if a.isDone(id) {
		return
	}
	s, t := a.step(id), a.tally(id)
	counted, reached := s.add(t, ev, value, amount)
	a.changed = a.changed || counted
	if reached {
		a.finish(s, max(s.counted(t, 0), 1))
	}
}

// finish does a step. What it has counted is of no use any more, unless it may be undone.
func (a *account) finish(s *step, count float64) {
	a.adopt(s, Done{s.id, a.at, a.userID, a.eventID, a.source, count})
}

func (a *account) adopt(s *step, evidence Done) {
	if !s.live {
		delete(a.work, s.id)
	}
	a.done = append(a.done, evidence)
	a.barred, a.stepped = false, true
	a.say("step_done").Step = s.id
}

func (a *account) isDone(id string) bool { return a.evidence(id) != nil }

func (a *account) evidence(id string) *Done {
	if i := slices.IndexFunc(a.done, func(d Done) bool { return d.Step == id }); i >= 0 {
		return &a.done[i]
	}
	return nil
}
