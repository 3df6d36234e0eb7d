package rollup

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits say how many groups are told apart, and for how long windows change. They are part of what rows mean: states that were made with some are
// wrong with others. So they must stay for as long as there are states.
type Limits struct {
	MaxGroups   int           // of one grouping; what is in none of them goes to OtherGroup
	Lateness    time.Duration // a window is closed when the watermark is that far beyond its end
	Restatement time.Duration // a window can be corrected until the watermark is that far beyond its end
}

// DefaultLimits are those of a configuration that says nothing.
func DefaultLimits() Limits {
	return Limits{MaxGroups: 1000, Lateness: 24 * time.Hour, Restatement: 120 * 24 * time.Hour}
}

// Rollup is the window's side: it makes the states of all entities. It is not changed by them.
type Rollup struct {
	groupings   [][]string
	windows     []*Windows
	cohortDays  []int32 // in order
	paidDays    []int32 // in order
	maxGroups   int
	lateness    int64 // ms
	restatement int64 // ms
}

// NewRollup returns the window's side for what a Measure with the same settings flushes, with all that is wrong with the limits.
func NewRollup(s *Settings, l Limits) (*Rollup, error) {
	m, err := NewMeasure(s)
	if err != nil {
		return nil, err
	}
	r := &Rollup{
		groupings: s.Groupings, windows: s.Windows, cohortDays: slices.Sorted(slices.Values(m.cohortDays)),
		paidDays: slices.Sorted(slices.Values(m.paidDays)), maxGroups: l.MaxGroups,
		lateness: l.Lateness.Milliseconds(), restatement: l.Restatement.Milliseconds(),
	}
	if len(s.Windows) == 0 {
		err = errors.New("there are no windows")
	}
	if l.MaxGroups < 1 {
		err = errors.Join(err, fmt.Errorf("at most %d groups: there must be one", l.MaxGroups))
	}
	if l.Lateness < 0 || l.Restatement <= l.Lateness {
		err = errors.Join(err, fmt.Errorf("windows can be corrected for %s: that must be longer than the lateness of %s", l.Restatement, l.Lateness))
	}
	if longest := mostRestated * time.Hour; l.Restatement > longest && slices.ContainsFunc(s.Windows, func(w *Windows) bool { return w.unit == Hour }) {
		err = errors.Join(err, fmt.Errorf("windows can be corrected for %s: with windows of hours, of which a group keeps %d, that must be no longer than %s",
			l.Restatement, mostBuckets, longest))
	}
	for what, days := range map[string][]int32{"cohort": r.cohortDays, "paid": r.paidDays} {
		if most := days[len(days)-1]; int64(most)*dayMillis > r.restatement {
			err = errors.Join(err, fmt.Errorf("%s days: %d is longer than windows can be corrected, %s", what, most, l.Restatement))
		}
	}
	return r, err
}

// windowsOf returns the windows of a unit in a zone, nil when there are none.
func (r *Rollup) windowsOf(unit Unit, zone string) *Windows {
	for _, w := range r.windows {
		if w.unit == unit && w.zone == zone {
			return w
		}
	}
	return nil
}

// OtherGroup is the group of all accounts whose own is beyond the limit.
const OtherGroup = "other"
