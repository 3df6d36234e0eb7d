package checklist

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// checkScalars complains about an expression that looks for something in a property of an event. Each is a text, a number or
// a boolean, whatever it was made of, so that would never be true.
func checkScalars(checked *ast.AST) error {
	var errs []error
	for _, properties := range ast.MatchDescendants(ast.NavigateAST(checked), isVariable) {
		if variableName(properties) != eventProperties.name {
			continue
		}
		value, name, isValue := entryOf(properties)
		if !isValue {
			continue
		}
		at, inside := lookedInto(value)
		if !inside {
			continue
		}
		place := checked.SourceInfo().GetStartLocation(at.ID())
		remedy := "nothing can be looked for in it"
		if path := pathFrom(value, name); name != "" && path != name {
			remedy = fmt.Sprintf("a property whose name has dots is written properties[%q]", path)
		}
		errs = append(errs, fmt.Errorf("line %d, column %d: a property is a single text, number or boolean: %s", place.Line(), place.Column()+1,
			remedy))
	}
	return errors.Join(errs...)
}

// entryOf returns what is read of a map or a value like one where it stands, and its name if that is written.
func entryOf(of ast.NavigableExpr) (entry ast.NavigableExpr, name string, is bool) {
	in, has := of.Parent()
	switch {
	case !has:
	case in.Kind() == ast.SelectKind:
		return in, in.AsSelect().FieldName(), true
	case in.Kind() == ast.CallKind && in.AsCall().FunctionName() == operators.Index && in.AsCall().Args()[0].ID() == of.ID():
		name, _ = literalText(in.AsCall().Args()[1])
		return in, name, true
	}
	return nil, "", false
}

// lookedInto returns where something is looked for in a value.
func lookedInto(value ast.NavigableExpr) (at ast.NavigableExpr, is bool) {
	in, has := value.Parent()
	switch {
	case !has:
	case in.Kind() == ast.SelectKind:
		return in, true
	case in.Kind() == ast.ComprehensionKind:
		return in, in.AsComprehension().IterRange().ID() == value.ID()
	case in.Kind() == ast.CallKind && in.AsCall().FunctionName() == operators.Index:
		return in, in.AsCall().Args()[0].ID() == value.ID()
	case in.Kind() == ast.CallKind && in.AsCall().FunctionName() == operators.In:
		return in, in.AsCall().Args()[1].ID() == value.ID()
	}
	return nil, false
}

// pathFrom is a property's name with the names that are looked for in it, joined by dots.
func pathFrom(value ast.NavigableExpr, name string) string {
	for {
		entry, more, is := entryOf(value)
		if !is || more == "" {
			return name
		}
		value, name = entry, name+"."+more
	}
}
