package checklist

import (
	"fmt"
	"math"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// maxSamples bounds the accounts that are made up to find out what a condition can be.
const maxSamples = 50_000

// warnOfTiers warns of tiers that no account can be in.
func (w *warner) warnOfTiers() {
	tiers := tiersWithDefaults(w.def)
	var whens []string
	for _, t := range tiers {
		if t.When != nil {
			whens = append(whens, *t.When)
		}
	}
	chosen := make([]bool, len(tiers))
	if !w.sample(whens, func(account []usage.Value) { chosen[w.list.Tier(account)] = true }) {
		return
	}
	for i, t := range tiers {
		if chosen[i] {
			continue
		}
		why := "whoever fits it is in a tier before it"
		if _, sometimes, known := w.truths(t.When); known && !sometimes {
			why = "its condition is never true"
		}
		w.add(fmt.Sprintf("tiers[%d]", i), "no account can be in the tier %s: %s", t.Name, why)
	}
}

func (w *warner) warnOfExclusions() {
	for i, text := range w.def.Exclude {
		always, sometimes, known := w.truths(&text)
		switch path := fmt.Sprintf("exclude[%d]", i); {
		case known && !sometimes:
			w.add(path, "is never true")
		case known && always:
			w.add(path, "is always true: no account can ever qualify")
		}
	}
}

func (w *warner) warnOfSegments() {
	for i, s := range w.def.Segments {
		if w.mentioned(s.When).others {
			continue
		}
		if _, sometimes, known := w.truths(&s.When); known && !sometimes {
			w.add(fmt.Sprintf("segments[%d].when", i), "is never true")
		}
	}
}

// truths finds out whether a condition over accounts is true of all of them or of some. It is not known when the
// condition compares in ways that made-up accounts can't stand for.
func (w *warner) truths(when *string) (always, sometimes, known bool) {
	if when == nil {
		return true, true, true
	}
	bar := 1.0
	asked, err := Compile(&Definition{
		Version: 1, Name: "asked", Properties: w.def.Properties,
		Tiers: []TierDef{{Name: "yes", When: when, Threshold: &bar}, {Name: "no", Threshold: &bar}},
		Steps: []StepDef{{ID: "any", Kind: eventKind.Name, Event: Names{"any"}}},
	})
	if err != nil {
		return false, false, false
	}
	always = true
	known = w.sample([]string{*when}, func(account []usage.Value) {
		isTrue := asked.Tier(account) == 0
		always, sometimes = always && isTrue, sometimes || isTrue
	})
	return always, sometimes, known
}

// sample makes up accounts of which, together, conditions are all that they can be, and calls visit for each; visit
// must not keep it. It returns false, maybe without a call, where that would take too many or can't be told.
func (w *warner) sample(conditions []string, visit func(account []usage.Value)) bool {
	c := comparisons{with: map[string][]usage.Value{}, parts: map[string][]string{}}
	for _, text := range conditions {
		if tree := w.parsed(text); tree == nil || !c.add(tree.Expr()) {
			return false
		}
	}
	properties := w.list.Properties()
	choices, samples := make([][]usage.Value, len(properties)), 1
	for i := range properties {
		choices[i] = []usage.Value{properties[i].Default}
		if values, compared := c.with[properties[i].Name]; compared {
			choices[i] = append(choices[i], representatives(&properties[i], values, c.parts[properties[i].Name])...)
		}
		if samples *= len(choices[i]); samples > maxSamples {
			return false
		}
	}
	account := make([]usage.Value, len(properties))
	for n := range samples {
		for i, values := range choices {
			account[i], n = values[n%len(values)], n/len(values)
		}
		visit(account)
	}
	return true
}

// comparisons are what conditions compare account properties with.
type comparisons struct {
	with  map[string][]usage.Value
	parts map[string][]string // texts that a property begins with, ends with or contains
}

// add takes in a condition; false when it does anything but compare account properties with literals.
func (c *comparisons) add(e ast.Expr) bool {
	if name, is := accountProperty(e); is {
		c.with[name] = append(c.with[name], usage.BoolValue(true))
		return true
	}
	if e.Kind() != ast.CallKind {
		return literal(e).Kind() == usage.Bool
	}
	call := e.AsCall()
	switch f := call.FunctionName(); {
	case joins(f):
		return !slices.ContainsFunc(call.Args(), func(a ast.Expr) bool { return !c.add(a) })
	case call.IsMemberFunction():
		return (f == "startsWith" || f == "endsWith" || f == "contains") && c.addPart(call.Target(), call.Args()[0])
	case f == operators.In:
		name, is := accountProperty(call.Args()[0])
		if list := call.Args()[1]; is && list.Kind() == ast.ListKind {
			return !slices.ContainsFunc(list.AsList().Elements(), func(m ast.Expr) bool { return !c.compare(name, f, literal(m)) })
		}
	case mirrored[f] != "":
		left, right := call.Args()[0], call.Args()[1]
		if name, is := accountProperty(left); is {
			return c.compare(name, f, literal(right))
		}
		if name, is := accountProperty(right); is {
			return c.compare(name, f, literal(left))
		}
	}
	return false
}

func (c *comparisons) compare(name, operator string, v usage.Value) bool {
	c.with[name] = append(c.with[name], v)
	ordersTexts := v.Kind() == usage.String && mirrored[operator] != "" && mirrored[operator] != operator
	return v.Kind() != usage.Null && !ordersTexts
}

// addPart takes in a part of a text. Three of one property could only be had together in more ways than are tried.
func (c *comparisons) addPart(of, part ast.Expr) bool {
	name, is := accountProperty(of)
	text, isText := literalText(part)
	c.with[name] = append(c.with[name], usage.StringValue(text))
	c.parts[name] = append(c.parts[name], text)
	return is && isText && len(c.parts[name]) <= 2
}

// filler is a text that is in no literal.
const filler = "\x01"

// representatives returns values of a property: one for each outcome that comparing it with the given ones can have.
func representatives(p *Property, with []usage.Value, parts []string) (values []usage.Value) {
	add := func(v usage.Value) {
		if taken, ok := p.Take(v); ok && !slices.ContainsFunc(values, func(o usage.Value) bool { return equal(o, taken) }) {
			values = append(values, taken)
		}
	}
	switch p.Kind {
	case usage.Bool:
		add(usage.BoolValue(true))
		add(usage.BoolValue(false))
	case usage.String:
		add(usage.StringValue(filler))
		for _, v := range with {
			add(v)
		}
		for _, text := range around(append([]string{""}, parts...)) {
			add(usage.StringValue(text))
		}
	default:
		for _, v := range append(with, usage.LongValue(0)) {
			for _, near := range nearNumbers(p.Kind, v) {
				add(near)
			}
		}
	}
	return values
}

// around returns texts that begin with, end with or contain any two of some texts.
func around(parts []string) (texts []string) {
	for _, a := range parts {
		for _, b := range parts {
			between := a + filler + b
			texts = append(texts, a+b, between, filler+between, between+filler, filler+between+filler)
		}
	}
	return texts
}

// nearNumbers returns a number and those just below and above it.
func nearNumbers(kind usage.Kind, v usage.Value) (near []usage.Value) {
	if !isNumber(v) {
		return nil
	}
	f := v.Double()
	if v.Kind() == usage.Long {
		f = float64(v.Long())
	}
	if kind == usage.Double {
		return []usage.Value{
			usage.DoubleValue(f), usage.DoubleValue(math.Nextafter(f, math.Inf(-1))), usage.DoubleValue(math.Nextafter(f, math.Inf(1))),
		}
	}
	if math.Abs(f) > 1<<52 {
		return []usage.Value{v}
	}
	for n := int64(math.Floor(f)) - 1; n <= int64(math.Ceil(f))+1; n++ {
		near = append(near, usage.LongValue(n))
	}
	return near
}
