package inspect

import "errors"

// ErrQuery says that a query can't be answered: it names nothing that there is, or its cursor is another query's. The error
// names the field.
var ErrQuery = errors.New("the query can't be answered")

// List names what is listed.
type List string

// The lists that there are.
const (
	All  List = "accounts" // every account, by when its newest transition happened
	PQLs List = "pqls"     // the accounts that are PQLs and not held out, by when they qualified
)

// The number of rows of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// looked is how many accounts of a list are looked at for a page at most where segment or playbook are asked for: no list is
// kept of these.
const looked = 1000

// Query asks for a page of a list. Empty fields ask for nothing special.
type Query struct {
	List     List
	Tier     string // of PQLs only: in this tier
	Segment  string // in this segment
	Playbook string // with this playbook, by its own name or by that of the tier's, where it refines that
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
