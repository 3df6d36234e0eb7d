package rows

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// put adds a row, once with what it says of its window. What ripens does so at a time; 0: it does not.
func (b *book) put(at Place, w *window, metric, detail string, matureAt int64, r Row) {
	closed := w.end+b.Lateness.Milliseconds() <= b.watermark
	r["window_end"], r["closed"], r["mature"] = float64(w.end), truth(closed), truth(closed && matureAt <= b.watermark)
	if matureAt != 0 {
		r["mature_at"] = float64(matureAt)
	}
	b.rows[Key{metric, detail, at}] = r
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// standing makes the rows of PQLs: of each window, from the first one on in which somebody came or left.
func (b *book) standing() {
	first := map[Place]int64{} // by a place without start
	for at, w := range b.windows {
		start := at.Start
		at.Start = 0
		if was, known := first[at]; len(w.flows) > 0 && (!known || start < was) {
			first[at] = start
		}
	}
	for of, start := range first {
		zone, current := b.zone(of.Zone), 0
		for start <= b.watermark {
			of.Start = start
			_, end := bounds(of.Unit, zone, start)
			w := b.windows[of]
			if w == nil {
				w = &window{end: end}
			}
			r := pqls(w.flows)
			r["current_start"] = float64(current)
			current += int(r["inflow"] - r["outflow"])
			r["current_end"] = float64(current)
			b.put(of, w, "pqls", "", 0, r)
			start = end
		}
	}
}

func (b *book) zone(name string) *time.Location {
	return b.Zones[slices.IndexFunc(b.Zones, func(z *time.Location) bool { return z.String() == name })]
}

func pqls(flows map[string]int) Row {
	r := Row{"inflow": 0, "outflow": 0}
	for _, c := range []string{"in_qualified", "in_requalified", "in_segment_changed"} {
		r[c] = float64(flows[c])
		r["inflow"] += r[c]
	}
	for _, c := range []string{
		"out_inactive", "out_trial_ended", "out_step_undone", "out_excluded", "out_tier_changed", "out_segment_changed", "out_definition_changed",
		"out_converted", "out_other",
	} {
		r[c] = float64(flows[c])
		r["outflow"] += r[c]
	}
	r["first"], r["repeated"], r["raw"] = r["in_qualified"], r["in_requalified"], r["in_qualified"]+r["in_requalified"]
	return r
}

// shares makes the rows that hold some accounts against others.
func (b *book) shares(at Place, w *window) {
	corrected := w.end + b.Restatement.Milliseconds()
	treated, held := split(w.qualified, func(q qualified) bool { return !q.held })
	if all := len(w.signedUp); all > 0 || len(w.toPQL) > 0 {
		r := Row{"numerator": float64(len(w.toPQL)), "denominator": float64(all)}
		if all > 0 {
			r["rate"] = float64(len(w.toPQL)) / float64(all)
		}
		b.put(at, w, "pql_rate_period", "", 0, r)
	}
	for _, days := range b.PaidDays {
		paid := func(q qualified) bool { return q.paid <= int64(days)*dayMs }
		detail, ripe := fmt.Sprintf("%dd", days), w.end+int64(days)*dayMs
		if len(treated) > 0 {
			b.put(at, w, "pql_to_paid", detail, ripe, share(count(treated, paid), len(treated)))
		}
		if len(w.qualified) > 0 {
			b.put(at, w, "hold_out", detail, ripe, against(count(treated, paid), len(treated), count(held, paid), len(held)))
		}
	}
	if len(treated) > 0 {
		b.put(at, w, "precision", "", corrected, share(count(treated, func(q qualified) bool { return q.paid != never }), len(treated)))
	}
	if len(w.signedUp) > 0 {
		b.cohort(at, w)
		b.funnel(at, w)
		for tenth := range 11 {
			n := count(w.signedUp, func(m member) bool { return m.tenth == tenth })
			b.put(at, w, "activation_rate", strconv.Itoa(10*tenth), corrected, share(n, len(w.signedUp)))
		}
	}
}

func (b *book) cohort(at Place, w *window) {
	treated, _ := split(w.signedUp, func(m member) bool { return !m.held })
	horizon := int64(slices.Max(b.PaidDays)) * dayMs
	paid := func(m member) bool { return m.paid <= horizon }
	for _, days := range b.CohortDays {
		by := func(m member) bool { return m.first <= int64(days)*dayMs }
		detail := fmt.Sprintf("%dd", days)
		b.put(at, w, "pql_rate", detail, w.end+int64(days)*dayMs, share(count(w.signedUp, by), len(w.signedUp)))
		if len(treated) == 0 {
			continue
		}
		had, hadNot := split(treated, by)
		b.put(at, w, "pql_to_paid_cohort", detail, w.end+horizon, against(count(had, paid), len(had), count(hadNot, paid), len(hadNot)))
	}
}

func (b *book) funnel(at Place, w *window) {
	took := map[string][]int64{}
	for _, m := range w.signedUp {
		for step, ms := range m.steps {
			took[step] = append(took[step], max(0, ms))
		}
	}
	order := slices.SortedFunc(maps.Keys(b.steps), func(x, y string) int { return cmp.Or(len(took[y])-len(took[x]), cmp.Compare(x, y)) })
	previous := len(w.signedUp)
	for i, step := range order {
		r := share(len(took[step]), len(w.signedUp))
		maps.Copy(r, describe(took[step]))
		r["position"], r["previous"] = float64(i+1), float64(previous)
		b.put(at, w, "funnel", step, w.end+b.Restatement.Milliseconds(), r)
		previous = len(took[step])
	}
}

// durations makes the rows of what took how long.
func (b *book) durations(at Place, w *window) {
	corrected := w.end + b.Restatement.Milliseconds()
	if len(w.toPQL)+w.unknown > 0 {
		r := describe(w.toPQL)
		r["signup_unknown"] = float64(w.unknown)
		b.put(at, w, "time_to_pql", "", 0, r)
	}
	var since, paid []int64
	for _, m := range w.signedUp {
		if m.first != never {
			since = append(since, max(0, m.first))
		}
	}
	for _, q := range w.qualified {
		if !q.held && q.paid != never {
			paid = append(paid, q.paid)
		}
	}
	if len(since) > 0 {
		b.put(at, w, "time_to_pql_cohort", "", corrected, describe(since))
	}
	if len(paid) > 0 {
		b.put(at, w, "time_to_paid", "", corrected, describe(paid))
	}
}

func (b *book) sales(at Place, w *window) {
	for what, n := range w.said {
		b.put(at, w, "sales", what, 0, Row{"count": float64(n)})
	}
	if all := w.said["sales_accepted"] + w.said["sales_rejected"]; all > 0 {
		b.put(at, w, "sales_acceptance", "", 0, share(w.said["sales_accepted"], all))
	}
}

// describe says of durations in ms what rows do, in seconds.
func describe(took []int64) Row {
	n := len(took)
	r := Row{"count": float64(n)}
	if n == 0 {
		return r
	}
	slices.Sort(took)
	sum := int64(0)
	for _, ms := range took {
		sum += ms
	}
	r["mean"] = float64(sum) / float64(n) / 1000
	for name, p := range map[string]float64{"min": 0, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99, "max": 1} {
		r[name] = float64(took[int(p*float64(n-1))]) / 1000
	}
	return r
}

func share(hits, n int) Row {
	r := Row{"numerator": float64(hits), "denominator": float64(n)}
	if n > 0 {
		r["rate"] = float64(hits) / float64(n)
		r["low"], r["high"] = wilson(hits, n)
	}
	return r
}

func against(hits, n, hits2, n2 int) Row {
	r, control := share(hits, n), share(hits2, n2)
	r["control_numerator"], r["control_denominator"] = float64(hits2), float64(n2)
	if n2 == 0 {
		return r
	}
	r["control_rate"] = control["rate"]
	if n == 0 {
		return r
	}
	if hits2 > 0 {
		r["lift"] = r["rate"] / control["rate"]
	}
	r["difference"] = r["rate"] - control["rate"]
	r["difference_low"] = r["difference"] - math.Hypot(r["rate"]-r["low"], control["high"]-control["rate"])
	r["difference_high"] = r["difference"] + math.Hypot(r["high"]-r["rate"], control["rate"]-control["low"])
	return r
}

// wilson is the 95 % interval of a share, by the score.
func wilson(hits, n int) (low, high float64) {
	const z = 1.959963984540054
	p, m := float64(hits)/float64(n), float64(n)
	middle, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	low, high = (middle-half)/(1+z*z/m), (middle+half)/(1+z*z/m)
	if hits == 0 {
		low = 0
	}
	if hits == n {
		high = 1
	}
	return low, high
}

func split[T any](all []T, is func(T) bool) (yes, no []T) {
	for _, v := range all {
		if is(v) {
			yes = append(yes, v)
		} else {
			no = append(no, v)
		}
	}
	return yes, no
}

func count[T any](all []T, is func(T) bool) int {
	yes, _ := split(all, is)
	return len(yes)
}
