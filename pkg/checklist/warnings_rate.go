package checklist

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
)

// warnOfRates warns of expressions that hold the rate against what it can't be, such as percents.
func (w *warner) warnOfRates() {
	for i, s := range w.def.Segments {
		w.warnOfRatesIn(fmt.Sprintf("segments[%d].when", i), s.When)
	}
	for i, p := range w.def.Playbooks {
		for j, r := range p.Refine {
			w.warnOfRatesIn(fmt.Sprintf("playbooks[%d].refine[%d].when", i, j), r.When)
		}
	}
}

func (w *warner) warnOfRatesIn(path, text string) {
	tree := w.parsed(text)
	if tree == nil {
		return
	}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(tree), isVariable) {
		if variableName(e) != rateVariable {
			continue
		}
		for _, l := range heldAgainst(e) {
			switch v, _ := asDouble(literal(l)); {
			case v > 1 && v <= 100:
				w.add(path, "rate is from 0 to 1: %s %% is %s", number(v), number(v/100))
			case v < 0 || v > 1:
				w.add(path, "rate is from 0 to 1, and never %s", number(v))
			}
		}
	}
}

// heldAgainst returns what a variable is compared with, in any way.
func heldAgainst(variable ast.NavigableExpr) []ast.Expr {
	if in, has := variable.Parent(); has && in.Kind() == ast.CallKind && mirrored[in.AsCall().FunctionName()] != "" {
		return in.AsCall().Args()
	}
	return comparedWith(variable)
}
