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

// Describe explains the account to people: whether it is a PQL and why, what is missing and the shortest way, what to do,
// who is there and what happened. It is plain text of several lines; times are event times in UTC. Nothing in it does
// anything to a terminal.
func (v *View) Describe() string {
	d := &description{}
	switch {
	case v.MergedInto != "":
		d.line("Account %s was merged into account %s: all that is known lies there.", v.AccountID, v.MergedInto)
		return d.String()
	case v.Erased:
		d.line("Account %s was erased: nothing is known of it.", v.AccountID)
		return d.String()
	}
	d.line("%s", v.verdict())
	if way := v.way(); way != "" {
		d.line("%s", way)
	}
	if v.SignedUpAt != 0 {
		d.line("Signed up %s.", inUTC(v.SignedUpAt))
	} else {
		d.line("Its sign-up was not seen.")
	}
	d.line("Checklist %s, version %d.%s", v.Checklist.Name, v.Checklist.Version, prefixed(" Segments: ", strings.Join(v.Segments, ", ")))
	if v.PartlyErased {
		d.line("A user was erased: what cannot be taken apart, such as a count, still holds what that user did.")
	}
	d.done(v)
	d.missing(v)
	d.playbook(v)
	d.users(v)
	d.properties(v.Properties)
	d.history(v.History)
	return d.String()
}

// description is a text that grows by lines.
type description struct{ strings.Builder }

// line appends a line of texts that are shown as they may be.
func (d *description) line(format string, args ...any) {
	for i := range args {
		if text, is := args[i].(string); is {
			args[i] = Shown(text)
		}
	}
	fmt.Fprintf(d, format+"\n", args...)
}

// section appends a title and what is under it, unless there is nothing.
func (d *description) section(title string, rows [][]string) {
	if len(rows) > 0 {
		d.line("\n%s", title)
		d.table(rows)
	}
}

// table appends rows of as many cells each, in columns; one that is empty is left out.
func (d *description) table(rows [][]string) {
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = Shown(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var text string
		for i, cell := range row {
			if widths[i] > 0 {
				text += "  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			}
		}
		d.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

func (d *description) done(v *View) {
	var rows [][]string
	for i := range v.StepsDone {
		e := &v.StepsDone[i]
		rows = append(rows, []string{e.Step, "weight " + weight(v.Weights[e.Step]), inUTC(e.DoneAt), e.by()})
	}
	d.section("Done", rows)
}

// by says what did the step.
func (e *Evidence) by() string {
	var text string
	if e.Position.Topic == "" && e.EventID == "" && e.UserID == "" {
		text = "as time passed"
	} else {
		text = "by " + cmp.Or(Shown(e.UserID), "nobody in particular") + prefixed(", event ", Shown(e.EventID))
		text += fmt.Sprintf(" (%s-%d at %d)", e.Position.Topic, e.Position.Partition, e.Position.Offset)
	}
	if e.Count != 1 {
		text += ", counted " + weight(e.Count)
	}
	return text
}

func (d *description) missing(v *View) {
	var rows [][]string
	for _, m := range v.StepsMissing {
		rows = append(rows, []string{m.Step, "weight " + weight(v.Weights[m.Step]), Percent(m.Progress) + " there", m.Need})
	}
	d.section("Missing", rows)
}

func (d *description) playbook(v *View) {
	p := &v.Playbook
	if p.Name == "" {
		return
	}
	d.line("\nWhat to do: playbook %s%s%s%s", p.Name, prefixed(", which refines ", v.Refines),
		prefixed(", queue ", p.Queue), prefixed(", owner ", Shown(p.Owner)))
	for action := range strings.Lines(p.Action) {
		d.line("  %s", strings.TrimSpace(action))
	}
	if p.Message != "" {
		d.line("  Message: %s", p.Message)
	}
	if p.Reason != "" {
		d.line("  Why: %s.", strings.TrimSuffix(p.Reason, "."))
	}
}

func (d *description) users(v *View) {
	if len(v.Users) == 0 && !v.SingleUser {
		return
	}
	d.line("\nUsers: %d active this week, %d activated (%s by a rate of their own)%s",
		v.ActiveUsers7d, v.Activated, Percent(v.Threshold), prefixed(", champion ", Shown(v.Champion)))
	switch {
	case v.LoneUser:
		d.line("  Careful: one user alone carries this account of tier %s.", v.Tier)
	case v.SingleUser:
		d.line("  Everything was done by one user.")
	}
	var rows [][]string
	for i := range v.Users {
		u := &v.Users[i]
		rows = append(rows, []string{u.ID, Percent(u.Rate), u.standing(v.Champion), counted(u.Events, "event"),
			counted(int64(u.StepsDone), "step"), "last seen " + inUTC(u.LastSeen) + v.thisWeek(u)})
	}
	d.table(rows)
}

// standing says what a user is to the account.
func (u *UserActivity) standing(champion string) string {
	var parts []string
	if u.ID == champion {
		parts = append(parts, "champion")
	}
	if u.Activated {
		parts = append(parts, "activated")
	}
	if u.Role != "" {
		parts = append(parts, "role "+Shown(u.Role))
	}
	return strings.Join(parts, ", ")
}

func (v *View) thisWeek(u *UserActivity) string {
	if u.LastSeen > v.OccurredAt-activeMillis {
		return ", this week"
	}
	return ""
}

func (d *description) properties(properties []usage.Property) {
	var rows [][]string
	for _, p := range properties {
		rows = append(rows, []string{p.Key, known(p.Value)})
	}
	d.section("Properties", rows)
}

func (d *description) history(moments []Moment) {
	var rows [][]string
	for _, m := range moments {
		rows = append(rows, []string{inUTC(m.OccurredAt), strings.ReplaceAll(string(m.Type), "_", " ") + prefixed(": ", m.Step)})
	}
	d.section("History", rows)
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

// Shown is text from outside as people read it, on one line: quoted where it would do something to a terminal.
func Shown(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
