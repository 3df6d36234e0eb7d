package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/config"
)

// eraseFlags are the flags of `pqlstream erase`.
type eraseFlags struct {
	settings
	output   output
	yes      bool
	noWait   bool
	timeout  time.Duration
	accounts []string // of a user
}

func newErase() *cobra.Command {
	var f eraseFlags
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Forget an account or a user, and say what Kafka still holds and until when",
		Long: `Asks the processes of the deployment to forget an account or a user, waits until they have, and says what was removed where,
what Kafka's retention still holds, and until when. It needs the settings of the processes that run, with the ingest stage;
it can run anywhere. docs/identity.md says what is removed and what is not.

It exits with 0 when all is done, and with 7 when it was asked for but not seen done within --timeout: it will be done all
the same, as soon as the processes that run those stages get there. Asking again does no harm.`,
		Example: `  pqlstream erase account acct-00017 --config pqlstream.yaml
  pqlstream erase user acct-00021-u01 -c pqlstream.yaml --yes -o json`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	f.addTo(cmd)
	flags := cmd.PersistentFlags()
	f.output.addToAll(cmd)
	flags.BoolVar(&f.yes, "yes", false, "don't ask whether it is meant")
	flags.BoolVar(&f.noWait, "no-wait", false, "don't wait until it is done")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long to wait until it is done, and how long Kafka may take to answer")
	cmd.AddCommand(newEraseAccount(&f), newEraseUser(&f))
	return cmd
}

func newEraseAccount(f *eraseFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "account ID",
		Short: "Forget everything about an account, and about those that were merged with it",
		Example: `  pqlstream erase account acct-00017 --config pqlstream.yaml
  pqlstream erase account acct-00017 -c pqlstream.yaml --yes --timeout 5m -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.erase(cmd, func(ctx context.Context, e *app.Eraser) (*app.Erasure, error) { return e.FindAccount(ctx, args[0]) })
		},
	}
}

func newEraseUser(f *eraseFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user ID",
		Short: "Forget a user in all accounts",
		Long: `Reads the states of all accounts, and asks those that know the user, by what they keep of users and as evidence, to forget them; and
the stage that finds the accounts of users, where it is in use. Of a step done, and of a count that does not tell users apart,
what the user did stays, and nothing says whose it was. An account that only counts so does not know the user: name it with
--account if its facts are to say that they are partly erased.`,
		Example: `  pqlstream erase user acct-00021-u01 --config pqlstream.yaml
  pqlstream erase user acct-00021-u01 --account acct-00021 -c pqlstream.yaml --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.erase(cmd, func(ctx context.Context, e *app.Eraser) (*app.Erasure, error) {
				return e.FindUser(ctx, args[0], f.accounts)
			})
		},
	}
	cmd.Flags().StringArrayVar(&f.accounts, "account", nil, "an `account` that is asked as well; can be repeated")
	return cmd
}

// finding finds what is to be erased.
type finding func(context.Context, *app.Eraser) (*app.Erasure, error)

func (f *eraseFlags) erase(cmd *cobra.Command, find finding) error {
	if !f.yes && !isTerminal(cmd.InOrStdin()) {
		return misused("--yes: erasing can't be undone, and here is nobody to ask whether it is meant: run it on a terminal, or give --yes")
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	log, err := quietLog(c, cmd)
	if err != nil {
		return err
	}
	e, err := f.open(cmd.Context(), c, log)
	if err != nil {
		return err
	}
	defer e.Close()
	x, err := find(cmd.Context(), e)
	if err != nil {
		return err
	}
	if !f.yes {
		if err := confirm(x, newQuestions(cmd.InOrStdin(), cmd.ErrOrStderr())); err != nil {
			return err
		}
	}
	unseen := f.ask(cmd, x)
	if _, is := errors.AsType[*app.NotDone](unseen); unseen != nil && !is {
		return unseen
	}
	// What was asked for is reported also after a signal.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), reportTimeout)
	defer cancel()
	report, err := x.Report(ctx)
	if err == nil {
		err = f.output.write(cmd.OutOrStdout(), report, func(w io.Writer) error { return writeErasure(w, report) })
	}
	return errors.Join(unseen, err)
}

// reportTimeout is how long Kafka may take to tell what it holds.
const reportTimeout = 30 * time.Second

func (f *eraseFlags) open(ctx context.Context, c *config.Config, log *slog.Logger) (*app.Eraser, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return app.OpenEraser(ctx, c, log)
}

// ask asks for an erasure and waits for it. *app.NotDone.
func (f *eraseFlags) ask(cmd *cobra.Command, x *app.Erasure) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	if err := x.Ask(ctx); err != nil || f.noWait {
		return err
	}
	erasing := progressOn(cmd.ErrOrStderr(), "erased")
	defer erasing.end()
	return x.Await(ctx, erasing.at)
}
