package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// complete has a flag of a command completed by the values that it can have.
func complete(cmd *cobra.Command, flag string, values func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(fmt.Sprintf("%s --%s: %v", cmd.Name(), flag, err)) // the flag is not there, or has its values already
	}
}

// completeSettings completes --set by the settings that it can set.
func completeSettings(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("set", func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
		for _, s := range config.Settings() {
			if s.Env != "" {
				names = append(names, s.Path+"=")
			}
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(fmt.Sprintf("%s --set: %v", cmd.Name(), err))
	}
}

// fromSettings are values that the settings have; none while those are not valid.
func fromSettings(s *settings, values func(*config.Config) []string) []string {
	c, err := s.load()
	if err != nil {
		return nil
	}
	return values(c)
}

// takesFiles is how the line of a command says that its arguments are files.
var takesFiles = regexp.MustCompile(`\b(FILE|DIR|PATH)\b`)

// completeNoFiles has files offered as arguments only to commands that take some.
func completeNoFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && !takesFiles.MatchString(cmd.Use) {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		completeNoFiles(sub)
	}
}

// exampleCompletions gives the library's own commands examples as others have.
func exampleCompletions(root *cobra.Command) {
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil || cmd == root {
		panic("the library makes no command for completion")
	}
	cmd.Example = "  source <(pqlstream completion bash)"
	for _, shell := range cmd.Commands() {
		shell.Example = "  pqlstream completion " + shell.Name() + " > completions." + shell.Name()
	}
}
