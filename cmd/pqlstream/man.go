package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write a manual page of each command into a folder",
		Long: `Writes a manual page (section 1) of each command into a folder, which is made where there is none. The same build writes the
same pages.`,
		Example: `  pqlstream man share/man/man1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			info, _ := debug.ReadBuildInfo()
			root := newRoot(io.Discard, io.Discard)
			root.DisableAutoGenTag = true
			date := builtAt(info)
			header := &doc.GenManHeader{Title: "PQLSTREAM", Section: "1", Source: "pqlstream " + versionOf(version, info), Manual: "pqlstream", Date: &date}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("writing manual pages: %w", err)
			}
			return nil
		},
	}
}

// builtAt is the time of the commit that the program was built from, or else one that never changes.
func builtAt(info *debug.BuildInfo) time.Time {
	if info != nil {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return time.Unix(0, 0).UTC()
}
