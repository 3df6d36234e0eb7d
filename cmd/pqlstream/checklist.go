package main

import "github.com/spf13/cobra"

func newChecklist() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checklist",
		Short: "Start a checklist, and look at one",
		Example: `  pqlstream checklist init
  pqlstream checklist check checklist.yaml`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newChecklistCheck(), newChecklistInit(), newChecklistSchema())
	return cmd
}
