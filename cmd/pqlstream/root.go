package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// execute runs one command line and returns the exit code. An error is written to stderr, once.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := false
	root := newRoot(stdout, stderr)
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !started && strings.Contains(cmd.Use, " ") && cmd.ValidateArgs(cmd.Flags().Args()) != nil {
		err = misused("%v: %s", err, cmd.UseLine())
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
	root.AddCommand(newAccounts(), newChecklist(), newConfig(), newDeadLetters(), newDemo(), newDoctor(), newErase(), newExplain(), newLag(), newMan(), newMetrics(), newPQLs(), newReady(), newRun(), newSchemas(),
		newSimulateCommand(), newTest(), newTop(), newTopics(), newVersion())
	root.Version = buildVersion()
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() {
			cmd.Args, cmd.RunE, cmd.SuggestionsMinimumDistance = onlyCommands, showHelp, 2
			cmd.FParseErrWhitelist.UnknownFlags = true // otherwise the flags of a command that is misspelt are complained of
		}
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultCompletionCmd() // it remembers where to write to
	exampleCompletions(root)
	completeNoFiles(root)
	return root
}

// onlyCommands refuses what is none of a command's commands.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return misused("unknown command %q for %q%s", args[0], cmd.CommandPath(), meant)
}

// showHelp is what a command does that only has other commands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
