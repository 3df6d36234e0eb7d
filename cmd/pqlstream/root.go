package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/scenario"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitWrong  = 2 // the command line, the settings, the checklist or a scenario file are wrong: trying again won't help
	exitUnseen = 3 // it was asked for, and not seen done in time
)

// execute runs one command line and returns the exit code. An error is written to stderr, once.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "pqlstream:", err)
	var settings config.Problems
	var definition *checklist.Problem
	var scenarios *scenario.Problem
	if !started || errors.As(err, &settings) || errors.As(err, &definition) || errors.As(err, &scenarios) {
		return exitWrong
	}
	if _, is := errors.AsType[*app.NotDone](err); is {
		return exitUnseen
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pqlstream",
		Short: "Says when the accounts of a product qualify as leads, from what they do in it",
		Long: "pqlstream reads usage events from Kafka, keeps each account's activation state, and publishes the moment an\n" +
			"account qualifies, exactly once.",
		SilenceUsage:  true, // an error is a sentence, not a page of flags
		SilenceErrors: true, // execute prints them
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newChecklist(), newConfig(), newDemo(), newErase(), newExplain(), newMetrics(), newRun(), newSchemas(), newSimulateCommand(), newTest(), newTopics(), newVersion())
	return root
}

// showHelp is what a command does that only has other commands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
