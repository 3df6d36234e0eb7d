package checklist

import (
	"math"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Kind documents one kind of step. The reference page, the configuration's schema and the conformance tests are made
// from it.
type Kind struct {
	Name    string
	Doc     string
	Fields  []Field // beside id, kind and weight, which every step has
	Example string  // one step in YAML

	build func(d *StepDef, p *problems, path string) rule
}

// Field documents one field of a kind.
type Field struct {
	Name     string
	Doc      string
	Required bool
	Default  string // what holds when it is left out, in words
}

// kinds is the one list of the kinds there are.
var kinds = []Kind{eventKind, countKind, distinctKind, daysKind, sumKind}

// Kinds returns the kinds of steps there are, in the order of the reference page.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// rule is a kind's behaviour with the fields of one step. It is immutable.
type rule interface {
	// update folds an event that passed the step's filter into the working set.
	update(w *Work, ev *usage.Event) (changed, done bool)
	// count is what the step has counted so far, in its own unit; ok is false when the working set is malformed.
	count(w Work) (n float64, ok bool)
	// appendNeed appends what is missing, in words, after so much was counted.
	appendNeed(b []byte, have float64) []byte
	// traits are what the rule is to the rest: constant.
	traits() traits
}

// traits are a rule's constants.
type traits struct {
	target float64 // the count at which the step is done
	shape  string  // the working set's meaning: a working set of another shape is not carried over
	bound  int     // bytes that the encoded working set can take at most
}

// Work is what a step keeps of one account until it is done: its working set, as encoded states hold it. The zero Work is
// an account's start. What the bytes mean is up to the kind, which says so with its constructor; traits.shape names it.
type Work []byte

var (
	eventField = Field{Name: "event", Doc: "the event's name, or a list of names of which any counts", Required: true}
	whereField = Field{Name: "where", Doc: "an expression over `properties`, `user_id`, `quantity`, `event` and `account`; " +
		"events that it is not true for don't count. One that reads something missing is not true",
		Default: "every event counts"}
	withinField = Field{Name: "within", Doc: "whole days, such as `7d`, at most 366d: so many consecutive UTC days",
		Default: "the account's whole life"}
)

// atLeast checks a step's at_least, a whole number unless fractions are allowed.
func (d *StepDef) atLeast(p *problems, path string, limit float64, fractions bool) float64 {
	at := path + ".at_least"
	switch v := d.AtLeast; {
	case v == nil:
		p.add(at, "is missing")
	case !(*v > 0 && *v <= limit):
		p.add(at, "%v is not above 0 and at most %v", *v, limit)
	case !fractions && *v != math.Trunc(*v):
		p.add(at, "%v is not a whole number", *v)
	default:
		return *v
	}
	return 1
}

// withinDays checks a step's within; 0: the account's whole life.
func (d *StepDef) withinDays(p *problems, path string) int {
	if d.Within == nil {
		return 0
	}
	if d.Within.Unit != day || d.Within.N > maxWithin {
		p.add(path+".within", "is not a number of whole days from 1d to %dd", maxWithin)
		return 1
	}
	return d.Within.N
}

// given names the fields that a step has, beside id, kind and weight.
func (d *StepDef) given() (names []string) {
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"event", d.Event != nil}, {"where", d.Where != ""}, {"of", d.Of != ""},
		{"at_least", d.AtLeast != nil}, {"within", d.Within != nil},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

// events is how a step's events read in a sentence.
func (d *StepDef) events() string { return strings.Join(d.Event, " or ") }

// appendNumber formats without an exponent or needless digits.
func appendNumber(b []byte, f float64) []byte { return strconv.AppendFloat(b, f, 'f', -1, 64) }

// appendMore appends how many more of something it takes.
func appendMore(b []byte, n float64, what string) []byte {
	b = append(append(appendNumber(b, n), " more "...), what...)
	if n != 1 {
		b = append(b, 's')
	}
	return b
}

// appendShare appends how much of the target there is.
func appendShare(b []byte, have, target float64) []byte {
	b = append(appendNumber(append(b, " ("...), have), " of "...)
	return append(appendNumber(b, target), ')')
}

// appendWithin appends a window, if there is one.
func appendWithin(b []byte, days int) []byte {
	if days == 0 {
		return b
	}
	return append(strconv.AppendInt(append(b, " within "...), int64(days), 10), " days"...)
}
