package rollup

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Series is the state of a group's windows of one unit in one zone: how many accounts came and left in each. From that follows how
// many are PQLs at each window's beginning and end. A change in one window changes all later ones.
//
// It keeps the windows that can still be corrected. The others are in the number that it begins with.
type Series struct {
	rollup   *Rollup
	address  *address
	windows  *Windows
	revision int64
	passed   int64 // the watermark
	floor    int64 // windows that start before are no longer kept: their numbers are in base
	first    int64 // start of the first window that has a row; noWindow: there is none
	last     int64 // of all that has changed: the window's start or the watermark then, whichever is later
	base     int64 // PQLs before the first bucket
	buckets  []bucket

	shown  shown    // how it was when rows were emitted last
	old    []bucket // those that have changed since, as they were then
	causes []cause  // corrections since, by window and cause
}

type shown struct{ base, passed, first int64 }

const noWindow = math.MaxInt64

// mostBuckets is how many windows with something in them a series keeps. It may have more only where facts come far ahead of
// the watermark; then the oldest can't be corrected any longer.
const mostBuckets = 8192

// mostRestated is how many windows a series can correct: there is room for more than a month of hours ahead of the watermark.
const mostRestated = 310 * 24

// bucket is what happened in one window.
type bucket struct {
	start    int64
	restated causes // since it was shown closed
	counts   counts
}

// counts are numbers of accounts: in, by entry, then out, by exit, and carried.
type counts [carried + 1]int64

// Places among counts.
const (
	otherExit = len(entries) + len(exits)
	carried   = otherExit + 1 // came for windows that could no longer be corrected then: the window begins with them
)

var (
	entries = [...]string{typeQualified, typeRequalified, segmentChanged}
	exits   = [...]string{"inactive", "trial_ended", "step_undone", "excluded", "tier_changed", segmentChanged, "definition_changed", typeConverted}
)

// cause is what something has corrected in a window.
type cause struct {
	start  int64
	why    Why
	counts counts
}

// Series returns the state of a key, from what AppendBinary has appended. With nothing it is new.
func (r *Rollup) Series(key string, b []byte) (*Series, error) {
	a, err := parseAddress(SeriesEntity, key)
	if err != nil {
		return nil, err
	}
	w := r.windowsOf(a.unit, a.zone)
	if w == nil {
		return nil, fmt.Errorf("%s: there are no such windows", key)
	}
	s := &Series{rollup: r, address: a, windows: w, floor: math.MinInt64, first: noWindow, last: math.MinInt64, shown: shown{first: noWindow}}
	if len(b) == 0 {
		return s, nil
	}
	if err := s.load(b); err != nil {
		return nil, fmt.Errorf("loading %s: %w", key, err)
	}
	return s, nil
}

// Apply takes changes in, after time has passed to the watermark. It returns how much of them came too late for the rows that they belong
// to. The oldest window that can still be corrected begins with it.
func (s *Series) Apply(changes []Change, watermark int64) (late int64) {
	s.Pass(watermark)
	oldest := s.oldest()
	for i := range changes {
		c := &changes[i]
		if !c.Cell.Kind.Standing() {
			continue
		}
		start, slot, n := c.Start, slotOf(c.Cell), c.N
		if start < oldest {
			if c.Start != BeforeAll {
				late += max(n, -n)
			}
			start, slot = oldest, carried
			if c.Cell.Kind == Out {
				n = -n
			}
		}
		start = floor(start, 1000) // as all windows do
		s.touch(start).counts[slot] += n
		if c.Why != Ordinary {
			s.correct(start, c.Why, slot, n)
		}
		s.first, s.last = min(s.first, start), max(s.last, start, s.passed)
		s.shorten()
		oldest = max(oldest, s.floor)
	}
	return late
}

// oldest returns the start of the oldest window that can be corrected. It follows from the watermark, not from when rows were emitted.
func (s *Series) oldest() int64 {
	start, _ := s.windows.At(s.passed - s.rollup.restatement)
	return max(start, s.floor)
}

// touch returns the bucket of a window that is about to change.
func (s *Series) touch(start int64) *bucket {
	at, found := search(s.buckets, start)
	if !found {
		s.buckets = slices.Insert(s.buckets, at, bucket{start: start})
	}
	if before, known := search(s.old, start); !known {
		s.old = slices.Insert(s.old, before, s.buckets[at])
	}
	return &s.buckets[at]
}

// correct keeps what corrects rows that may have been told.
func (s *Series) correct(start int64, why Why, slot int, n int64) {
	of := cause{start: start, why: why}
	at, found := slices.BinarySearchFunc(s.causes, of, func(a, b cause) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.why, b.why)) })
	if !found {
		s.causes = slices.Insert(s.causes, at, of)
	}
	s.causes[at].counts[slot] += n
}

// shorten lets the oldest window go when there are too many.
func (s *Series) shorten() {
	if len(s.buckets) <= mostBuckets {
		return
	}
	s.forget(s.buckets[1].start)
}

func search(buckets []bucket, start int64) (int, bool) {
	return slices.BinarySearchFunc(buckets, start, func(b bucket, start int64) int { return cmp.Compare(b.start, start) })
}

func slotOf(c Cell) int {
	if c.Kind == In {
		return max(0, slices.Index(entries[:], c.Name))
	}
	if at := slices.Index(exits[:], c.Name); at >= 0 {
		return len(entries) + at
	}
	return otherExit
}

func (c *counts) inflow() (n int64) {
	for _, v := range c[:len(entries)] {
		n += v
	}
	return n
}

func (c *counts) outflow() (n int64) {
	for _, v := range c[len(entries):carried] {
		n += v
	}
	return n
}

// net is how many more there are behind the window than behind the one before.
func (c *counts) net() int64 { return c[carried] + c.inflow() - c.outflow() }

// Pass lets time pass to the watermark, and says whether that changed the state.
func (s *Series) Pass(watermark int64) bool {
	if watermark <= s.passed {
		return false
	}
	s.passed = watermark
	return true
}

// NextTimer is when time alone changes rows, ms since the Unix epoch: a window ends and the next one begins, or one is closed; or
// that the state has expired. 0: never.
func (s *Series) NextTimer() int64 {
	if s.first == noWindow {
		return 0
	}
	if end := s.end(); end != noWindow && end+s.rollup.lateness <= s.passed && s.passed < end+s.rollup.restatement {
		return end + s.rollup.restatement
	}
	_, end := s.windows.At(s.passed)
	_, closes := s.windows.At(s.passed - s.rollup.lateness)
	return min(end, closes+s.rollup.lateness)
}

// end is where the last window ends that has a row: there have been no PQLs, and nothing has happened, for as long as windows
// can be corrected. noWindow: there are PQLs.
func (s *Series) end() int64 {
	current := s.base
	for i := range s.buckets {
		current += s.buckets[i].counts.net()
	}
	if current != 0 {
		return noWindow
	}
	_, end := s.windows.At(s.last)
	_, end = s.windows.At(end + s.rollup.restatement - 1)
	return end
}

// Expired says whether the state can be deleted: there are no PQLs, and no window that has had a row can be corrected. So each has been
// closed, and no later state tells one anew.
func (s *Series) Expired() bool {
	end := s.end()
	return end != noWindow && s.passed >= end+s.rollup.restatement
}

// forget lets windows go that start before a moment.
func (s *Series) forget(floor int64) {
	n, _ := search(s.buckets, floor)
	for i := range s.buckets[:n] {
		s.base += s.buckets[i].counts.net()
		s.shown.base += s.shownOf(&s.buckets[i]).counts.net()
	}
	s.buckets = slices.Delete(s.buckets, 0, n)
	n, _ = search(s.old, floor)
	s.old = slices.Delete(s.old, 0, n)
	s.floor = floor
	if s.first != noWindow {
		s.first = max(s.first, floor)
	}
}

// shownOf returns a bucket as it was when rows were emitted last.
func (s *Series) shownOf(b *bucket) *bucket {
	if at, found := search(s.old, b.start); found {
		return &s.old[at]
	}
	return b
}

// Size is an estimate of the memory that the state takes, in bytes.
func (s *Series) Size() int {
	return int(unsafe.Sizeof(*s)+unsafe.Sizeof(*s.address)) + (cap(s.buckets)+cap(s.old))*int(unsafe.Sizeof(bucket{})) +
		cap(s.causes)*int(unsafe.Sizeof(cause{}))
}

// Touch reads a little of what Apply will read.
func (s *Series) Touch() int {
	if n := len(s.buckets); n > 0 {
		return int(s.buckets[n-1].start)
	}
	return 0
}
