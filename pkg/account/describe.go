package account

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Describe explains the account to people: whether it is a PQL and why, what is missing, what to do, who is there and
// what happened. It is plain text of several lines; times are event times in UTC.
func (v *View) Describe() string {
	d := &description{}
	d.line("Account %s %s", shown(v.AccountID), v.verdict())
	d.line("Tier %s asks for %s; %d of %d steps are done: %s. Checklist %s, version %d.", v.Tier, Percent(v.Threshold),
		len(v.StepsDone), len(v.StepsDone)+len(v.StepsMissing), Percent(v.Rate), v.Checklist.Name, v.Checklist.Version)
	if v.SignedUpAt != 0 {
		d.line("Signed up %s.", inUTC(v.SignedUpAt))
	} else {
		d.line("Its sign-up was not seen.")
	}
	d.done(v.StepsDone)
	d.missing(v.StepsMissing)
	d.playbook(&v.Playbook)
	d.users(v)
	d.properties(v.Properties)
	d.history(v.History)
	return d.String()
}

// verdict is the end of a sentence that begins with the account.
func (v *View) verdict() string {
	switch {
	case v.Converted:
		return "has converted: it is a customer."
	case v.Current && v.Escalated:
		return "is a PQL since " + inUTC(v.QualifiedAt) + ", and has escalated."
	case v.Current:
		return "is a PQL since " + inUTC(v.QualifiedAt) + "."
	case v.Excluded:
		return "is no PQL: the checklist excludes it."
	case v.QualifiedAt != 0:
		return "is no PQL any more; it last qualified on " + inUTC(v.QualifiedAt) + "."
	}
	return "is no PQL yet."
}

// description is a text that grows by lines.
type description struct{ strings.Builder }

func (d *description) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *description) done(steps []Evidence) {
	if len(steps) == 0 {
		return
	}
	d.line("\nDone")
	width := widest(steps, func(e Evidence) string { return e.Step })
	for _, e := range steps {
		by := cmp.Or(shown(e.UserID), "nobody in particular")
		if e.EventID != "" {
			by += ", event " + shown(e.EventID)
		}
		p := e.Position
		d.line("  %-*s  %s  by %s (%s-%d at %d)", width, e.Step, inUTC(e.DoneAt), by, p.Topic, p.Partition, p.Offset)
	}
}

func (d *description) missing(steps []Missing) {
	if len(steps) == 0 {
		return
	}
	d.line("\nMissing")
	width := widest(steps, func(m Missing) string { return m.Step })
	for _, m := range steps {
		d.line("  %-*s  %4s  %s", width, m.Step, Percent(m.Progress), m.Need)
	}
}

func (d *description) playbook(p *Playbook) {
	if p.Name == "" {
		return
	}
	d.line("\nWhat to do: playbook %s%s", p.Name, prefixed(", queue ", p.Queue))
	if p.Action != "" {
		d.line("  %s", p.Action)
	}
	d.line("  Why: %s.", p.Reason)
}

func (d *description) users(v *View) {
	if len(v.Users) == 0 {
		return
	}
	title := "Most active users"
	if v.SingleUser {
		title = "The only user"
	}
	d.line("\n%s (active within 7 days: %d)", title, v.ActiveUsers7d)
	width := widest(v.Users, func(u UserActivity) string { return shown(u.ID) })
	for _, u := range v.Users {
		d.line("  %-*s  %s, %s, last seen %s", width, shown(u.ID), counted(u.Events, "event"), counted(int64(u.StepsDone), "step"), inUTC(u.LastSeen))
	}
}

func (d *description) properties(properties []usage.Property) {
	if len(properties) == 0 {
		return
	}
	d.line("\nProperties")
	width := widest(properties, func(p usage.Property) string { return p.Key })
	for _, p := range properties {
		d.line("  %-*s  %s", width, p.Key, shown(p.Value.String()))
	}
}

func (d *description) history(moments []Moment) {
	if len(moments) == 0 {
		return
	}
	d.line("\nHistory")
	for _, m := range moments {
		d.line("  %s  %s%s", inUTC(m.OccurredAt), strings.ReplaceAll(string(m.Type), "_", " "), prefixed(": ", m.Step))
	}
}

// Percent is a share in words, rounded to whole percents.
func Percent(share float64) string { return string(appendPercent(nil, share)) }

// inUTC is a time in ms since the Unix epoch as people read it.
func inUTC(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// shown is text from outside, quoted where it would do something to a terminal.
func shown(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// widest is the width of a column, in characters.
func widest[T any](rows []T, cell func(T) string) (width int) {
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(cell(r)))
	}
	return width
}
