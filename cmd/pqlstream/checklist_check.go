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
	"github.com/pqlstream/pqlstream/pkg/config"
)

func newChecklistCheck() *cobra.Command {
	var strict bool
	var told output
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "List what is wrong with checklists, and what is hardly meant",
		Long: `Lists every mistake of the checklists, each with its line, and warns of what is allowed but hardly meant: tiers that no
account can be in, thresholds that no number of steps makes, steps that go together, things that nothing uses.

It fails when a checklist has a mistake; with --strict also when there is something to warn of.`,
		Example: `  pqlstream checklist check checklist.yaml
  pqlstream checklist check --strict -o json checklists/a.yaml checklists/b.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			reports := []*checked{}
			wrong := 0
			for _, file := range files {
				r, err := checkChecklist(file)
				if err != nil {
					return err
				}
				if !r.Valid || strict && len(r.Findings) > 0 {
					wrong++
				}
				reports = append(reports, r)
			}
			err := told.write(cmd.OutOrStdout(), reports, func(w io.Writer) error {
				for _, r := range reports {
					r.tell(w)
				}
				return nil
			})
			if wrong == 0 || err != nil {
				return err
			}
			return &unfitChecklists{wrong, len(files), strict}
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail because of warnings too")
	told.addTo(cmd)
	return cmd
}

// unfitChecklists says how many have been found wanting.
type unfitChecklists struct {
	wrong, of int
	strict    bool
}

func (u *unfitChecklists) Error() string {
	what := "mistakes"
	if u.strict {
		what = "mistakes or warnings"
	}
	return fmt.Sprintf("%d of %d checklists have %s", u.wrong, u.of, what)
}

// checked is what there is to say about one checklist.
type checked struct {
	File       string   `json:"file"`
	Valid      bool     `json:"valid"`
	Findings   []remark `json:"findings"`
	Name       string   `json:"name,omitempty"`
	Version    int      `json:"version,omitempty"`
	Hash       string   `json:"hash,omitempty"`
	Steps      int      `json:"steps,omitempty"`
	Tiers      []string `json:"tiers,omitempty"`
	StateBound int      `json:"state_bound_bytes,omitempty"` // the most that an account's state takes
}

type remark struct {
	Severity string `json:"severity"` // error or warning
	Line     int    `json:"line"`     // 0: nowhere in particular
	Text     string `json:"text"`
}

func checkChecklist(file string) (*checked, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &config.Unreadable{Err: fmt.Errorf("reading the checklist: %w", err)}
	}
	r := &checked{File: file, Findings: []remark{}}
	definition, list, mistakes := checklist.Check(text)
	for i := range mistakes {
		r.Findings = append(r.Findings, remark{"error", mistakes[i].Line, mistakes[i].Problem.Error()})
	}
	if len(mistakes) > 0 {
		return r, nil
	}
	warnings, err := checklist.Warnings(definition, list)
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", file, err)
	}
	lines := checklist.LinesOf(text)
	for _, w := range warnings {
		r.Findings = append(r.Findings, remark{"warning", lines.Of(w.Path), w.Error()})
	}
	slices.SortStableFunc(r.Findings, func(a, b remark) int { return cmp.Compare(a.Line, b.Line) })
	r.Valid, r.Name, r.Version, r.Hash, r.Steps, r.StateBound = true, list.Name(), list.Version(), list.Hash(), len(list.Steps()), list.StateBound()
	for _, t := range list.Tiers() {
		r.Tiers = append(r.Tiers, t.Name)
	}
	return r, nil
}

// tell writes what is found as compilers do: so editors find the lines.
func (r *checked) tell(w io.Writer) {
	p := paintOn(w)
	colours := map[string]string{"error": red, "warning": yellow}
	for _, f := range r.Findings {
		at := r.File
		if f.Line > 0 {
			at += fmt.Sprintf(":%d", f.Line)
		}
		fmt.Fprintf(w, "%s: %s %s\n", at, p.colour(colours[f.Severity], f.Severity+":"), f.Text)
	}
	if r.Valid {
		fmt.Fprintf(w, "%s: %s, version %d, hash %s, steps: %d, tiers: %s, an account's state: at most %d bytes\n",
			r.File, r.Name, r.Version, r.Hash, r.Steps, strings.Join(r.Tiers, " "), r.StateBound)
	}
}
