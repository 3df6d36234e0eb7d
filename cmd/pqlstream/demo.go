package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app/demo"
)

func newDemo() *cobra.Command {
	o := demo.Options{}
	epoch, noBrowser, verbose := "", false, false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole pipeline on sample data, without any service",
		Long: `Runs an embedded Kafka and Redis and the pipeline as in production over the sample data of a believable product, prints
the leads as they happen, the metrics, and who qualified, why, and what to do next. It needs no network.

On a terminal it then goes on until Ctrl-C: the product is used on, and the page shows what comes of that, at an address of this machine that it prints
and opens in the browser. Elsewhere it ends.

The data ends now. With --epoch it lies where it is told to, and the same seed and sizes give the same output.`,
		Example: `  pqlstream demo
  pqlstream demo --accounts 1000 --days 90 --seed 7 --epoch 2025-06-02 --no-browser`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Accounts < 1 || o.Days < 1 {
				return misused("--accounts and --days must be 1 or more")
			}
			if epoch != "" {
				var err error
				if o.Epoch, err = time.Parse(time.DateOnly, epoch); err != nil || o.Epoch.After(time.Now()) {
					return misused("--epoch %s: it is a day of the past, such as 2025-06-02", epoch)
				}
			}
			o.Out, o.Style, o.Log = cmd.OutOrStdout(), styleOf(cmd.OutOrStdout(), os.Getenv), slog.New(slog.DiscardHandler)
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			}
			info, _ := debug.ReadBuildInfo()
			o.Version = versionOf(version, info)
			o.Live = isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout())
			if browse := browser(runtime.GOOS, os.Getenv); browse != nil && !noBrowser {
				o.Watch = func(page string) {
					if err := browse(cmd.Context(), page); err != nil {
						fmt.Fprintf(cmd.ErrOrStderr(), "pqlstream: opening the browser: %v\n", err)
					}
				}
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the data")
	flags.IntVar(&o.Accounts, "accounts", 400, "number of accounts")
	flags.IntVar(&o.Days, "days", 180, "days that the data spans, at most 365")
	flags.StringVar(&epoch, "epoch", "", "`day` that the data begins on, such as 2025-06-02 (default: --days ago)")
	flags.StringVar(&o.Dir, "dir", "", "`folder` that keeps Kafka's data; a later demo shows what is there")
	flags.BoolVar(&noBrowser, "no-browser", false, "do not open the page in the browser")
	flags.BoolVar(&verbose, "verbose", false, "write the pipeline's log to the standard error")
	return cmd
}
