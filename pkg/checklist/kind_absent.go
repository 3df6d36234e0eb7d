package checklist

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

var absentKind = Kind{
	Name: "absent",
	Doc: "Done when an event has not come for a length of time after another: as soon as no event from within that time is " +
		"expected any more. The one that must not come counts when it comes strictly later, and before the end of that " +
		"time. Each `after` event begins the time anew, beside what runs already. Live it is done while the event has not " +
		"come since: when it comes it is undone, and needs an `after` that is no earlier. The order of arrival does not matter " +
		"up to a disorder of a day, or of 15 times `for` if that is less; an `after` event that comes later than that does not " +
		"count. It keeps the time of the newest event, the stretches of time of the last day in which an `after` is in vain, at " +
		"most 16, and the times of 32 `after` events: the oldest that still counts and those of the last day, of which, if there " +
		"are more, some are left out that lie within 96 minutes between two others. They are only missed where an event that must " +
		"not come is late.",
	Fields: []Field{
		{Name: "event", Doc: "what must not come: the event's name, or a list of names of which any counts", Required: true},
		whereField,
		{Name: "after", Doc: "the event after which it must not come: `event` and `where`", Required: true},
		{Name: "for", Doc: "for how long, measured exactly: `14d` are 336 hours; at most 366 days", Required: true},
		{Name: "live", Doc: "`true`: the step is undone again when the event comes after all", Default: "done once is done for good"}},
	Example: "{id: no_ticket, kind: absent, event: ticket_opened, after: {event: import_finished}, for: 14d}",
	build: func(b *builder) rule {
		b.onEvent()
		b.onMoment("after", b.d.After)
		r := &absentRule{span: b.span("for", b.d.For), live: b.d.Live, after: b.d.After.events()}
		r.late = lateness(r.span)
		r.need = b.spanWords(b.d.For) + " without " + b.d.Event.String()
		return r
	},
}

// absentRule keeps an absentWork.
type absentRule struct {
	span, late  int64
	live        bool
	after, need string
}

// absentWork is encoded as the newest time, how many after events are pending, those as distances from the newest time back to
// the first, then each from the one before, and the bounds of inVain, which begin at most a day before the newest time: that
// is what their distances start from.
type absentWork struct {
	newest  int64 // time of the newest event of either role
	pending []int64
	inVain  cover // at which times an after is of no use
}

type absentRoom struct{ pending, inVain [timeRoom]int64 }

const mustNot, afterOf = 0, 1 // its roles

func (r *absentRule) update(w *Work, in *Input) (changed, done bool) {
	var room absentRoom
	at := happened(in)
	s, ok := readAbsent(*w, &room)
	if !ok {
		s = absentWork{newest: at, pending: room.pending[:0], inVain: room.inVain[:0]}
	}
	s.newest = max(s.newest, at)
	if in.Role == mustNot {
		s.inVain, s.pending = r.came(s, at)
	} else {
		s.pending = r.began(s, at)
	}
	s.inVain, s.pending = s.inVain.since(s.newest-r.late), remembered(s.pending, s.newest-r.late)
	var out [absentMost]byte
	return keep(w, s.append(out[:0])), false
}

// merge takes what is pending in both, without what one of the other's stretches makes vain.
func (r *absentRule) merge(w *Work, other Work) {
	var room, others absentRoom
	s, _ := readAbsent(*w, &room)
	o, ok := readAbsent(other, &others)
	if !ok {
		return
	}
	s.pending = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.pending, o.pending))))
	s.newest, s.inVain = max(s.newest, o.newest), s.inVain.union(o.inVain)
	s.pending = slices.DeleteFunc(s.pending, func(t int64) bool { return s.inVain.holds(t) || r.ended(s.inVain, t) })
	since := s.newest - r.late
	s.inVain, s.pending = s.inVain.since(since), remembered(s.pending, since)
	*w = s.append((*w)[:0])
}

// ended says whether what must not come did so in time at the end of a stretch, which may have begun earlier than is known.
func (r *absentRule) ended(inVain cover, after int64) bool {
	for i := 1; i < len(inVain); i += 2 {
		if after < inVain[i] && (r.live || after > inVain[i]-r.span) {
			return true
		}
	}
	return false
}

// came takes in that what must not come did.
func (r *absentRule) came(s absentWork, at int64) (inVain cover, pending []int64) {
	from := at - r.span + 1 // one at the very end of the time is none: the step may be done by then
	if r.live {
		from = minTime - 1
	}
	return s.inVain.add(from, at), slices.DeleteFunc(s.pending, func(t int64) bool { return t >= from && t < at })
}

// began takes in an after event.
func (r *absentRule) began(s absentWork, at int64) (pending []int64) {
	if at < s.newest-r.late || s.inVain.holds(at) {
		return s.pending
	}
	i, found := slices.BinarySearch(s.pending, at)
	if found {
		return s.pending
	}
	return slices.Insert(s.pending, i, at)
}

// remembered drops after events: all but one of those before a time, since whatever is still to come concerns them alike, and
// what is too many of the others.
func remembered(pending []int64, since int64) []int64 {
	n := 1
	for n < len(pending) && pending[n] < since {
		n++
	}
	if n > 1 {
		pending = slices.Delete(pending, 1, n)
	}
	for len(pending) > maxTimes {
		pending = thinned(pending)
	}
	return pending
}

// thinned drops the inner time whose neighbours are closest, so that those that stay are spread.
func thinned(times []int64) []int64 {
	least, closest := 1, int64(math.MaxInt64)
	for i := 1; i < len(times)-1; i++ {
		if apart := times[i+1] - times[i-1]; apart < closest {
			least, closest = i, apart
		}
	}
	return slices.Delete(times, least, least+1)
}

// absentMost is the most bytes of a working set. The first pending time can be far from the newest and from the next.
const absentMost = timeBound + 1 + 2*timeBound + (maxTimes-2)*nearBound + (maxTimes-2)*nearBound

func (s *absentWork) append(w Work) Work {
	w = append(binary.AppendVarint(w, s.newest), byte(len(s.pending)))
	if len(s.pending) > 0 {
		w = binary.AppendUvarint(w, uint64(s.newest-s.pending[0]))
		w = appendTimes(w, s.pending[0], s.pending[1:])
	}
	return appendTimes(w, s.newest-dayMillis-1, s.inVain)
}

// readAbsent reads a working set; it is not ok if that is empty or malformed.
func readAbsent(w Work, room *absentRoom) (s absentWork, ok bool) {
	n, oldest := 0, int64(0)
	if s.newest, oldest, n, w, ok = readOldest(w); !ok {
		return s, false
	}
	if s.pending = room.pending[:0]; n > 0 {
		s.pending, w, ok = readTimes(append(s.pending, oldest), w, n-1, oldest, s.newest)
	}
	if !ok || len(s.pending) < n || n > 1 && s.pending[1] < s.newest-dayMillis {
		return s, false
	}
	s.inVain, w, ok = readCover(room.inVain[:0], w, maxTimes, s.newest-dayMillis-1, s.newest)
	return s, ok && len(w) == 0
}

// readOldest reads how a working set begins: up to the first of so many pending times, if there are any.
func readOldest(w Work) (newest, oldest int64, n int, rest Work, ok bool) {
	if newest, w, ok = readTime(w); ok {
		n, w, ok = readNumber(w)
	}
	if !ok || n == 0 {
		return newest, 0, 0, w, ok
	}
	back, size := uvarint(w)
	if size == 0 || back > uint64(newest-minTime) {
		return 0, 0, 0, nil, false
	}
	return newest, newest - int64(back), n, w[size:], true
}

// sound says whether the newest event is still seen, and nothing pending is in vain.
func (s *absentWork) sound() bool {
	n, v := len(s.pending), len(s.inVain)
	if !(n > 0 && s.pending[n-1] == s.newest) && !(v > 0 && s.inVain[v-1] == s.newest) {
		return false
	}
	return !slices.ContainsFunc(s.pending, s.inVain.holds)
}

// judge looks at the oldest pending time only.
func (r *absentRule) judge(w Work, m *Moment) (done bool, next int64) {
	_, oldest, n, _, _ := readOldest(w)
	if n == 0 {
		return false, Never
	}
	if due := oldest + r.span; due > m.Watermark {
		return false, due
	}
	return true, Never
}

func (r *absentRule) valid(w Work) bool {
	var room absentRoom
	s, ok := readAbsent(w, &room)
	return ok && s.sound() || len(w) == 0
}

func (r *absentRule) count(w Work, _ *Moment) float64 {
	if _, _, n, _, _ := readOldest(w); n > 0 {
		return 1
	}
	return 0
}

func (r *absentRule) appendNeed(b []byte, have float64) []byte {
	if have < 1 {
		return append(append(append(b, r.after...), ", then "...), r.need...)
	}
	return append(append(append(b, r.need...), " after "...), r.after...)
}

func (r *absentRule) traits() traits {
	return traits{target: 2, shape: r.shape(), bound: workBound + absentMost, timed: true, uncredited: true, milestones: true}
}

// shape differs where inVain does, and where a live step that is done would have been done at another time.
func (r *absentRule) shape() string {
	if r.live {
		return "absent, live, " + strconv.FormatInt(r.span, 10)
	}
	return "absent"
}
