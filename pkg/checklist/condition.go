package checklist

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	maxExpression = 4096    // characters
	maxCost       = 100_000 // of one evaluation, in CEL's units: about a step of the interpreter each
)

// Condition says whether an expression is true for an event and an account's declared properties, null where missing.
// One that reads something missing, compares what can't be compared or fails otherwise is not true: `a != "x"` and
// `a == "x"` are both not true while a is missing. As always in CEL, `||` and `&&` are decided by one side if it
// suffices. What is null or not a number (NaN) counts as missing. Conditions keep nothing and may be called concurrently.
//
// The event is nil for conditions over accounts.
type Condition func(ev *usage.Event, account []usage.Value) bool

func always(*usage.Event, []usage.Value) bool { return true }

func never(*usage.Event, []usage.Value) bool { return false }

// expressions compiles the expressions of one definition.
type expressions struct {
	account *cel.Env // account only
	event   *cel.Env // account and the event
	fields  map[string]int
}

func newExpressions(properties []Property) (*expressions, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	provider := &accountTypes{Registry: registry, properties: properties}
	account, err := cel.NewEnv(
		cel.CustomTypeProvider(provider), cel.CustomTypeAdapter(registry),
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxExpression), cel.EnableMacroCallTracking(),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.Variable("account", cel.ObjectType(accountType)),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	event, err := account.Extend(
		cel.Variable("event", cel.StringType),
		cel.Variable("user_id", cel.StringType),
		cel.Variable("quantity", cel.DoubleType),
		cel.Variable("properties", cel.MapType(cel.StringType, cel.DynType)),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	x := &expressions{account: account, event: event, fields: map[string]int{}}
	for i, p := range properties {
		x.fields[p.Name] = i
	}
	return x, nil
}

// compile type-checks an expression and returns it in canonical form beside the condition. The common ones become
// plain closures, everything else is interpreted.
func (x *expressions) compile(env *cel.Env, text string) (cond Condition, canonical string, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, "", errors.New("is empty")
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, "", withPositions(issues)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, "", fmt.Errorf("is a %s, not a condition", t)
	}
	if canonical, err = cel.AstToString(ast); err != nil {
		return nil, "", err
	}
	if fast := x.closure(ast.NativeRep().Expr()); fast != nil {
		return func(ev *usage.Event, account []usage.Value) bool { return fast(ev, account) == isTrue }, canonical, nil
	}
	cond, err = interpreted(env, ast)
	return cond, canonical, err
}

func interpreted(env *cel.Env, ast *cel.Ast) (Condition, error) {
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, err
	}
	return func(ev *usage.Event, account []usage.Value) bool {
		out, _, err := program.Eval(&scope{ev, account})
		return err == nil && out == types.True
	}, nil
}

// withPositions lists all that is wrong with an expression, each with its line and column counted from 1.
func withPositions(issues *cel.Issues) error {
	var errs []error
	for _, e := range issues.Errors() {
		errs = append(errs, fmt.Errorf("line %d, column %d: %s", e.Location.Line(), max(e.Location.Column(), 0)+1, e.Message))
	}
	return errors.Join(errs...)
}

// scope resolves the variables of an expression.
type scope struct {
	ev      *usage.Event
	account accountValues
}

func (s *scope) Parent() cel.Activation { return nil }

func (s *scope) ResolveName(name string) (any, bool) {
	switch name {
	case "account":
		return s.account, true
	case "event":
		return s.ev.Name, true
	case "user_id":
		return s.ev.UserID, true
	case "quantity":
		return s.ev.Quantity, !math.IsNaN(s.ev.Quantity)
	case "properties":
		properties := make(map[string]any, len(s.ev.Properties))
		for i := len(s.ev.Properties) - 1; i >= 0; i-- { // of a repeated key the first counts
			p := &s.ev.Properties[i]
			if native(p.Value) == nil {
				delete(properties, p.Key)
				continue
			}
			properties[p.Key] = native(p.Value)
		}
		return properties, true
	}
	return nil, false
}

// native returns a value as the interpreter takes it, nil when it counts as missing.
func native(v usage.Value) any {
	switch v.Kind() {
	case usage.Bool:
		return v.Bool()
	case usage.Long:
		return v.Long()
	case usage.Double:
		if !math.IsNaN(v.Double()) {
			return v.Double()
		}
	case usage.String:
		return v.Str()
	}
	return nil
}

// accountType is the name of the type of account.
const accountType = "pqlstream.Account"

// accountValues are an account's declared properties as the interpreter sees them.
type accountValues []usage.Value

// accountTypes tells the type checker the declared properties, and the interpreter how to read them.
type accountTypes struct {
	*types.Registry
	properties []Property
}

func (t *accountTypes) FindStructType(name string) (*types.Type, bool) {
	if name == accountType {
		return types.NewTypeTypeWithParam(cel.ObjectType(accountType)), true
	}
	return t.Registry.FindStructType(name)
}

func (t *accountTypes) FindStructFieldNames(name string) ([]string, bool) {
	if name != accountType {
		return t.Registry.FindStructFieldNames(name)
	}
	var names []string
	for _, p := range t.properties {
		names = append(names, p.Name)
	}
	return names, true
}

// celTypes are those of properties; one whose type is wrong, null, may be anything so that it is complained about once.
var celTypes = map[usage.Kind]*cel.Type{
	usage.Null: cel.DynType, usage.Bool: cel.BoolType, usage.Long: cel.IntType, usage.Double: cel.DoubleType, usage.String: cel.StringType,
}

func (t *accountTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != accountType {
		return t.Registry.FindStructFieldType(name, field)
	}
	for i, p := range t.properties {
		if p.Name != field {
			continue
		}
		return &types.FieldType{
			Type:  celTypes[p.Kind],
			IsSet: func(a any) bool { return a.(accountValues)[i].Kind() != usage.Null },
			GetFrom: func(a any) (any, error) {
				if v := native(a.(accountValues)[i]); v != nil {
					return v, nil
				}
				return nil, fmt.Errorf("account.%s is missing", field)
			},
		}, true
	}
	return nil, false
}
