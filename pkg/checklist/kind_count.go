package checklist

import "encoding/binary"

// maxCount bounds what a count step counts to.
const maxCount = 1_000_000_000

var countKind = Kind{
	Name: "count",
	Doc: "Done when the event has happened a number of times, over the account's whole life or within a window. The order " +
		"of arrival does not matter up to a disorder of 30 days, 48 hours or 120 minutes, by the window's unit. " +
		"It keeps a number, or one for each day, hour or minute of the window and of the disorder before it.",
	Fields: []Field{eventField, whereField,
		{Name: "at_least", Doc: "how many times, a whole number up to 1,000,000,000", Required: true}, withinField, liveField},
	Example: "{id: heavy_reports, kind: count, event: report_run, at_least: 5, within: 7d}",
	build: func(b *builder) rule {
		b.onEvent()
		n, within := b.atLeast(maxCount, false), b.window()
		switch events := b.d.Event.String(); {
		case within == nil:
			return &countRule{target: n, events: events}
		case b.d.Live:
			return &liveCountRule{windowedCountRule{target: n, within: within, events: events}}
		default:
			return &windowedCountRule{target: n, within: within, events: events}
		}
	},
}

// countRule keeps the number of events as an unsigned varint.
type countRule struct {
	target float64
	events string
}

func (r *countRule) update(w *Work, _ *Input) (changed, done bool) {
	before := r.count(*w, nil)
	*w = binary.AppendUvarint((*w)[:0], uint64(before)+1)
	return true, before+1 >= r.target
}

func (r *countRule) valid(w Work) bool {
	v, size := uvarint(w)
	return len(w) == 0 || size == len(w) && v > 0 && v <= maxCount
}

func (r *countRule) merge(w *Work, other Work) {
	both := min(r.count(*w, nil)+r.count(other, nil), maxCount)
	*w = binary.AppendUvarint((*w)[:0], uint64(both))
}

func (r *countRule) count(w Work, _ *Moment) float64 {
	v, _ := uvarint(w)
	return float64(min(v, maxCount))
}

func (r *countRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(b, have, r.target)
}

func (r *countRule) traits() traits {
	return traits{target: r.target, shape: "count", bound: workBound + 5}
}

// windowedCountRule keeps buckets with their numbers of events, see dayCount.
type windowedCountRule struct {
	target float64
	within *window
	events string
}

func (r *windowedCountRule) update(w *Work, in *Input) (changed, done bool) {
	day := r.within.bucket(in.Event.OccurredAt)
	if _, isNew, ok := addNewest(w, day, true); ok {
		if isNew {
			*w = r.within.forget(*w, true)
		}
		return true, r.count(*w, nil) >= r.target
	}
	var room [dayRoom]dayCount
	days, _ := appendDays(room[:0], *w, true)
	days = addToDay(days, day)
	events, _ := busiest(days, day, r.within.width)
	days, changed = r.within.forgetDays(days, day)
	*w = encodeDays((*w)[:0], days, true)
	done = float64(events) >= r.target
	return changed || done, done
}

func (r *windowedCountRule) valid(w Work) bool {
	var room [dayRoom]dayCount
	_, ok := appendDays(room[:0], w, true)
	return ok
}

func (r *windowedCountRule) merge(w *Work, other Work) {
	*w = r.within.forget(mergeDays(*w, other, true), true)
}

// holds says whether a window that reaches to or beyond a moment has enough, and from which watermark on none does.
func (r *windowedCountRule) holds(w Work, m *Moment) (holds bool, end int64) {
	return r.within.holds(w, true, m.Watermark, func(events uint64, _ int) bool { return float64(events) >= r.target })
}

func (r *windowedCountRule) reached(w Work, m *Moment) bool {
	holds, _ := r.holds(w, m)
	return holds
}

func (r *windowedCountRule) count(w Work, m *Moment) float64 {
	events, _ := r.within.latest(w, true, m)
	return float64(events)
}

func (r *windowedCountRule) appendNeed(b []byte, have float64) []byte {
	b = append(append(appendNumber(b, r.target-have), " more "...), r.events...)
	return appendShare(appendWithin(b, r.within), have, r.target)
}

func (r *windowedCountRule) traits() traits {
	return traits{target: r.target, shape: "counts by " + r.within.shape, bound: workBound + r.within.buckets()*countedBound}
}

// liveCountRule keeps what windowedCountRule does, also while the step is done.
type liveCountRule struct{ windowedCountRule }

func (r *liveCountRule) judge(w Work, m *Moment) (done bool, next int64) { return r.holds(w, m) }

func (r *liveCountRule) traits() traits {
	t := r.windowedCountRule.traits()
	t.timed = true
	return t
}
