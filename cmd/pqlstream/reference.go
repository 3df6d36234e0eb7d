package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test . -run TestTheReferencePageIsCurrent -update

const referenceHead = `# The command line

<!-- Made by go generate ./cmd/pqlstream from the commands. Change those. -->

Every command has ` + "`--help`" + `, with examples. Most tell what they have to say as a table or in words; ` + "`--output json` (`-o json`) and `-o yaml`" + ` are for
programs. Colours and progress are shown on terminals only, and no colours where ` + "`NO_COLOR`" + ` is set (see no-color.org). Errors go to the
standard error, in one sentence that says what to do.

Settings come from a file (` + "`--config`" + `), from the environment, which comes before the file, and from ` + "`--set`" + `, which comes before both:
[configuration.md](configuration.md). ` + "`pqlstream config show --origin`" + ` tells where each comes from.

## Completion

    source <(pqlstream completion bash)                               # this shell; pqlstream completion bash --help says how for good
    pqlstream completion zsh > "${fpath[1]}/_pqlstream"
    pqlstream completion fish > ~/.config/fish/completions/pqlstream.fish

Names of metrics, tiers, zones, stages, presets and settings are completed, too; those that the settings have by the file that ` + "`--config`" + ` names
on the same line.

## Exit codes

| code | meaning |
|---|---|
`

// referencePage is docs/cli.md.
func referencePage(root *cobra.Command) string {
	var page strings.Builder
	page.WriteString(referenceHead)
	for code, meaning := range exitMeanings {
		fmt.Fprintf(&page, "| %d | %s |\n", code, meaning)
	}
	page.WriteString("\n## Commands\n\n| command | |\n|---|---|\n")
	all := documented(root)
	for _, cmd := range all {
		if cmd.Runnable() && !cmd.HasSubCommands() {
			fmt.Fprintf(&page, "| [`%s`](#%s) | %s |\n", cmd.CommandPath(), strings.ReplaceAll(cmd.CommandPath(), " ", "-"), cmd.Short)
		}
	}
	for _, cmd := range all {
		writeCommand(&page, cmd)
	}
	return page.String()
}

// documented are the commands below one, as help lists them.
func documented(cmd *cobra.Command) (list []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			list = append(append(list, sub), documented(sub)...)
		}
	}
	return list
}

func writeCommand(page *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(page, "\n## %s\n\n%s.\n", cmd.CommandPath(), cmd.Short)
	if cmd.Long != "" {
		fmt.Fprintf(page, "\n%s\n", cmd.Long)
	}
	fmt.Fprintf(page, "\n<!-- not run: the form of the command -->\n\n    %s\n\nFor example:\n\n", cmd.UseLine())
	for line := range strings.SplitSeq(cmd.Example, "\n") {
		fmt.Fprintf(page, "    %s\n", strings.TrimPrefix(line, "  "))
	}
	if !cmd.Runnable() || cmd.HasSubCommands() {
		return
	}
	rows := ""
	cmd.Flags().VisitAll(func(f *pflag.Flag) { rows += flagRow(f) })
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if cmd.Flags().Lookup(f.Name) == nil {
			rows += flagRow(f)
		}
	})
	if rows != "" {
		page.WriteString("\n| flag | default | |\n|---|---|---|\n" + rows)
	}
}

func flagRow(f *pflag.Flag) string {
	if f.Hidden || f.Name == "help" {
		return ""
	}
	name, usage := pflag.UnquoteUsage(f)
	flag := "--" + f.Name
	if name != "" {
		flag += " " + name
	}
	if f.Shorthand != "" {
		flag = "-" + f.Shorthand + ", " + flag
	}
	value := f.DefValue
	switch value {
	case "", "[]", "false":
		value = ""
	default:
		value = "`" + value + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", flag, value, strings.ReplaceAll(usage, "|", `\|`))
}
