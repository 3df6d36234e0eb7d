package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// subject is what attributes are of: a transition; with a view, the standing of an account; or a row of the metrics.
type subject struct {
	*account.Fact
	view  *account.View
	knows func(user string) bool // of a standing: whether there can be anything of a user
	row   *rollup.Row            // nil: it is not there
}

// use says where an attribute can be written.
type use uint8

const (
	ofTransitions use = 1 << iota
	ofStandings
	ofRows
	anywhere = ofTransitions | ofStandings
)

// spec is one kind of attribute.
type spec struct {
	words string // what it begins with
	not   string // of a flag: how its opposite is written
	about string // a name follows the words, and says which: a step, a user, a property; empty: none does
	form  form
	use   use
	get   func(s subject, name string) value
}

// attribute is one thing that a line says of a transition or a standing.
type attribute struct {
	*spec
	name  string
	value value
	at    span
}

// Attributes that name steps.
const aStep, doneSteps, missingSteps = "a step", "done", "missing"

// specs is the one list of the attributes that transitions and standings have, in the order in which they are written.
// docs/scenarios.md explains them.
var specs = []*spec{
	{words: "account", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(s.AccountID) }},
	{words: "reason", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(string(s.Reason)) }},
	{words: "detail", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(s.Detail) }},
	{words: "into", form: text, use: ofTransitions, get: func(s subject, _ string) value { return related(s, account.Merged) }},
	{words: "from", form: text, use: ofTransitions, get: func(s subject, _ string) value { return related(s, account.Absorbed) }},
	{words: "merged into", form: text, use: ofStandings, get: func(s subject, _ string) value { return textValue(s.view.MergedInto) }},
	{words: "erased", not: "not erased", use: ofStandings, get: func(s subject, _ string) value { return flagValue(s.view.Erased) }},
	{words: "tier", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Tier) }},
	{words: "rate", form: percent, use: anywhere, get: func(s subject, _ string) value { return shareValue(s.Rate) }},
	{words: "of", form: percent, use: anywhere, get: func(s subject, _ string) value { return shareValue(s.Threshold) }},
	{words: "pql", not: "no pql", use: anywhere, get: func(s subject, _ string) value { return flagValue(s.Current) }},
	{words: "converted", not: "not converted", use: ofStandings, get: func(s subject, _ string) value { return flagValue(s.view.Converted) }},
	{words: "escalated", not: "not escalated", use: ofStandings, get: func(s subject, _ string) value { return flagValue(s.view.Escalated) }},
	{words: "excluded", not: "not excluded", use: anywhere, get: func(s subject, _ string) value { return flagValue(s.Excluded) }},
	{words: "held out", not: "not held out", use: anywhere, get: func(s subject, _ string) value { return flagValue(s.HoldOut) }},
	{words: "silent", not: "not silent", use: ofStandings, get: func(s subject, _ string) value { return flagValue(s.view.Silent) }},
	{words: "barred", not: "not barred", use: ofStandings, get: func(s subject, _ string) value { return flagValue(s.view.Barred) }},
	{words: "history", form: sequence, use: ofStandings, get: history},
	{words: "playbook", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Name) }},
	{words: "action", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Action) }},
	{words: "queue", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Queue) }},
	{words: "owner", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Owner) }},
	{words: "message", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Message) }},
	{words: "why", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Playbook.Reason) }},
	{words: "segments", form: set, use: anywhere, get: func(s subject, _ string) value { return listValue(s.Segments) }},
	{words: doneSteps, form: set, use: anywhere, get: stepsDone},
	{words: missingSteps, form: set, use: anywhere, get: stepsMissing},
	{words: "count of", about: aStep, form: number, use: anywhere, get: countOf},
	{words: "progress of", about: aStep, form: percent, use: anywhere, get: progressOf},
	{words: "need", about: aStep, form: text, use: anywhere, get: needOf},
	{words: "who did", about: aStep, form: text, use: anywhere, get: whoDid},
	{words: "property", about: "an account property", form: text, use: anywhere, get: propertyOf},
	{words: "users", form: sequence, use: anywhere, get: userIDs},
	{words: "active users", form: number, use: anywhere, get: func(s subject, _ string) value { return numberValue(float64(s.ActiveUsers7d)) }},
	{words: "activated users", form: number, use: anywhere, get: func(s subject, _ string) value { return numberValue(float64(s.Activated)) }},
	{words: "champion", form: text, use: anywhere, get: func(s subject, _ string) value { return textValue(s.Champion) }},
	{words: "single user", not: "no single user", use: anywhere, get: func(s subject, _ string) value { return flagValue(s.SingleUser) }},
	{words: "rate of", about: "a user", form: percent, use: anywhere, get: userRate},
	{words: "role of", about: "a user", form: text, use: anywhere, get: userRole},
	{words: "events of", about: "a user", form: number, use: anywhere, get: userEvents},
	{words: "something of", not: "nothing of", about: "a user", use: ofStandings, get: func(s subject, id string) value { return flagValue(s.knows(id)) }},
	{words: "partly erased", not: "not partly erased", use: anywhere, get: func(s subject, _ string) value { return flagValue(s.PartlyErased) }},
	{words: "user", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(s.UserID) }},
	{words: "event", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(s.EventID) }},
	{words: "late", not: "on time", use: ofTransitions, get: func(s subject, _ string) value { return flagValue(s.Late) }},
	{words: "by", form: text, use: ofTransitions, get: func(s subject, _ string) value { return textValue(string(s.Cause)) }},
	{words: "at", form: moment, use: ofTransitions, get: func(s subject, _ string) value { return value{at: s.OccurredAt} }},
}

// specsFor returns the attributes that can be written somewhere.
func specsFor(here use) []*spec {
	if here == ofRows {
		return rowSpecs
	}
	return specs
}

func specOf(words string) *spec {
	return specs[slices.IndexFunc(specs, func(s *spec) bool { return s.words == words })]
}

// related is the account that has part in transitions of a type.
func related(s subject, in account.Type) value {
	if s.Type != in {
		return value{none: true}
	}
	return textValue(s.Related)
}

func stepsDone(s subject, _ string) value {
	var ids []string
	for i := range s.StepsDone {
		ids = append(ids, s.StepsDone[i].Step)
	}
	return listValue(ids)
}

func stepsMissing(s subject, _ string) value {
	var ids []string
	for i := range s.StepsMissing {
		ids = append(ids, s.StepsMissing[i].Step)
	}
	return listValue(ids)
}

// history are the types of the newest transitions, the oldest of them first.
func history(s subject, _ string) value {
	const most = 5
	var types []string
	for _, m := range s.view.History[max(0, len(s.view.History)-most):] {
		types = append(types, string(m.Type))
	}
	return listValue(types)
}

func countOf(s subject, step string) value {
	for i := range s.StepsDone {
		if s.StepsDone[i].Step == step {
			return numberValue(s.StepsDone[i].Count)
		}
	}
	return value{none: true}
}

func whoDid(s subject, step string) value {
	for i := range s.StepsDone {
		if s.StepsDone[i].Step == step {
			return textValue(s.StepsDone[i].UserID)
		}
	}
	return value{none: true}
}

func (s subject) missing(step string) *account.Missing {
	for i := range s.StepsMissing {
		if s.StepsMissing[i].Step == step {
			return &s.StepsMissing[i]
		}
	}
	return nil
}

func progressOf(s subject, step string) value {
	if m := s.missing(step); m != nil {
		return shareValue(m.Progress)
	}
	if !countOf(s, step).none {
		return shareValue(1)
	}
	return value{none: true}
}

func needOf(s subject, step string) value {
	if m := s.missing(step); m != nil {
		return textValue(m.Need)
	}
	return value{none: true}
}

func propertyOf(s subject, name string) value {
	for _, p := range s.Properties {
		if p.Key == name {
			return value{text: p.Value.String(), none: p.Value.Kind() == usage.Null}
		}
	}
	return value{none: true}
}

func userIDs(s subject, _ string) value {
	var ids []string
	for i := range s.Users {
		ids = append(ids, s.Users[i].ID)
	}
	return listValue(ids)
}

func (s subject) userOf(id string) *account.UserActivity {
	for i := range s.Users {
		if s.Users[i].ID == id {
			return &s.Users[i]
		}
	}
	return nil
}

func userRate(s subject, id string) value {
	if u := s.userOf(id); u != nil {
		return shareValue(u.Rate)
	}
	return value{none: true}
}

func userRole(s subject, id string) value {
	if u := s.userOf(id); u != nil {
		return textValue(u.Role)
	}
	return value{none: true}
}

func userEvents(s subject, id string) value {
	if u := s.userOf(id); u != nil {
		return numberValue(float64(u.Events))
	}
	return value{none: true}
}

// readAttributes reads what a line says of a transition or a standing.
func readAttributes(tokens []token, here use, c clock) (all []attribute, err error) {
	for len(tokens) > 0 {
		a, used, err := readAttribute(tokens, here, c)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(b attribute) bool { return a.spec == b.spec && a.name == b.name }) {
			return nil, fmt.Errorf("%s is said twice", a.heading())
		}
		all = append(all, a)
		tokens = tokens[used:]
	}
	return all, nil
}

func readAttribute(tokens []token, here use, c clock) (a attribute, used int, err error) {
	var positive bool
	if a.spec, positive, used = findSpec(tokens, here); a.spec == nil {
		return a, 0, fmt.Errorf("%q is no attribute here; there are: %s", tokens[0].raw, strings.Join(words(here), ", "))
	}
	a.at.from = tokens[0].from
	if a.about != "" {
		if used == len(tokens) {
			return a, 0, fmt.Errorf("%s needs the name of %s", a.words, a.about)
		}
		a.name = unquoted(tokens[used].raw)
		used++
	}
	v, more, err := a.form.read(tokens[used:], c)
	if err != nil {
		return a, 0, fmt.Errorf("%s: %w", a.heading(), err)
	}
	v.is = positive
	used += more
	a.value, a.at.to = v, tokens[used-1].to()
	return a, used, nil
}

// findSpec finds the attribute that begins with the tokens, the one of most words. A flag may be said or denied.
func findSpec(tokens []token, here use) (found *spec, positive bool, used int) {
	for _, s := range specsFor(here) {
		if s.use&here == 0 {
			continue
		}
		if n := begins(tokens, s.words); n > used {
			found, positive, used = s, true, n
		}
		if n := begins(tokens, s.not); n > used {
			found, positive, used = s, false, n
		}
	}
	return found, positive, used
}

// begins returns how many words there are if the tokens begin with them, 0 if they don't.
func begins(tokens []token, words string) int {
	fields := strings.Fields(words)
	if len(fields) > len(tokens) {
		return 0
	}
	for i, f := range fields {
		if tokens[i].raw != f {
			return 0
		}
	}
	return len(fields)
}

// words are what the attributes there are begin with.
func words(here use) (all []string) {
	for _, s := range specsFor(here) {
		if s.use&here != 0 {
			all = append(all, s.words)
			if s.not != "" {
				all = append(all, s.not)
			}
		}
	}
	return all
}

func (a *attribute) heading() string { return a.begin(a.words) }

// begin is how the attribute begins with its words, or their opposite.
func (a *attribute) begin(words string) string {
	if a.about == "" {
		return words
	}
	return words + " " + quoted(a.name)
}

// holds says whether the subject has what the attribute says.
func (a *attribute) holds(s subject) bool { return a.form.same(a.value, a.get(s, a.name)) }

// write is how the attribute is written that says what the subject has.
func (a *attribute) write(s subject, c clock) string {
	return a.say(a.get(s, a.name), c)
}

// say is how the attribute is written with a value.
func (a *attribute) say(v value, c clock) string {
	switch {
	case a.form != flag:
		return a.heading() + " " + a.form.write(v, a.value.fine, c)
	case v.is:
		return a.heading()
	}
	return a.begin(a.not)
}

// usual are the attributes that a line gets where somebody has not chosen others.
func usual(s subject) []attribute {
	var names []string
	switch {
	case s.view != nil:
		names = []string{"tier", "rate", "of", "pql", "missing"}
	case ofStep(s.Type):
		names = []string{"rate"}
	case s.Type == account.Qualified, s.Type == account.Requalified, s.Type == account.Escalated:
		names = []string{"tier", "rate", "of"}
		if s.Playbook.Name != "" {
			names = append(names, "playbook")
		}
		if s.Reason != "" {
			names = append(names, "reason")
		}
		if s.HoldOut {
			names = append(names, "held out")
		}
	case s.Type == account.LeadRejected, s.Type == account.LeadLost:
		if s.Detail != "" {
			names = []string{"detail"}
		}
	case s.Type == account.Disqualified:
		names = []string{"reason", "rate"}
	case s.Type == account.Converted, s.Type == account.Churned:
		names = []string{"rate"}
	case s.Type == account.SegmentChanged:
		names = []string{"tier", "segments"}
	case s.Type == account.Merged:
		names = []string{"into"}
	case s.Type == account.Absorbed:
		names = []string{"from"}
	case s.Type == deadLetter:
		names = []string{"reason", "detail", "user", "event"}
		if s.Reason == unanswerable {
			names = []string{"reason", "event"}
		}
	}
	if s.Type == account.UserErased && s.PartlyErased {
		names = append(names, "partly erased")
	}
	if s.Late {
		names = append(names, "late")
	}
	if s.Cause == account.ByTime {
		names = append(names, "by", "at")
	}
	return named(names...)
}

func named(names ...string) (all []attribute) {
	for _, n := range names {
		all = append(all, attribute{spec: specOf(n)})
	}
	slices.SortFunc(all, func(a, b attribute) int {
		return cmp.Compare(slices.Index(specs, a.spec), slices.Index(specs, b.spec))
	})
	return slices.CompactFunc(all, func(a, b attribute) bool { return a.spec == b.spec })
}
