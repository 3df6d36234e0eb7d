package checklist

import (
	"encoding/binary"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// maxCount bounds what a count step counts to.
const maxCount = 1_000_000_000

var countKind = Kind{
	Name: "count",
	Doc: "Done when the event has happened a number of times, over the account's whole life or within some number of " +
		"consecutive UTC days that hold the event's own. The order of arrival does not matter up to 30 days of disorder. " +
		"It keeps a number, or one for each day of the window and 30 days before.",
	Fields: []Field{eventField, whereField,
		{Name: "at_least", Doc: "how many times, a whole number up to 1,000,000,000", Required: true}, withinField},
	Example: "{id: heavy_reports, kind: count, event: report_run, at_least: 5, within: 7d}",
	build: func(d *StepDef, p *problems, path string) rule {
		n, within := d.atLeast(p, path, maxCount, false), d.withinDays(p, path)
		if within == 0 {
			return &countRule{target: n, events: d.events()}
		}
		return &windowedCountRule{target: n, within: within, events: d.events()}
	},
}

// countRule keeps the number of events as an unsigned varint.
type countRule struct {
	target float64
	events string
}

func (r *countRule) update(w *Work, _ *usage.Event) (changed, done bool) {
	before, _ := r.count(*w)
	*w = binary.AppendUvarint((*w)[:0], uint64(before)+1)
	return true, before+1 >= r.target
}

func (r *countRule) count(w Work) (float64, bool) {
	if len(w) == 0 {
		return 0, true
	}
	v, size := uvarint(w)
	if size != len(w) || v == 0 || v > maxCount {
		return 0, false
	}
	return float64(v), true
}

func (r *countRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(b, have, r.target)
}

func (r *countRule) traits() traits {
	return traits{target: r.target, shape: "count", bound: workBound + 5}
}

// windowedCountRule keeps days with their numbers of events, see dayCount.
type windowedCountRule struct {
	target float64
	within int
	events string
}

func (r *windowedCountRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	day := dayOf(ev.OccurredAt)
	var room [dayRoom]dayCount
	days, _ := appendDays(room[:0], *w, true)
	days = addToDay(days, day)
	events, _ := busiest(days, day, r.within)
	days, changed = forgetDays(days, day, r.within)
	*w = encodeDays((*w)[:0], days, true)
	done = float64(events) >= r.target
	return changed || done, done
}

func (r *windowedCountRule) count(w Work) (float64, bool) {
	var room [dayRoom]dayCount
	days, ok := appendDays(room[:0], w, true)
	events, _ := latest(days, r.within)
	return float64(events), ok
}

func (r *windowedCountRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(appendWithin(b, r.within), have, r.target)
}

func (r *windowedCountRule) traits() traits {
	return traits{target: r.target, shape: "count by day", bound: workBound + (r.within+rememberedDays)*countedBound}
}
