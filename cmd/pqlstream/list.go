package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
)

// listFlags are the flags of `pqlstream accounts list` and `pqlstream pqls list`.
type listFlags struct {
	settings
	output  output
	query   inspect.Query
	since   string
	until   string
	limit   int
	timeout time.Duration
}

// newList returns the command that lists a list; what says whose times --since and --until are.
func newList(list inspect.List, what string) *cobra.Command {
	f := listFlags{query: inspect.Query{List: list}}
	cmd := &cobra.Command{
		Use:  "list",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addTo(cmd)
	f.output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.query.Segment, "segment", "", "only those in this `segment`")
	flags.StringVar(&f.query.Playbook, "playbook", "", "only those with this `playbook`")
	flags.StringVar(&f.since, "since", "", "only those "+what+" since a `time`: 2025-03-01, 2025-03-01T12:00:00Z, or so long ago: 90m, 36h, 7d, 4w")
	flags.StringVar(&f.until, "until", "", "only those "+what+" before a `time`, in the same forms")
	flags.BoolVar(&f.query.Oldest, "oldest", false, "the oldest first")
	flags.IntVar(&f.limit, "limit", inspect.DefaultLimit, "how many `rows` at most; 0: all")
	flags.StringVar(&f.query.Cursor, "cursor", "", "go on where the output before has ended: its `next_cursor`")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long Kafka and Redis may take")
	complete(cmd, "segment", func() []string { return fromChecklist(&f.settings, (*checklist.Checklist).SegmentNames) })
	complete(cmd, "playbook", func() []string { return fromChecklist(&f.settings, (*checklist.Checklist).PlaybookNames) })
	if list == inspect.PQLs {
		flags.StringVar(&f.query.Tier, "tier", "", "only those in this `tier`")
		complete(cmd, "tier", func() []string { return fromChecklist(&f.settings, (*checklist.Checklist).TierNames) })
	}
	return cmd
}

func newAccountsList() *cobra.Command {
	cmd := newList(inspect.All, "that have changed")
	cmd.Short = "List accounts, by when their newest transition happened"
	cmd.Long = "Lists accounts from the mirror in Redis, the newest transition first."
	cmd.Example = "  pqlstream accounts list --config pqlstream.yaml --limit 20\n  pqlstream accounts list -c pqlstream.yaml --playbook manual-outreach --since 36h -o json"
	return cmd
}

func newPQLs() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "pqls",
		Short:   "Look at the accounts that are PQLs",
		Example: "  pqlstream pqls list --config pqlstream.yaml --tier large --since 7d",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	list := newList(inspect.PQLs, "that have qualified")
	list.Short = "List the accounts that are PQLs now, by when they qualified"
	list.Long = "Lists the accounts that are PQLs and not held out from the mirror in Redis, the newest first."
	list.Example = "  pqlstream pqls list --config pqlstream.yaml --tier large --since 7d\n  pqlstream pqls list -c pqlstream.yaml --limit 0 -o json"
	cmd.AddCommand(list)
	return cmd
}

func (f *listFlags) run(cmd *cobra.Command) (err error) {
	now := time.Now()
	if f.query.Since, err = momentOf("since", f.since, now); err != nil {
		return err
	}
	if f.query.Until, err = momentOf("until", f.until, now); err != nil {
		return err
	}
	if f.limit < 0 {
		return misused("--limit %d: it is a number of rows, or 0 for all", f.limit)
	}
	f.query.At = now.UnixMilli()
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	accounts, err := f.openAccounts(ctx, cmd)
	if err != nil {
		return err
	}
	defer accounts.Close()
	page, err := f.pages(ctx, accounts.List, progressOn(cmd.ErrOrStderr(), "rows"))
	if errors.Is(err, inspect.ErrQuery) {
		return misuse(err.Error())
	}
	if err != nil {
		return err
	}
	return f.output.write(cmd.OutOrStdout(), page, func(w io.Writer) error { return writeRows(w, &page) })
}

// pages asks for one page after another until there are as many rows as are wanted.
func (f *listFlags) pages(ctx context.Context, list func(context.Context, inspect.Query) (inspect.Page, error), reading *progress) (inspect.Page, error) {
	defer reading.end()
	all, q := inspect.Page{Items: []inspect.Row{}}, f.query
	for {
		q.Limit = inspect.MaxLimit
		if f.limit > 0 {
			q.Limit = min(f.limit-len(all.Items), inspect.MaxLimit)
		}
		page, err := list(ctx, q)
		if err != nil {
			return all, err
		}
		all.Items, all.Next, all.Total = append(all.Items, page.Items...), page.Next, page.Total
		if page.Next == nil || f.limit > 0 && len(all.Items) >= f.limit {
			return all, nil
		}
		q.Cursor = *page.Next
		reading.at(len(all.Items), int(all.Total))
	}
}

func writeRows(w io.Writer, page *inspect.Page) error {
	if len(page.Items) == 0 {
		_, err := fmt.Fprintln(w, "none")
		return err
	}
	t := newTable(w, "ACCOUNT", "TIER", "RATE", "NEEDED", "STANDING", "QUALIFIED (UTC)", "CHANGED (UTC)", "CHAMPION", "NEXT")
	for i := range page.Items {
		r := &page.Items[i]
		next := ""
		if r.Playbook != nil {
			next = r.Playbook.Name
		}
		t.add(plain(r.AccountID), plain(r.Tier), number(percent(r.Rate)), number(percent(r.Threshold)), standingCell(r),
			plain(dayOf(r.QualifiedAt)), plain(dayOf(&r.ChangedAt)), plain(r.Champion), plain(next))
	}
	if err := t.write(w); err != nil {
		return err
	}
	if page.Next != nil {
		_, err := fmt.Fprintf(w, "%d of %d; for more: --cursor %s\n", len(page.Items), page.Total, *page.Next)
		return err
	}
	return nil
}

func percent(rate float64) string { return strconv.FormatFloat(100*rate, 'f', 0, 64) + " %" }

func standingCell(r *inspect.Row) cell {
	switch {
	case r.Converted:
		return cell{text: "converted", colour: green}
	case r.HoldOut:
		return cell{text: "held out", colour: grey}
	case r.Current:
		return cell{text: "PQL", colour: green}
	}
	return plain("-")
}

// dayOf is a time to the minute, in UTC.
func dayOf(ms *int64) string {
	if ms == nil || *ms == 0 {
		return "-"
	}
	return time.UnixMilli(*ms).UTC().Format("2006-01-02 15:04")
}

var agoForm = regexp.MustCompile(`^([1-9][0-9]{0,5})([mhdw])$`)

// momentOf reads a point in time, in ms since the Unix epoch, 0 for none; or so long before now.
func momentOf(flag, text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if m := agoForm.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
		return now.Add(-time.Duration(n) * unit).UnixMilli(), nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, misused("--%s %s: it is a time such as 2025-03-01 or 2025-03-01T12:00:00Z, or so long ago: 90m, 36h, 7d, 4w", flag, text)
}

// fromChecklist are names that the checklist of the settings has; none while either is not valid.
func fromChecklist(s *settings, names func(*checklist.Checklist) []string) []string {
	return fromSettings(s, func(c *config.Config) []string {
		list, err := app.LoadChecklist(c.Checklist)
		if err != nil {
			return nil
		}
		return names(list)
	})
}
