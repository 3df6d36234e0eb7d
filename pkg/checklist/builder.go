package checklist

import (
	"math"
	"strings"
	"time"
)

// builder is a step that is being compiled, as its kind's build sees it.
type builder struct {
	*compiler
	d    *StepDef
	path string
	at   int // the step's place
	step *Step
	m    *stepMeaning
}

// complain notes what is wrong with a field of the step.
func (b *builder) complain(field, format string, args ...any) {
	b.add(b.path+"."+field, format, args...)
}

// onEvent makes the step listen to its event field, with its filter: that is the next role of an Input.
func (b *builder) onEvent() { b.on("", b.d.Event, b.d.Where) }

// onMoment makes the step listen to what a field names: that is the next role of an Input.
func (b *builder) onMoment(field string, d *MomentDef) {
	if d == nil {
		b.complain(field, "is missing")
		return
	}
	b.on("."+field, d.Event, d.Where)
}

// on makes the step listen to events that a filter accepts, both of which stand in a field: empty for the step itself.
func (b *builder) on(field string, events Names, where string) {
	role, in := uint8(len(b.step.inputs)), input{}
	meant := momentMeaning{Events: sorted(events)}
	if where != "" {
		in.where, meant.Where = b.condition(b.path+field+".where", b.expressions.event, where)
		in.text = where
	}
	for _, l := range b.listenAll(b.path+field, events) {
		l.Steps = append(l.Steps, Listen{Step: uint8(b.at), Role: role})
	}
	b.step.inputs = append(b.step.inputs, in)
	b.m.Inputs = append(b.m.Inputs, meant)
}

// reads notes that the step reads a property of its events.
func (b *builder) reads(property string) {
	if property != "" {
		b.step.reads = append(b.step.reads, property)
	}
}

// operand checks the step's of: the given field of events, or properties.NAME.
func (b *builder) operand(field string) operand {
	o := parseOperand(b.d.Of, field, &b.problems, b.path)
	b.reads(o.property)
	return o
}

// atLeast checks the step's at_least, a whole number unless fractions are allowed.
func (b *builder) atLeast(limit float64, fractions bool) float64 {
	switch v := b.d.AtLeast; {
	case v == nil:
		b.complain("at_least", "is missing")
	case !(*v > 0 && *v <= limit):
		b.complain("at_least", "%v is not above 0 and at most %v", *v, limit)
	case !fractions && *v != math.Trunc(*v):
		b.complain("at_least", "%v is not a whole number", *v)
	default:
		return *v
	}
	return 1
}

// window checks the step's within; nil: the account's whole life.
func (b *builder) window() *window {
	w := b.d.Within
	if w == nil {
		if b.d.Live {
			b.complain("live", "needs within: what is counted over the whole life never becomes less")
		}
		return nil
	}
	if w.N < 1 || w.N > maxWithin {
		b.complain("within", "%v is not from 1 to %d days, hours or minutes", w, maxWithin)
		return newWindow(Window{1, day}, b.calendar)
	}
	return newWindow(*w, b.calendar)
}

// span checks a length of time that is measured exactly, with days of 24 hours.
func (b *builder) span(field string, w *Window) int64 {
	switch {
	case w == nil:
		b.complain(field, "is missing")
		return 1
	case w.Duration() < time.Minute || w.Duration() > maxWithin*day:
		b.complain(field, "%v is not from 1m to %dd", w, maxWithin)
		return 1
	}
	return w.Duration().Milliseconds()
}

// events is how a list of events reads in a sentence.
func (n Names) String() string { return strings.Join(n, " or ") }
