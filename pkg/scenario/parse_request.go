package scenario

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// reader reads what stands behind a moment.
type reader func(s *statement, at time.Time, tokens []token) error

// otherThanEvent returns how a line is read that is no event; nil if it is one.
func (p *parser) otherThanEvent(tokens []token) reader {
	is := func(n int, at int, words ...string) bool {
		if len(tokens) != n {
			return false
		}
		for i, word := range words {
			if tokens[at+i].raw != word {
				return false
			}
		}
		return true
	}
	switch {
	case is(2, 0, "time", "passes"):
		return p.passing
	case is(2, 0, "checklist"):
		return p.redefinition
	case is(4, 0, "merge") && is(4, 2, "into"):
		return p.merge
	case is(3, 0, "erase", "account"):
		return p.eraseAccount
	case is(3, 0, "erase", "user"):
		return p.eraseUser
	}
	return nil
}

func (p *parser) passing(s *statement, at time.Time, _ []token) error {
	s.kind, s.at = timePasses, at.UnixMilli()
	return p.told.pass(s.at, p.file.clock)
}

// redefinition reads that from a moment on the checklist is another one.
func (p *parser) redefinition(s *statement, at time.Time, tokens []token) error {
	s.engine = p.named(s.line, unquoted(tokens[1].raw))
	p.engine = s.engine
	return p.passing(s, at, tokens)
}

func (p *parser) merge(s *statement, at time.Time, tokens []token) error {
	m := account.Message{Asks: account.ToMerge, To: unquoted(tokens[1].raw), Other: unquoted(tokens[3].raw)}
	if m.To == m.Other {
		return fmt.Errorf("account %s can't become part of itself", quoted(m.To))
	}
	s.account = m.Other
	return p.ask(s, at, &m, "account_merged")
}

func (p *parser) eraseAccount(s *statement, at time.Time, tokens []token) error {
	m := account.Message{Asks: account.ToErase, To: unquoted(tokens[2].raw)}
	s.account = m.To
	return p.ask(s, at, &m, "account_erased")
}

func (p *parser) eraseUser(s *statement, at time.Time, tokens []token) error {
	m := account.Message{Asks: account.ToEraseUser, User: unquoted(tokens[2].raw)}
	return p.ask(s, at, &m, "user_erased")
}

// ask makes the line a request by an event of a name.
func (p *parser) ask(s *statement, at time.Time, m *account.Message, event string) error {
	p.ordinal++
	m.Control = account.Control{At: at.UnixMilli(), EventID: numberedID(p.ordinal), EventName: event}
	s.kind, s.request = isAsked, m
	p.told.tellOf(m.At, m.To, m.Other)
	for _, id := range []string{m.To, m.Other, m.User} { // an event could not tell another one either
		if len(id) > usage.MaxIDBytes || !utf8.ValidString(id) {
			return fmt.Errorf("%s is no id: it is no UTF-8, or has over %d bytes", quoted(id), usage.MaxIDBytes)
		}
	}
	if m.To+m.User == "" || m.Asks == account.ToMerge && (m.To == "" || m.Other == "") {
		return errors.New("an id is missing")
	}
	return nil
}
