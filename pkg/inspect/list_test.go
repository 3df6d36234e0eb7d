package inspect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/memstate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const rules = `
version: 1
name: lists
inactivity: {days: 0}
tiers:
  - {name: large, when: account.size >= 100, threshold: 0.5, playbook: call}
  - {name: small, threshold: 0.5}
properties: [{name: size, type: long, from: [{event: one}, {event: known}], default: 1}]
segments: [{name: half, when: 'rate < 0.9'}, {name: huge, when: account.size >= 1000}]
playbooks:
  - {name: call, action: Call them., refine: [{when: account.size >= 1000, name: visit, action: Go there.}, {when: account.size < 0, name: nothing, action: Wait.}]}
steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}]
`

const partitions = 4

// world is a mirror of some accounts.
type world struct {
	t        *testing.T
	engine   *account.Engine
	index    *account.Index
	store    *memstate.Store
	mirrors  []state.Partition
	entries  [][]state.Entry
	mu       sync.Mutex
	ranges   []int       // how often each partition's list was asked for
	reading  func()      // called before values are read
	accounts *Accounts   // reads through the world
	rows     []fakePlace // what is in, of PQLs
}

type fakePlace struct {
	id   string
	at   int64
	size int
}

func newWorld(t *testing.T) *world {
	def, err := checklist.Parse([]byte(rules))
	require.NoError(t, err)
	c, err := checklist.Compile(def)
	require.NoError(t, err)
	w := &world{t: t, engine: account.NewEngine(c), entries: make([][]state.Entry, partitions), ranges: make([]int, partitions), reading: func() {}}
	w.index = account.NewIndex(w.engine)
	w.store = memstate.New(w.index.Lists()...)
	for i := range int32(partitions) {
		w.mirrors = append(w.mirrors, state.Partition{Stage: "activation", Topic: "usage", Number: i, Identity: "one"})
	}
	w.accounts = New(Entities{Store: w, Mirrors: w.mirrors}, w.engine)
	return w
}

// Get, Each and Range implement state.Reader.
func (w *world) Get(ctx context.Context, p state.Partition, keys ...string) ([][]byte, error) {
	w.mu.Lock()
	w.reading()
	w.mu.Unlock()
	return w.store.Get(ctx, p, keys...)
}

func (w *world) Each(ctx context.Context, p state.Partition, visit func([]state.Entry) error) error {
	return w.store.Each(ctx, p, visit)
}

func (w *world) Range(ctx context.Context, p state.Partition, s state.Slice) ([]state.Place, int64, error) {
	w.mu.Lock()
	w.ranges[p.Number]++
	w.mu.Unlock()
	return w.store.Range(ctx, p, s)
}

// entry is an account to which events have happened, each as name@time, name@time?size.
func (w *world) entry(id string, events ...string) state.Entry {
	s, f := w.engine.New(id, 1), w.engine.Folder()
	for i, text := range events {
		ev := usage.Event{ID: fmt.Sprint(i), AccountID: id, UserID: "ana"}
		name, rest, _ := strings.Cut(text, "@")
		at, size, sized := strings.Cut(rest, "?")
		ev.Name = name
		_, err := fmt.Sscan(at, &ev.OccurredAt)
		require.NoError(w.t, err)
		if sized {
			var n int64
			_, err := fmt.Sscan(size, &n)
			require.NoError(w.t, err)
			ev.Properties = []usage.Property{{Key: "size", Value: usage.LongValue(n)}}
		}
		f.Apply(s, &ev, account.Position{Topic: "usage"}, 0)
	}
	value, err := s.AppendBinary(binary.AppendVarint([]byte{1}, 7))
	require.NoError(w.t, err)
	e := state.Entry{Key: id, Value: value, Relisted: true}
	for _, l := range w.index.Append(nil, s) {
		e.Index = append(e.Index, state.Listing(l))
	}
	return e
}

func (w *world) add(id string, events ...string) {
	n := w.accounts.entities.partition(id)
	w.entries[n] = append(w.entries[n], w.entry(id, events...))
}

// pql adds an account that became a PQL at a time.
func (w *world) pql(id string, at int64, size int) {
	w.add(id, fmt.Sprintf("one@%d?%d", at, size))
	w.rows = append(w.rows, fakePlace{id, at, size})
}

// mirror brings all accounts to the mirror.
func (w *world) mirror() *world {
	for i, p := range w.mirrors {
		require.NoError(w.t, w.store.Open(p, 1).Rebuild(w.t.Context(), 1, "", func(yield func([]state.Entry, error) bool) {
			for chunk := range slices.Chunk(w.entries[i], state.MaxChunk) {
				if !yield(chunk, nil) {
					return
				}
			}
		}))
	}
	return w
}

// read reads all pages of a query, and returns the accounts and how many pages there were.
func (w *world) read(q Query, want int64) (ids []string, pages int) {
	for {
		clear(w.ranges)
		p, err := w.accounts.List(w.t.Context(), q)
		require.NoError(w.t, err)
		require.Equal(w.t, []int{1, 1, 1, 1}, w.ranges, "each partition is asked once a page")
		require.Equal(w.t, want, p.Total)
		require.LessOrEqual(w.t, len(p.Items), cmp.Or(q.Limit, DefaultLimit))
		for _, row := range p.Items {
			ids = append(ids, row.AccountID)
		}
		if pages++; p.Next == nil {
			return ids, pages
		}
		q.Cursor = *p.Next
	}
}

// wanted are the PQLs that pass, in the order of a query.
func (w *world) wanted(q Query, passes func(fakePlace) bool) (ids []string) {
	rows := slices.DeleteFunc(slices.Clone(w.rows), func(p fakePlace) bool { return !passes(p) })
	slices.SortFunc(rows, func(a, b fakePlace) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	if !q.Oldest {
		slices.Reverse(rows)
	}
	for _, p := range rows {
		ids = append(ids, p.id)
	}
	return ids
}

func TestPagesOfAllPartitionsFollowOneAnother(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.pql(fmt.Sprint("account-", i), int64(1000+i/7), 1+i%3*100)
		w.add(fmt.Sprint("other-", i), fmt.Sprintf("known@%d", i))
	}
	w.mirror()
	for _, q := range []Query{
		{List: PQLs}, {List: PQLs, Oldest: true}, {List: PQLs, Tier: "large"}, {List: PQLs, Tier: "small", Oldest: true},
		{List: PQLs, Since: 1003, Until: 1008}, {List: PQLs, Since: 1003, Until: 1008, Oldest: true}, {List: PQLs, Until: 1000},
		{List: PQLs, Since: 1 << 62}, {List: PQLs, Until: 1 << 62},
	} {
		want := w.wanted(q, func(p fakePlace) bool {
			return (q.Tier == "" || (q.Tier == "large") == (p.size >= 100)) && p.at >= q.Since && (q.Until == 0 || p.at < q.Until)
		})
		for _, q.Limit = range []int{0, 1, 3, 7, 200} {
			got, pages := w.read(q, int64(len(want)))
			require.Equal(t, want, got, "%+v", q)
			require.LessOrEqual(t, pages, len(want)/cmp.Or(q.Limit, DefaultLimit)+1)
		}
	}
	all, _ := w.read(Query{List: All}, 200)
	require.Len(t, all, 200)
	require.Equal(t, "account-99", all[0])
}

func TestARowSaysHowTheAccountStands(t *testing.T) {
	w := newWorld(t)
	w.add("acme", "one@10?1000", "known@30?2000", "two@20")
	w.add("beta", "two@5")
	w.add("gone", "known@5")
	w.mirror()
	p, err := w.accounts.List(t.Context(), Query{List: All})
	require.NoError(t, err)
	require.Len(t, p.Items, 3)
	assert.Equal(t, Row{
		AccountID: "acme", Tier: "large", Rate: 1, Threshold: 0.5, Current: true, QualifiedAt: new(int64(10)), ChangedAt: 20, Segments: []string{"huge"},
		StepsDone: []string{"one", "two"}, StepsMissing: []string{}, Champion: "ana", SingleUser: true,
		Playbook: &Playbook{Name: "visit", Refines: "call", Action: "Go there.", Reason: "2 of 2 steps done (100 %; tier large asks for 50 %)"},
	}, p.Items[0])
	assert.Equal(t, "beta", p.Items[1].AccountID)
	assert.Equal(t, int64(5), p.Items[1].ChangedAt)
	assert.Equal(t, []string{"one"}, p.Items[1].StepsMissing)
	assert.Zero(t, p.Items[2].ChangedAt, "nothing but a property is known of it")
	assert.Nil(t, p.Items[2].Playbook)
}

// Of segment and playbook there is no list: accounts are looked through, a bounded number for a page.
func TestSegmentAndPlaybookArePickedFromTheList(t *testing.T) {
	w := newWorld(t)
	for i := range 2500 {
		size := 1
		if i%100 == 3 || i < 30 { // the oldest
			size = 1000 - i%2
		}
		w.pql(fmt.Sprint("account-", i), int64(1000+i/3), size)
	}
	w.mirror()
	for _, q := range []Query{
		{List: PQLs, Segment: "huge"}, {List: PQLs, Playbook: "visit", Oldest: true}, {List: PQLs, Playbook: "call", Limit: 7},
		{List: PQLs, Segment: "huge", Playbook: "nothing"}, {List: PQLs, Segment: "half", Limit: 200}, {List: PQLs, Segment: "huge", Limit: 5, Since: 1900},
	} {
		want := w.wanted(q, func(p fakePlace) bool {
			return p.at >= q.Since && (q.Segment != "huge" || p.size >= 1000) && (q.Playbook != "visit" || p.size >= 1000) &&
				(q.Playbook != "call" || p.size >= 100) && q.Playbook != "nothing"
		})
		total := int64(2500)
		if q.Since != 0 {
			total = 0
		}
		got, pages := w.read(q, total)
		require.Equal(t, want, got, "%+v", q)
		require.LessOrEqual(t, pages, 3+len(want)/cmp.Or(q.Limit, DefaultLimit), "%+v", q)
	}
	p, err := w.accounts.List(t.Context(), Query{List: PQLs, Playbook: "nothing"})
	require.NoError(t, err)
	require.Empty(t, p.Items)
	require.NotNil(t, p.Next, "more are to be looked at")
}

// Who leaves a list while it is read is not shown as one that is on it.
func TestWhoLeavesMeanwhileIsNotListed(t *testing.T) {
	w := newWorld(t)
	w.pql("stays", 5, 1)
	w.pql("leaves", 6, 1)
	w.pql("is deleted", 7, 1)
	w.mirror()
	w.reading = func() {
		for _, e := range []state.Entry{w.entry("leaves", "known@9"), {Key: "is deleted"}} {
			p := w.mirrors[w.accounts.entities.partition(e.Key)]
			m := w.store.Open(p, 1)
			status, err := m.Claim(t.Context())
			require.NoError(t, err)
			require.NoError(t, m.Apply(t.Context(), state.Chunk{From: status.Position, To: status.Position + 1, Entries: []state.Entry{e}}))
		}
		w.reading = func() {}
	}
	p, err := w.accounts.List(t.Context(), Query{List: PQLs})
	require.NoError(t, err)
	require.Len(t, p.Items, 1)
	require.Equal(t, "stays", p.Items[0].AccountID)
}

func TestQueriesThatCanNotBeAnswered(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.pql(fmt.Sprint("account-", i), int64(i), 1)
	}
	w.mirror()
	p, err := w.accounts.List(t.Context(), Query{List: PQLs, Limit: 1})
	require.NoError(t, err)
	for text, q := range map[string]Query{
		`there is no list "leads"`:                 {List: "leads"},
		"there is no list":                         {},
		"limit: 201 is not between 1 and":          {List: PQLs, Limit: 201},
		"limit: -1":                                {List: PQLs, Limit: -1},
		"tier: only PQLs are listed by tier":       {List: All, Tier: "large"},
		`has no tier "vast"; it has large, small`:  {List: PQLs, Tier: "vast"},
		`has no segment "vast"; it has half, huge`: {List: PQLs, Segment: "vast"},
		`playbook: no tier of the checklist has a playbook "cal"; they have call, visit, nothing`: {List: PQLs, Playbook: "cal"},
		"cursor: it is not one of ours": {List: PQLs, Cursor: "%"},
		"cursor: it is not one":         {List: PQLs, Cursor: "abc"},
		"with another filter or order":  {List: PQLs, Oldest: true, Cursor: *p.Next},
		"with another filter":           {List: PQLs, Until: 5, Cursor: *p.Next},
		"it belongs to a query":         {List: All, Cursor: *p.Next},
	} {
		_, err := w.accounts.List(t.Context(), q)
		require.ErrorIs(t, err, ErrQuery, text)
		require.ErrorContains(t, err, text)
	}
	q := Query{List: PQLs, Limit: 1}
	q.Cursor = cursors.EncodeToString(binary.BigEndian.AppendUint32(nil, q.fingerprint()))
	_, err = w.accounts.List(t.Context(), q)
	require.ErrorIs(t, err, ErrQuery)
	got, err := w.accounts.List(t.Context(), Query{List: PQLs, Limit: 200, At: 5, Cursor: *p.Next})
	require.NoError(t, err, "another size and another time are the same query")
	require.Len(t, got.Items, 2)
}

func TestAListThatIsLostIsNotReady(t *testing.T) {
	w := newWorld(t)
	w.pql("acme", 1, 1)
	_, err := w.accounts.List(t.Context(), Query{List: PQLs})
	require.ErrorIs(t, err, ErrNotReady, "nothing has been mirrored")
	w.mirror()
	w.store.EvictList(w.mirrors[2], "pqls")
	_, err = w.accounts.List(t.Context(), Query{List: PQLs})
	require.ErrorIs(t, err, ErrNotReady)
	_, err = w.accounts.List(t.Context(), Query{List: All})
	require.NoError(t, err)
	down := errors.New("down")
	w.store.Fail(down)
	_, err = w.accounts.List(t.Context(), Query{List: All})
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, ErrNotReady)
}
