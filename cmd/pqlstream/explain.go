package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/inspect"
)

// explainFlags are the flags of `pqlstream accounts show` and `pqlstream explain`, which are one.
type explainFlags struct {
	settings
	output  output
	timeout time.Duration
}

func newExplain() *cobra.Command {
	cmd := newExplanation("explain")
	cmd.Long += "\n\nIt is the same as `pqlstream accounts show`."
	return cmd
}

func newAccountsShow() *cobra.Command { return newExplanation("show") }

// newExplanation returns the command that explains an account, under a name.
func newExplanation(name string) *cobra.Command {
	var f explainFlags
	line := map[string]string{"explain": "pqlstream explain", "show": "pqlstream accounts show"}[name]
	cmd := &cobra.Command{
		Use:   name + " ACCOUNT",
		Short: "Say why an account is a PQL or not, what is missing, what to do, who is there, what happened",
		Long: `Reads the account's state from Redis and explains it by the checklist of the settings: whether it is a PQL, with the
arithmetic; the shortest way to the threshold; which steps are done, when, by whom and by which event; what is missing; what
the playbook advises; who the champion is, who is activated and who is active; and what happened before.

It needs the settings of the processes that run, because they say whose state is which. While the copy in Redis is being
filled again it says "not ready", and ends with 5.`,
		Example: "  " + line + " acct-00042 --config pqlstream.yaml\n  " + line + " acct-00042 -c pqlstream.yaml -o json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.explain(cmd, args[0]) },
	}
	f.addTo(cmd)
	f.output.addTo(cmd)
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka and Redis may take")
	return cmd
}

func (f *explainFlags) explain(cmd *cobra.Command, id string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	accounts, err := f.openAccounts(ctx, cmd)
	if err != nil {
		return err
	}
	defer accounts.Close()
	v, err := accounts.Get(ctx, id, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	return f.output.write(cmd.OutOrStdout(), inspect.NewAccount(&v), func(w io.Writer) error {
		_, err := io.WriteString(w, v.Describe())
		return err
	})
}

// openAccounts connects to the states of the accounts of a deployment. Close the result.
func (s *settings) openAccounts(ctx context.Context, cmd *cobra.Command) (*app.Accounts, error) {
	c, err := s.load()
	if err != nil {
		return nil, err
	}
	log, err := quietLog(c, cmd)
	if err != nil {
		return nil, err
	}
	return app.OpenAccounts(ctx, c, log)
}
