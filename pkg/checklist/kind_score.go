package checklist

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	maxPoints  = 1e9 // of an event, a group or a score
	maxEntries = 50  // of points
	maxCapped  = 20  // groups with a cap
	maxScored  = maxCapped + 1
)

var scoreKind = Kind{
	Name: "score",
	Doc: "Done when the points that events are worth add up to a number: lead scoring. A group of them counts at most its " +
		"cap, at any moment. With a half-life points are worth less from day to day of the checklist's zone: half after so " +
		"many days. A group's cap then bounds what its points are still worth together, so that points beyond it are not lost: " +
		"they make up for others' decay. The step is done when the score of some day, with all that happened on it and before, " +
		"reaches the number. The order of arrival does not matter, with a half-life up to a disorder of 4 days: an event that " +
		"comes later counts in the scores of the newest 5 days only. A billionth less than the number is enough, since the " +
		"order of additions can make that much. It keeps a number for each group, with a half-life up to five: of each of the " +
		"newest 4 days, and of all days before.",
	Fields: []Field{
		{Name: "points", Doc: "a list of 1 to 50 entries, each an `event` (a name or a list) with how many `points` one is " +
			"worth, above 0. An entry may have a `where`, and a `group`, whose cap bounds what its events count together. An " +
			"event that several entries fit counts for each", Required: true},
		{Name: "caps", Doc: "for each `group` of the entries, at most 20, the points that it counts `at_most`",
			Default: "all points count"},
		{Name: "half_life", Doc: "after how many days points are worth half, such as `14d`, at most 366 of them",
			Default: "points are worth the same forever"},
		{Name: "at_least", Doc: "the score, above 0 and up to 1,000,000,000", Required: true},
		{Name: "live", Doc: "`true`: the step is undone again when the score has decayed below the number; needs `half_life`",
			Default: liveField.Default}},
	Example: "{id: engaged, kind: score, points: [{event: report_viewed, points: 1, group: reading}, " +
		"{event: demo_requested, points: 30}], caps: [{group: reading, at_most: 20}], half_life: 14d, at_least: 50}",
	build: func(b *builder) rule { return b.score() },
}

func (b *builder) score() rule {
	r := scoreRule{target: b.atLeast(maxPoints, true)}
	b.scoreInputs()
	b.scoreGroups(&r)
	h := b.d.HalfLife
	switch {
	case h == nil && b.d.Live:
		b.complain("live", "needs half_life: a score that does not decay never becomes less")
	case h == nil:
		return &r
	case h.Unit != day || h.N > maxWithin:
		b.complain("half_life", "%v is not from 1 to %d days", h, maxWithin)
	case b.d.Live:
		return &liveScoreRule{decayingScoreRule{r, newDecay(h.N), b.calendar}}
	default:
		return &decayingScoreRule{r, newDecay(h.N), b.calendar}
	}
	return &r
}

// scoreInputs makes each entry a role. What the definition means does not depend on their order.
func (b *builder) scoreInputs() {
	if n := len(b.d.Points); n < 1 || n > maxEntries {
		b.complain("points", "are %d, not from 1 to %d", n, maxEntries)
	}
	for i, p := range b.d.Points {
		if !(p.Points > 0 && p.Points <= maxPoints) {
			b.complain(fmt.Sprintf("points[%d].points", i), "%v is not above 0 and at most %v", p.Points, maxPoints)
		}
		b.on(fmt.Sprintf(".points[%d]", i), p.Event, p.Where)
	}
	type meant struct {
		in     momentMeaning
		points PointsDef
	}
	entries := make([]meant, len(b.d.Points))
	for i := range entries {
		entries[i] = meant{b.m.Inputs[i], b.m.Points[i]}
	}
	slices.SortFunc(entries, func(x, y meant) int {
		return cmp.Or(slices.Compare(x.in.Events, y.in.Events), strings.Compare(x.in.Where, y.in.Where),
			strings.Compare(x.points.Group, y.points.Group), cmp.Compare(x.points.Points, y.points.Points))
	})
	for i := range entries {
		b.m.Inputs[i], b.m.Points[i] = entries[i].in, entries[i].points
	}
}

// scoreGroups checks groups and caps, and numbers the groups by their names. Points without a group are one without a cap.
func (b *builder) scoreGroups(r *scoreRule) {
	uncapped := math.Inf(1)
	caps, seen := map[string]float64{"": uncapped}, map[string]bool{}
	b.atMost(b.path+".caps", len(b.d.Caps), maxCapped)
	for i, c := range b.d.Caps {
		path := fmt.Sprintf("caps[%d]", i)
		b.checkName(b.path+"."+path+".group", c.Group, seen)
		caps[c.Group] = c.AtMost
		if !(c.AtMost > 0 && c.AtMost <= maxPoints) {
			b.complain(path+".at_most", "%v is not above 0 and at most %v", c.AtMost, maxPoints)
			caps[c.Group] = uncapped
		}
		if !slices.ContainsFunc(b.d.Points, func(p PointsDef) bool { return p.Group == c.Group }) {
			b.complain(path+".group", "no points are in the group %q", c.Group)
		}
	}
	for i, p := range b.d.Points {
		if _, capped := caps[p.Group]; !capped {
			b.complain(fmt.Sprintf("points[%d].group", i), "the group %q has no cap", p.Group)
			caps[p.Group] = uncapped
		}
		if !slices.Contains(r.groups, p.Group) {
			r.groups = append(r.groups, p.Group)
		}
	}
	slices.Sort(r.groups)
	reachable := 0.0
	for _, g := range r.groups {
		r.caps = append(r.caps, caps[g])
		reachable += caps[g]
	}
	for _, p := range b.d.Points {
		r.entries = append(r.entries, entry{p.Points, slices.Index(r.groups, p.Group)})
	}
	if len(r.groups) > 0 && !r.reaches(reachable) {
		b.complain("at_least", "%v is more than all caps allow together, %v", r.target, reachable)
	}
}

// entry is what an event of an input counts.
type entry struct {
	points float64
	group  int
}

// scoreRule keeps the sum of each group, in the order of their names, as a little-endian double.
type scoreRule struct {
	target  float64
	entries []entry   // by role
	groups  []string  // in order; the empty name first, if points have none
	caps    []float64 // of the groups
}

func (r *scoreRule) update(w *Work, in *Input) (changed, done bool) {
	if len(*w) != 8*len(r.groups) {
		*w = append((*w)[:0], make([]byte, 8*len(r.groups))...)
	}
	e := &r.entries[in.Role]
	sum := (*w)[8*e.group:]
	appendDouble(sum[:0], plus(double(sum), e.points))
	return true, r.reaches(r.count(*w, nil))
}

// reaches says whether a score is enough; a billionth less is, since the order of additions can make that much.
func (r *scoreRule) reaches(score float64) bool { return score >= r.target*(1-1e-9) }

func (r *scoreRule) valid(w Work) bool {
	some := len(w) == 0
	if !some && len(w) != 8*len(r.groups) {
		return false
	}
	for ; len(w) > 0; w = w[8:] {
		sum := double(w)
		if !(sum >= 0 && sum <= math.MaxFloat64) || math.Signbit(sum) {
			return false
		}
		some = some || sum > 0
	}
	return some
}

func (r *scoreRule) merge(w *Work, other Work) {
	for at := 0; at < min(len(*w), len(other)); at += 8 {
		appendDouble((*w)[at:at], plus(double((*w)[at:]), double(other[at:])))
	}
}

func (r *scoreRule) reached(w Work, m *Moment) bool { return r.reaches(r.count(w, m)) }

func (r *scoreRule) count(w Work, _ *Moment) (score float64) {
	for g := 0; len(w) >= 8 && g < len(r.caps); g++ {
		score = plus(score, min(double(w), r.caps[g]))
		w = w[8:]
	}
	return score
}

func (r *scoreRule) appendNeed(b []byte, have float64) []byte {
	have = floored(have*100) / 100
	return appendShare(appendMore(b, r.target-have, "point"), have, r.target)
}

func (r *scoreRule) traits() traits {
	return traits{target: r.target, shape: "score of " + strings.Join(r.groups, ","), bound: workBound + 8*len(r.groups)}
}
