package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/identity"
)

// Parse reads a scenario file. The checklist that it names, relative to the folder of name, is asked of read. Its error
// joins a Problem for each thing that is wrong, or says why the checklist could not be read.
func Parse(name string, data []byte, read func(path string) ([]byte, error)) (*File, error) {
	p := &parser{file: &File{
		Name: name, text: data, eol: "\n", clock: clock{defaultStart}, disorder: defaultDisorder.Milliseconds(), limits: defaultLimits,
	}, seen: map[string]bool{}, engines: map[string]*account.Engine{}, read: read}
	if len(data) > maxBytes || !utf8.Valid(data) {
		p.problem(0, "the file is over %d bytes or no UTF-8", maxBytes)
		return nil, p.err()
	}
	text := string(data)
	if isChecklist(text) {
		return nil, &Problem{File: name, Message: "this is a checklist, not a scenario file: a scenario file names it with `checklist: PATH`, " +
			"and `pqlstream checklist check` looks at it"}
	}
	if strings.Contains(text, "\r\n") {
		p.file.eol, text = "\r\n", strings.ReplaceAll(text, "\r\n", "\n")
	}
	p.file.lines = strings.Split(text, "\n")
	for p.at < len(p.file.lines) {
		p.line()
	}
	p.finish()
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.file, nil
}

// isChecklist says whether a file has what every checklist and no scenario file has.
func isChecklist(text string) bool {
	return checklistKey.MatchString(text) && !scenarioKey.MatchString(text)
}

var (
	checklistKey = regexp.MustCompile(`(?m)^steps:`)
	scenarioKey  = regexp.MustCompile(`(?m)^(scenario|checklist):`)
)

// parser is one run of Parse.
type parser struct {
	file      *File
	read      func(path string) ([]byte, error)
	at        int // the index of the line being read
	problems  []*Problem
	seen      map[string]bool            // keys of the head
	scenario  *Scenario                  // the newest
	told      told                       // in the newest
	metricsAt int                        // the index of the line of the metrics' settings
	engines   map[string]*account.Engine // by the path of their checklist; nil: it is wrong
	engine    *account.Engine            // by which the next line is read; nil: its checklist is wrong, which is said
	last      *statement                 // the newest, which expectations are of; nil: there is none
	events    int                        // of the file
	ordinal   int                        // of the scenario's newest event
}

func (p *parser) problem(line int, format string, args ...any) {
	p.problems = append(p.problems, &Problem{File: p.file.Name, Line: line + 1, Message: fmt.Sprintf(format, args...)})
}

var keyed = regexp.MustCompile(`^([a-z]+):(?:[ \t]+(.*))?$`)

// line reads one line, or a checklist of several.
func (p *parser) line() {
	at, line := p.at, p.file.lines[p.at]
	p.at++
	if trimmed := strings.TrimLeft(line, " \t"); trimmed == "" || trimmed[0] == '#' {
		return
	}
	m := keyed.FindStringSubmatch(line)
	switch {
	case m != nil && m[1] == "scenario":
		p.begin(at, withoutComment(m[2]))
	case m != nil && p.scenario != nil:
		p.problem(at, "%s: belongs above the first scenario", m[1])
	case m != nil:
		p.head(at, m[1], withoutComment(m[2]))
	case p.scenario == nil:
		p.problem(at, "this belongs to a scenario: write `scenario: NAME` above it, or one of checklist:, start:, disorder:, hold:, show:, metrics:")
	default:
		p.statement(at, line)
	}
}

var comment = regexp.MustCompile(`(^|[ \t])#`)

// withoutComment returns a value without what follows a # after white space.
func withoutComment(s string) string {
	if i := comment.FindStringIndex(s); i != nil {
		s = s[:i[0]]
	}
	return strings.Trim(s, " \t")
}

func (p *parser) begin(at int, name string) {
	if name == "" {
		p.problem(at, "the scenario has no name: write `scenario: what it shows`")
	}
	for _, s := range p.file.Scenarios {
		if s.Name == name {
			p.problem(at, "the scenario at line %d has this name already", s.Line)
		}
	}
	p.end(at)
	p.scenario = &Scenario{Name: name, Line: at + 1}
	p.file.Scenarios = append(p.file.Scenarios, p.scenario)
	p.last, p.ordinal, p.told, p.engine = nil, 0, told{accounts: map[string]bool{}}, p.file.engine
}

// head reads what is said of the whole file.
func (p *parser) head(at int, key, text string) {
	if p.seen[key] {
		p.problem(at, "%s: is given twice", key)
	}
	p.seen[key] = true
	var err error
	switch key {
	case "checklist":
		p.checklist(at, text)
	case "start":
		p.file.clock.start, err = readStart(text)
	case "disorder":
		p.file.disorder, err = readLength(text)
	case "hold":
		p.file.limits, err = readLimits(text)
	case "show":
		p.file.show, err = readTypes(text)
	case "metrics":
		p.metricSettings(at, text)
	default:
		err = errors.New("is none of checklist, start, disorder, hold, show, metrics, scenario")
	}
	if err != nil {
		p.problem(at, "%s: %v", key, err)
	}
}

// checklist compiles the checklist that a path names or that follows, indented.
func (p *parser) checklist(at int, name string) {
	if name != "" {
		p.file.engine = p.named(at, name)
		return
	}
	p.file.engine = p.compile(p.file.Name, at+1, p.block(at))
}

// named compiles the checklist in a file of its own, once; nil if it is wrong.
func (p *parser) named(at int, name string) *account.Engine {
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(p.file.Name), name)
	}
	engine, known := p.engines[name]
	if known {
		return engine
	}
	data, err := p.read(name)
	if err != nil {
		p.problem(at, "reading the checklist: %v", err)
		return nil
	}
	p.engines[name] = p.compile(name, 1, data)
	return p.engines[name]
}

// compile compiles a checklist. What concerns all of it is reported at the line.
func (p *parser) compile(file string, line int, data []byte) *account.Engine {
	_, compiled, mistakes := checklist.Check(data)
	for i := range mistakes {
		p.problems = append(p.problems, &Problem{File: file, Line: cmp.Or(mistakes[i].Line, line), Message: mistakes[i].Problem.Error()})
	}
	if len(mistakes) > 0 {
		return nil
	}
	return account.NewEngine(compiled)
}

// block takes the indented lines that follow one of the head. As many lines come before them as there are in the file, so that messages
// name the file's lines.
func (p *parser) block(at int) []byte {
	for p.at < len(p.file.lines) && inBlock(p.file.lines[p.at]) {
		p.at++
	}
	return []byte(strings.Repeat("\n", at+1) + strings.Join(p.file.lines[at+1:p.at], "\n"))
}

// inBlock says whether a line can be of what is written below one of the head: indented, blank, or a comment.
func inBlock(line string) bool {
	return line == "" || line[0] == ' ' || line[0] == '\t' || line[0] == '#'
}

func readStart(text string) (time.Time, error) {
	fields := strings.Fields(text)
	zone := time.UTC
	if n := len(fields); n > 1 && !timeOfDay.MatchString(fields[n-1]) {
		var err error
		if zone, err = time.LoadLocation(fields[n-1]); err != nil || fields[n-1] == "Local" {
			return defaultStart, fmt.Errorf("%q is no time zone such as Europe/Berlin", fields[n-1])
		}
		fields = fields[:n-1]
	}
	if len(fields) == 1 {
		fields = append(fields, "00:00")
	}
	if len(fields) == 2 && calendar.MatchString(fields[0]) {
		c := clock{time.Time{}.In(zone)}
		at, used, err := c.read([]token{{raw: fields[0]}, {raw: fields[1]}})
		if err == nil && used == 2 && inRange(at) {
			return at, nil
		}
		if err != nil {
			return defaultStart, err
		}
	}
	return defaultStart, fmt.Errorf("%q is no moment such as 2026-03-02 09:00 Europe/Berlin", text)
}

// readLength reads a length of time, in ms.
func readLength(text string) (int64, error) {
	every, err := readInterval(text)
	return every.length.Milliseconds() + int64(every.days)*24*time.Hour.Milliseconds(), err
}

func readLimits(text string) (identity.Limits, error) {
	l, fields := defaultLimits, strings.Fields(text)
	if len(fields) == 0 || len(fields) > 2 {
		return l, errors.New("how long events wait is missing, or more than how many: write 72h 100")
	}
	var err error
	if l.Hold, err = readLength(fields[0]); err != nil {
		return l, err
	}
	if len(fields) == 2 {
		if l.Events, err = strconv.Atoi(fields[1]); err != nil {
			return l, fmt.Errorf("%q is no number of events such as 100", fields[1])
		}
	}
	if l.Hold < 1 || l.Events < 1 || l.Events > maxRepeat {
		return l, fmt.Errorf("events wait for some time, and 1 to %d of a user", maxRepeat)
	}
	return l, nil
}

func readTypes(text string) (map[account.Type]bool, error) {
	types := map[account.Type]bool{}
	for _, field := range strings.Fields(text) {
		t := account.Type(field)
		if !slices.Contains(transitions, t) {
			return nil, fmt.Errorf("%q is no transition; there are: %s", field, joined(transitions))
		}
		types[t] = true
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("name the transitions to compare; there are: %s", joined(transitions))
	}
	return types, nil
}

func joined[T ~string](of []T) string {
	var b strings.Builder
	for i, s := range of {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}

// inRange says whether a moment can be an event's.
func inRange(at time.Time) bool {
	return at.UnixMilli() > 0 && at.Year() < 10_000 && at.UnixMilli() < math.MaxInt64/4
}

// finish looks at what only the whole file shows.
func (p *parser) finish() {
	if !p.seen["checklist"] {
		p.problem(0, "there is no checklist: write `checklist: PATH`, or `checklist:` and the checklist's lines, indented")
	}
	if p.scenario == nil {
		p.problem(0, "there is no scenario: write `scenario: NAME` and what happens, indented")
		return
	}
	p.end(len(p.file.lines))
	p.dimensions()
	for _, s := range p.file.Scenarios {
		if len(s.statements) == 0 {
			p.problem(s.Line-1, "nothing happens in this scenario: write lines such as `+0d 09:00  acme  ana  account_created` below it")
		}
	}
}

// err joins the problems, those of a checklist in a file of its own first, in the order of the lines.
func (p *parser) err() error {
	own := func(problem *Problem) int {
		if problem.File == p.file.Name {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.problems, func(a, b *Problem) int { return cmp.Or(own(a)-own(b), a.Line-b.Line) })
	errs := make([]error, len(p.problems))
	for i, problem := range p.problems {
		errs[i] = problem
	}
	return errors.Join(errs...)
}
