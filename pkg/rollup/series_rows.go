package rollup

import "slices"

// Rows emits the rows whose content has changed since the last call: of each window that has begun, from the first one on in which
// something happened. A row is valid during its emit only.
func (s *Series) Rows(emit func(*Row)) {
	if from := s.changedFrom(); from <= s.passed {
		w := walk{series: s, emit: emit, revision: s.revision + 1}
		w.run(from)
	}
	s.shown = shown{s.base, s.passed, s.first}
	s.old, s.causes = nil, nil
	s.clean()
}

// Stale is about how many rows Rows would emit: those of all windows from the first that has changed.
func (s *Series) Stale() int {
	from := s.changedFrom()
	if from > s.passed {
		return 0
	}
	start, end := s.windows.At(from)
	return int((s.passed-start)/(end-start)) + 1
}

// changedFrom returns the start of the first window whose row may have changed, noWindow when none has.
func (s *Series) changedFrom() int64 {
	from := int64(noWindow)
	if s.base != s.shown.base || s.first != s.shown.first {
		from = s.first
	}
	if len(s.old) > 0 {
		from = min(from, s.old[0].start)
	}
	if s.passed != s.shown.passed {
		closed, _ := s.windows.At(s.shown.passed - s.rollup.lateness)
		from = min(from, closed)
	}
	if s.first == noWindow {
		return noWindow
	}
	return max(from, s.first)
}

// clean lets go of windows that can't be corrected any longer, and of those with nothing in them.
func (s *Series) clean() {
	if oldest := s.oldest(); oldest > s.floor {
		s.forget(oldest)
	}
	kept := s.buckets[:0]
	for i := range s.buckets {
		if b := &s.buckets[i]; b.counts != (counts{}) || b.restated != 0 {
			kept = append(kept, *b)
		}
	}
	s.buckets = kept
	s.shown.base, s.shown.first = s.base, s.first
}

// walk goes through a series window by window, with what they hold now and what was shown of them.
type walk struct {
	series   *Series
	emit     func(*Row)
	revision int64
	next     int              // bucket
	current  int64            // PQLs now
	was      int64            // PQLs as shown
	nextWhy  int              // cause
	moved    [afterWhys]int64 // how many PQLs each cause has added before the window
	restated []bucket         // windows and what has corrected them
	row      Row
}

func (w *walk) run(from int64) {
	s := w.series
	start, end := s.windows.At(from)
	w.current, w.was = s.base, s.shown.base
	for w.next < len(s.buckets) && s.buckets[w.next].start < start {
		w.step()
	}
	for last := s.end(); start <= s.passed && start < last; {
		w.window(start, end)
		start, end = s.windows.At(end)
	}
	for _, b := range w.restated {
		at, found := search(s.buckets, b.start)
		if !found {
			s.buckets = slices.Insert(s.buckets, at, bucket{start: b.start})
		}
		s.buckets[at].restated = b.restated
	}
}

// step goes over a bucket, and returns what it is and what of it was shown.
func (w *walk) step() (now, was *bucket) {
	now = &w.series.buckets[w.next]
	was = w.series.shownOf(now)
	w.current += now.counts.net()
	w.was += was.counts.net()
	w.next++
	return now, was
}

// window emits the row of one window if it isn't what was shown.
func (w *walk) window(start, end int64) {
	s := w.series
	before, wasBefore := w.current, w.was
	now, was := &bucket{}, &bucket{}
	if w.next < len(s.buckets) && s.buckets[w.next].start < end {
		now, was = w.step()
		before, wasBefore = before+now.counts[carried], wasBefore+was.counts[carried]
	}
	by := w.corrected(start, end)
	closed, wasClosed := end+s.rollup.lateness <= s.passed, end+s.rollup.lateness <= s.shown.passed
	isShown := start >= s.shown.first && start <= s.shown.passed
	same := before == wasBefore && now.counts.within() == was.counts.within()
	if isShown && same && closed == wasClosed {
		return
	}
	restated := now.restated
	if by&^restated != 0 && isShown && wasClosed && !same {
		restated |= by
		w.restated = append(w.restated, bucket{start: start, restated: restated})
	}
	w.row = Row{
		Metric: MetricPQLs, Unit: string(s.windows.unit), WindowStart: start, WindowEnd: end, Zone: s.windows.zone, Grouping: s.address.grouping,
		Group: s.address.group, Revision: w.revision, Closed: closed, Mature: closed, Restated: restated.String(), AsOf: s.passed,
		CurrentStart: some(before), CurrentEnd: some(w.current),
	}
	now.counts.describe(&w.row)
	s.revision = w.revision
	w.emit(&w.row)
}

// corrected returns what has corrected a window or how many PQLs it begins with, and goes over it.
func (w *walk) corrected(start, end int64) (by causes) {
	before := w.moved
	for all := w.series.causes; w.nextWhy < len(all) && all[w.nextWhy].start < end; w.nextWhy++ {
		c := &all[w.nextWhy]
		w.moved[c.why] += c.counts.net()
		if c.start < start {
			before[c.why] += c.counts.net()
			continue
		}
		before[c.why] += c.counts[carried]
		if c.counts.within() != (counts{}) {
			by |= 1 << c.why
		}
	}
	for why, n := range before {
		if n != 0 {
			by |= 1 << why
		}
	}
	return by
}

// within is what happened in the window: all but what it begins with.
func (c counts) within() counts {
	c[carried] = 0
	return c
}

// describe fills in what a row says of comings and goings.
func (c *counts) describe(r *Row) {
	r.First, r.Repeated, r.Raw = some(c[0]), some(c[1]), some(c[0]+c[1])
	r.Inflow, r.Outflow = some(c.inflow()), some(c.outflow())
	for i, n := range [...]*Null[int64]{
		&r.InQualified, &r.InRequalified, &r.InSegment,
		&r.OutInactive, &r.OutTrialEnded, &r.OutStepUndone, &r.OutExcluded, &r.OutTierChanged, &r.OutSegment, &r.OutDefinition, &r.OutConverted, &r.OutOther,
	} {
		*n = some(c[i])
	}
}
