package rollup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// Settings say what is measured. All contributions depend on them: under others everything must be folded anew, from the first
// fact on.
type Settings struct {
	Groupings  [][]string // each a list of dimensions; the empty one is all accounts
	CohortDays []int      // within how many days of sign-up accounts qualify
	PaidDays   []int      // within how many days of qualifying they convert; the most of them is the horizon of cohorts as well
	Windows    []*Windows // in which accounts are to be counted once
}

// Measure folds the facts of many accounts, and gathers by how much that changes what they contribute, until it is flushed.
type Measure struct {
	groupings  *groupings
	cohortDays []int32
	paidDays   []int32
	horizon    int32 // days
	windows    []*Windows
	windowRank []int           // of each window in the order of Targets, by its place among windows + 1
	slots      map[int64]int64 // what slot returns

	gathered map[counter]int64
	places   names
	words    names // of cells

	// of the fact that is being folded:
	life     life
	why      Why
	placed   int      // its place among the life's, counted from 1; 0: it has not been needed
	placeIDs []uint32 // of the life's places; 0: not known yet
	repeated []int
	room     []byte // of its place
	encoded  []byte
}

// counter is one that something was gathered for. A change of groups has two places.
type counter struct {
	start  int64
	place  uint32
	to     uint32 // 0: it is no change
	word   uint32
	number int32
	window uint16 // place among windows, counted from 1; 0: start is a slot
	kind   Kind
	why    Why
}

// names gives texts numbers, counted from 1.
type names struct {
	numbers map[string]uint32
	texts   []string
}

func (n *names) number(s string) uint32 {
	number, ok := n.numbers[s]
	if !ok {
		s = strings.Clone(s)
		n.texts = append(n.texts, s)
		number = uint32(len(n.texts))
		n.numbers[s] = number
	}
	return number
}

func (n *names) clear() {
	clear(n.numbers)
	n.texts = n.texts[:0]
}

const (
	maxDays     = 366
	maxDayLists = 16
	maxWindows  = 1000
)

// NewMeasure returns a Measure of the settings, with all that is wrong with them.
func NewMeasure(s *Settings) (*Measure, error) {
	m := &Measure{windows: s.Windows, gathered: map[counter]int64{}, slots: map[int64]int64{}}
	m.places.numbers, m.words.numbers = map[string]uint32{}, map[string]uint32{}
	var err [4]error
	m.groupings, err[0] = newGroupings(s.Groupings)
	m.cohortDays, err[1] = daysOf("cohort days", s.CohortDays)
	m.paidDays, err[2] = daysOf("paid days", s.PaidDays)
	err[3] = checkWindows(s.Windows)
	if err := errors.Join(err[:]...); err != nil {
		return nil, err
	}
	m.horizon = slices.Max(m.paidDays)
	m.rankWindows()
	return m, nil
}

func checkWindows(windows []*Windows) error {
	if len(windows) > maxWindows {
		return fmt.Errorf("more than %d kinds of windows", maxWindows)
	}
	for i, w := range windows {
		if slices.ContainsFunc(windows[:i], func(o *Windows) bool { return o.Unit() == w.Unit() && o.Zone() == w.Zone() }) {
			return fmt.Errorf("windows of a %s in %s are there twice", w.Unit(), w.Zone())
		}
	}
	return nil
}

func daysOf(what string, days []int) ([]int32, error) {
	if len(days) == 0 || len(days) > maxDayLists {
		return nil, fmt.Errorf("%s: there must be 1 to %d of them", what, maxDayLists)
	}
	out := make([]int32, 0, len(days))
	for _, d := range days {
		if d < 1 || d > maxDays {
			return nil, fmt.Errorf("%s: %d is not between 1 and %d", what, d, maxDays)
		}
		if slices.Contains(out, int32(d)) {
			return nil, fmt.Errorf("%s: %d is there twice", what, d)
		}
		out = append(out, int32(d))
	}
	return out, nil
}

// rankWindows brings the windows into the order of Targets, where slots come first.
func (m *Measure) rankWindows() {
	order := make([]int, len(m.windows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return m.target(uint16(a+1), 0).compare(m.target(uint16(b+1), 0)) })
	m.windowRank = make([]int, len(m.windows)+1)
	for rank, i := range order {
		m.windowRank[i+1] = rank + 1
	}
}

func (m *Measure) target(window uint16, start int64) Target {
	if window == 0 {
		return Target{Start: start}
	}
	w := m.windows[window-1]
	return Target{start, w.Unit(), w.Zone()}
}

// place returns the number of the fact's place among those of the life.
func (m *Measure) place(f *Fact) int {
	if m.placed > 0 {
		return m.placed
	}
	m.room = m.groupings.appendPlace(m.room[:0], f)
	place := unsafe.String(unsafe.SliceData(m.room), len(m.room)) // until the next fact
	l := &m.life
	at := slices.Index(l.places, place)
	if at < 0 {
		at = len(l.places)
		l.places = append(l.places, place)
	}
	m.placed = at + 1
	return m.placed
}

// placeID returns the number of one of the life's places among all.
func (m *Measure) placeID(place int) uint32 {
	for len(m.placeIDs) < len(m.life.places) {
		m.placeIDs = append(m.placeIDs, 0)
	}
	id := &m.placeIDs[place-1]
	if *id == 0 {
		*id = m.places.number(m.life.places[place-1])
	}
	return *id
}

// add gathers something for a slot.
func (m *Measure) add(at moment, c Cell, n int64) {
	m.gather(counter{start: m.slot(at.at), place: m.placeID(at.place)}, c, n)
}

// slot returns the start of the earliest slot that lies in the same windows as a time, of every unit and zone: what belongs to the same
// windows is one counter. With days of one zone that is the day's first, 96 times fewer than there are.
func (m *Measure) slot(at int64) int64 {
	at = floor(at, SlotMillis)
	if len(m.windows) == 0 {
		return at
	}
	earliest, known := m.slots[at]
	if known {
		return earliest
	}
	for i, w := range m.windows {
		if start, _ := w.At(at); i == 0 || start > earliest {
			earliest = start
		}
	}
	if mod(earliest, SlotMillis) != 0 {
		earliest = at // before 1972 windows began between slots
	}
	if len(m.slots) >= mostSlots {
		clear(m.slots)
	}
	m.slots[at] = earliest
	return earliest
}

// mostSlots is how many slots are known at a time: a year's have room.
const mostSlots = 40_000

// addTo gathers something for one window.
func (m *Measure) addTo(window int, at moment, c Cell, n int64) {
	start, _ := m.windows[window].At(floor(at.at, SlotMillis))
	m.gather(counter{start: start, place: m.placeID(at.place), window: uint16(window + 1)}, c, n)
}

// change gathers that a PQL has gone from one place to another.
func (m *Measure) change(at int64, from, to int, n int64) {
	k := counter{start: m.slot(at), place: m.placeID(from), to: m.placeID(to)}
	m.gather(k, Cell{Kind: In, Name: segmentChanged}, n)
}

func (m *Measure) gather(k counter, c Cell, n int64) {
	if n == 0 || m.life.excluded {
		return
	}
	k.kind, k.number, k.why = c.Kind, c.Number, m.why
	if c.Name != "" {
		k.word = m.words.number(c.Name)
	}
	if sum := m.gathered[k] + n; sum != 0 {
		m.gathered[k] = sum
	} else {
		delete(m.gathered, k)
	}
}

// Gathered is how many counters something is gathered for.
func (m *Measure) Gathered() int { return len(m.gathered) }
