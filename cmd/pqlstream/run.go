package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

func newRun() *cobra.Command {
	var s settings
	var printReady bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the stages of the settings until told to stop",
		Long: `Run the stages that the settings name, until SIGTERM or SIGINT: then the process commits what it has folded, leaves
its group and exits with 0. A second signal ends it at once, which loses nothing either: the work since the last commit is
done again by whoever takes over.

Kafka, Redis or a schema registry that is out of reach is waited for, at the start as later; /readyz says for which. What
waiting doesn't help against is refused with a sentence that names the remedy.`,
		Example: `  pqlstream run --config pqlstream.yaml
  PQLSTREAM_KAFKA_BROKERS=kafka:9092 pqlstream run -c pqlstream.yaml --set stages=ingest,activation`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			log, err := telemetry.NewLogger(c.Log, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := app.LimitMemory(c, log); err != nil {
				return err
			}
			options := []app.Option{app.Version(buildVersion())}
			if printReady {
				options = append(options, app.OnReady(func() { fmt.Fprintln(cmd.OutOrStdout(), "READY") }))
			}
			defer context.AfterFunc(cmd.Context(), func() { log.Info("stopping, after a last commit") })()
			if err := app.Run(cmd.Context(), c, log, options...); err != nil {
				return err
			}
			log.Info("stopped")
			return nil
		},
	}
	s.addTo(cmd)
	cmd.Flags().BoolVar(&printReady, "print-ready", false, "print READY on the standard output when ready for the first time")
	return cmd
}
