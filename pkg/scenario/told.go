package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// told is what a scenario has told so far. What does not go together with it is a slip: it would be true of anything.
type told struct {
	accounts map[string]bool // that events are of, or requests about
	unread   bool            // some event could not be read
	earliest int64           // moment; ms since the Unix epoch, 0: none
	latest   int64           // likewise
}

// tell takes the events of a line in.
func (t *told) tell(events []usage.Event) {
	for i := range events {
		t.tellOf(events[i].OccurredAt, events[i].AccountID)
	}
}

// tellOf takes in that something happens to accounts; an empty one is none.
func (t *told) tellOf(at int64, accounts ...string) {
	t.comeTo(at)
	for _, id := range accounts {
		if id != "" {
			t.accounts[id] = true
		}
	}
}

// pass lets time pass to a moment.
func (t *told) pass(to int64, c clock) error {
	if to < t.latest {
		return fmt.Errorf("time has come to %s already: write a later moment", c.write(t.latest))
	}
	t.comeTo(to)
	return nil
}

func (t *told) comeTo(at int64) {
	if t.earliest == 0 || at < t.earliest {
		t.earliest = at
	}
	t.latest = max(t.latest, at)
}

// end ends the newest scenario before a line. Only then it is known whose accounts there are.
func (p *parser) end(at int) {
	if p.scenario == nil {
		return
	}
	p.scenario.end, p.scenario.several = at, len(p.told.accounts) > 1
	looks := slices.ContainsFunc(p.scenario.statements, func(s *statement) bool { return s.kind == rowIs })
	if looks && p.told.latest-p.told.earliest > mostTime {
		p.problem(p.scenario.Line-1, "a scenario with rows of metrics goes on for at most five years")
	}
	if p.told.unread {
		return
	}
	for _, s := range p.scenario.statements {
		if s.kind == check && s.account != "" && !p.told.accounts[s.account] {
			p.problem(s.line, "no event of this scenario is of the account %s: write one, or check %s", quoted(s.account), p.told.others())
		}
	}
}

// others names some accounts.
func (t *told) others() string {
	const most = 5
	names := slices.Sorted(maps.Keys(t.accounts))
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		names = append(names[:most:most], "...")
	}
	for i, name := range names[:min(len(names), most)] {
		names[i] = quoted(name)
	}
	return strings.Join(names, ", ")
}

// heard holds events against the checklist, which must listen to them unless the line says that it does not.
func (e *eventLine) heard(list *checklist.Checklist, events []usage.Event) error {
	for i := range events {
		switch listens := listensTo(list, &events[i]); {
		case !listens && !e.ignored:
			return fmt.Errorf("the checklist does not listen to %s: correct the name, or write @ignored if that is meant", quoted(events[i].Name))
		case listens && e.ignored:
			return fmt.Errorf("@ignored: the checklist listens to %s", quoted(events[i].Name))
		}
	}
	return nil
}

// listensTo says whether an event can matter to an account: by its name, or by a property that any event may tell.
func listensTo(list *checklist.Checklist, ev *usage.Event) bool {
	l := list.Listener(ev.Name)
	if l == nil || l.Event != "" {
		return l != nil
	}
	return slices.ContainsFunc(l.Sources, func(s checklist.Source) bool {
		return slices.ContainsFunc(ev.Properties, func(p usage.Property) bool { return p.Key == s.Path })
	})
}
