package scenario

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is what came of one file.
type Report struct {
	File    string
	Err     error // the file could not be read
	Results []*Result
	Took    []time.Duration // each of the results
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes what came of some files as JUnit XML: a suite for each file, a case for each scenario, times in
// seconds.
func WriteJUnit(w io.Writer, reports []Report) error {
	var all junitSuites
	for i := range reports {
		all.Suites = append(all.Suites, reports[i].suite())
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *Report) suite() junitSuite {
	s := junitSuite{Name: r.File}
	if r.Err != nil {
		s.Errors = 1
		s.Cases = append(s.Cases, junitCase{
			Name: r.File, Class: r.File, File: r.File, Time: seconds(0),
			Error: &junitProblem{"the file is not valid", r.Err.Error()},
		})
	}
	var total time.Duration
	for i, result := range r.Results {
		c := junitCase{
			Name: result.Scenario.Name, Class: r.File, File: r.File, Line: result.Scenario.Line, Time: seconds(r.Took[i]),
		}
		switch {
		case result.Err != nil:
			s.Errors++
			c.Error = &junitProblem{"the scenario could not be run", result.Err.Error()}
		case !result.Passed():
			s.Failures++
			c.Failure = &junitProblem{"something else came than the scenario says", result.text()}
		}
		s.Cases = append(s.Cases, c)
		total += r.Took[i]
	}
	s.Tests, s.Time = len(s.Cases), seconds(total)
	return s
}

// text is the scenario's Diff.
func (r *Result) text() string {
	var b strings.Builder
	for _, line := range r.Diff() {
		b.WriteString(line.String() + "\n")
	}
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
