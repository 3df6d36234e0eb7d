package api

import (
	"fmt"
	"math"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/inspect"
)

const (
	maxName   = 256  // bytes of the name of anything that is looked for
	maxCursor = 4096 // bytes
)

// History is what happened to an account.
type History struct {
	Items []inspect.Moment `json:"items"` // the oldest first
}

func (s *server) pqls(r *http.Request) (any, error) {
	q := newQuery(r, []string{"tier", "segment", "playbook", "since", "until", "sort", "limit", "cursor"}, nil)
	return s.list(r, q, inspect.Query{
		List:     inspect.PQLs,
		Tier:     q.text("tier", maxName),
		Segment:  q.text("segment", maxName),
		Playbook: q.text("playbook", maxName),
		Since:    q.number("since", 0, 0, math.MaxInt64),
		Until:    q.number("until", 0, 0, math.MaxInt64),
		Oldest:   q.order("qualified_at"),
	})
}

func (s *server) accounts(r *http.Request) (any, error) {
	q := newQuery(r, []string{"sort", "limit", "cursor"}, nil)
	return s.list(r, q, inspect.Query{List: inspect.All, Oldest: q.order("changed_at")})
}

func (s *server) list(r *http.Request, q *query, wanted inspect.Query) (any, error) {
	wanted.Limit = int(q.number("limit", inspect.DefaultLimit, 1, inspect.MaxLimit))
	wanted.Cursor = q.text("cursor", maxCursor)
	wanted.At = now()
	if q.err != nil {
		return nil, q.err
	}
	if s.parts.Accounts == nil {
		return nil, errNoAccounts
	}
	page, err := s.parts.Accounts.List(r.Context(), wanted)
	if page.Items == nil {
		page.Items = []inspect.Row{}
	}
	return page, err
}

func (s *server) account(r *http.Request) (any, error) {
	v, err := s.view(r)
	if err != nil {
		return nil, err
	}
	return inspect.NewAccount(&v), nil
}

func (s *server) history(r *http.Request) (any, error) {
	v, err := s.view(r)
	if err != nil {
		return nil, err
	}
	return History{inspect.NewAccount(&v).History}, nil
}

func (s *server) view(r *http.Request) (account.View, error) {
	id := r.PathValue("id")
	q := newQuery(r, nil, nil)
	if q.bounded("the account's id", id, maxName); !utf8.ValidString(id) {
		q.wrong("the account's id is not UTF-8")
	}
	if q.err != nil {
		return account.View{}, q.err
	}
	if s.parts.Accounts == nil {
		return account.View{}, errNoAccounts
	}
	return s.parts.Accounts.Get(r.Context(), id, now())
}

var errNoAccounts = fmt.Errorf("%w: this instance does not know accounts: its settings lack redis.addresses or checklist", ErrUnavailable)

func now() int64 { return time.Now().UnixMilli() }
