package checklist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

var testProperties = []Property{
	{Name: "size", Kind: usage.Long}, {Name: "share", Kind: usage.Double},
	{Name: "domain", Kind: usage.String}, {Name: "test", Kind: usage.Bool},
}

var testSteps = []string{"invited", "first-project", "a.b"}

func testExpressions(t testing.TB) *expressions {
	t.Helper()
	x, err := newExpressions(testProperties, testSteps)
	require.NoError(t, err)
	return x
}

func TestClosuresAgreeWithCEL(t *testing.T) {
	x := testExpressions(t)
	t.Run("over events", func(t *testing.T) { agreesWithCEL(t, x.event, randomExpression, randomSubject) })
	t.Run("over behaviour", func(t *testing.T) { agreesWithCEL(t, x.behaviour, randomBehaviourExpression, randomBehaviour) })
}

func agreesWithCEL[S any](t *testing.T, l *language[S], expression func(*rand.Rand, int) string, subject func(*rand.Rand) (S, []usage.Value)) {
	r := rand.New(rand.NewPCG(1, 2))
	agreed := map[bool]int{}
	for range 3000 / effort {
		text := expression(r, 2)
		checked, issues := l.Compile(text)
		if issues.Err() != nil { // such as quantity == "a"
			continue
		}
		fast := l.closure(checked.NativeRep().Expr())
		require.NotNil(t, fast, "%s goes the slow way", text)
		slow, err := l.interpreted(checked)
		require.NoError(t, err)
		for range 8 {
			of, account := subject(r)
			want := slow(of, account)
			agreed[want]++
			require.Equal(t, want, fast(of, account) == isTrue, "%s with %+v and %v", text, of, account)
		}
	}
	assert.Greater(t, agreed[true], 2000/effort)
	assert.Greater(t, agreed[false], 2000/effort)
}

func randomExpression(r *rand.Rand, depth int) string {
	return randomCombination(r, depth, []string{"properties.a", "properties.b", `properties["c d"]`, "account.size", "account.share",
		"account.domain", "account.test", "event", "user_id", "quantity"}, []string{"properties.a", "account.test"})
}

func randomBehaviourExpression(r *rand.Rand, depth int) string {
	return randomCombination(r, depth, []string{"account.size", "account.domain", "steps.invited", `steps["first-project"]`, "rate", "tier",
		"users", "active_users", "single_user", "signed_up", "pql", "converted", "champion_role"},
		[]string{"account.test", "steps.invited", `steps["a.b"]`, "single_user", "signed_up", "pql", "converted"})
}

// randomCombination joins comparisons of variables with literals, and conditions that stand by themselves.
func randomCombination(r *rand.Rand, depth int, variables, conditions []string) string {
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return "!(" + randomCombination(r, depth-1, variables, conditions) + ")"
		case 1:
			return "(" + randomCombination(r, depth-1, variables, conditions) + ") && (" + randomCombination(r, depth-1, variables, conditions) + ")"
		case 2:
			return "(" + randomCombination(r, depth-1, variables, conditions) + ") || (" + randomCombination(r, depth-1, variables, conditions) + ")"
		}
	}
	literals := []string{"1", "-1", "2.0", "1.5", `"x"`, `""`, `"1"`, "true", "false", "9007199254740993", "9223372036854775807", "1e300"}
	v, l := variables[r.IntN(len(variables))], literals[r.IntN(len(literals))]
	ops := []string{"==", "!=", "<", "<=", ">", ">="}
	switch op := ops[r.IntN(len(ops))]; r.IntN(6) {
	case 0:
		return fmt.Sprintf("%s in [%s, %s]", v, l, literals[r.IntN(len(literals))])
	case 1:
		return fmt.Sprintf("%s %s %s", l, op, v)
	case 2:
		return conditions[r.IntN(len(conditions))]
	default:
		return fmt.Sprintf("%s %s %s", v, op, l)
	}
}

func randomSubject(r *rand.Rand) (*usage.Event, []usage.Value) {
	ev := &usage.Event{
		Name:     []string{"x", "", "other"}[r.IntN(3)],
		UserID:   []string{"", "x", "1"}[r.IntN(3)],
		Quantity: []float64{0, 1, 1.5, 2, -1, math.NaN(), math.Inf(1)}[r.IntN(7)],
	}
	for _, key := range []string{"a", "b", "c d", "a"} {
		if r.IntN(3) > 0 {
			ev.Properties = append(ev.Properties, usage.Property{Key: key, Value: randomValue(r)})
		}
	}
	return ev, randomAccount(r)
}

func randomBehaviour(r *rand.Rand) (*Behaviour, []usage.Value) {
	odds := func() bool { return r.IntN(2) == 0 }
	return &Behaviour{
		Done:       [2]uint64{r.Uint64N(8)},
		Rate:       []float64{0, 0.5, 1, 1.5, 2, math.NaN()}[r.IntN(6)],
		Tier:       []string{"x", "1", ""}[r.IntN(3)],
		Users:      r.IntN(3),
		SingleUser: odds(), SignedUp: odds(), PQL: odds(), Converted: odds(),
		ActiveUsers:  r.IntN(3),
		ChampionRole: []string{"x", "1", ""}[r.IntN(3)],
	}, randomAccount(r)
}

func randomAccount(r *rand.Rand) []usage.Value {
	account := []usage.Value{usage.LongValue(int64(r.IntN(3))), usage.DoubleValue(1.5), usage.StringValue("x"), usage.BoolValue(r.IntN(2) == 0)}
	for i := range account {
		if r.IntN(3) == 0 {
			account[i] = usage.Value{}
		}
	}
	return account
}

func randomValue(r *rand.Rand) usage.Value {
	values := []usage.Value{
		{}, usage.BoolValue(true), usage.BoolValue(false), usage.LongValue(1), usage.LongValue(-1), usage.LongValue(2),
		usage.LongValue(9007199254740992), usage.LongValue(9007199254740993), usage.LongValue(math.MaxInt64), usage.LongValue(math.MinInt64),
		usage.DoubleValue(1), usage.DoubleValue(1.5), usage.DoubleValue(2), usage.DoubleValue(9007199254740992), usage.DoubleValue(1 << 63),
		usage.DoubleValue(math.NaN()), usage.DoubleValue(math.Inf(-1)), usage.DoubleValue(math.Copysign(0, -1)), usage.StringValue("x"),
		usage.StringValue(""), usage.StringValue("1"), usage.StringValue("y"),
	}
	return values[r.IntN(len(values))]
}

func TestConditionsOverWhatIsMissing(t *testing.T) {
	x := testExpressions(t)
	ev := &usage.Event{Name: "opened", Properties: []usage.Property{
		{Key: "plan", Value: usage.StringValue("team")}, {Key: "nothing", Value: usage.Value{}}, {Key: "n", Value: usage.LongValue(3)}}}
	account := make([]usage.Value, len(testProperties))
	for text, want := range map[string]bool{
		`properties.plan != "free"`:                            true,
		`properties.missing != "free"`:                         false,
		`properties.missing == "free"`:                         false,
		`!(properties.missing == "free")`:                      false,
		`properties.nothing != "free"`:                         false,
		`has(properties.nothing)`:                              false,
		`!has(properties.missing)`:                             true,
		`has(properties.plan) && properties.plan == "team"`:    true,
		`properties.missing == 1 || properties.plan == "team"`: true,
		`properties.plan.startsWith("te")`:                     true,
		`properties.plan > 3`:                                  false,
		`properties.n + 1 == 4`:                                true,
		`properties.exists(k, k == "plan")`:                    true,
		`account.size >= 50`:                                   false,
		`account.size < 50`:                                    false,
		`!has(account.size)`:                                   true,
		`has(account.size) && account.size > 1`:                false,
		`properties.n`:                                         false,
		`properties.plan.matches("^t.*m$")`:                    true,
	} {
		cond, _, err := x.event.compile(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, cond(ev, account), text)
	}
	cond, _, err := x.account.compile(`account.domain.endsWith(".test") && account.size * 2 == 100`)
	require.NoError(t, err)
	assert.True(t, cond(nil, []usage.Value{usage.LongValue(50), {}, usage.StringValue("a.test"), {}}))
}

func TestAnEndlessExpressionEnds(t *testing.T) {
	x := testExpressions(t)
	text := `properties.all(a, properties.all(b, properties.all(c, properties.all(d, a != b + c + d))))`
	cond, _, err := x.event.compile(text)
	require.NoError(t, err)
	ev := &usage.Event{}
	for i := range 256 {
		ev.Properties = append(ev.Properties, usage.Property{Key: fmt.Sprint("p", i), Value: usage.BoolValue(true)})
	}
	assert.False(t, cond(ev, nil))
}

func TestPropertiesAreSingleValues(t *testing.T) {
	const is = "a property is a single text, number or boolean: "
	dots := func(path string) string {
		return is + "a property whose name has dots is written properties[\"" + path + "\"]"
	}
	x := testExpressions(t)
	for text, want := range map[string]string{
		`properties.plan.name == "pro"`:                                   "line 1, column 16: " + dots("plan.name"),
		"quantity > 1.0 &&\n .properties.plan.is.name == \"pro\"":         "line 2, column 18: " + dots("plan.is.name"),
		`has(properties.plan.name)`:                                       "line 1, column 4: " + dots("plan.name"),
		`properties["plan"].name == "pro"`:                                "line 1, column 19: " + dots("plan.name"),
		`properties.plan["name"] == "pro"`:                                "line 1, column 16: " + dots("plan.name"),
		`properties.list[0] == "pro"`:                                     "line 1, column 16: " + is + "nothing can be looked for in it",
		`properties.list.exists(x, x == "pro")`:                           "line 1, column 23: " + is + "nothing can be looked for in it",
		`"pro" in properties.list`:                                        "line 1, column 7: " + is + "nothing can be looked for in it",
		`properties.exists(k, properties[k].name == "x")`:                 "line 1, column 35: " + is + "nothing can be looked for in it",
		`properties["plan.name"] == "pro"`:                                "",
		`has(properties.plan) && properties.plan.startsWith("p")`:         "",
		`properties.exists(k, properties[k] == "x") && "a" in properties`: "",
		`["a"].exists(properties, properties == "a")`:                     "",
		`{"a": properties.plan}["a"] == "x"`:                              "",
		`["a", "b"][int(properties.n)] == "a"`:                            "",
	} {
		_, _, err := x.event.compile(text)
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		assert.EqualError(t, err, want, text)
	}
}

func TestExpressionErrorsNameTheirPlace(t *testing.T) {
	x := testExpressions(t)
	for text, want := range map[string]string{
		`propertees.plan == "free"`:       "line 1, column 1: undeclared reference to 'propertees' (did you mean 'properties'?)",
		"account.size > 1 &&\n account.x": "line 2, column 9: undefined field 'x'; declare it under properties",
		`plann == "free"`:                 "line 1, column 1: undeclared reference to 'plann'; did you mean properties.plann? Or account.plann: declare it under properties",
		`size > 3`:                        "line 1, column 1: undeclared reference to 'size'; did you mean properties.size or account.size?",
		`account.size == "big"`:           "line 1, column 14: found no matching overload for '_==_' applied to '(int, string)'",
		`quantity + 1.0`:                  "is a double, not a condition",
		`user_id.matches("(")`:            "line 1, column 17: invalid matches argument",
	} {
		_, _, err := x.event.compile(text)
		assert.EqualError(t, err, want, text)
	}
	_, _, err := x.account.compile(`properties.plan == "free"`)
	assert.ErrorContains(t, err, "undeclared reference to 'properties'; no event is read here, use account.NAME, declared under properties")
}
