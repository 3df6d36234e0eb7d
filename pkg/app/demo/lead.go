package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// printIntroduction says what is going to be seen.
func printIntroduction(w io.Writer, d *data, rules *checklist.Checklist) {
	o := d.sample.Options()
	fmt.Fprintf(w, "%d accounts sign up for a reporting product and use it from %s on, for %d days: %d events (seed %d).\n",
		o.Accounts, o.Epoch.Format(time.DateOnly), o.Days, d.events, o.Seed)
	fmt.Fprintf(w, "An account is a product-qualified lead (PQL) once it has done enough of %d steps. How much is enough depends on its size:\n\n",
		len(rules.Steps()))
	for _, t := range rules.Tiers() {
		fmt.Fprintf(w, "  %-6s  %4s  then %s (%s): %s\n", t.Name, account.Percent(t.Threshold), t.Playbook.Name, t.Playbook.Queue, t.Playbook.Action)
	}
	fmt.Fprint(w, "\nWhat becomes of them, as it happens (UTC):\n\n")
}

// printGoingOn says what is going to be seen once the history has been told.
func printGoingOn(w io.Writer, page string) {
	fmt.Fprintf(w, "\nThe page: %s\n\nThe product is used on, %d events a second. What comes of that appears there, and here, until you press Ctrl-C:\n\n", page, liveRate)
}

// printFact prints what a fact says about a lead, on one line; nothing when it says nothing about one.
func printFact(w io.Writer, f *account.Fact) {
	what, text := inWords(f)
	if what == "" {
		return
	}
	fmt.Fprintf(w, "%s  %-9s  %s %-6s  %s\n", inUTC(f.OccurredAt), what, f.AccountID, f.Tier, text)
}

func inWords(f *account.Fact) (what, text string) {
	switch f.Type {
	case account.Qualified, account.Requalified:
		return "PQL", fmt.Sprintf("%s of %s: %s; last by %s -> %s", account.Percent(f.Rate), account.Percent(f.Threshold),
			names(f.StepsDone), f.UserID, f.Playbook.Name)
	case account.Escalated:
		if f.OccurredAt == f.QualifiedAt {
			return "", "" // its qualification has just been told
		}
		return "escalated", fmt.Sprintf("%s: now also %s; by %s", account.Percent(f.Rate), spaced(f.StepsDone[len(f.StepsDone)-1].Step), f.UserID)
	case account.Converted:
		return "converted", fmt.Sprintf("bought the plan %s, %s", property(f.Properties, "plan"), sinceQualified(f))
	case account.Disqualified:
		return "left", spaced(string(f.Reason))
	}
	return "", ""
}

func sinceQualified(f *account.Fact) string {
	if f.QualifiedAt == 0 {
		return "without having been a PQL"
	}
	return fmt.Sprintf("%s after it became a PQL", inDays(f.OccurredAt-f.QualifiedAt))
}

// names lists steps for people.
func names(steps []account.Evidence) string {
	all := make([]string, len(steps))
	for i := range steps {
		all[i] = spaced(steps[i].Step)
	}
	return strings.Join(all, ", ")
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

func property(properties []usage.Property, key string) string {
	for _, p := range properties {
		if p.Key == key {
			return p.Value.String()
		}
	}
	return "unknown"
}

func inUTC(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

// inDays is a length of time in days, rounded.
func inDays(ms int64) string {
	const day = int64(24 * time.Hour / time.Millisecond)
	n := (ms + day/2) / day
	switch n {
	case 0:
		return "hours"
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}
