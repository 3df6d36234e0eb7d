package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/state"
)

// ErrQuery says that a query can't be answered: it names nothing that there is, or its cursor is another query's. The error
// names the field.
var ErrQuery = errors.New("the query can't be answered")

// List names what is listed.
type List string

// The lists that there are.
const (
	All  List = account.AllAccounts // every account, by when its newest transition happened
	PQLs List = account.AllPQLs     // the accounts that are PQLs and not held out, by when they qualified
)

// The number of rows of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Segment and playbook have no lists: their rows are picked out of those that a list has. So that a page takes no longer
// than it may, at most so many accounts are looked at for one, some at a time; the next page goes on behind them.
const (
	looked = 1000
	atOnce = 200
)

// Query asks for a page of a list. Empty fields ask for nothing special.
type Query struct {
	List     List
	Tier     string // of PQLs only: in this tier
	Segment  string // in this segment
	Playbook string // with this playbook, by its own name or by that of the tier's, which it refines
	Since    int64  // whose time is not before; ms since the Unix epoch
	Until    int64  // whose time is before; 0: no matter how late
	Oldest   bool   // the oldest first; otherwise the newest
	Limit    int    // rows at most, up to MaxLimit; 0: DefaultLimit
	Cursor   string // Page.Next of the page before
	At       int64  // now, which decides how many users count as active; ms since the Unix epoch
}

// Page is a part of a list.
//
// Rows of the same time are ordered by account, so that a page begins where the one before has ended, whatever changes
// meanwhile. An account whose time changes while somebody turns pages may be met twice, or not at all.
type Page struct {
	Items []Row   `json:"items"`
	Next  *string `json:"next_cursor"` // null: there is no more. A page may be short, even empty, and have a next one all the same
	Total int64   `json:"total"`       // rows of the whole query; segment and playbook are not counted out
}

// List returns a page of a list. Every partition is asked once where its part of the list lies, and those whose accounts are
// on the page for these. ErrQuery, ErrNotReady.
func (a *Accounts) List(ctx context.Context, q Query) (Page, error) {
	s, err := a.slice(&q)
	if err != nil {
		return Page{}, err
	}
	limit := cmp.Or(q.Limit, DefaultLimit)
	s.Limit = limit
	if q.picks() {
		s.Limit = looked
	}
	s.Limit++ // whether there is more
	places, total, err := a.entities.merge(ctx, s)
	if err != nil {
		return Page{}, err
	}
	more := len(places) == s.Limit
	if more {
		places = places[:s.Limit-1]
	}
	page := Page{Items: []Row{}, Total: total}
	for len(places) > 0 && len(page.Items) < limit {
		some := places[:min(len(places), max(atOnce, limit))]
		n, err := a.fill(ctx, &page, &q, s.List, some, limit)
		if err != nil {
			return Page{}, err
		}
		if places = places[n:]; more || len(places) > 0 {
			page.Next = new(q.cursorAfter(some[n-1]))
		} else {
			page.Next = nil
		}
	}
	return page, nil
}

// slice says what part of which list a query asks for. ErrQuery.
func (a *Accounts) slice(q *Query) (s state.Slice, err error) {
	rules := a.engine.Checklist()
	switch {
	case q.List != All && q.List != PQLs:
		return s, fmt.Errorf("%w: there is no list %q", ErrQuery, q.List)
	case q.Limit < 0 || q.Limit > MaxLimit:
		return s, fmt.Errorf("%w: limit: %d is not between 1 and %d", ErrQuery, q.Limit, MaxLimit)
	case q.Tier != "" && q.List != PQLs:
		return s, fmt.Errorf("%w: tier: only PQLs are listed by tier", ErrQuery)
	case q.Tier != "" && !slices.Contains(rules.TierNames(), q.Tier):
		return s, fmt.Errorf("%w: tier: the checklist has no tier %q; it has %s", ErrQuery, q.Tier, listed(rules.TierNames()))
	case q.Segment != "" && !slices.Contains(rules.SegmentNames(), q.Segment):
		return s, fmt.Errorf("%w: segment: the checklist has no segment %q; it has %s", ErrQuery, q.Segment, listed(rules.SegmentNames()))
	case q.Playbook != "" && !slices.Contains(rules.PlaybookNames(), q.Playbook):
		return s, fmt.Errorf("%w: playbook: no tier of the checklist has a playbook %q; they have %s", ErrQuery, q.Playbook, listed(rules.PlaybookNames()))
	}
	s = state.Slice{List: string(q.List), From: -state.MaxScore, To: state.MaxScore, Reverse: !q.Oldest}
	if q.Tier != "" {
		s.List = account.PQLsOf(q.Tier)
	}
	if q.Since != 0 {
		s.From = min(q.Since, state.MaxScore)
	}
	if q.Until != 0 {
		s.To = min(q.Until-1, state.MaxScore)
	}
	if q.Cursor != "" {
		s.After, err = q.place()
	}
	return s, err
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// picks says whether a query picks some of the accounts of a list.
func (q *Query) picks() bool { return q.Segment != "" || q.Playbook != "" }

// fill appends the rows of places that a query asks for, until the page is full, and returns how many places it has looked
// at. Who has left the list since its places were read is left out.
func (a *Accounts) fill(ctx context.Context, page *Page, q *Query, list string, places []state.Place, limit int) (n int, err error) {
	values, err := a.entities.values(ctx, places)
	if err != nil {
		return 0, err
	}
	for i, value := range values {
		if len(page.Items) == limit {
			return i, nil
		}
		if value == nil {
			continue
		}
		s, _, err := a.load(places[i].Key, value)
		if err != nil {
			return 0, err
		}
		if !slices.ContainsFunc(a.index.Append(nil, s), func(l account.Listing) bool { return l.List == list }) {
			continue
		}
		if v := a.engine.View(s, q.At); q.wants(&v) {
			page.Items = append(page.Items, newRow(&v, s.ChangedAt()))
		}
	}
	return len(values), nil
}

func (q *Query) wants(v *account.View) bool {
	return (q.Segment == "" || slices.Contains(v.Segments, q.Segment)) &&
		(q.Playbook == "" || v.Playbook.Name == q.Playbook || v.Refines == q.Playbook)
}
