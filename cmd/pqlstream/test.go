package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/scenario"
)

// testFlags are the flags of `pqlstream test`.
type testFlags struct {
	update  bool
	junit   string
	run     string
	verbose bool
}

func newTest() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run scenario files: what happens to accounts, and what a checklist must make of it",
		Long: `Runs scenario files, and those in folders and below whose names end with .scenario. Each holds a checklist or names one,
says what happens to some accounts, and what must come of it: docs/scenarios.md. Where something else came, the
scenario's lines are shown with - before what was expected and + before what came.

It connects to nothing, and runs a year of an account's life in no time. It exits with 1 when a scenario fails and with 3
when a file or its checklist can't be read or is not valid.`,
		Example: `  pqlstream test checklists/
  pqlstream test --update checklists/signup.scenario
  pqlstream test --junit build/scenarios.xml --run 'trial' checklists/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.test(cmd.OutOrStdout(), args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.update, "update", false, "write into the files what came: all => lines, and the values in check and metric lines")
	flags.StringVar(&f.junit, "junit", "", "file to write the results to as JUnit XML")
	flags.StringVar(&f.run, "run", "", "run only the scenarios whose names a regular expression matches")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "list the scenarios that pass, too")
	return cmd
}

func (f *testFlags) test(out io.Writer, paths []string) error {
	chosen, err := regexp.Compile(f.run)
	if err != nil {
		return fmt.Errorf("--run %s: %w", f.run, err)
	}
	var files scenarioFiles
	for _, path := range paths {
		if err := files.add(path); err != nil {
			return err
		}
	}
	s := suite{testFlags: f, chosen: chosen, out: out, paint: paintOn(out)}
	for _, problem := range files.unread {
		s.refuse(problem.File, problem)
	}
	for _, name := range files.names {
		s.file(name)
	}
	if f.junit != "" {
		if err := s.writeJUnit(); err != nil {
			return fmt.Errorf("writing the results to %s: %w", f.junit, err)
		}
	}
	return s.conclude()
}

// suite is one run of `pqlstream test`.
type suite struct {
	*testFlags
	paint
	chosen *regexp.Regexp
	out    io.Writer

	reports     []scenario.Report
	ran, failed int
	broken      []error // what is wrong with files
}

// refuse notes that nothing of a file, or folder, can be run.
func (s *suite) refuse(name string, err error) {
	s.reports = append(s.reports, scenario.Report{File: name, Err: err})
	s.notValid(err)
}

// file runs, and with --update rewrites, one file.
func (s *suite) file(name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		s.refuse(name, unreadable(name, "file", err))
		return
	}
	file, err := scenario.Parse(filepath.ToSlash(name), text, os.ReadFile)
	if err != nil {
		s.refuse(name, err)
		return
	}
	report := scenario.Report{File: name}
	for _, sc := range file.Scenarios {
		if !s.chosen.MatchString(sc.Name) {
			continue
		}
		start := time.Now()
		r := file.Run(sc)
		report.Results, report.Took = append(report.Results, r), append(report.Took, time.Since(start))
		s.tell(name, r)
	}
	s.reports = append(s.reports, report)
	if s.update {
		s.write(name, text, file.Update(report.Results))
	}
}

func (s *suite) write(name string, before, updated []byte) {
	if bytes.Equal(before, updated) {
		return
	}
	if err := os.WriteFile(name, updated, 0o644); err != nil { // it exists: its mode stays
		s.broken = append(s.broken, fmt.Errorf("updating a scenario file: %w", err))
		return
	}
	fmt.Fprintln(s.out, "updated", name)
}

// notValid notes what is wrong with a file; a checklist that several name is wrong once.
func (s *suite) notValid(err error) {
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, e := range joined.Unwrap() {
			s.notValid(e)
		}
		return
	}
	if !slices.ContainsFunc(s.broken, func(e error) bool { return e.Error() == err.Error() }) {
		s.broken = append(s.broken, err)
	}
}

// tell says what came of a scenario.
func (s *suite) tell(file string, r *scenario.Result) {
	s.ran++
	place := fmt.Sprintf("%s:%d: %s", file, r.Scenario.Line, r.Scenario.Name)
	switch {
	case r.Err != nil:
		s.failed++
		fmt.Fprintf(s.out, "%s %s\n     %v\n", s.colour(red, "FAIL"), place, r.Err)
	case r.Passed():
		if s.verbose {
			fmt.Fprintf(s.out, "%s   %s\n", s.colour(green, "ok"), place)
		}
	case !s.update:
		s.failed++
		fmt.Fprintf(s.out, "%s %s\n", s.colour(red, "FAIL"), place)
		for _, line := range r.Diff() {
			fmt.Fprintln(s.out, s.coloursOf(line))
		}
		fmt.Fprintln(s.out)
	}
}

func (s *suite) coloursOf(line scenario.DiffLine) string {
	switch line.Mark {
	case scenario.Expected:
		return s.colour(red, line.String())
	case scenario.Got:
		return s.colour(green, line.String())
	}
	return line.String()
}

// conclude sums up, and returns what went wrong.
func (s *suite) conclude() error {
	files := 0
	for i := range s.reports {
		if len(s.reports[i].Results) > 0 {
			files++
		}
	}
	in := fmt.Sprintf("%s in %s", plural(s.ran, "scenario"), plural(files, "file"))
	var failed error
	switch {
	case s.failed > 0:
		failed = fmt.Errorf("%d of %s failed", s.failed, in)
	case s.ran == 0 && len(s.broken) == 0:
		failed = fmt.Errorf("no scenario's name matches --run %s", s.run)
	case s.ran > 0:
		fmt.Fprintf(s.out, "%s   %s\n", s.colour(green, "ok"), in)
	}
	return errors.Join(append(s.broken, failed)...)
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (s *suite) writeJUnit() (err error) {
	f, err := os.Create(s.junit)
	if err != nil {
		return err
	}
	return errors.Join(scenario.WriteJUnit(f, s.reports), f.Close())
}
