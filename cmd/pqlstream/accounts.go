package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func newAccounts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "Look at accounts",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newAccountsShow())
	return cmd
}

// accountsFlags are the flags of `pqlstream accounts show`.
type accountsFlags struct {
	settings
	output  string
	timeout time.Duration
}

func newAccountsShow() *cobra.Command {
	var f accountsFlags
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Explain one account: whether it is a PQL and why, what is missing, what to do, what happened",
		Long: `Reads the account's state from Redis and explains it by the checklist of the settings: whether it is a PQL, which steps
are done, when and by whom, what is missing, what the playbook advises, who is active, and what happened before.

It needs the settings of the processes that run, because they say whose state is which. While the copy in Redis is being
filled again it says "not ready".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.show(cmd, args[0]) },
	}
	f.addTo(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka and Redis may take")
	return cmd
}

func (f *accountsFlags) show(cmd *cobra.Command, id string) error {
	write, err := accountWriter(f.output)
	if err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	log, err := telemetry.NewLogger(c.Log, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	accounts, err := app.OpenAccounts(ctx, c, log)
	if err != nil {
		return err
	}
	defer accounts.Close()
	v, err := accounts.Get(ctx, id, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	return write(cmd.OutOrStdout(), &v)
}

func accountWriter(format string) (func(io.Writer, *account.View) error, error) {
	switch format {
	case "text":
		return func(w io.Writer, v *account.View) error {
			_, err := io.WriteString(w, v.Describe())
			return err
		}, nil
	case "json":
		return func(w io.Writer, v *account.View) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(newAccountJSON(v))
		}, nil
	}
	return nil, fmt.Errorf("--output %s: it is text or json", format)
}

// accountJSON is an account for programs. Names and meanings are those of schemas/pql_event.avsc where it has them.
type accountJSON struct {
	AccountID     string         `json:"account_id"`
	Current       bool           `json:"current"`
	Converted     bool           `json:"converted"`
	Escalated     bool           `json:"escalated"`
	Excluded      bool           `json:"excluded"`
	Tier          string         `json:"tier"`
	Rate          float64        `json:"rate"`
	Threshold     float64        `json:"threshold"`
	SignedUpAt    *int64         `json:"signed_up_at"`
	QualifiedAt   *int64         `json:"qualified_at"`
	Properties    map[string]any `json:"account_properties"`
	Checklist     checklistJSON  `json:"checklist"`
	StepsDone     []stepJSON     `json:"steps_done"`
	StepsMissing  []missingJSON  `json:"steps_missing"`
	Playbook      *playbookJSON  `json:"playbook"`
	Users         []userJSON     `json:"users"`
	ActiveUsers7d int            `json:"active_users_7d"`
	SingleUser    bool           `json:"single_user"`
	History       []momentJSON   `json:"history"`
}

type checklistJSON struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

type stepJSON struct {
	ID        string  `json:"id"`
	DoneAt    int64   `json:"done_at"`
	UserID    string  `json:"user_id"`
	EventID   string  `json:"event_id"`
	Topic     string  `json:"source_topic"`
	Partition int32   `json:"source_partition"`
	Offset    int64   `json:"source_offset"`
	Count     float64 `json:"count"`
}

type missingJSON struct {
	ID       string  `json:"id"`
	Progress float64 `json:"progress"`
	Need     string  `json:"need"`
}

type playbookJSON struct {
	Name    string `json:"name"`
	Action  string `json:"action"`
	Queue   string `json:"queue"`
	Owner   string `json:"owner"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

type userJSON struct {
	ID        string  `json:"id"`
	Events    int64   `json:"events"`
	LastSeen  int64   `json:"last_seen"`
	StepsDone int     `json:"steps_done"`
	Rate      float64 `json:"rate"`
	Activated bool    `json:"activated"`
	Role      string  `json:"role"`
}

type momentJSON struct {
	Type       string `json:"type"`
	Step       string `json:"step,omitempty"`
	OccurredAt int64  `json:"occurred_at"`
}

func newAccountJSON(v *account.View) *accountJSON {
	a := &accountJSON{
		AccountID: v.AccountID, Current: v.Current, Converted: v.Converted, Escalated: v.Escalated, Excluded: v.Excluded,
		Tier: v.Tier, Rate: v.Rate, Threshold: v.Threshold, SignedUpAt: orNull(v.SignedUpAt), QualifiedAt: orNull(v.QualifiedAt),
		Properties: map[string]any{}, Checklist: checklistJSON(v.Checklist),
		StepsDone: []stepJSON{}, StepsMissing: []missingJSON{}, Users: []userJSON{}, History: []momentJSON{},
		ActiveUsers7d: v.ActiveUsers7d, SingleUser: v.SingleUser,
	}
	if v.Playbook.Name != "" {
		p := playbookJSON(v.Playbook)
		a.Playbook = &p
	}
	for _, p := range v.Properties {
		a.Properties[p.Key] = plain(p.Value)
	}
	for _, s := range v.StepsDone {
		a.StepsDone = append(a.StepsDone, stepJSON{s.Step, s.DoneAt, s.UserID, s.EventID, s.Position.Topic, s.Position.Partition, s.Position.Offset, s.Count})
	}
	for _, m := range v.StepsMissing {
		a.StepsMissing = append(a.StepsMissing, missingJSON{m.Step, m.Progress, m.Need})
	}
	for _, u := range v.Users {
		a.Users = append(a.Users, userJSON(u))
	}
	for _, m := range v.History {
		a.History = append(a.History, momentJSON{string(m.Type), m.Step, m.OccurredAt})
	}
	return a
}

// orNull is nil for a time that is not known.
func orNull(ms int64) *int64 {
	if ms == 0 {
		return nil
	}
	return &ms
}

func plain(v usage.Value) any {
	switch v.Kind() {
	case usage.Bool:
		return v.Bool()
	case usage.Long:
		return v.Long()
	case usage.Double:
		return v.Double()
	case usage.String:
		return v.Str()
	}
	return nil
}
