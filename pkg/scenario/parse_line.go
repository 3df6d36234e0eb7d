package scenario

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const arrow = "=>"

// statement reads a line of a scenario.
func (p *parser) statement(at int, line string) {
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	if strings.HasPrefix(line[indent:], arrow) {
		p.transition(at, line, indent+len(arrow))
		return
	}
	tokens, err := scan(line, 0)
	if err == nil {
		s := &statement{line: at}
		// A line that is wrong stands for its kind, so that those below it are not reported for it.
		p.last = s
		switch tokens[0].raw {
		case "check":
			err = p.check(s, tokens[1:])
		case "metric":
			err = p.row(s, tokens[1:])
		default:
			err = p.happening(s, tokens)
			p.told.unread = p.told.unread || err != nil && s.kind == somethingHappens && s.events == nil
		}
		p.scenario.statements = append(p.scenario.statements, s)
	}
	if err != nil {
		p.problem(at, "%v", err)
	}
}

// check reads an account and its standing.
func (p *parser) check(s *statement, tokens []token) (err error) {
	s.kind = check
	if len(tokens) == 0 {
		return errors.New("check needs an account, such as `check acme  rate 75%`")
	}
	w := want{line: s.line, end: tokens[len(tokens)-1].to()}
	s.account = unquoted(tokens[0].raw)
	if w.attributes, err = readAttributes(tokens[1:], ofStandings, p.file.clock); err != nil {
		return err
	}
	s.wants = []want{w}
	return nil
}

// transition reads what is to come of the line above.
func (p *parser) transition(at int, line string, from int) {
	if p.last == nil || p.last.kind == check || p.last.kind == rowIs {
		p.problem(at, "there is nothing above that this can come of: => lines belong below an event or `time passes`")
		return
	}
	tokens, err := scan(line, from)
	if err != nil {
		p.problem(at, "%v", err)
		return
	}
	if len(tokens) == 0 || !slices.Contains(transitions, account.Type(tokens[0].raw)) {
		p.problem(at, "=> needs a transition; there are: %s", joined(transitions))
		return
	}
	w := want{line: at, kind: account.Type(tokens[0].raw), end: tokens[len(tokens)-1].to()}
	tokens = tokens[1:]
	if ofStep(w.kind) {
		if len(tokens) == 0 {
			p.problem(at, "%s needs the step's id", w.kind)
			return
		}
		w.step, w.stepAt = unquoted(tokens[0].raw), span{tokens[0].from, tokens[0].to()}
		tokens = tokens[1:]
	}
	if w.attributes, err = readAttributes(tokens, ofTransitions, p.file.clock); err != nil {
		p.problem(at, "%v", err)
		return
	}
	p.last.wants = append(p.last.wants, w)
}

// happening reads an event, a request, or that time passes.
func (p *parser) happening(s *statement, tokens []token) error {
	at, used, err := p.file.clock.read(tokens)
	if err != nil {
		return err
	}
	if !inRange(at) {
		return fmt.Errorf("%s is not between 1970 and 9999", at.Format(time.RFC3339))
	}
	tokens = tokens[used:]
	switch read := p.otherThanEvent(tokens); {
	case read != nil:
		return read(s, at, tokens)
	case len(tokens) < 3:
		return errors.New("after the moment come account and user (- for none) and event, such as `acme  ana  project_created`; or `time passes`, " +
			"`merge old into acme`, `erase account acme`, `erase user ana`, `checklist PATH`")
	}
	return p.usage(s, at, tokens)
}

// usage reads an event.
func (p *parser) usage(s *statement, at time.Time, tokens []token) (err error) {
	e := eventLine{at: at, account: tokens[0].raw, user: tokens[1].raw, name: tokens[2].raw}
	if err := e.read(tokens[3:]); err != nil {
		return err
	}
	if p.events += e.count(); p.events > maxEvents {
		return fmt.Errorf("the file has over %d events: repeat fewer", maxEvents)
	}
	if e.account != nothing && (!strings.Contains(e.account, numbered) || e.times == 0) {
		s.account = unquoted(e.account)
	}
	if s.events, err = e.events(p.file.clock, &p.ordinal); err != nil {
		return err
	}
	p.told.tell(s.events)
	if p.engine == nil { // what is wrong with the checklist is said
		return nil
	}
	return e.heard(p.engine.Checklist(), s.events)
}

// eventLine is an event as it is written, which may be several.
type eventLine struct {
	at                  time.Time
	account, user, name string
	id                  string // empty: each has one of its own
	quantity            float64
	properties          []property
	times               int // 0: once
	every               interval
	paced               bool // every is given
	ignored             bool // the checklist does not listen to it
}

type property struct{ key, raw string }

// numbered stands for the number of a repetition, from 1 on.
const numbered = "{n}"

var (
	repetition = regexp.MustCompile(`^x(\d{1,6})$`)
	whole      = regexp.MustCompile(`^-?\d{1,19}$`)
	fraction   = regexp.MustCompile(`^-?\d{1,300}\.\d{1,300}$`)

	paces = map[string]interval{"hourly": {length: time.Hour}, "daily": {days: 1}, "weekly": {days: 7}}
)

// read reads what follows the event's name.
func (e *eventLine) read(tokens []token) error {
	for i := 0; i < len(tokens); i++ {
		raw := tokens[i].raw
		pace, isPace := paces[raw]
		switch {
		case strings.HasPrefix(raw, "@id="):
			e.id = raw[len("@id="):]
		case raw == "@ignored":
			e.ignored = true
		case repetition.MatchString(raw):
			e.times, _ = strconv.Atoi(raw[1:])
			if e.times < 1 || e.times > maxRepeat {
				return fmt.Errorf("%s: a line can be repeated x1 to x%d", raw, maxRepeat)
			}
		case isPace:
			e.every, e.paced = pace, true
		case raw == "every" && i+1 < len(tokens):
			var err error
			if e.every, err = readInterval(tokens[i+1].raw); err != nil {
				return fmt.Errorf("every: %w", err)
			}
			e.paced = true
			i++
		default:
			if err := e.property(raw); err != nil {
				return err
			}
		}
	}
	if e.paced && e.times == 0 {
		return errors.New("how many times is missing: write x7, such as `daily x7`")
	}
	return nil
}

func (e *eventLine) property(raw string) (err error) {
	at := outside(raw, '=')
	if at < 1 || strings.HasPrefix(raw, "@") {
		return fmt.Errorf("%q is none of key=value, quantity=2.5, @id=e1, @ignored, x5, hourly x5, daily x5, weekly x5, every 2d x5", raw)
	}
	key, text := unquoted(raw[:at]), raw[at+1:]
	if raw[:at] == "quantity" {
		if !whole.MatchString(text) && !fraction.MatchString(text) {
			return fmt.Errorf("quantity: %q is no number", text)
		}
		e.quantity, err = strconv.ParseFloat(text, 64)
		return err
	}
	if slices.ContainsFunc(e.properties, func(p property) bool { return p.key == key }) {
		return fmt.Errorf("%s is given twice", key)
	}
	e.properties = append(e.properties, property{key, text})
	return nil
}

func (e *eventLine) count() int { return max(e.times, 1) }

// events returns the events of the line, each numbered in the scenario.
func (e *eventLine) events(c clock, ordinal *int) ([]usage.Event, error) {
	all := make([]usage.Event, 0, e.count())
	for n := range e.count() {
		*ordinal++
		at, err := c.repeated(e.at, n, e.every)
		if err != nil {
			return nil, err
		}
		ev := usage.Event{
			ID: e.text(e.id, n), Name: e.text(e.name, n), OccurredAt: at.UnixMilli(), Quantity: e.quantity,
		}
		if e.user != nothing {
			ev.UserID = e.text(e.user, n)
		}
		validate := usage.ValidateOfUser
		if e.account != nothing {
			ev.AccountID, validate = e.text(e.account, n), usage.Validate
		}
		if e.id == "" {
			ev.ID = numberedID(*ordinal)
		}
		for _, p := range e.properties {
			v, err := e.value(p.raw, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.key, err)
			}
			ev.Properties = append(ev.Properties, usage.Property{Key: p.key, Value: v})
		}
		if err := validate(&ev, math.MaxInt64, 0); err != nil {
			return nil, err
		}
		all = append(all, ev)
	}
	return all, nil
}

// numberedID is the id of an event that has no other.
func numberedID(ordinal int) string { return "event-" + strconv.Itoa(ordinal) }

// text returns what a piece of the line means in the repetition n, counted from 0.
func (e *eventLine) text(raw string, n int) string {
	if e.times > 0 {
		raw = strings.ReplaceAll(raw, numbered, strconv.Itoa(n+1))
	}
	return unquoted(raw)
}

// value returns a property's value: text if it is in quotes, or is nothing else.
func (e *eventLine) value(raw string, n int) (usage.Value, error) {
	if e.times > 0 {
		raw = strings.ReplaceAll(raw, numbered, strconv.Itoa(n+1))
	}
	switch {
	case raw == "true", raw == "false":
		return usage.BoolValue(raw == "true"), nil
	case whole.MatchString(raw):
		i, err := strconv.ParseInt(raw, 10, 64)
		return usage.LongValue(i), err
	case fraction.MatchString(raw):
		f, err := strconv.ParseFloat(raw, 64)
		return usage.DoubleValue(f), err
	}
	return usage.StringValue(unquoted(raw)), nil
}
