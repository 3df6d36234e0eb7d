package checklist

import (
	"errors"
	"fmt"
	"maps"
	"regexp"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

// explained lists all that is wrong with an expression, each with its line and column counted from 1. To a name that there is not it adds
// where the language has such names.
func (l *language[S]) explained(text string, issues *cel.Issues) error {
	var errs []error
	for _, e := range issues.Errors() {
		errs = append(errs, fmt.Errorf("line %d, column %d: %s%s", e.Location.Line(), max(e.Location.Column(), 0)+1, e.Message, l.remedy(text, e.Message)))
	}
	return errors.Join(errs...)
}

// What CEL says of names that there are not; where it knows one that is near it adds that, and the first does not match.
var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']+)'$`)
	undefined  = regexp.MustCompile(`^undefined field '([^']+)'$`) // of account: nothing else has fields
)

func (l *language[S]) remedy(text, message string) string {
	if found := undefined.FindStringSubmatch(message); found != nil {
		if near := spelling.Nearest(found[1], maps.Keys(l.fields)); near != "" {
			return "; did you mean account." + near + "?"
		}
		return "; declare it under properties"
	}
	if found := undeclared.FindStringSubmatch(message); found != nil && l.namesVariable(text, found[1]) {
		if id := l.dashed(text, found[1]); id != "" {
			return fmt.Sprintf("; did you mean %s[%q]?", l.table.name, id)
		}
		return l.meantBy(found[1])
	}
	return ""
}

// namesVariable says whether an expression has a variable of a name: functions that there are not are told of in the same words.
func (l *language[S]) namesVariable(text, name string) bool {
	parsed, issues := l.Parse(text)
	return issues.Err() == nil && len(ast.MatchDescendants(ast.NavigateAST(parsed.NativeRep()), func(e ast.NavigableExpr) bool {
		return variableName(e) == name
	})) > 0
}

// dashed returns the entry of the table whose name, written after a dot, reads as a subtraction of a variable; empty: it is none.
func (l *language[S]) dashed(text, variable string) string {
	for _, found := range regexp.MustCompile(`\b`+l.table.name+`\.([\w.-]+-`+variable+`)\b`).FindAllStringSubmatch(text, -1) {
		if l.table.name == stepsVariable && l.table.entry(found[1]) != nil {
			return found[1]
		}
	}
	return ""
}

// meantBy says what a variable may stand for that there is not.
func (l *language[S]) meantBy(name string) string {
	_, declared := l.fields[name]
	inTable := l.table.entry != nil && l.table.entry(name) != nil
	switch {
	case name == eventProperties.name:
		return "; no event is read here, use account.NAME, declared under properties"
	case inTable && declared:
		return fmt.Sprintf("; did you mean %s.%s or account.%s?", l.table.name, name, name)
	case declared:
		return fmt.Sprintf("; did you mean account.%s?", name)
	case inTable && l.table.name == eventProperties.name:
		return fmt.Sprintf("; did you mean properties.%s? Or account.%s: declare it under properties", name, name)
	case inTable:
		return fmt.Sprintf("; did you mean %s.%s?", l.table.name, name)
	}
	return fmt.Sprintf("; did you mean account.%s? Declare it under properties", name)
}
