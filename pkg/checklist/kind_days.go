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

type daysRule struct {
	target float64
	within int // 0: the whole life
	events string
}

func (r *daysRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	day := dayOf(ev.OccurredAt)
	if hasDay(w.Days, day) {
		return false, false
	}
	w.Days, _ = addToDay(w.Days, day)
	if r.within == 0 {
		return true, float64(len(w.Days)) >= r.target
	}
	if _, days := busiest(w.Days, day, r.within); float64(days) >= r.target {
		return true, true
	}
	w.Days, changed = forgetDays(w.Days, day, r.within)
	return changed, false
}

func (r *daysRule) count(w *Work) float64 {
	if r.within == 0 {
		return float64(len(w.Days))
	}
	_, days := latest(w.Days, r.within)
	return float64(days)
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
