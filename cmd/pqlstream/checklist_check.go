package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

func newChecklistCheck() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "List what is wrong with checklists, and what is hardly meant",
		Long: `Lists every mistake of the checklists, each with its line, and warns of what is allowed but hardly meant: tiers that no
account can be in, thresholds that no number of steps makes, steps that go together, things that nothing uses.

It fails when a checklist has a mistake; with --strict also when there is something to warn of.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			wrong := 0
			for _, file := range files {
				ok, err := checkChecklist(cmd.OutOrStdout(), file, strict)
				if err != nil {
					return err
				}
				if !ok {
					wrong++
				}
			}
			switch {
			case wrong == 0:
				return nil
			case strict:
				return fmt.Errorf("%d of %d checklists have mistakes or warnings", wrong, len(files))
			}
			return fmt.Errorf("%d of %d checklists have mistakes", wrong, len(files))
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail because of warnings too")
	return cmd
}

// checkChecklist writes what there is to say about one file, and whether it may stay as it is.
func checkChecklist(out io.Writer, file string, strict bool) (ok bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("reading the checklist: %w", err)
	}
	report := findings{out, file, checklist.LinesOf(text)}
	definition, list, mistakes := checklist.Check(text)
	if len(mistakes) > 0 {
		for i := range mistakes {
			report.write("error", mistakes[i].Line, &mistakes[i].Problem)
		}
		return false, nil
	}
	warnings, err := checklist.Warnings(definition, list)
	if err != nil {
		return false, fmt.Errorf("checking %s: %w", file, err)
	}
	slices.SortStableFunc(warnings, func(a, b *checklist.Problem) int {
		return cmp.Compare(report.lines.Of(a.Path), report.lines.Of(b.Path))
	})
	for _, w := range warnings {
		report.write("warning", report.lines.Of(w.Path), w)
	}
	var tiers []string
	for _, t := range list.Tiers() {
		tiers = append(tiers, t.Name)
	}
	fmt.Fprintf(out, "%s: %s, version %d, hash %s, steps: %d, tiers: %s, an account's state: at most %d bytes\n",
		file, list.Name(), list.Version(), list.Hash(), len(list.Steps()), strings.Join(tiers, " "), list.StateBound())
	return !strict || len(warnings) == 0, nil
}

// findings writes what is found in one file, as compilers do: so editors find the lines.
type findings struct {
	out   io.Writer
	file  string
	lines checklist.Lines
}

func (f *findings) write(severity string, line int, p *checklist.Problem) {
	if line == 0 {
		fmt.Fprintf(f.out, "%s: %s: %s\n", f.file, severity, p)
		return
	}
	fmt.Fprintf(f.out, "%s:%d: %s: %s\n", f.file, line, severity, p)
}
