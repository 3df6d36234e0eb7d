package checklist

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Behaviour is what expressions over behaviour see of an account beside its properties.
type Behaviour struct {
	Done         [2]uint64 // bit i%64 of Done[i/64] says whether the checklist's step i is done
	Rate         float64   // weight of the steps done / weight of all steps, 0 to 1
	Tier         string
	Users        int // that are known
	ActiveUsers  int // seen in the last 7 days
	SingleUser   bool
	SignedUp     bool
	PQL          bool
	Converted    bool
	ChampionRole string // empty: missing
}

// fits says whether an expression over behaviour is true for an account, by the rules of a Condition. One that reads
// the account's properties only takes nil for its behaviour.
type fits func(b *Behaviour, account []usage.Value) bool

// Behaves says whether some segment or refinement reads a Behaviour: Segments and Advise take nil otherwise.
func (c *Checklist) Behaves() bool { return c.behaves }

const (
	stepsVariable = "steps"
	tierVariable  = "tier"
	rateVariable  = "rate"
)

// behaviourTypes declare the variables beside account.
var behaviourTypes = []cel.EnvOption{
	cel.Variable(stepsVariable, cel.MapType(cel.StringType, cel.BoolType)),
	cel.Variable(rateVariable, cel.DoubleType),
	cel.Variable(tierVariable, cel.StringType),
	cel.Variable("users", cel.IntType),
	cel.Variable("active_users", cel.IntType),
	cel.Variable("single_user", cel.BoolType),
	cel.Variable("signed_up", cel.BoolType),
	cel.Variable("pql", cel.BoolType),
	cel.Variable("converted", cel.BoolType),
	cel.Variable("champion_role", cel.StringType),
}

// behaviourVariables read the variables other than steps.
var behaviourVariables = map[string]reader[*Behaviour]{
	rateVariable:   func(b *Behaviour, _ []usage.Value) usage.Value { return present(usage.DoubleValue(b.Rate)) },
	tierVariable:   func(b *Behaviour, _ []usage.Value) usage.Value { return usage.StringValue(b.Tier) },
	"users":        func(b *Behaviour, _ []usage.Value) usage.Value { return usage.LongValue(int64(b.Users)) },
	"active_users": func(b *Behaviour, _ []usage.Value) usage.Value { return usage.LongValue(int64(b.ActiveUsers)) },
	"single_user":  func(b *Behaviour, _ []usage.Value) usage.Value { return usage.BoolValue(b.SingleUser) },
	"signed_up":    func(b *Behaviour, _ []usage.Value) usage.Value { return usage.BoolValue(b.SignedUp) },
	"pql":          func(b *Behaviour, _ []usage.Value) usage.Value { return usage.BoolValue(b.PQL) },
	"converted":    func(b *Behaviour, _ []usage.Value) usage.Value { return usage.BoolValue(b.Converted) },
	"champion_role": func(b *Behaviour, _ []usage.Value) usage.Value {
		if b.ChampionRole == "" {
			return usage.Value{}
		}
		return usage.StringValue(b.ChampionRole)
	},
}

// behaviourOf returns the language over behaviour of a checklist with these steps.
func behaviourOf(steps []string, fields map[string]int) *language[*Behaviour] {
	return &language[*Behaviour]{
		fields: fields, variables: behaviourVariables,
		table: table[*Behaviour]{stepsVariable, func(id string) reader[*Behaviour] {
			i := slices.Index(steps, id)
			if i < 0 {
				return nil
			}
			return func(b *Behaviour, _ []usage.Value) usage.Value { return usage.BoolValue(b.done(i)) }
		}},
		scope: func(b *Behaviour, account []usage.Value) cel.Activation { return &behaviourScope{steps, b, account} },
	}
}

// behaviourScope resolves the variables of an expression over behaviour.
type behaviourScope struct {
	steps   []string // ids of the checklist's
	b       *Behaviour
	account accountValues
}

func (s *behaviourScope) Parent() cel.Activation { return nil }

func (s *behaviourScope) ResolveName(name string) (any, bool) {
	switch name {
	case "account":
		return s.account, true
	case stepsVariable:
		done := make(map[string]any, len(s.steps))
		for i, id := range s.steps {
			done[id] = s.b.done(i)
		}
		return done, true
	}
	return resolve(behaviourVariables, name, s.b)
}

// done says whether a step is; beyond MaxSteps there is none.
func (b *Behaviour) done(step int) bool {
	return step < MaxSteps && b.Done[step/64]>>(step%64)&1 == 1
}

// overBehaviour compiles an expression over behaviour, nil when it is wrong.
func (c *compiler) overBehaviour(path, text string) (is fits, canonical string) {
	checked, err := c.expressions.behaviour.check(text)
	if err == nil {
		err = c.checkReferences(checked.NativeRep())
	}
	if err == nil {
		is, canonical, err = c.expressions.behaviour.translate(checked)
	}
	if err != nil {
		c.addLines(path, err)
		return nil, ""
	}
	c.out.behaves = c.out.behaves || c.expressions.behaviour.reads(checked.NativeRep())
	return is, canonical
}

// reads says whether an expression reads anything but the account.
func (l *language[S]) reads(checked *ast.AST) bool {
	return len(ast.MatchDescendants(ast.NavigateAST(checked), func(e ast.NavigableExpr) bool {
		name := variableName(e)
		return name != "" && (name == l.table.name || l.variables[name] != nil)
	})) > 0
}

// variableName returns the name of a variable, which may be written with a leading dot; empty for any other expression,
// and for a variable that a macro brings along.
func variableName(e ast.NavigableExpr) string {
	if e.Kind() != ast.IdentKind {
		return ""
	}
	name, rooted := strings.CutPrefix(e.AsIdent(), ".")
	for in, has := e.Parent(); has && !rooted; in, has = in.Parent() {
		if in.Kind() == ast.ComprehensionKind && (in.AsComprehension().IterVar() == name || in.AsComprehension().IterVar2() == name) {
			return ""
		}
	}
	return name
}

// checkReferences complains about what an expression names and there is not: steps and tiers.
func (c *compiler) checkReferences(checked *ast.AST) error {
	var errs []error
	unknown := func(what, name string, id int64) {
		at := checked.SourceInfo().GetStartLocation(id)
		errs = append(errs, fmt.Errorf("line %d, column %d: there is no %s %q", at.Line(), at.Column()+1, what, name))
	}
	steps, tiers := c.stepIDs(), c.tierNames()
	for _, e := range ast.MatchDescendants(ast.NavigateAST(checked), func(e ast.NavigableExpr) bool { return variableName(e) != "" }) {
		switch in, _ := e.Parent(); variableName(e) {
		case stepsVariable:
			if id, named := keyRead(e); named && !slices.Contains(steps, id) {
				unknown("step", id, in.ID())
			}
		case tierVariable:
			for _, l := range comparedWith(e) {
				if name, isText := literalText(l); isText && !slices.Contains(tiers, name) {
					unknown("tier", name, l.ID())
				}
			}
		}
	}
	return errors.Join(errs...)
}

// comparedWith returns what a variable is held against: the other side of == and !=, and the elements of a list that it
// is looked for in.
func comparedWith(variable ast.NavigableExpr) []ast.Expr {
	in, has := variable.Parent()
	if !has || in.Kind() != ast.CallKind {
		return nil
	}
	switch args := in.AsCall().Args(); in.AsCall().FunctionName() {
	case operators.Equals, operators.NotEquals:
		return args
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			return args[1].AsList().Elements()
		}
	}
	return nil
}

func (c *compiler) stepIDs() (ids []string) {
	for i := range c.def.Steps {
		ids = append(ids, c.def.Steps[i].ID)
	}
	return ids
}

func (c *compiler) tierNames() (names []string) {
	for _, t := range tiersWithDefaults(c.def) {
		names = append(names, t.Name)
	}
	return names
}
