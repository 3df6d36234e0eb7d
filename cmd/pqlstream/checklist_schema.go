package main

import (
	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

func newChecklistSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of checklists, by which editors complete and check them",
		Long: `Prints a JSON Schema (draft 2020-12) of the checklist file. Save it beside the checklist:

  pqlstream checklist schema > checklist.schema.json

Editors with the YAML language server (VS Code, Neovim, IntelliJ and others) use it when the checklist says

  # yaml-language-server: $schema=checklist.schema.json`,
		Example: `  pqlstream checklist schema > checklist.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := checklist.JSONSchema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
