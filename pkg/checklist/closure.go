package checklist

import (
	"cmp"
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// truth is the outcome of an expression: CEL has a third one, which && and || absorb.
type truth int8

const (
	isFalse truth = iota
	isTrue
	isError
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// closure is an expression without the interpreter: the same results (a test compares them), no allocation.
type closure[S any] func(of S, account []usage.Value) truth

// closure returns nil for expressions other than comparisons of a variable with a literal, x in [literals], plain
// boolean variables, and what !, && and || make of them.
func (l *language[S]) closure(e ast.Expr) closure[S] {
	if read := l.variable(e); read != nil {
		return func(of S, account []usage.Value) truth {
			v := read(of, account)
			if v.Kind() != usage.Bool {
				return isError
			}
			return truthOf(v.Bool())
		}
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	switch call := e.AsCall(); call.FunctionName() {
	case operators.LogicalNot:
		return not(l.closure(call.Args()[0]))
	case operators.LogicalAnd:
		return decidedBy(isFalse, l.closure(call.Args()[0]), l.closure(call.Args()[1]))
	case operators.LogicalOr:
		return decidedBy(isTrue, l.closure(call.Args()[0]), l.closure(call.Args()[1]))
	case operators.In:
		return l.membership(call.Args()[0], call.Args()[1])
	default:
		if len(call.Args()) != 2 {
			return nil
		}
		return l.comparison(call.FunctionName(), call.Args()[0], call.Args()[1])
	}
}

func not[S any](a closure[S]) closure[S] {
	if a == nil {
		return nil
	}
	return func(of S, account []usage.Value) truth {
		switch a(of, account) {
		case isTrue:
			return isFalse
		case isFalse:
			return isTrue
		}
		return isError
	}
}

// decidedBy joins two closures: the deciding outcome of either is that of both, even if the other is an error.
func decidedBy[S any](decisive truth, a, b closure[S]) closure[S] {
	if a == nil || b == nil {
		return nil
	}
	return func(of S, account []usage.Value) truth {
		first := a(of, account)
		if first == decisive {
			return decisive
		}
		if second := b(of, account); second == decisive || first != isError {
			return second
		}
		return isError
	}
}

// variable returns how to read account.NAME, a plain variable of the language, or its table's NAME or ["NAME"]; nil for
// anything else.
func (l *language[S]) variable(e ast.Expr) reader[S] {
	switch e.Kind() {
	case ast.IdentKind:
		return l.variables[e.AsIdent()]
	case ast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() || s.Operand().Kind() != ast.IdentKind {
			return nil
		}
		return l.field(s.Operand().AsIdent(), s.FieldName())
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != operators.Index || c.Args()[0].Kind() != ast.IdentKind || c.Args()[0].AsIdent() != l.table.name {
			return nil
		}
		if name := literal(c.Args()[1]); name.Kind() == usage.String {
			return l.table.entry(name.Str())
		}
	}
	return nil
}

// present makes null of what counts as missing.
func present(v usage.Value) usage.Value {
	if v.Kind() == usage.Double && math.IsNaN(v.Double()) {
		return usage.Value{}
	}
	return v
}

func (l *language[S]) field(of, name string) reader[S] {
	switch of {
	case l.table.name:
		return l.table.entry(name)
	case "account":
		i := l.fields[name]
		return func(_ S, account []usage.Value) usage.Value { return account[i] }
	}
	return nil
}

// literal returns a text, number or boolean written in the expression; null for anything else.
func literal(e ast.Expr) usage.Value {
	if e.Kind() != ast.LiteralKind {
		return usage.Value{}
	}
	return fromCEL(e.AsLiteral())
}

func fromCEL(v ref.Val) usage.Value {
	switch v := v.(type) {
	case types.Bool:
		return usage.BoolValue(bool(v))
	case types.Int:
		return usage.LongValue(int64(v))
	case types.Double:
		return usage.DoubleValue(float64(v))
	case types.String:
		return usage.StringValue(string(v))
	}
	return usage.Value{}
}

func (l *language[S]) membership(e, list ast.Expr) closure[S] {
	read := l.variable(e)
	if read == nil || list.Kind() != ast.ListKind {
		return nil
	}
	var members []usage.Value
	for _, m := range list.AsList().Elements() {
		v := literal(m)
		if v.Kind() == usage.Null {
			return nil
		}
		members = append(members, v)
	}
	return func(of S, account []usage.Value) truth {
		v := read(of, account)
		if v.Kind() == usage.Null {
			return isError
		}
		for _, m := range members {
			if equal(v, m) {
				return isTrue
			}
		}
		return isFalse
	}
}

// mirrored are the operators with their sides exchanged.
var mirrored = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
	operators.Less: operators.Greater, operators.Greater: operators.Less,
	operators.LessEquals: operators.GreaterEquals, operators.GreaterEquals: operators.LessEquals,
}

func (l *language[S]) comparison(op string, left, right ast.Expr) closure[S] {
	if mirrored[op] == "" {
		return nil
	}
	read, lit := l.variable(left), literal(right)
	if read == nil {
		read, lit, op = l.variable(right), literal(left), mirrored[op]
	}
	if read == nil || lit.Kind() == usage.Null {
		return nil
	}
	var holds func(v usage.Value) truth
	switch op {
	case operators.Equals:
		holds = func(v usage.Value) truth { return truthOf(equal(v, lit)) }
	case operators.NotEquals:
		holds = func(v usage.Value) truth { return truthOf(!equal(v, lit)) }
	default:
		holds = func(v usage.Value) truth { return ordered(op, v, lit) }
	}
	return func(of S, account []usage.Value) truth {
		v := read(of, account)
		if v.Kind() == usage.Null {
			return isError
		}
		return holds(v)
	}
}

// equal compares as CEL does: numbers across their types, everything else within its own.
func equal(a, b usage.Value) bool {
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b) == 0
	}
	if a.Kind() != b.Kind() {
		return false
	}
	return a.Kind() == usage.String && a.Str() == b.Str() || a.Kind() == usage.Bool && a.Bool() == b.Bool()
}

func ordered(op string, a, b usage.Value) truth {
	var c int
	switch {
	case isNumber(a) && isNumber(b):
		c = compareNumbers(a, b)
	case a.Kind() != b.Kind():
		return isError
	case a.Kind() == usage.String:
		c = cmp.Compare(a.Str(), b.Str())
	default:
		c = compareBools(a.Bool(), b.Bool())
	}
	switch op {
	case operators.Less:
		return truthOf(c < 0)
	case operators.LessEquals:
		return truthOf(c <= 0)
	case operators.Greater:
		return truthOf(c > 0)
	}
	return truthOf(c >= 0)
}

func isNumber(v usage.Value) bool { return v.Kind() == usage.Long || v.Kind() == usage.Double }

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func compareNumbers(a, b usage.Value) int {
	switch {
	case a.Kind() == usage.Long && b.Kind() == usage.Long:
		return cmp.Compare(a.Long(), b.Long())
	case a.Kind() == usage.Double && b.Kind() == usage.Double:
		return cmp.Compare(a.Double(), b.Double())
	case a.Kind() == usage.Double:
		return compareDoubleLong(a.Double(), b.Long())
	}
	return -compareDoubleLong(b.Double(), a.Long())
}

func compareDoubleLong(d float64, n int64) int {
	switch {
	case d < math.MinInt64:
		return -1
	case d > math.MaxInt64:
		return 1
	}
	return cmp.Compare(d, float64(n))
}
