package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/schemas"
)

func newSchemas() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schemas",
		Short: "Look at the Avro schemas of pqlstream's topics",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newSchemasExport())
	return cmd
}

func newSchemasExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write the schemas into a folder, each in a file named after its id",
		Long: `Writes the schemas of pqlstream's topics into a folder, as <id>.avsc under the ids that records carry when no schema
registry gives them others. A consumer without a registry reads the topics with them, and so does pqlstream itself: the
folder can be the setting registry.directory.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := codec.ExportSchemas(args[0]); err != nil {
				return err
			}
			for _, s := range schemas.All() {
				fmt.Fprintf(cmd.OutOrStdout(), "%d.avsc  %s\n", s.LocalID, s.Name)
			}
			return nil
		},
	}
}
