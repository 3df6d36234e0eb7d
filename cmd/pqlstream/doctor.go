package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/doctor"
)

func newDoctor() *cobra.Command {
	var s settings
	var told output
	var timeout time.Duration
	strict := false
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that a deployment rests on, and say what to mend",
		Long: `Checks the settings and the checklist, Kafka (brokers, their version and features, topics, partitions, what we may do there, lag),
Redis (version, policy, disk, memory, and what the mirror will take), the schema registry, and clocks. It changes nothing.

It exits with 0 when nothing has to be mended, with 1 when something has, with --strict also because of warnings, and with 3 when
the settings are not valid.`,
		Example: `  pqlstream doctor --config pqlstream.yaml
  pqlstream doctor -c pqlstream.yaml --strict -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			report, err := app.Diagnose(cmd.Context(), c, timeout)
			if err != nil {
				return err
			}
			if err := told.write(cmd.OutOrStdout(), report, func(w io.Writer) error { return tellDiagnosis(w, report) }); err != nil {
				return err
			}
			failures, warnings := report.Count(doctor.Failure), report.Count(doctor.Warning)
			if failures > 0 || strict && warnings > 0 {
				return fmt.Errorf("to be mended: %d; warnings: %d", failures, warnings)
			}
			return nil
		},
	}
	s.addTo(cmd)
	told.addTo(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "fail because of warnings too")
	cmd.Flags().DurationVar(&timeout, "timeout", 15*time.Second, "how long each service may take")
	return cmd
}

func tellDiagnosis(w io.Writer, r *doctor.Report) error {
	p := paintOn(w)
	colours := map[doctor.Status]string{doctor.OK: green, doctor.Skipped: grey, doctor.Warning: yellow, doctor.Failure: red}
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s  %-18s %s\n", p.colour(colours[f.Status], fmt.Sprintf("%-7s", f.Status)), f.Check, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(&text, "%28s%s %s\n", "", p.colour(grey, "to do:"), f.Remedy)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
