package checklist

import (
	"encoding/binary"
)

var trialKind = Kind{
	Name: "trial",
	Doc: "Done when the account's trial has come to a day, or is finished. The checklist's `trial` says how many days it " +
		"has, which events begin it (`starts`; left out, the sign-up) and which finish it before its time (`ends`). Day 7 is " +
		"reached when 7 days of the checklist's zone have passed, at the time of the day at which the trial began: a day on " +
		"which clocks change has 23 or 25 hours. The order of arrival does not matter: the earliest event that begins the trial " +
		"counts, and one that ends it counts if it is not earlier, also when it arrives before. It keeps the times of the two.",
	Fields: []Field{
		{Name: "day", Doc: "how many days must have passed, a whole number from 1 to the trial's days", Default: "`finished` says when"},
		{Name: "finished", Doc: "`true`: when the trial's days have passed, or at an event that ends it", Default: "`day` says when"}},
	Example: "{id: trial_week, kind: trial, day: 7}",
	build:   func(b *builder) rule { return b.trialRule() },
}

// trial is what the definition says of trials.
type trial struct {
	days         int
	starts, ends *MomentDef // ends is nil: nothing does
	broken       bool       // what is wrong with the events is said already
}

// compileTrial checks the definition's trial. The steps of this kind listen to its events.
func (c *compiler) compileTrial() {
	d := c.def.Trial
	if d == nil {
		return
	}
	if d.Days < 1 || d.Days > maxWithin {
		c.add("trial.days", "%d is not from 1 to %d", d.Days, maxWithin)
	}
	t := &trial{days: min(max(d.Days, 1), maxWithin), starts: d.Starts, ends: d.Ends}
	c.trial = t
	switch {
	case d.Starts != nil:
		t.broken = c.checkMoment("trial.starts", d.Starts, &c.problems)
	case c.def.Signup != nil:
		t.starts, t.broken = c.def.Signup, c.checkMoment("signup", c.def.Signup, new(problems))
	default:
		c.add("trial.starts", "is missing, and there is no signup that it could begin with")
		t.broken = true
	}
	if d.Ends != nil && c.checkMoment("trial.ends", d.Ends, &c.problems) {
		t.broken = true
	}
}

// checkMoment adds what is wrong with a moment to problems, without listening to it.
func (c *compiler) checkMoment(path string, d *MomentDef, to *problems) (broken bool) {
	alone := compiler{def: c.def, out: &Checklist{listeners: map[string]*Listener{}}, expressions: c.expressions}
	alone.compileMoment(path, d, func(*Listener, Condition) {})
	*to = append(*to, alone.problems...)
	return len(alone.problems) > 0
}

func (b *builder) trialRule() rule {
	r := &trialRule{days: 1, calendar: b.calendar}
	if b.trial == nil {
		b.complain("kind", "needs trial at the top")
		return r
	}
	switch n := b.d.Day; {
	case b.d.Finished && n != nil:
		b.complain("finished", "does not go together with day: give one of them")
	case b.d.Finished:
		r.days, r.ends = b.trial.days, b.trial.ends != nil
	case n == nil:
		b.complain("day", "is missing: give it, or finished")
	case *n < 1 || *n > maxWithin:
		b.complain("day", "%d is not from 1 to %d", *n, maxWithin)
	case *n > b.trial.days:
		b.complain("day", "the trial has only %s", b.spanWords(&Window{b.trial.days, day}))
	default:
		r.days = *n
	}
	b.m.Day, b.m.Finished = &r.days, false
	if !b.trial.broken {
		r.listen(b)
	}
	return r
}

// listen makes the step listen to the trial's events.
func (r *trialRule) listen(b *builder) {
	top := *b
	top.path = "trial"
	top.onMoment("starts", b.trial.starts)
	r.starts = b.trial.starts.events()
	r.due = b.spanWords(&Window{r.days, day})
	if r.ends {
		top.onMoment("ends", b.trial.ends)
		r.or = ", or " + b.trial.ends.events()
	}
}

// trialRule keeps when the trial began, the earliest known, and when it was ended, the latest known: a byte that is the sum
// of 1 if there is the first and 2 if there is the other, and the times as zigzag varints.
type trialRule struct {
	days     int
	ends     bool // an event may finish it
	calendar *calendar

	starts, due, or string
}

type trialWork struct {
	begun, ended     bool
	beganAt, endedAt int64
}

const startsOf, endsOf = 0, 1 // its roles

func (r *trialRule) update(w *Work, in *Input) (changed, done bool) {
	at := happened(in)
	s, _ := readTrial(*w)
	switch {
	case in.Role == startsOf && !(s.begun && s.beganAt <= at):
		s.begun, s.beganAt = true, at
	case in.Role == endsOf && !(s.ended && s.endedAt >= at):
		s.ended, s.endedAt = true, at
	default:
		return false, false
	}
	*w = s.append((*w)[:0])
	return true, false
}

func (r *trialRule) merge(w *Work, other Work) {
	s, _ := readTrial(*w)
	o, _ := readTrial(other)
	if o.begun && !(s.begun && s.beganAt <= o.beganAt) {
		s.begun, s.beganAt = true, o.beganAt
	}
	if o.ended && !(s.ended && s.endedAt >= o.endedAt) {
		s.ended, s.endedAt = true, o.endedAt
	}
	*w = s.append((*w)[:0])
}

// forget has nothing to do: the times are the account's.
func (r *trialRule) forget(*Work, string) (changed, exact bool) { return false, true }

func (s *trialWork) append(w Work) Work {
	w = append(w, 0)
	if s.begun {
		w = binary.AppendVarint(w, s.beganAt)
		w[0] |= 1
	}
	if s.ended {
		w = binary.AppendVarint(w, s.endedAt)
		w[0] |= 2
	}
	return w
}

// readTrial reads a working set; it is not ok if that is malformed.
func readTrial(w Work) (s trialWork, ok bool) {
	if len(w) == 0 {
		return s, true
	}
	head, ok := w[0], w[0] >= 1 && w[0] <= 3
	w = w[1:]
	if ok && head&1 != 0 {
		s.begun = true
		s.beganAt, w, ok = readTime(w)
	}
	if ok && head&2 != 0 {
		s.ended = true
		s.endedAt, w, ok = readTime(w)
	}
	if !ok || len(w) > 0 {
		return trialWork{}, false
	}
	return s, true
}

func (r *trialRule) judge(w Work, m *Moment) (done bool, next int64) {
	s, _ := readTrial(w)
	if !s.begun {
		return false, Never
	}
	if r.ends && s.ended && s.endedAt >= s.beganAt {
		return true, Never
	}
	if due := r.calendar.after(s.beganAt, r.days); due > m.Watermark {
		return false, due
	}
	return true, Never
}

func (r *trialRule) valid(w Work) bool {
	_, ok := readTrial(w)
	return ok
}

func (r *trialRule) count(w Work, _ *Moment) float64 {
	if s, _ := readTrial(w); s.begun {
		return 1
	}
	return 0
}

func (r *trialRule) appendNeed(b []byte, have float64) []byte {
	if have < 1 {
		return append(append(append(append(b, r.starts...), ", then "...), r.due...), r.or...)
	}
	return append(append(append(append(b, r.due...), " after "...), r.starts...), r.or...)
}

func (r *trialRule) traits() traits {
	return traits{target: 2, shape: "trial", bound: workBound + 1 + 2*timeBound, timed: true, uncredited: true, milestones: true}
}
