package checklist

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestWhichPropertiesAreRead(t *testing.T) {
	c, err := compiled(`
version: 1
name: reads
signup: {event: signed_up, where: 'properties.via != "import"'}
converted: {event: [paid, signed_up], where: 'has(properties.plan) && properties["plan"] != "free"'}
churned: {event: [paid, gone], where: 'properties.end != ""'}
trial: {days: 7, starts: {event: tried, where: properties.long}, ends: {event: gone, where: properties.stop}, disqualifies: true}
sales: {lost: {event: [gone, closed], where: '!properties.won', reason: because}, won: {event: closed}}
properties:
  - {name: size, type: long, from: [{event: signed_up, property: company_size}, {event: resized}]}
  - {name: region, type: string, from: [{event: '*'}]}
tiers: [{name: all, threshold: 1}]
steps:
  - {id: a, kind: event, event: opened}
  - {id: b, kind: event, event: filtered, where: 'quantity > 1.0 && properties.kind in ["x", "y"] && account.size > 3'}
  - {id: c, kind: distinct, event: filtered, of: properties.file, at_least: 2}
  - {id: d, kind: distinct, event: opened, of: user_id, at_least: 2}
  - {id: e, kind: sum, event: summed, of: properties.n, at_least: 2}
  - {id: f, kind: event, event: any, where: 'properties.exists(k, k == "plan")'}
`)
	require.NoError(t, err)
	for event, want := range map[string]usage.Selection{
		"signed_up": {Keys: []string{"company_size", "region", "via", "plan"}},
		"paid":      {Keys: []string{"region", "plan", "end"}},
		"gone":      {Keys: []string{"region", "end", "stop", "because", "won"}},
		"tried":     {Keys: []string{"region", "long"}},
		"closed":    {Keys: []string{"region", "because", "won"}},
		"resized":   {Keys: []string{"size", "region"}},
		"opened":    {Keys: []string{"region"}},
		"filtered":  {Keys: []string{"region", "kind", "file"}},
		"summed":    {Keys: []string{"region", "n"}},
		"any":       {Keys: []string{"region"}, All: true},
		"other":     {Keys: []string{"region"}},
	} {
		assert.Equal(t, want, c.Listener(event).Reads, event)
	}
}

func TestWhichPropertiesExpressionsRead(t *testing.T) {
	for text, want := range map[string]usage.Selection{
		`event == "x" && user_id != "" && quantity > 1.0`:  {},
		`account.domain == "properties"`:                   {},
		`!(properties.a == 1 || "x" == properties["b c"])`: {Keys: []string{"a", "b c"}},
		`properties.a.startsWith("x")`:                     {Keys: []string{"a"}},
		`.properties.a == 1`:                               {Keys: []string{"a"}},
		`has(properties.a) ? properties.b : properties.c`:  {Keys: []string{"a", "b", "c"}},
		`"a" in properties`:                                {Keys: []string{"a"}},
		`["x", "y"].exists(v, v == properties.a)`:          {Keys: []string{"a"}},
		`["a", "b"].exists(k, properties[k] == 1)`:         {All: true},
		`user_id in properties`:                            {All: true},
		`properties[user_id] == 1`:                         {All: true},
		`size(properties) > 2`:                             {All: true},
		`properties.all(k, k != "x")`:                      {All: true},
		`properties == {"a": 1}`:                           {All: true},
		`{"a": properties}.a == properties`:                {All: true},
		`properties.a == 1 && [properties] != []`:          {Keys: []string{"a"}, All: true},
	} {
		c, err := compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\n" +
			"properties: [{name: domain, type: string, from: [{event: y}]}]\n" +
			"steps: [{id: s, kind: event, event: x, where: " + strconv.Quote(text) + "}]")
		require.NoError(t, err, text)
		assert.Equal(t, want, c.Listener("x").Reads, text)
	}
}

// A step makes the same of an event without the properties that its listener does not read.
func TestNothingElseIsRead(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	where := func() string {
		a := randomExpression(r, 2)
		return []string{
			a, `(` + a + `) && properties.a != properties["c d"]`, `has(properties.b) || ` + a,
			`"a" in properties`, `properties.size() == 2`, `["a", "c d"].exists(k, properties[k] == 1)`,
		}[r.IntN(6)]
	}
	accepted, left := map[bool]int{}, 0
	for range 600 {
		kind := []string{"kind: event", "kind: sum, of: properties.a, at_least: 2", "kind: distinct, of: properties.b, at_least: 2"}[r.IntN(3)]
		text := where()
		c, err := compiled("version: 1\nname: x\ntiers: [{name: all, threshold: 1}]\nproperties:\n" +
			"  - {name: size, type: long, from: [{event: y}]}\n  - {name: share, type: double, from: [{event: y}]}\n" +
			"  - {name: domain, type: string, from: [{event: y}]}\n  - {name: test, type: boolean, from: [{event: y}]}\n" +
			fmt.Sprintf("steps: [{id: s, %s, event: x, where: %q}]", kind, text))
		if err != nil { // such as quantity == "a"
			continue
		}
		step, reads := &c.Steps()[0], &c.Listener("x").Reads
		for range 8 {
			ev, account := randomSubject(r)
			part := *ev
			part.Properties = nil
			for _, p := range ev.Properties {
				if reads.Has(p.Key) {
					part.Properties = append(part.Properties, p)
				}
			}
			left += len(ev.Properties) - len(part.Properties)
			want := step.Accepts(0, ev, account)
			accepted[want]++
			require.Equal(t, want, step.Accepts(0, &part, account), "%s with %+v", text, ev)
			changed, done := update(step, new(Work), ev)
			changedToo, doneToo := update(step, new(Work), &part)
			require.Equal(t, []bool{changed, done}, []bool{changedToo, doneToo}, "%s with %+v", kind, ev)
		}
	}
	require.Greater(t, accepted[true], 300)
	require.Greater(t, accepted[false], 300)
	require.Greater(t, left, 1000)
}
