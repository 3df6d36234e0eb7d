package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app/demo"
)

func newDemo() *cobra.Command {
	o := demo.Options{}
	verbose := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole pipeline on sample data, without any service",
		Long: `Runs an embedded Kafka and Redis and the pipeline as in production over the sample data of a believable product, prints
the leads as they happen, and ends with who qualified, why, and what to do next. It needs no network. The same seed and
sizes give the same output.`,
		Example: `  pqlstream demo
  pqlstream demo --accounts 1000 --days 90 --seed 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Accounts < 1 || o.Days < 1 {
				return misused("--accounts and --days must be 1 or more")
			}
			o.Out, o.Log = cmd.OutOrStdout(), slog.New(slog.DiscardHandler)
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the data")
	flags.IntVar(&o.Accounts, "accounts", 300, "number of accounts")
	flags.IntVar(&o.Days, "days", 60, "days that the data spans, at most 365")
	flags.StringVar(&o.Dir, "dir", "", "`folder` that keeps Kafka's data; a later demo shows what is there")
	flags.BoolVar(&verbose, "verbose", false, "write the pipeline's log to the standard error")
	return cmd
}
