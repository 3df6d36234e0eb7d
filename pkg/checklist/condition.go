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

// expressions are the languages that one definition is written in.
type expressions struct {
	account   *language[*usage.Event] // the account only: there is no event
	event     *language[*usage.Event] // the account and an event
	behaviour *language[*Behaviour]   // the account and its behaviour
}

// language is what expressions over one kind of subject may say beside account.NAME: S is *usage.Event or *Behaviour.
type language[S any] struct {
	*cel.Env
	fields    map[string]int // indexes of the account properties
	variables map[string]reader[S]
	table     table[S]
	scope     func(of S, account []usage.Value) cel.Activation // the same variables for the interpreter
}

// reader reads one variable; null means that it is missing.
type reader[S any] func(of S, account []usage.Value) usage.Value

// table is the variable of a language that is a map.
type table[S any] struct {
	name  string
	entry func(key string) reader[S]
}

func newExpressions(properties []Property, steps []string) (*expressions, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(&accountTypes{Registry: registry, properties: properties}), cel.CustomTypeAdapter(registry),
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxExpression), cel.EnableMacroCallTracking(),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		cel.Variable("account", cel.ObjectType(accountType)),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	fields := map[string]int{}
	for i, p := range properties {
		fields[p.Name] = i
	}
	x := &expressions{
		account:   &language[*usage.Event]{Env: env, fields: fields, scope: newEventScope},
		event:     &language[*usage.Event]{fields: fields, variables: eventVariables, table: eventProperties, scope: newEventScope},
		behaviour: behaviourOf(steps, fields),
	}
	if x.event.Env, err = env.Extend(
		cel.Variable("event", cel.StringType),
		cel.Variable("user_id", cel.StringType),
		cel.Variable("quantity", cel.DoubleType),
		cel.Variable("properties", cel.MapType(cel.StringType, cel.DynType)),
	); err != nil {
		return nil, fmt.Errorf("setting up expressions over events: %w", err)
	}
	if x.behaviour.Env, err = env.Extend(behaviourTypes...); err != nil {
		return nil, fmt.Errorf("setting up expressions over behaviour: %w", err)
	}
	return x, nil
}

var eventVariables = map[string]reader[*usage.Event]{
	"event":    func(ev *usage.Event, _ []usage.Value) usage.Value { return usage.StringValue(ev.Name) },
	"user_id":  func(ev *usage.Event, _ []usage.Value) usage.Value { return usage.StringValue(ev.UserID) },
	"quantity": func(ev *usage.Event, _ []usage.Value) usage.Value { return present(usage.DoubleValue(ev.Quantity)) },
}

var eventProperties = table[*usage.Event]{
	name: "properties",
	entry: func(key string) reader[*usage.Event] {
		return func(ev *usage.Event, _ []usage.Value) usage.Value { return present(ev.Property(key)) }
	},
}

// compile type-checks an expression and returns it in canonical form beside what says whether it is true.
func (l *language[S]) compile(text string) (is func(S, []usage.Value) bool, canonical string, err error) {
	checked, err := l.check(text)
	if err != nil {
		return nil, "", err
	}
	return l.translate(checked)
}

// check reads and type-checks an expression.
func (l *language[S]) check(text string) (*cel.Ast, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("is empty")
	}
	checked, issues := l.Compile(text)
	if issues.Err() != nil {
		return nil, l.explained(text, issues)
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("is a %s, not a condition", t)
	}
	if l.table.name == eventProperties.name {
		return checked, checkScalars(checked.NativeRep())
	}
	return checked, nil
}

// translate makes an expression work. The common ones become plain closures, everything else is interpreted.
func (l *language[S]) translate(checked *cel.Ast) (is func(S, []usage.Value) bool, canonical string, err error) {
	if canonical, err = cel.AstToString(checked); err != nil {
		return nil, "", err
	}
	if fast := l.closure(checked.NativeRep().Expr()); fast != nil {
		return func(of S, account []usage.Value) bool { return fast(of, account) == isTrue }, canonical, nil
	}
	is, err = l.interpreted(checked)
	return is, canonical, err
}

func (l *language[S]) interpreted(checked *cel.Ast) (func(S, []usage.Value) bool, error) {
	program, err := l.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, err
	}
	return func(of S, account []usage.Value) bool {
		out, _, err := program.Eval(l.scope(of, account))
		return err == nil && out == types.True
	}, nil
}

// eventScope resolves the variables of an expression over events, and over accounts only.
type eventScope struct {
	ev      *usage.Event
	account accountValues
}

func newEventScope(ev *usage.Event, account []usage.Value) cel.Activation {
	return &eventScope{ev, account}
}

func (s *eventScope) Parent() cel.Activation { return nil }

func (s *eventScope) ResolveName(name string) (any, bool) {
	switch name {
	case "account":
		return s.account, true
	case "properties":
		return propertiesOf(s.ev), true
	}
	return resolve(eventVariables, name, s.ev)
}

// resolve returns a variable as the interpreter takes it.
func resolve[S any](variables map[string]reader[S], name string, of S) (any, bool) {
	read := variables[name]
	if read == nil {
		return nil, false
	}
	v := native(read(of, nil))
	return v, v != nil
}

func propertiesOf(ev *usage.Event) map[string]any {
	properties := make(map[string]any, len(ev.Properties))
	for i := len(ev.Properties) - 1; i >= 0; i-- { // of a repeated key the first counts
		p := &ev.Properties[i]
		if native(p.Value) == nil {
			delete(properties, p.Key)
			continue
		}
		properties[p.Key] = native(p.Value)
	}
	return properties
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
