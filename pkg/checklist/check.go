package checklist

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

// Mistake is a Problem with the line of the file that it stands at, counted from 1; 0: it concerns the whole file.
type Mistake struct {
	Line int
	Problem
}

// Check reads and compiles a definition, and returns all that is wrong with it, in the order of its lines: a mistake in
// the shape of one part hides neither those in other parts nor what they mean. What only follows from such a mistake is
// left out. Without mistakes the definition can be used, and so can the checklist; otherwise they are nil.
func Check(data []byte) (*Definition, *Checklist, []Mistake) {
	def, mistakes := read(data)
	if def == nil {
		return nil, nil, mistakes
	}
	list, err := Compile(def)
	lines, misshapen := LinesOf(data), mistakes
	for _, p := range problemsOf(err) {
		if !slices.ContainsFunc(misshapen, func(m Mistake) bool { return p.followsFrom(&m.Problem) }) {
			mistakes = append(mistakes, Mistake{lines.Of(p.Path), *p})
		}
	}
	if len(mistakes) > 0 {
		slices.SortStableFunc(mistakes, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
		return nil, nil, mistakes
	}
	return def, list, nil
}

// problemsOf returns what an error of Compile joins.
func problemsOf(err error) (all []*Problem) {
	if err == nil {
		return nil
	}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, e := range joined.Unwrap() {
			all = append(all, problemsOf(e)...)
		}
		return all
	}
	if p, is := errors.AsType[*Problem](err); is {
		return []*Problem{p}
	}
	return []*Problem{{Message: err.Error()}}
}

// consequences are the problems elsewhere that a mistake in the shape of one part can lead to: what is left out of it is
// missed there.
var consequences = []struct{ mistake, problem *regexp.Regexp }{
	{regexp.MustCompile(`^preset$`), regexp.MustCompile(`^tiers`)},
	{regexp.MustCompile(`^signup$`), regexp.MustCompile(`^trial\.starts$`)},
	{regexp.MustCompile(`^trial\b`), regexp.MustCompile(`^steps\[\d+\]\.(kind|day)$`)},
	{regexp.MustCompile(`^playbooks(\[\d+\](\.name)?)?$`), regexp.MustCompile(`^tiers\[\d+\]\.playbook$`)},
	{regexp.MustCompile(`^properties\b`), regexp.MustCompile(`\.(when|where|to|owner)$|^exclude\b|^properties$`)},
	{regexp.MustCompile(`^steps(\[\d+\](\.id)?)?$`), regexp.MustCompile(`^segments\b|\.refine\[|^steps\[\d+\]\.steps\[`)},
}

// followsFrom says whether a problem that Compile has found is only that a mistake's part was left out: it stands at that
// part or below, at the list that it is an entry of, beside it and speaks of it, or where a consequence of it is. Of what
// is given twice the first is read.
func (p *Problem) followsFrom(m *Problem) bool {
	if strings.HasPrefix(m.Message, repeated) {
		return false
	}
	if under(p.Path, m.Path) {
		return true
	}
	for _, c := range consequences {
		if c.mistake.MatchString(m.Path) && c.problem.MatchString(p.Path) {
			return true
		}
	}
	parent, name := divided(m.Path)
	if strings.HasPrefix(name, "[") {
		return p.Path == parent
	}
	beside, other := divided(p.Path)
	if beside != parent {
		return false
	}
	if strings.HasPrefix(m.Message, unknownField) { // the other is probably what it was meant to be
		return spelling.Nearest(name, slices.Values([]string{other})) != ""
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(p.Message)
}

// under says whether a path is another or lies below it.
func under(path, top string) bool {
	rest, is := strings.CutPrefix(path, top)
	return is && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// divided returns what holds the last field or entry of a path, and that.
func divided(path string) (parent, last string) {
	i := max(strings.LastIndexAny(path, ".["), 0)
	return path[:i], strings.TrimPrefix(path[i:], ".")
}
