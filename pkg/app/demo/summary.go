package demo

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// topLeads is how many open leads of each tier the summary explains.
const topLeads = 2

// summary is what became of all accounts.
type summary struct {
	all      tally
	excluded int
	tiers    []tally
	first    []account.View // the open leads to begin with, those of one tier after the other
}

// tally counts the accounts of one tier, or all.
type tally struct {
	name      string
	threshold float64
	accounts  int
	qualified int
	open      int     // PQLs that have not converted
	paid      int     // converted after they qualified
	otherPaid int     // converted without
	took      []int64 // from sign-up to PQL, ms
}

func (t *tally) add(v *account.View) {
	t.accounts++
	switch {
	case v.QualifiedAt == 0 && v.Converted:
		t.otherPaid++
	case v.QualifiedAt == 0:
	default:
		t.qualified++
		if v.SignedUpAt != 0 {
			t.took = append(t.took, v.QualifiedAt-v.SignedUpAt)
		}
		if v.Converted {
			t.paid++
		}
	}
	if v.Current {
		t.open++
	}
}

func summarize(views []account.View, rules *checklist.Checklist) *summary {
	s := &summary{all: tally{name: "all"}}
	for _, t := range rules.Tiers() {
		s.tiers = append(s.tiers, tally{name: t.Name, threshold: t.Threshold})
	}
	for i := range s.tiers {
		var open []account.View
		for j := range views {
			v := &views[j]
			if v.Tier != s.tiers[i].name {
				continue
			}
			if v.Excluded {
				s.excluded++
				continue
			}
			s.tiers[i].add(v)
			s.all.add(v)
			if v.Current {
				open = append(open, *v)
			}
		}
		slices.SortFunc(open, func(a, b account.View) int {
			return cmp.Or(cmp.Compare(b.ActiveUsers7d, a.ActiveUsers7d), cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.AccountID, b.AccountID))
		})
		s.first = append(s.first, open[:min(topLeads, len(open))]...)
	}
	return s
}

func (s *summary) print(w io.Writer, events, deadLetters int) {
	fmt.Fprint(w, "\nSummary\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "tier\tasks for\taccounts\tPQLs\tshare\tmedian time\tstill open\tpaid after PQL\tpaid without\t")
	for _, t := range append(slices.Clone(s.tiers), s.all) {
		asks := ""
		if t.threshold > 0 {
			asks = account.Percent(t.threshold)
		}
		others := t.accounts - t.qualified
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%d\t%s\t%s\t\n", t.name, asks, t.accounts, t.qualified, share(t.qualified, t.accounts),
			median(t.took), t.open, of(t.paid, t.qualified), of(t.otherPaid, others))
	}
	_ = table.Flush() // an error of w shows where it is closed
	fmt.Fprintf(w, "\nEvents processed: %d. Dead letters: %d. Accounts left out because they are the vendor's own: %d.\n", events, deadLetters, s.excluded)
	if len(s.first) > 0 {
		fmt.Fprint(w, "\nWhere to begin: the open leads of each tier with the most active people\n")
	}
	for i := range s.first {
		printLead(w, &s.first[i])
	}
}

func printLead(w io.Writer, v *account.View) {
	fmt.Fprintf(w, "\n%s  %s: %s people, %s (%s)\n", v.AccountID, property(v.Properties, "domain"),
		property(v.Properties, "company_size"), property(v.Properties, "industry"), v.Tier)
	fmt.Fprintf(w, "  Why   a PQL since %s, now %s: %s\n", inUTC(v.QualifiedAt), account.Percent(v.Rate), names(v.StepsDone))
	if len(v.StepsMissing) > 0 {
		var missing []string
		for _, m := range v.StepsMissing {
			missing = append(missing, spaced(m.Step)+": "+m.Need)
		}
		fmt.Fprintf(w, "  Lacks %s\n", strings.Join(missing, "; "))
	}
	var users []string
	for _, u := range v.Users[:min(2, len(v.Users))] {
		users = append(users, fmt.Sprintf("%s (%d events)", u.ID, u.Events))
	}
	fmt.Fprintf(w, "  Who   %s; %d active in the last 7 days\n", strings.Join(users, ", "), v.ActiveUsers7d)
	fmt.Fprintf(w, "  Next  %s: %s\n", v.Playbook.Queue, v.Playbook.Action)
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return account.Percent(float64(n) / float64(of))
}

// of is a share with what it is of.
func of(n, total int) string { return fmt.Sprintf("%d of %d, %s", n, total, share(n, total)) }

// median is the middle of lengths of time, the lower of two.
func median(took []int64) string {
	if len(took) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(took))
	return inDays(sorted[(len(sorted)-1)/2])
}
