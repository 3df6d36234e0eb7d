package checklist

import "github.com/pqlstream/pqlstream/pkg/usage"

// maxDays bounds the days that a days step without a window keeps.
const maxDays = 3_660

var daysKind = Kind{
	Name: "days",
	Doc: "Done when the event has happened on a number of different UTC days, over the account's whole life or within " +
		"some number of consecutive days that hold the event's own: recurring use. The order of arrival does not matter, " +
		"within a window up to 30 days of disorder. It keeps the days: at most `at_least`, or those of the window and 30 days before.",
	Fields: []Field{eventField, whereField,
		{Name: "at_least", Doc: "how many days, a whole number up to 3,660, within a window at most its length", Required: true},
		withinField},
	Example: "{id: weekly_habit, kind: days, event: session_started, at_least: 3, within: 7d}",
	build: func(d *StepDef, p *problems, path string) rule {
		r := &daysRule{target: d.atLeast(p, path, maxDays, false), within: d.withinDays(p, path), events: d.events()}
		if r.within > 0 && r.target > float64(r.within) {
			p.add(path+".at_least", "%v days don't fit within %d", r.target, r.within)
		}
		return r
	},
}

// daysRule keeps the days, see dayCount.
type daysRule struct {
	target float64
	within int // 0: the whole life
	events string
}

func (r *daysRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	day := dayOf(ev.OccurredAt)
	var room [dayRoom]dayCount
	days, _ := appendDays(room[:0], *w, false)
	if hasDay(days, day) {
		return false, false
	}
	days, changed = addToDay(days, day), true
	if r.within == 0 {
		done = float64(len(days)) >= r.target
	} else {
		_, active := busiest(days, day, r.within)
		done = float64(active) >= r.target
		days, changed = forgetDays(days, day, r.within)
	}
	*w = encodeDays((*w)[:0], days, false)
	return changed || done, done
}

func (r *daysRule) count(w Work) (float64, bool) {
	var room [dayRoom]dayCount
	days, ok := appendDays(room[:0], w, false)
	if r.within == 0 {
		return float64(len(days)), ok
	}
	_, active := latest(days, r.within)
	return float64(active), ok
}

func (r *daysRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendMore(b, r.target-have, "day"), " with "...), r.events...)
	return appendShare(appendWithin(b, r.within), have, r.target)
}

func (r *daysRule) traits() traits {
	if r.within == 0 {
		return traits{target: r.target, shape: "days", bound: workBound + int(r.target)*dayBound}
	}
	return traits{target: r.target, shape: "days within", bound: workBound + (r.within+rememberedDays)*dayBound}
}
