package checklist

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// expressions lists the definition's expressions.
func (w *warner) expressions() (texts []string) {
	moment := func(m *MomentDef) {
		if m != nil {
			texts = append(texts, m.Where)
		}
	}
	moment(w.def.Signup)
	moment(w.def.Converted)
	moment(w.def.Churned)
	if s := w.def.Sales; s != nil {
		moment(s.Accepted)
		moment(s.MeetingBooked)
		moment(s.Won)
		for _, o := range []*OutcomeDef{s.Rejected, s.Lost} {
			if o != nil {
				texts = append(texts, o.Where)
			}
		}
	}
	if t := w.def.Trial; t != nil {
		moment(t.Starts)
		moment(t.Ends)
	}
	texts = append(texts, w.def.Exclude...)
	for _, s := range w.def.Segments {
		texts = append(texts, s.When)
	}
	for _, t := range tiersWithDefaults(w.def) {
		if t.When != nil {
			texts = append(texts, *t.When)
		}
	}
	for _, p := range w.def.Playbooks {
		for _, r := range p.Refine {
			texts = append(texts, r.When)
		}
	}
	for i := range w.def.Steps {
		d := &w.def.Steps[i]
		texts = append(texts, d.Where)
		moment(d.First)
		moment(d.Then)
		moment(d.After)
		for _, p := range d.Points {
			texts = append(texts, p.Where)
		}
	}
	return texts
}

// mentions are the names that an expression reads.
type mentions struct {
	steps   map[string]bool
	anyStep bool // a step whose id is computed
	others  bool // variables beside account
}

func (w *warner) mentioned(text string) mentions {
	m := mentions{steps: map[string]bool{}}
	tree := w.parsed(text)
	if tree == nil {
		return m
	}
	for _, ident := range ast.MatchDescendants(ast.NavigateAST(tree), isVariable) {
		switch name := strings.TrimPrefix(ident.AsIdent(), "."); name {
		case "account":
		case "steps":
			id, named := keyRead(ident)
			m.steps[id] = true
			m.anyStep = m.anyStep || !named
			m.others = true
		default:
			m.others = true
		}
	}
	return m
}

func isVariable(e ast.NavigableExpr) bool { return e.Kind() == ast.IdentKind }

// parsed returns an expression's tree, nil where there is none.
func (w *warner) parsed(text string) *ast.AST {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	parsed, issues := w.parser.Parse(text)
	if issues.Err() != nil {
		return nil
	}
	return parsed.NativeRep()
}

// accountProperty returns the account property that an expression is or, in has(), asks for.
func accountProperty(e ast.Expr) (name string, is bool) {
	if e.Kind() != ast.SelectKind {
		return "", false
	}
	of := e.AsSelect().Operand()
	is = of.Kind() == ast.IdentKind && strings.TrimPrefix(of.AsIdent(), ".") == "account"
	return e.AsSelect().FieldName(), is
}

// joins says whether an operator only joins conditions.
func joins(operator string) bool {
	switch operator {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
		return true
	}
	return false
}
