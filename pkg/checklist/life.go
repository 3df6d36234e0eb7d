package checklist

import (
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	defaultInactivity = 14 // days
	maxExcluded       = 10_000
	maxAccountID      = 256
	maxSalt           = 64
	maxKey            = 256 // of the name of an event's property
)

// Feedback is what sales says became of a lead.
type Feedback uint8

// The kinds of feedback, in an order that encoded states rely on.
const (
	Accepted Feedback = iota
	Rejected
	MeetingBooked
	Won
	Lost
)

// Saying is a kind of feedback that events may be.
type Saying struct {
	Feedback Feedback
	Is       Condition
	Reason   string // the events' property that says why; empty: none does

	text string // the condition's
}

// life is what a definition says of an account's life beside its steps.
type life struct {
	inactivity int64 // ms; 0: nothing
	trialEnd   *Step // nil: the end of the trial disqualifies nobody
	demotes    bool
	excluded   map[string]bool
	nearMisses bool
	held       uint64 // accounts whose hash is below it are held out
	salt       string
}

// Inactivity is for how long (ms) an account may be silent without ceasing to be a PQL; 0: for ever.
func (c *Checklist) Inactivity() int64 { return c.life.inactivity }

// TrialEnd is a step that is none of Steps: once it is done an account that has not converted ceases to be a PQL. nil: there
// is no such thing. Listeners name its inputs beside those of steps.
func (c *Checklist) TrialEnd() *Step { return c.life.trialEnd }

// Demotes says whether a tier with a higher bar takes a PQL away.
func (c *Checklist) Demotes() bool { return c.life.demotes }

// ExcludesAccount says whether an account is on the list of those that must not qualify.
func (c *Checklist) ExcludesAccount(id string) bool { return c.life.excluded[id] }

// NearMisses says whether an account that is one step short is to be told.
func (c *Checklist) NearMisses() bool { return c.life.nearMisses }

// HeldOut says whether an account belongs to the control group. It depends on its id and the definition's salt and share
// alone; a larger share holds out those of a smaller one, too.
func (c *Checklist) HeldOut(id string) bool {
	if c.life.held == 0 {
		return false
	}
	h := xxhash.New()
	_, _ = h.WriteString(c.life.salt)
	_, _ = h.Write([]byte{0})
	_, _ = h.WriteString(id)
	return h.Sum64() < c.life.held
}

func (c *compiler) compileLife() {
	c.meaning.Signup = c.compileMoment("signup", c.def.Signup, func(l *Listener, is Condition) { l.Signup = is })
	c.meaning.Converted = c.compileMoment("converted", c.def.Converted, func(l *Listener, is Condition) { l.Converted = is })
	c.meaning.Churned = c.compileMoment("churned", c.def.Churned, func(l *Listener, is Condition) { l.Churned = is })
	c.compileInactivity()
	c.compileExclusions()
	c.compileHoldOut()
	c.compileSales()
	c.out.life.demotes, c.out.life.nearMisses = c.def.Demote, c.def.NearMiss
	c.meaning.Demote, c.meaning.NearMiss = c.def.Demote, c.def.NearMiss
}

func (c *compiler) compileInactivity() {
	days := defaultInactivity
	if d := c.def.Inactivity; d != nil && d.Days != nil {
		days = *d.Days
	} else if d != nil {
		c.add("inactivity.days", "is missing")
	}
	if days < 0 || days > maxWithin {
		c.add("inactivity.days", "%d is not from 0 to %d", days, maxWithin)
	}
	c.out.life.inactivity, c.meaning.Inactivity = (time.Duration(days) * day).Milliseconds(), days
}

func (c *compiler) compileExclusions() {
	for i, text := range c.def.Exclude {
		cond, canonical := c.condition(fmt.Sprintf("exclude[%d]", i), c.expressions.account, text)
		c.out.exclude = append(c.out.exclude, cond)
		c.meaning.Exclude = append(c.meaning.Exclude, canonical)
	}
	c.atMost("exclude_accounts", len(c.def.Excluded), maxExcluded)
	c.out.life.excluded = map[string]bool{}
	for i, id := range c.def.Excluded {
		if id == "" || len(id) > maxAccountID {
			c.add(fmt.Sprintf("exclude_accounts[%d]", i), "%q is not an account's id of 1 to %d bytes", id, maxAccountID)
		}
		c.out.life.excluded[id] = true
	}
	c.meaning.Excluded = slices.Compact(sorted(c.def.Excluded))
}

func (c *compiler) compileHoldOut() {
	d := c.def.HoldOut
	if d == nil {
		return
	}
	if d.Share == nil {
		c.add("hold_out.share", "is missing")
		return
	}
	share := *d.Share
	if !(share >= 0 && share <= 1) {
		c.add("hold_out.share", "%v is not from 0 to 1", share)
		return
	}
	if len(d.Salt) > maxSalt {
		c.add("hold_out.salt", "is over the limit of %d bytes", maxSalt)
	}
	if share == 0 {
		return
	}
	c.out.life.salt = d.Salt
	if c.out.life.held = 1<<64 - 1; share < 1 {
		c.out.life.held = uint64(share * (1 << 64))
	}
	c.meaning.HoldOut = d
}

func (c *compiler) compileSales() {
	d := c.def.Sales
	if d == nil {
		return
	}
	say := func(field string, of Feedback, o *OutcomeDef) {
		if o == nil {
			return
		}
		path := "sales." + field
		if len(o.Reason) > maxKey {
			c.add(path+".reason", "is over the limit of %d bytes", maxKey)
		}
		m := c.compileMoment(path, &MomentDef{Event: o.Event, Where: o.Where}, func(l *Listener, is Condition) {
			l.Sales = append(l.Sales, Saying{Feedback: of, Is: is, Reason: o.Reason, text: o.Where})
		})
		c.meaning.Sales = append(c.meaning.Sales, salesMeaning{of, *m, o.Reason})
	}
	plain := func(m *MomentDef) *OutcomeDef {
		if m == nil {
			return nil
		}
		return &OutcomeDef{Event: m.Event, Where: m.Where}
	}
	say("accepted", Accepted, plain(d.Accepted))
	say("rejected", Rejected, d.Rejected)
	say("meeting_booked", MeetingBooked, plain(d.MeetingBooked))
	say("won", Won, plain(d.Won))
	say("lost", Lost, d.Lost)
}

// compileTrialEnd makes the step of the trial's end, where that disqualifies. It listens beside the steps, not among them.
func (c *compiler) compileTrialEnd() {
	if c.def.Trial == nil || !c.def.Trial.Disqualifies {
		return
	}
	d := &StepDef{ID: "trial", Kind: trialKind.Name, Finished: true}
	s := &Step{ID: d.ID, Kind: d.Kind, Key: key("trial end")}
	m := newStepMeaning(d)
	s.rule = trialKind.build(&builder{compiler: c, d: d, path: "trial", at: len(c.def.Steps), step: s, m: &m})
	s.judge, s.Judged = s.rule.(judged)
	t := s.rule.traits()
	s.traits, s.target, s.WorkKey = t, t.target, key("trial end", t.shape)
	if other, taken := c.workKeys[s.WorkKey]; taken {
		c.add("trial.disqualifies", "can't be told from the step %q in encoded states: choose another id for that", other)
	}
	c.meaning.TrialEnd = &m
	c.out.life.trialEnd = s
	for _, l := range c.out.listeners {
		l.Steps = slices.DeleteFunc(l.Steps, func(in Listen) bool {
			mine := int(in.Step) == len(c.def.Steps)
			if mine {
				l.TrialEnd = append(l.TrialEnd, in.Role)
			}
			return mine
		})
	}
}

// Why returns what an event says of the reason; empty where nothing does. It is the event's own.
func (s *Saying) Why(ev *usage.Event) string {
	if s.Reason == "" {
		return ""
	}
	v := ev.Property(s.Reason)
	if v.Kind() == usage.Null {
		return ""
	}
	return v.String()
}
