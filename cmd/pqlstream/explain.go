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
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// explainFlags are the flags of `pqlstream explain`.
type explainFlags struct {
	settings
	output  string
	timeout time.Duration
}

func newExplain() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain ACCOUNT",
		Short: "Say why an account is a PQL or not, what is missing, what to do, who is there, what happened",
		Long: `Reads the account's state from Redis and explains it by the checklist of the settings: whether it is a PQL, with the
arithmetic; the shortest way to the threshold; which steps are done, when, by whom and by which event; what is missing; what
the playbook advises; who the champion is, who is activated and who is active; and what happened before.

It needs the settings of the processes that run, because they say whose state is which. While the copy in Redis is being
filled again it says "not ready".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.explain(cmd, args[0]) },
	}
	f.addTo(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka and Redis may take")
	return cmd
}

func (f *explainFlags) explain(cmd *cobra.Command, id string) error {
	write, err := explanationWriter(f.output)
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

func explanationWriter(format string) (func(io.Writer, *account.View) error, error) {
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
			return e.Encode(inspect.NewAccount(v))
		}, nil
	}
	return nil, fmt.Errorf("--output %s: it is text or json", format)
}
