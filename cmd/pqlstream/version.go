package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version string

func newVersion() *cobra.Command {
	var told output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Example: `  pqlstream version
  pqlstream version -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := built{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return told.write(cmd.OutOrStdout(), b, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "pqlstream %s (%s, %s)\n", b.Version, b.Go, b.Platform)
				return err
			})
		},
	}
	told.addTo(cmd)
	return cmd
}

// built is what the program was built from, and for what.
type built struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildVersion is the version of the running program.
func buildVersion() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, info)
}

// versionOf is the stamped version, or else what Go recorded: the module's version, or the commit it was built from.
func versionOf(stamped string, info *debug.BuildInfo) string {
	if stamped != "" {
		return stamped
	}
	if info == nil {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	if commit == "" {
		return "unknown"
	}
	return "commit " + commit + changed
}
