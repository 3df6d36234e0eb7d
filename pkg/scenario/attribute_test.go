package scenario

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func someFact() account.Fact {
	return account.Fact{
		Type: account.Disqualified, AccountID: "the \"acme\", inc.", Tier: "small", Rate: 2.0 / 3, Threshold: 0.75, Reason: account.Excluded,
		Segments: []string{"stuck", "big, one"}, Current: true, Late: true, SingleUser: true, Excluded: true, HoldOut: true, Detail: "too \"small\"", ActiveUsers7d: 3, Activated: 2,
		Champion: "ana#1", UserID: "-", EventID: "e 1", Cause: account.ByTime, OccurredAt: defaultStart.UnixMilli() + 1,
		Playbook: account.Playbook{Name: "nudge", Action: "say hello", Queue: "sales", Owner: "", Message: "m", Reason: "tab\there"},
		Related:  "b, c", PartlyErased: true,
		StepsDone:    []account.Evidence{{Step: "a", Count: 2.5, UserID: "ana, or not"}},
		StepsMissing: []account.Missing{{Step: "b", Progress: 1.0 / 3, Need: "2 more b"}},
		Users:        []account.UserActivity{{ID: "bob", Events: 4, Rate: 0.125, Role: "admin"}, {ID: "ana, or not"}},
		Properties:   []usage.Property{{Key: "company_size", Value: usage.LongValue(20)}, {Key: "domain"}},
	}
}

func subjects() []subject {
	full, empty := someFact(), account.Fact{}
	return []subject{
		{Fact: &full}, {Fact: &empty},
		{Fact: &full, view: &account.View{Fact: full, Converted: true, MergedInto: "a, b", Erased: true}, knows: func(user string) bool { return user == "bob" }},
		{Fact: &empty, view: &account.View{}, knows: func(string) bool { return false }},
		{row: someRow()}, {row: &rollup.Row{}},
	}
}

// someRow is a row with something in each column.
func someRow() *rollup.Row {
	r := &rollup.Row{}
	for i, c := range rollup.Columns {
		switch v := c.Of(r).(type) {
		case *string:
			*v = "late,merged"
		case *bool:
			*v = true
		case *int64:
			*v = defaultStart.UnixMilli() + int64(i)
		case *rollup.Null[int64]:
			*v = rollup.Null[int64]{Value: int64(i), Known: true}
		case *rollup.Null[float64]:
			*v = rollup.Null[float64]{Value: float64(i) / 3, Known: true}
		}
	}
	return r
}

// where a subject's attributes can be written.
func where(s subject) use {
	switch {
	case s.row != nil:
		return ofRows
	case s.view != nil:
		return ofStandings
	}
	return ofTransitions
}

// names are what the attributes that need a name are asked of.
var names = map[string][]string{
	"a step": {"a", "b", "no such step"}, "a user": {"bob", "ana, or not", "no-one"}, "an account property": {"company_size", "domain", "none"}, "": {""},
}

func TestEveryAttributeIsReadAsItIsWritten(t *testing.T) {
	for _, s := range subjects() {
		here := where(s)
		for _, spec := range specsFor(here) {
			for _, name := range names[spec.about] {
				if spec.use&here == 0 || spec == noRow {
					continue
				}
				a := attribute{spec: spec, name: name}
				text := a.write(s, clock{defaultStart})
				tokens, err := scan(text+" # comment", 0)
				require.NoError(t, err, text)
				read, err := readAttributes(tokens, here, clock{defaultStart})
				require.NoError(t, err, text)
				require.Len(t, read, 1, text)
				assert.Same(t, spec, read[0].spec, text)
				assert.True(t, read[0].holds(s), text)
				assert.Equal(t, text, read[0].write(s, clock{defaultStart}))
				assert.Equal(t, len(text), read[0].at.to)
				for _, other := range subjects() {
					if where(other) == here && a.write(other, clock{defaultStart}) != text {
						assert.False(t, read[0].holds(other), "%s must not hold of %s", text, a.write(other, clock{defaultStart}))
					}
				}
			}
		}
	}
}

func TestPercentagesAreComparedToATenthOrFiner(t *testing.T) {
	fact := account.Fact{}
	holds := func(text string, rate float64) bool {
		fact.Rate = rate
		tokens, err := scan("rate "+text, 0)
		require.NoError(t, err)
		a, err := readAttributes(tokens, ofTransitions, clock{})
		require.NoError(t, err)
		return a[0].holds(subject{Fact: &fact})
	}
	assert.True(t, holds("33.3%", 1.0/3))
	assert.False(t, holds("33%", 1.0/3), "33% is not a third")
	assert.False(t, holds("33.33%", 0.333))
	assert.True(t, holds("33.33%", 1.0/3))
	assert.True(t, holds("30%", 0.1+0.2))
	assert.False(t, holds("75%", 0.749))
	assert.True(t, holds("75.00%", math.Nextafter(0.75, 0)))
}

func TestTokens(t *testing.T) {
	tokens, err := scan(` a  "b c"d	e=","#f # g "`, 0)
	require.NoError(t, err)
	var raws []string
	for _, tok := range tokens {
		raws = append(raws, tok.raw)
	}
	assert.Equal(t, []string{"a", `"b c"d`, `e=","#f`}, raws)
	assert.Equal(t, "b cd", unquoted(raws[1]))
	assert.Equal(t, []string{"a", "b,c", "", `d"`}, listed(`a,"b,c",,"d\""`))
	for _, text := range []string{"plain", "", "-", "a b", "a,b", "#", `"`, `\`, "`", "\x00", "ü", "\u00a0", "\xff", "=>", "x=1"} {
		tokens, err := scan(quoted(text), 0)
		require.NoError(t, err, text)
		require.Len(t, tokens, 1, text)
		assert.Equal(t, text, unquoted(tokens[0].raw))
		assert.Equal(t, []string{text}, listed(tokens[0].raw))
		assert.NotEqual(t, nothing, tokens[0].raw)
	}
	for _, text := range []string{`"a`, `a"`, `"\q"`, `a "b" "`} {
		_, err := scan(text, 0)
		assert.ErrorIs(t, err, errOpenQuote, text)
	}
	assert.Equal(t, -1, outside(`"a=\"b="`, '='))
	assert.Equal(t, 4, outside(`"a="=`, '='))
}

func TestTheReferenceNamesEveryAttribute(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenarios.md")
	require.NoError(t, err)
	for _, s := range append(specs[:len(specs):len(specs)], noRow) { // columns are explained in docs/metrics.md
		assert.Contains(t, string(text), "`"+s.words, s.words)
	}
	for _, f := range (&metricSettings{}).fields() {
		assert.Contains(t, string(text), "`"+f.name+"`")
	}
	for _, kind := range transitions {
		assert.Contains(t, string(text), "`"+string(kind))
	}
}
