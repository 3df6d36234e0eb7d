package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

func newChecklistInit() *cobra.Command {
	f := initFlags{selfServed: unanswered, trial: unanswered}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Start a commented checklist, by a few questions or flags",
		Long: `Writes a checklist with comments that say what is what, from the preset that fits the product. When flags that it
needs are missing, it asks for what they leave open, on a terminal.`,
		Example: "  pqlstream checklist init\n  pqlstream checklist init --out leads.yaml --self-served 8 --signup account_created --converted subscription_started \\\n" +
			"    --step project_created --step invite_accepted --step report_run",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return err
			}
			return f.check(isTerminal(cmd.InOrStdin()))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkOutput(); err != nil {
				return err
			}
			if len(f.missing()) > 0 {
				if err := f.ask(newQuestions(cmd.InOrStdin(), cmd.OutOrStdout())); err != nil {
					return err
				}
			}
			return f.write(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.preset, "preset", "", "the `name` of the preset: simple, mid or complex, as the product is")
	flags.IntVar(&f.selfServed, "self-served", unanswered, "the `number` of the last ten sign-ups that served themselves, instead of --preset")
	flags.StringVar(&f.name, "name", "", "the checklist's `name` (default product)")
	flags.StringVar(&f.signup, "signup", "", "the `event` of a sign-up")
	flags.StringVar(&f.converted, "converted", "", "the `event` of a conversion")
	flags.IntVar(&f.trial, "trial", unanswered, "how many `days` a trial takes; without it there is none")
	flags.StringVar(&f.size, "size", "", "the sign-up's `property` that tells how many people the company has (default company_size)")
	flags.StringArrayVar(&f.steps, "step", nil, "the `event` of a key action; can be repeated")
	flags.StringVar(&f.output, "out", "", "the `file` to write, which must not exist yet (default checklist.yaml)")
	complete(cmd, "preset", func() []string { return []string{"simple", "mid", "complex"} })
	for _, numeric := range []string{"self-served", "trial"} {
		flags.Lookup(numeric).DefValue = "0" // help would name the number that stands for no answer
	}
	return cmd
}

// unanswered stands for a number that no flag gives.
const unanswered = -1

// initFlags are what a checklist is started from; an empty text or unanswered is left open.
type initFlags struct {
	preset, name, signup, converted, size, output string

	selfServed, trial int
	steps             []string
}

// check says what is wrong with the flags, or missing where nobody can be asked.
func (f *initFlags) check(canAsk bool) error {
	switch {
	case f.preset != "" && f.selfServed != unanswered:
		return misused("give either --preset or --self-served")
	case f.selfServed != unanswered && (f.selfServed < 0 || f.selfServed > 10):
		return fmt.Errorf("--self-served %d: of ten sign-ups it is 0 to 10", f.selfServed)
	case f.trial < unanswered:
		return fmt.Errorf("--trial %d: it is a number of days, or 0", f.trial)
	case slices.Contains(f.steps, ""):
		return errors.New("--step: an event has a name")
	case !canAsk && len(f.missing()) > 0:
		return fmt.Errorf("there is no terminal to ask at: give %s", strings.Join(f.missing(), ", "))
	}
	return wrong(f.starter().Check())
}

// wrong says of mistakes that no checklist comes of them.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("this makes no checklist:\n%w", err)
}

// checkOutput looks early at the file that is to be written, as far as it is known: answers must not be lost over it.
func (f *initFlags) checkOutput() error {
	path := f.output
	if path == "" && len(f.missing()) > 0 { // it will be asked for
		return nil
	}
	path = orElse(path, defaultOutput)
	if _, err := os.Lstat(path); err == nil {
		return existsAlready(path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing the checklist: %w", err)
	}
	return nil
}

func existsAlready(path string) error {
	return fmt.Errorf("%s exists already: name another file with --out", path)
}

// missing lists the flags without which there is no checklist.
func (f *initFlags) missing() (flags []string) {
	for _, needed := range []struct {
		flag  string
		given bool
	}{
		{"--preset or --self-served", f.preset != "" || f.selfServed != unanswered},
		{"--signup", f.signup != ""}, {"--converted", f.converted != ""}, {"--step", len(f.steps) > 0},
	} {
		if !needed.given {
			flags = append(flags, needed.flag)
		}
	}
	return flags
}

// starter is what the flags and answers say so far.
func (f *initFlags) starter() *checklist.Starter {
	s := &checklist.Starter{
		Name: f.name, Preset: f.preset, Signup: f.signup, Converted: f.converted, Trial: max(f.trial, 0), SizeProperty: f.size, Steps: f.steps,
	}
	if f.selfServed != unanswered {
		s.Preset = checklist.PresetFor(f.selfServed)
	}
	return s
}

// write writes the checklist to its file.
func (f *initFlags) write(out io.Writer) error {
	s := f.starter()
	s.Name = orElse(s.Name, defaultName)
	text, err := s.Definition()
	if err != nil {
		return wrong(err)
	}
	path := orElse(f.output, defaultOutput)
	if err := create(path, text); err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %s, from the preset %s; its comments say how to go on. After a change: pqlstream checklist check %s\n",
		path, s.Preset, path)
	return nil
}

// create writes a file that must not exist.
func create(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(path)
	}
	if err != nil {
		return fmt.Errorf("writing the checklist: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the checklist: %w", err)
	}
	return nil
}

const (
	defaultName   = "product"
	defaultOutput = "checklist.yaml"
)

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
