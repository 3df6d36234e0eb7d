package rollup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"
)

// Directory is the state of a grouping: which groups are told apart, and what could not be counted. A group keeps its place for
// ever. The first ones get one, until there are Limits.MaxGroups or their names take groupBytes.
type Directory struct {
	rollup   *Rollup
	grouping string
	groups   map[string]bool // by name
	bytes    int             // of the names
	revision int64
	asOf     int64
	other    tally             // contributions to OtherGroup
	beyond   map[horizon]tally // contributions to windows that can no longer be corrected
}

// groupBytes is what all names of a grouping's groups may take.
const groupBytes = 400_000

// horizon is the windows of one unit in one zone.
type horizon struct {
	zone string
	unit Unit
}

func (h horizon) compare(o horizon) int {
	return cmp.Or(cmp.Compare(h.zone, o.zone), cmp.Compare(unitCode(h.unit), unitCode(o.unit)))
}

// tally is how many there are, and how many of them a row has told.
type tally struct{ n, told int64 }

// Parcel is what is for one entity.
type Parcel struct {
	Key     string // of a SeriesEntity or WindowEntity
	Changes []Change
}

// Directory returns the state of a key, from what AppendBinary has appended. With nothing it is new.
func (r *Rollup) Directory(key string, b []byte) (*Directory, error) {
	parts, ok := splitKey(key)
	if !ok || len(parts) != 2 || DirectoryKey(parts[1]) != key {
		return nil, fmt.Errorf("%q is not the key of a %s", key, DirectoryEntity)
	}
	d := &Directory{rollup: r, grouping: parts[1], groups: map[string]bool{}, beyond: map[horizon]tally{}}
	if len(b) == 0 {
		return d, nil
	}
	if err := d.load(b); err != nil {
		return nil, fmt.Errorf("loading %s: %w", key, err)
	}
	return d, nil
}

// Take says which entities the deltas of a batch of the grouping are for, in the order of their keys. The watermark says which windows
// can still be corrected: what is for others is counted. That an account came or left there still changes the series. The state
// has changed when a group got its place, or something was counted.
func (d *Directory) Take(deltas []Delta, watermark int64) (parcels []Parcel, changed bool) {
	s := sorter{directory: d, watermark: watermark, parcels: map[spot][]Change{}}
	for group := range runs(deltas, func(a, b *Delta) bool { return slices.Equal(a.Values, b.Values) }) {
		s.group = s.admit(group)
		for target := range runs(group, func(a, b *Delta) bool { return a.At == b.At }) {
			s.sort(target)
		}
	}
	if s.changed {
		d.asOf = watermark
	}
	for at, changes := range s.parcels {
		if changes = sumChanges(changes); len(changes) > 0 {
			parcels = append(parcels, Parcel{s.key(at), changes})
		}
	}
	slices.SortFunc(parcels, func(a, b Parcel) int { return strings.Compare(a.Key, b.Key) })
	return parcels, s.changed
}

// sorter puts deltas into parcels.
type sorter struct {
	directory *Directory
	watermark int64
	group     string // of the deltas in hand
	parcels   map[spot][]Change
	changed   bool
}

// spot is the entity of a group.
type spot struct {
	group   string
	windows int // place among the Rollup's
	series  bool
	start   int64 // of the window; of a series 0
}

func (s *sorter) key(at spot) string {
	w := s.directory.rollup.windows[at.windows]
	a := address{zone: w.zone, unit: w.unit, start: at.start, grouping: s.directory.grouping, group: at.group}
	if at.series {
		return a.seriesKey()
	}
	return a.windowKey()
}

// admit returns the name of the deltas' group: its own, or OtherGroup.
func (s *sorter) admit(deltas []Delta) string {
	d, name := s.directory, GroupName(deltas[0].Values)
	if d.groups[name] {
		return name
	}
	s.changed = true
	if len(d.groups) < d.rollup.maxGroups && d.bytes+len(name) <= groupBytes {
		d.groups[name] = true
		d.bytes += len(name)
		return name
	}
	d.other.n += contributions(deltas)
	return OtherGroup
}

// contributions is how much was contributed or taken back.
func contributions(deltas []Delta) (n int64) {
	for i := range deltas {
		if !deltas[i].Cell.Kind.sums() {
			n += max(deltas[i].N, -deltas[i].N)
		}
	}
	return n
}

// sort takes deltas of the same target.
func (s *sorter) sort(deltas []Delta) {
	at := deltas[0].At
	for i, w := range s.directory.rollup.windows {
		if at.Unit == "" || at.Unit == w.unit && at.Zone == w.zone {
			s.put(i, deltas)
		}
	}
}

func (s *sorter) put(windows int, deltas []Delta) {
	d, w := s.directory, s.directory.rollup.windows[windows]
	start, end := w.At(deltas[0].At.Start)
	series := spot{group: s.group, windows: windows, series: true}
	if end+d.rollup.restatement <= s.watermark {
		h := horizon{w.zone, w.unit}
		d.beyond[h] = tally{d.beyond[h].n + contributions(deltas), d.beyond[h].told}
		s.changed = true
		s.add(series, deltas, BeforeAll, Kind.Standing)
		return
	}
	s.add(series, deltas, start, Kind.Standing)
	s.add(spot{group: s.group, windows: windows, start: start}, deltas, 0, Kind.windowed)
}

func (s *sorter) add(at spot, deltas []Delta, start int64, which func(Kind) bool) {
	for i := range deltas {
		if e := &deltas[i]; which(e.Cell.Kind) {
			s.parcels[at] = append(s.parcels[at], Change{Start: start, Cell: e.Cell, Why: e.Why, N: e.N})
		}
	}
}

// sums says whether the kind adds up ms, and doesn't count.
func (k Kind) sums() bool {
	return k == TimeToPQLSum || k == TimeToPaidSum || k == CohortTimeToPQLSum || k == StepTimeSum
}

// windowed says whether a Span keeps the kind. A Series keeps the others.
func (k Kind) windowed() bool { return !k.Standing() }

// Rows emits the rows that changed since the last call. A row is valid during its emit only.
func (d *Directory) Rows(emit func(*Row)) {
	row := Row{Grouping: d.grouping, AsOf: d.asOf, Revision: d.revision + 1}
	put := func(t *tally) {
		if t.n != t.told {
			t.told, d.revision = t.n, row.Revision
			row.Count = some(t.n)
			emit(&row)
		}
	}
	row.Metric = MetricOther
	put(&d.other)
	row.Metric = MetricBeyond
	for _, h := range d.horizons() {
		t := d.beyond[h]
		row.Zone, row.Unit = h.zone, string(h.unit)
		put(&t)
		d.beyond[h] = t
	}
}

func (d *Directory) horizons() []horizon {
	return slices.SortedFunc(maps.Keys(d.beyond), horizon.compare)
}

// Size is an estimate of the memory that the state takes, in bytes.
func (d *Directory) Size() int {
	return int(unsafe.Sizeof(*d)) + d.bytes + 48*len(d.groups) + 80*len(d.beyond)
}

// Touch reads a little of what Take will read.
func (d *Directory) Touch() int { return len(d.groups) }

// directoryLayout is the first byte of an encoded directory. What follows: revision, watermark, the tally of other, the groups in order, each unit
// of a zone with its tally.
const directoryLayout = 1

// AppendBinary appends the encoded state.
func (d *Directory) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, directoryLayout)
	b = appendInt(appendInt(b, d.revision), d.asOf)
	b = appendInt(appendInt(b, d.other.n), d.other.told)
	b = appendUint(b, uint64(len(d.groups)))
	for _, g := range slices.Sorted(maps.Keys(d.groups)) {
		b = appendText(b, g)
	}
	for _, h := range d.horizons() {
		t := d.beyond[h]
		b = append(appendText(b, h.zone), byte(unitCode(h.unit)))
		b = appendInt(appendInt(b, t.n), t.told)
	}
	return b, nil
}

func (d *Directory) load(b []byte) error {
	r := reader{b: string(b)}
	if r.byte() != directoryLayout {
		return errLayout
	}
	d.revision, d.asOf = r.int(), r.int()
	d.other = tally{r.int(), r.int()}
	last := ""
	for i := range r.count() {
		name := r.text()
		if i > 0 && name <= last {
			r.fail()
		}
		d.groups[name] = true
		d.bytes += len(name)
		last = name
	}
	var before horizon
	for r.more() {
		h := horizon{r.text(), unitsCoded[r.below(len(unitsCoded))]}
		if h.unit == "" || h.compare(before) <= 0 {
			r.fail()
		}
		d.beyond[h] = tally{r.int(), r.int()}
		before = h
	}
	if r.bad {
		return errState
	}
	return nil
}
