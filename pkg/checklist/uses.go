package checklist

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// noteReads notes which of their events' properties the listeners read, so that nobody needs to decode the others.
func (c *compiler) noteReads() {
	for _, l := range c.out.listeners {
		c.noteReadsOf(l)
	}
	if c.out.anywhere != nil {
		c.noteReadsOf(c.out.anywhere)
	}
}

func (c *compiler) noteReadsOf(l *Listener) {
	for _, s := range l.Sources {
		l.Reads.Add(s.Path)
	}
	for _, in := range l.Steps {
		step := &c.out.steps[in.Step]
		for _, key := range step.reads {
			l.Reads.Add(key)
		}
		c.noteReadsIn(step.inputs[in.Role].text, l)
	}
	if c.out.role != "" {
		l.Reads.Add(c.out.role)
	}
	if l.Signup != nil {
		c.noteReadsIn(c.def.Signup.Where, l)
	}
	if l.Converted != nil {
		c.noteReadsIn(c.def.Converted.Where, l)
	}
	if l.Churned != nil {
		c.noteReadsIn(c.def.Churned.Where, l)
	}
	for _, role := range l.TrialEnd {
		c.noteReadsIn(c.out.life.trialEnd.inputs[role].text, l)
	}
	for i := range l.Sales {
		if l.Sales[i].Reason != "" {
			l.Reads.Add(l.Sales[i].Reason)
		}
		c.noteReadsIn(l.Sales[i].text, l)
	}
}

// noteReadsIn notes the properties that a valid expression reads: all of them, unless it names each where it reads it.
func (c *compiler) noteReadsIn(text string, l *Listener) {
	if text == "" {
		return
	}
	checked, issues := c.expressions.event.Compile(text)
	if issues.Err() != nil {
		l.Reads.All = true
		return
	}
	everywhere := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), isProperties)
	for _, e := range everywhere {
		if key, named := keyRead(e); named {
			l.Reads.Add(key)
		} else {
			l.Reads.All = true
		}
	}
}

// isProperties says whether an expression is the variable properties, whose name may be written with a leading dot. A
// variable of the same name that a macro brings along is taken for it, which does no harm.
func isProperties(e ast.NavigableExpr) bool {
	return e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == "properties"
}

// keyRead returns the one property that is read where the variable properties stands: of properties.NAME, has() of
// that, properties["NAME"], and "NAME" in properties.
func keyRead(properties ast.NavigableExpr) (key string, named bool) {
	in, has := properties.Parent()
	if !has {
		return "", false
	}
	switch in.Kind() {
	case ast.SelectKind:
		return in.AsSelect().FieldName(), true
	case ast.CallKind:
		c := in.AsCall()
		switch c.FunctionName() {
		case operators.Index:
			return literalText(c.Args()[1])
		case operators.In:
			return literalText(c.Args()[0])
		}
	}
	return "", false
}

func literalText(e ast.Expr) (text string, isText bool) {
	v := literal(e)
	return v.Str(), v.Kind() == usage.String
}
