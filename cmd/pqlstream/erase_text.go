package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/app"
)

// confirm tells what is to be erased and asks whether that is meant.
func confirm(x *app.Erasure, q *questions) error {
	fmt.Fprintln(q.out, found(x))
	if q.answer("It can't be undone. Type yes to go on:", "") != "yes" {
		return errNotMeant
	}
	return nil
}

// errNotMeant says that somebody was asked and did not say yes.
var errNotMeant = errors.New("nothing was erased")

// found says in words what is to be erased.
func found(x *app.Erasure) string {
	of := map[app.Role][]string{}
	for _, t := range x.Targets {
		of[t.Is] = append(of[t.Is], fmt.Sprintf("%q", t.Account))
	}
	var text strings.Builder
	if x.User == "" {
		fmt.Fprintf(&text, "Everything about account %q is to be erased.", x.Account)
		if root := of[app.TheAccount][0]; root != fmt.Sprintf("%q", x.Account) {
			fmt.Fprintf(&text, "\nIt was merged into account %s: they are one, and are erased together.", root)
		}
		fmt.Fprint(&text, list("\nAccounts that were merged into it are erased with it: ", of[app.MergedIn]))
		if x.Unknown {
			fmt.Fprint(&text, "\nNothing is known of it: is the id right?")
		}
		if x.Linked > 0 {
			fmt.Fprintf(&text, "\nUsers who are known to belong to it and stay: %d.", x.Linked)
		}
		return text.String()
	}
	fmt.Fprintf(&text, "User %q is to be erased.", x.User)
	if len(of[app.KnowsUser]) == 0 {
		fmt.Fprint(&text, "\nNo account knows the user.")
	}
	fmt.Fprint(&text, list("\nAccounts that know the user: ", of[app.KnowsUser]), list("\nAccounts that were named: ", of[app.Named]))
	if len(of[app.TellsUsers]) > 0 {
		fmt.Fprint(&text, "\nThe accounts that the user is known to belong to are asked as well, and events that wait for one are dropped.")
	}
	return text.String()
}

func list(what string, of []string) string {
	if len(of) == 0 {
		return ""
	}
	return what + strings.Join(of, ", ") + "."
}

// writeErasure writes the report of an erasure for people.
func writeErasure(w io.Writer, r *app.EraseReport) error {
	what := fmt.Sprintf("account %q", r.Account)
	if r.User != "" {
		what = fmt.Sprintf("user %q", r.User)
	}
	standing := "is erased"
	if !r.Done {
		standing = "is being erased: it was asked for and not seen done"
	}
	if r.Unknown {
		standing += "; nothing was known of it: is the id right?"
	} else {
		standing += "."
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s %s\n\n", strings.ToUpper(what[:1]), what[1:], standing)
	if len(r.Asked) > 0 {
		t := newTable(w)
		for i := range r.Asked {
			t.add(plain(askedName(&r.Asked[i])), plain(standingOf(&r.Asked[i])))
		}
		text.WriteString(t.String() + "\n")
	}
	t := newTable(w, "WHERE", "NAME", "WHAT", "HELD UNTIL")
	for i := range r.Places {
		p := &r.Places[i]
		t.add(plain(p.Place), plain(p.Name), plain(string(p.Outcome)), plain(heldUntil(p)))
	}
	text.WriteString(t.String() + "\n")
	for i := range r.Places {
		p := &r.Places[i]
		fmt.Fprintf(&text, "%s (%s): %s.\n", p.Place, p.Name, p.Detail)
		if p.Remedy != "" {
			fmt.Fprintf(&text, "  What to do: %s.\n", p.Remedy)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func askedName(t *app.ReportTarget) string {
	if t.Account == "" {
		return "resolve"
	}
	return fmt.Sprintf("account %q", t.Account)
}

func standingOf(t *app.ReportTarget) string {
	text := "asked"
	if t.Done {
		text = "done"
	}
	if t.PartlyErased {
		text += ", partly erased"
	}
	if t.KnownAgain {
		text += ", known again by what came later"
	}
	return text
}

func heldUntil(p *app.Place) string {
	switch {
	case p.Until != nil:
		return p.Until.UTC().Format(time.DateTime) + " UTC"
	case p.Endless:
		return "without end"
	case p.Outcome == app.Removed || p.Outcome == app.Absent:
		return "-"
	}
	return "not known"
}
