package checklist

// maxDays bounds the days that a days step without a window keeps.
const maxDays = 3_660

var daysKind = Kind{
	Name: "days",
	Doc: "Done when the event has happened on a number of different days of the checklist's zone, over the account's whole " +
		"life or within a window of days: recurring use. The order of arrival does not matter, within a window up to 30 " +
		"days of disorder. It keeps the days: at most `at_least`, or those of the window and 30 days before.",
	Fields: []Field{eventField, whereField,
		{Name: "at_least", Doc: "how many days, a whole number up to 3,660, within a window at most its length", Required: true},
		{Name: "within", Doc: "a window of consecutive days, such as `7d`, at most 366 of them", Default: "the account's whole life"},
		liveField},
	Example: "{id: weekly_habit, kind: days, event: session_started, at_least: 3, within: 7d}",
	build: func(b *builder) rule {
		b.onEvent()
		r := daysRule{target: b.atLeast(maxDays, false), within: b.window(), events: b.d.Event.String(), calendar: b.calendar}
		switch {
		case r.within == nil:
			return &r
		case r.within.calendar == nil:
			b.complain("within", "%v is not a number of days", b.d.Within)
		case r.target > float64(r.within.width):
			b.complain("at_least", "%v days don't fit within %d", r.target, r.within.width)
		}
		if b.d.Live {
			return &liveDaysRule{r}
		}
		return &r
	},
}

// daysRule keeps the days, see dayCount.
type daysRule struct {
	target   float64
	within   *window // nil: the whole life
	calendar *calendar
	events   string
}

func (r *daysRule) update(w *Work, in *Input) (changed, done bool) {
	day := r.calendar.day(in.Event.OccurredAt)
	if changed, _, ok := addNewest(w, day, false); ok {
		if changed && r.within != nil {
			*w = r.within.forget(*w, false)
		}
		return changed, changed && r.count(*w, nil) >= r.target
	}
	var room [dayRoom]dayCount
	days, _ := appendDays(room[:0], *w, false)
	if hasDay(days, day) {
		return false, false
	}
	days, changed = addToDay(days, day), true
	if r.within == nil {
		done = float64(len(days)) >= r.target
	} else {
		_, active := busiest(days, day, r.within.width)
		done = float64(active) >= r.target
		days, changed = r.within.forgetDays(days, day)
	}
	*w = encodeDays((*w)[:0], days, false)
	return changed || done, done
}

func (r *daysRule) valid(w Work) bool {
	var room [dayRoom]dayCount
	_, ok := appendDays(room[:0], w, false)
	return ok
}

func (r *daysRule) merge(w *Work, other Work) {
	if *w = mergeDays(*w, other, false); r.within != nil {
		*w = r.within.forget(*w, false)
	}
}

// holds says whether a window that reaches to or beyond a moment has enough days, and from which watermark on none does.
func (r *daysRule) holds(w Work, m *Moment) (holds bool, end int64) {
	return r.within.holds(w, false, m.Watermark, func(_ uint64, active int) bool { return float64(active) >= r.target })
}

func (r *daysRule) reached(w Work, m *Moment) bool {
	if r.within == nil {
		return r.count(w, m) >= r.target
	}
	holds, _ := r.holds(w, m)
	return holds
}

func (r *daysRule) count(w Work, m *Moment) float64 {
	if r.within != nil {
		_, active := r.within.latest(w, false, m)
		return float64(active)
	}
	n := 0.0
	for days := (dayReader{rest: w}); days.next(); n++ {
	}
	return n
}

func (r *daysRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendMore(b, r.target-have, "day"), " with "...), r.events...)
	return appendShare(appendWithin(b, r.within), have, r.target)
}

func (r *daysRule) traits() traits {
	if r.within == nil {
		return traits{target: r.target, shape: "active days of " + r.calendar.name, bound: workBound + int(r.target)*dayBound}
	}
	return traits{target: r.target, shape: "active days within, " + r.calendar.name, bound: workBound + r.within.buckets()*dayBound}
}

// liveDaysRule keeps what daysRule does, also while the step is done.
type liveDaysRule struct{ daysRule }

func (r *liveDaysRule) judge(w Work, m *Moment) (done bool, next int64) { return r.holds(w, m) }

func (r *liveDaysRule) traits() traits {
	t := r.daysRule.traits()
	t.timed = true
	return t
}
