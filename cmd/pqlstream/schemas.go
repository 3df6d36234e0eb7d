package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/schemas"
)

func newSchemas() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "schemas",
		Short:   "Look at the Avro schemas of pqlstream's topics",
		Example: "  pqlstream schemas export schemas/",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	cmd.AddCommand(newSchemasExport())
	return cmd
}

func newSchemasExport() *cobra.Command {
	var told output
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the schemas into a folder, each in a file named after its id",
		Long: `Writes the schemas of pqlstream's topics into a folder, as <id>.avsc under the ids that records carry when no schema
registry gives them others. A consumer without a registry reads the topics with them, and so does pqlstream itself: the
folder can be the setting registry.directory.`,
		Example: `  pqlstream schemas export schemas/
  pqlstream schemas export schemas/ -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := codec.ExportSchemas(args[0]); err != nil {
				return err
			}
			files := []exported{}
			for _, s := range schemas.All() {
				files = append(files, exported{fmt.Sprintf("%d.avsc", s.LocalID), s.Name})
			}
			return told.write(cmd.OutOrStdout(), files, func(w io.Writer) error {
				t := newTable(w, "FILE", "SCHEMA")
				for _, f := range files {
					t.add(plain(f.File), plain(f.Schema))
				}
				return t.write(w)
			})
		},
	}
	told.addTo(cmd)
	return cmd
}

// exported is a file with a schema.
type exported struct {
	File   string `json:"file"`
	Schema string `json:"schema"`
}
