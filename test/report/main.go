// Command report turns the stream of `go test -json` into what a person reads: a line a package, the whole output of
// what failed, and at the end everything that was skipped, with the remedies.
//
// It exits 1 when a test failed, when none ran, and, where CI is set, when anything was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	also := flag.String("also-skipped", "", "`file` with a line for each thing that was skipped before the tests")
	flag.Parse()
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if *also != "" {
		b, err := os.ReadFile(*also)
		if err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			os.Exit(1)
		}
		r.skipped = append(lines(string(b)), r.skipped...)
	}
	if !r.close(os.Getenv("CI") != "") {
		os.Exit(1)
	}
}

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type testID struct{ pkg, test string }

type report struct {
	w              io.Writer
	output         map[testID]*strings.Builder // of the tests that run
	passed, failed int                         // tests, without their subtests
	broken         bool                        // a package failed, be it without a failing test
	skipped        []string
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: map[testID]*strings.Builder{}}
}

// read reports on the events as they come. Lines that are no events pass through.
func (r *report) read(in io.Reader) error {
	buffered := bufio.NewReader(in) // lines may be longer than a Scanner takes
	for {
		line, err := buffered.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			r.add(e)
		} else {
			r.print(string(line))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the test events: %w", err)
		}
	}
}

func (r *report) add(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "output":
		if e.Test == "" {
			r.addPackageOutput(e.Output)
			return
		}
		if r.output[id] == nil {
			r.output[id] = &strings.Builder{}
		}
		r.output[id].WriteString(e.Output)
	case "build-output":
		r.print(e.Output)
	case "pass", "fail", "skip":
		r.end(id, e.Action)
	}
}

// addPackageOutput prints what a package says, but for the word that repeats its last line.
func (r *report) addPackageOutput(out string) {
	if out != "PASS\n" {
		r.print(out)
	}
}

// end counts a test or closes a package.
func (r *report) end(id testID, action string) {
	if id.test == "" {
		r.broken = r.broken || action == "fail"
		r.flush(id.pkg)
		return
	}
	out := ""
	if b := r.output[id]; b != nil {
		out = b.String()
		delete(r.output, id)
	}
	whole := !strings.Contains(id.test, "/")
	switch action {
	case "skip":
		r.skipped = append(r.skipped, id.pkg+" "+id.test+": "+reason(out))
	case "fail":
		r.print(out)
		if whole {
			r.failed++
		}
	default:
		if whole {
			r.passed++
		}
	}
}

// flush prints what tests without an end have said: a panic or a time-out broke them off.
func (r *report) flush(pkg string) {
	for id, b := range r.output {
		if id.pkg == pkg {
			r.print(b.String())
			delete(r.output, id)
		}
	}
}

// close prints the summary and says whether all is well.
func (r *report) close(ci bool) bool {
	if len(r.skipped) > 0 {
		r.print("\nSKIPPED, not tested here:\n")
		for _, s := range r.skipped {
			r.print("  - " + s + "\n")
		}
		if ci {
			r.print("In CI nothing may be skipped.\n")
		}
	}
	r.print(fmt.Sprintf("\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped)))
	ran := r.passed+r.failed > 0
	return ran && r.failed == 0 && !r.broken && (!ci || len(r.skipped) == 0)
}

func (r *report) print(s string) { fmt.Fprint(r.w, s) }

// reason is what a skipped test said, on one line, without the frame that go test puts around it.
func reason(out string) string {
	var said []string
	for _, l := range lines(out) {
		if strings.HasPrefix(l, "===") || strings.HasPrefix(l, "---") {
			continue
		}
		if _, text, ok := strings.Cut(l, ".go:"); ok {
			_, l, _ = strings.Cut(text, ": ")
		}
		said = append(said, l)
	}
	return strings.Join(said, " ")
}

// lines returns the lines of s that are not blank, trimmed.
func lines(s string) []string {
	var all []string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			all = append(all, l)
		}
	}
	return all
}
