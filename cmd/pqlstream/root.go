package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// execute runs one command line and returns the exit code. An error is written to stderr, once.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := false
	root := newRoot(stdout, stderr)
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "pqlstream:", err)
	if !started {
		return exitMisused
	}
	return exitCode(err)
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "pqlstream",
		Short: "Says when the accounts of a product qualify as leads, from what they do in it",
		Long: "pqlstream reads usage events from Kafka, keeps each account's activation state, and publishes the moment an\n" +
			"account qualifies, exactly once.",
		Example: `  pqlstream demo
  pqlstream checklist init
  pqlstream run --config pqlstream.yaml
  pqlstream explain acct-00042 --config pqlstream.yaml`,
		SilenceUsage:  true, // an error is a sentence, not a page of flags
		SilenceErrors: true, // execute prints them
	}
	root.AddCommand(newAccounts(), newChecklist(), newConfig(), newDemo(), newDoctor(), newErase(), newExplain(), newLag(), newMan(), newMetrics(), newPQLs(), newReady(), newRun(), newSchemas(),
		newSimulateCommand(), newTest(), newTop(), newTopics(), newVersion())
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultCompletionCmd() // it remembers where to write to
	exampleCompletions(root)
	return root
}

// showHelp is what a command does that only has other commands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
