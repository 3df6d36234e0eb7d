package checklist

import "github.com/pqlstream/pqlstream/pkg/usage"

var countKind = Kind{
	Name: "count",
	Doc: "Done when the event has happened a number of times, over the account's whole life or within some number of " +
		"consecutive UTC days that hold the event's own. The order of arrival does not matter up to 30 days of disorder. " +
		"It keeps a number, or one for each day of the window and 30 days before.",
	Fields: []Field{eventField, whereField,
		{Name: "at_least", Doc: "how many times, a whole number up to 1,000,000,000", Required: true}, withinField},
	Example: "{id: heavy_reports, kind: count, event: report_run, at_least: 5, within: 7d}",
	build: func(d *StepDef, p *problems, path string) rule {
		n, within := d.atLeast(p, path, 1e9, false), d.withinDays(p, path)
		if within == 0 {
			return &countRule{target: n, events: d.events()}
		}
		return &windowedCountRule{target: n, within: within, events: d.events()}
	},
}

type countRule struct {
	target float64
	events string
}

func (r *countRule) update(w *Work, _ *usage.Event) (changed, done bool) {
	w.Total++
	return true, w.Total >= r.target
}

func (r *countRule) count(w *Work) float64 { return w.Total }

func (r *countRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(b, have, r.target)
}

func (r *countRule) traits() traits {
	return traits{target: r.target, shape: "count", bound: workBound}
}

type windowedCountRule struct {
	target float64
	within int
	events string
}

func (r *windowedCountRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	day := dayOf(ev.OccurredAt)
	w.Days, _ = addToDay(w.Days, day)
	if events, _ := busiest(w.Days, day, r.within); float64(events) >= r.target {
		return true, true
	}
	w.Days, changed = forgetDays(w.Days, day, r.within)
	return changed, false
}

func (r *windowedCountRule) count(w *Work) float64 {
	events, _ := latest(w.Days, r.within)
	return float64(events)
}

func (r *windowedCountRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(appendWithin(b, r.within), have, r.target)
}

func (r *windowedCountRule) traits() traits {
	return traits{target: r.target, shape: "count by day", bound: workBound + (r.within+rememberedDays)*dayBound}
}
