package oracle

import (
	"maps"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	weekDays = 7
	memory   = 30 // days behind a week that are remembered
)

// measure is what a step holds against its target.
type measure int

const (
	once         measure = iota // that it happened
	total                       // how often, or how much
	days                        // on how many days
	values                      // how many different ones
	eventsWeekly                // how often within a week
	daysWeekly                  // on how many days of a week
)

// step is one of the checklist's. Halves add up exactly.
type step struct {
	id      string
	weight  float64
	measure measure
	target  float64
	live    bool // undone when no week that reaches the present has enough
}

var steps = []step{
	{id: "first_project", weight: 1, measure: once, target: 1},
	{id: "saw_premium", weight: 0.5, measure: once, target: 1},
	{id: "many_reports", weight: 1, measure: total, target: 12},
	{id: "heavy_week", weight: 2, measure: eventsWeekly, target: 3},
	{id: "invited_team", weight: 1, measure: values, target: 3},
	{id: "plans_tried", weight: 1, measure: values, target: 3},
	{id: "weekly_habit", weight: 1, measure: daysWeekly, target: 3},
	{id: "many_days", weight: 1, measure: days, target: 5},
	{id: "much_storage", weight: 1, measure: total, target: 40},
	{id: "big_invites", weight: 1.5, measure: total, target: 100},
}

// liveStep is the one that the checklist of a whole life has beside the others.
var liveStep = step{id: "busy_lately", weight: 1, measure: eventsWeekly, target: 4, live: true}

var lifeSteps = append(append([]step{}, steps...), liveStep)

// tally is what a step has counted.
type tally struct {
	sum    float64
	byDay  map[int64]int
	values map[string]bool
}

func newTally() *tally { return &tally{byDay: map[int64]int{}, values: map[string]bool{}} }

func (t *tally) empty() bool { return t.sum == 0 && len(t.byDay) == 0 && len(t.values) == 0 }

func (t *tally) clone() *tally {
	return &tally{sum: t.sum, byDay: maps.Clone(t.byDay), values: maps.Clone(t.values)}
}

// counted is how much a step has at a time: of weeks, in the one that ends with the newest day or then, if that is later.
func (s *step) counted(t *tally, at int64) float64 {
	switch s.measure {
	case total:
		return t.sum
	case days:
		return float64(len(t.byDay))
	case values:
		return float64(len(t.values))
	case eventsWeekly, daysWeekly:
		return float64(s.week(t, max(t.newest(), at/day)))
	default:
		return 0
	}
}

// week is what there is in the week that ends with a day.
func (s *step) week(t *tally, last int64) (n int) {
	for d := last - weekDays + 1; d <= last; d++ {
		if s.measure == daysWeekly {
			n += min(t.byDay[d], 1)
		} else {
			n += t.byDay[d]
		}
	}
	return n
}

// enough says whether some week that ends with one of the days has enough.
func (s *step) enough(t *tally, from, to int64) bool {
	for last := from; last <= to; last++ {
		if float64(s.week(t, last)) >= s.target {
			return true
		}
	}
	return false
}

// reached says whether there is enough at all.
func (s *step) reached(t *tally) bool {
	switch s.measure {
	case once:
		return false
	case eventsWeekly, daysWeekly:
		return len(t.byDay) > 0 && s.enough(t, t.oldest(), t.newest())
	default:
		return s.counted(t, 0) >= s.target
	}
}

// holdsUntil is the last day on which a week that holds it, or later ones, has enough; below 0: there is none.
func (s *step) holdsUntil(t *tally) int64 {
	if len(t.byDay) > 0 {
		for last := t.newest() + weekDays - 1; last >= t.oldest(); last-- {
			if float64(s.week(t, last)) >= s.target {
				return last
			}
		}
	}
	return -1
}

func (t *tally) newest() int64 {
	newest := int64(-1)
	for d := range t.byDay {
		newest = max(newest, d)
	}
	return newest
}

func (t *tally) oldest() int64 {
	oldest := int64(1 << 40)
	for d := range t.byDay {
		oldest = min(oldest, d)
	}
	return oldest
}

// forget drops the days that lie too far back for weeks.
func (s *step) forget(t *tally) {
	if s.measure != eventsWeekly && s.measure != daysWeekly {
		return
	}
	newest := t.newest()
	maps.DeleteFunc(t.byDay, func(d int64, _ int) bool { return d < newest-weekDays+1-memory })
}

// join adds what another account has counted.
func (s *step) join(t, other *tally) {
	t.sum += other.sum
	for d, n := range other.byDay {
		t.byDay[d] += n
	}
	maps.Copy(t.values, other.values)
	s.forget(t)
}

// add counts an event. It says whether that counted for anything, and whether there is enough around the event.
func (s *step) add(t *tally, ev *usage.Event, value string, amount float64) (counted, reached bool) {
	today := ev.OccurredAt / day
	switch s.measure {
	case once:
		return true, true
	case total:
		t.sum += amount
		return amount > 0, t.sum >= s.target
	case values:
		fresh := value != "" && !t.values[value]
		if fresh {
			t.values[value] = true
		}
		return fresh, fresh && float64(len(t.values)) >= s.target
	case days:
		fresh := t.byDay[today] == 0
		t.byDay[today] = 1
		return fresh, fresh && float64(len(t.byDay)) >= s.target
	default:
		fresh := s.measure == eventsWeekly || t.byDay[today] == 0
		t.byDay[today]++
		reached = fresh && s.enough(t, today, today+weekDays-1)
		s.forget(t)
		return fresh && (reached || t.byDay[today] > 0), reached
	}
}
