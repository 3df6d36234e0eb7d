package report

import (
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// View holds the rows of a topic of metrics as it is now, in memory, for many to ask at a time. It is fed the topic's records in their
// order. Of windows of an hour it holds those of the last time only; everything else it holds for as long as the topic does.
type View struct {
	hours int64 // ms that windows of an hour are held for
	star  *NorthStar

	mu         sync.Mutex
	lines      map[series]*line
	order      []*line // those of lines, in order where it is sorted
	sorted     bool
	rows       int
	asOf       int64
	newestHour int64
	swept      int64 // what newestHour was when all hours were last looked through
	zones      zones
}

// line is all that there is of a metric in one group, unit and zone.
type line struct {
	series
	unitRank, metricRank int
	rows                 []entry // in order
}

// entry is a row. With its line it has all columns.
type entry struct {
	start  int64 // of its window
	detail unique.Handle[string]
	body   string // packed
}

// NewView returns an empty view that holds windows of an hour for so long back from the newest of them. It follows a north star, unless
// that is nil.
func NewView(hours time.Duration, star *NorthStar) *View {
	return &View{hours: hours.Milliseconds(), star: star, lines: map[series]*line{}, newestHour: math.MinInt64, swept: math.MinInt64}
}

// Put takes in versions of rows, in place of those before. They become visible together.
func (v *View) Put(rows ...rollup.Row) {
	bodies := make([]string, len(rows))
	for i := range rows {
		bodies[i] = string(appendPacked(nil, &rows[i]))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range rows {
		v.put(&rows[i], bodies[i])
	}
	v.sweep()
}

func (v *View) put(r *rollup.Row, body string) {
	v.asOf = max(v.asOf, r.AsOf)
	if r.Unit == string(rollup.Hour) && !windowless(r) {
		if v.newestHour > math.MinInt64 && r.WindowStart <= v.newestHour-v.hours {
			return
		}
		v.newestHour = max(v.newestHour, r.WindowStart)
	}
	l := v.lines[seriesOf(r)]
	if l == nil {
		l = newLine(r)
		v.lines[l.series] = l
		v.order, v.sorted = append(v.order, l), false
	}
	at, found := l.find(r.WindowStart, r.Detail)
	if !found {
		l.rows = slices.Insert(l.rows, at, entry{})
		v.rows++
	}
	l.rows[at] = entry{r.WindowStart, unique.Make(strings.Clone(r.Detail)), body}
}

// newLine copies the texts: they may be parts of a larger one.
func newLine(r *rollup.Row) *line {
	s := series{strings.Clone(r.Metric), strings.Clone(r.Unit), strings.Clone(r.Zone), strings.Clone(r.Grouping), strings.Clone(r.Group)}
	return &line{series: s, unitRank: unitRank(r.Unit), metricRank: metricRank(r.Metric)}
}

// Remove takes rows away, of which only what is in their keys is looked at.
func (v *View) Remove(keys ...rollup.Row) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range keys {
		l := v.lines[seriesOf(&keys[i])]
		if l == nil {
			continue
		}
		if at, found := l.find(keys[i].WindowStart, keys[i].Detail); found {
			l.rows = slices.Delete(l.rows, at, at+1)
			v.rows--
			if len(l.rows) == 0 {
				v.drop(func(other *line) bool { return other == l })
			}
		}
	}
}

// sweep lets go of windows of an hour that are too old, but not at each hour anew: in between they are passed over.
func (v *View) sweep() {
	if v.newestHour == math.MinInt64 || v.swept > math.MinInt64 && v.newestHour-v.swept < v.hours/16 {
		return
	}
	v.swept = v.newestHour
	empty := false
	for _, l := range v.order {
		if n := v.forgotten(l); n > 0 {
			l.rows = slices.Clone(l.rows[n:])
			v.rows -= n
			empty = empty || len(l.rows) == 0
		}
	}
	if empty {
		v.drop(func(l *line) bool { return len(l.rows) == 0 })
	}
}

func (v *View) drop(gone func(*line) bool) {
	v.order = slices.DeleteFunc(v.order, func(l *line) bool {
		if gone(l) {
			delete(v.lines, l.series)
			return true
		}
		return false
	})
}

// forgotten returns how many of a line's first rows are too old.
func (v *View) forgotten(l *line) int {
	if l.Unit != string(rollup.Hour) || l.windowless() {
		return 0
	}
	return sort.Search(len(l.rows), func(i int) bool { return l.rows[i].start > v.newestHour-v.hours })
}

func (l *line) windowless() bool { return slices.Contains(Unplaced, l.Metric) }

// find returns where a row is, or belongs.
func (l *line) find(start int64, detail string) (at int, found bool) {
	if n := len(l.rows); n > 0 && l.rows[n-1].start < start {
		return n, false
	}
	return sort.Find(len(l.rows), func(i int) int {
		e := &l.rows[i]
		if e.start != start {
			return cmp.Compare(start, e.start)
		}
		return compareDetails(detail, e.detail.Value())
	})
}

// compare brings lines into the order of compare.
func (l *line) compare(o *line) int {
	return cmp.Or(
		cmp.Compare(l.unitRank, o.unitRank), strings.Compare(l.Unit, o.Unit), strings.Compare(l.Zone, o.Zone),
		strings.Compare(l.Grouping, o.Grouping), strings.Compare(l.Group, o.Group),
		cmp.Compare(l.metricRank, o.metricRank), strings.Compare(l.Metric, o.Metric),
	)
}

// row returns a row with what is in its key.
func (l *line) row(e *entry) rollup.Row {
	return rollup.Row{
		Metric: l.Metric, Detail: e.detail.Value(), Unit: l.Unit, WindowStart: e.start, Zone: l.Zone, Grouping: l.Grouping, Group: l.Group,
	}
}

func (l *line) whole(e *entry) rollup.Row {
	r := l.row(e)
	unpack(e.body, &r)
	return r
}

// Page is a part of the rows that a query wants.
type Page struct {
	AsOf int64 // the newest watermark that a row was made at, ms; 0: there is no row
	Rows []rollup.Row
	Next string // the cursor of the page behind it; empty: there is none
}

// ErrCursor says that a cursor is none that a Page has had.
var ErrCursor = errors.New("it is no cursor of a page of metrics")

// Page returns the first rows that a query wants, at most limit, in the order of Select; with a cursor, those behind the page that it
// came with. Rows keep their places: those that are there all the time come exactly once, whatever changes between pages. A query's
// Unplaced is for tables, and does nothing here. ErrCursor.
func (v *View) Page(q Query, cursor string, limit int) (Page, error) {
	var after *rollup.Row
	if cursor != "" {
		key, err := parseCursor(cursor)
		if err != nil {
			return Page{}, err
		}
		after = &key
	}
	q.Unplaced = false
	page, rows := Page{}, []found(nil)
	v.mu.Lock()
	page.AsOf = v.asOf
	v.sort()
	rows = v.find(&q, after, limit+1)
	v.mu.Unlock()
	more := len(rows) > limit
	rows = rows[:min(limit, len(rows))]
	page.Rows = make([]rollup.Row, len(rows))
	for i, f := range rows {
		page.Rows[i] = f.line.whole(&f.entry)
	}
	if more {
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Rows[limit-1].Key()))
	}
	return page, nil
}

func parseCursor(cursor string) (rollup.Row, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return rollup.Row{}, ErrCursor
	}
	key, err := rollup.ParseKey(string(text))
	if err != nil {
		return rollup.Row{}, ErrCursor
	}
	return key, nil
}

func (v *View) sort() {
	if !v.sorted {
		slices.SortFunc(v.order, (*line).compare)
		v.sorted = true
	}
}

type found struct {
	line  *line
	entry entry
}

// find returns rows that a query wants, those behind a key or all.
func (v *View) find(q *Query, after *rollup.Row, limit int) (rows []found) {
	first := 0
	var last *line // the line of the key
	if after != nil {
		last = newLine(after)
		first = sort.Search(len(v.order), func(i int) bool { return v.order[i].compare(last) >= 0 })
	}
	filters, newest := q.filters(), v.newest()
	for _, l := range v.order[first:] {
		if !passes(filters, &l.series) {
			continue
		}
		from, to := v.bounds(q, l, newest)
		if last != nil && l.compare(last) == 0 {
			at, there := l.find(after.WindowStart, after.Detail)
			if there {
				at++
			}
			from = max(from, at)
		}
		for ; from < to; from++ {
			e := &l.rows[from]
			if !l.windowless() && !q.final(e.body[0]&packedClosed != 0, e.body[0]&packedMature != 0) {
				continue
			}
			if rows = append(rows, found{l, *e}); len(rows) == limit {
				return rows
			}
		}
	}
	return rows
}

// newest returns the latest start of a window.
func (v *View) newest() int64 {
	newest := int64(math.MinInt64)
	for _, l := range v.order {
		if !l.windowless() {
			newest = max(newest, l.rows[len(l.rows)-1].start)
		}
	}
	return newest
}

// bounds returns which of a line's rows are within the bounds of a query: from one up to before another.
func (v *View) bounds(q *Query, l *line, newest int64) (from, to int) {
	reach := func(q Query) func(int) bool {
		return func(i int) bool {
			r := l.row(&l.rows[i])
			return q.within(&r, newest, &v.zones)
		}
	}
	from, to = v.forgotten(l), len(l.rows)
	if q.From != (Bound{}) {
		from = max(from, sort.Search(len(l.rows), reach(Query{From: q.From})))
	}
	if q.To != (Bound{}) {
		before := reach(Query{To: q.To})
		to = sort.Search(len(l.rows), func(i int) bool { return !before(i) })
	}
	return from, to
}

// Len returns how many rows there are.
func (v *View) Len() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rows
}
